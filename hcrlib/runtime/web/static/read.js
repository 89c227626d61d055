// Whole pages: sends a file, shows and exports its pages, and searches the library.

import * as api from "./api.js";
import { receive } from "./files.js";
import * as lines from "./lines.js";
import { chosen, offer } from "./models.js";
import * as sheet from "./sheet.js";
import { fill, t } from "./strings.js";

const MOST_BYTES = 30 << 20;
const MOST_TRIES = 30; // while the server is busy with another page
const TELL = 2; // s between two looks at the place in line
const AGAIN = 3; // s until an unreachable server is asked again
const AUTO = "auto"; // the way to read that is chosen for each page
const RECOGNIZER = "page-recognizer"; // the key under which the browser remembers the choice
const $ = (id) => document.getElementById(id);

let file = null; // the file that was sent
let pages = []; // the response
let asked = {}; // {model, recognizer}: what was chosen to read it
let by = {}; // {model, recognizer}: what read it
let index = 0; // of the page on display
let request = null; // AbortController of the current request

// --- reading ------------------------------------------------------------------------------------------------------------

async function take([first, ...more]) {
  trouble();
  if (!/^(image\/|application\/pdf$)/.test(first.type) && !/\.(hei[cf]|pdf)$/i.test(first.name)) return trouble(t.read_no_page);
  if (first.size > MOST_BYTES) return trouble(t.read_too_large);
  if (!mayForget()) return;
  forget();
  file = first;
  if (more.length) $("spoken").textContent = t.first_only;
  await read();
}

async function read() {
  const options = choice();
  const result = await ask(fill(t.read_reading, { name: file.name }), { ...options, keep: $("keep").checked });
  if (result) show(result, options);
}

const choice = () => ({ model: $("model").value, recognizer: $("recognizer").value });

// Returns the server's response; undefined, after a message to the user, if there is none or the user cancelled.
async function ask(message, options) {
  request?.abort();
  const mine = (request = new AbortController());
  const [before, stop] = showProgress(message);
  const ticket = api.newTicket();
  const telling = setInterval(() => tellPlace(ticket, message, mine), 1000 * TELL);
  try {
    return await patiently(() => api.read(file, { signal: mine.signal, ticket, ...options }), mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) trouble(explanation(error));
    else if (options.keep && request === mine) trouble(t.read_kept_perhaps); // the server goes on reading
  } finally {
    clearInterval(telling);
    stop();
    if (request === mine) only(before);
  }
}

async function tellPlace(ticket, message, mine) {
  const { place } = await api.place(ticket).catch(() => ({}));
  if (request === mine && Number.isInteger(place)) $("doing").textContent = place ? fill(t.read_place, { n: place }) : message;
}

async function patiently(send, signal) {
  for (let tries = 1; ; tries++) {
    try {
      return await send();
    } catch (error) {
      if (error.kind !== "busy" || tries === MOST_TRIES) throw error;
      $("doing").textContent = t.read_waiting;
      await new Promise((resolve) => setTimeout(resolve, 1000 * error.wait));
      signal.throwIfAborted();
    }
  }
}

// Shows the progress; returns what was on display before, and a function that stops the clock.
function showProgress(message) {
  const [since, before] = [Date.now(), $("sheet-part").hidden ? "chooser" : "sheet-part"];
  const tick = () => ($("elapsed").textContent = Math.round((Date.now() - since) / 1000));
  const timer = setInterval(tick, 1000);
  tick();
  $("doing").textContent = $("spoken").textContent = message;
  only("working");
  return [before, () => clearInterval(timer)];
}

function only(id) {
  for (const each of ["chooser", "working", "sheet-part"]) $(each).hidden = each !== id;
}

function explanation(error) {
  if (error.kind === "offline") return t.read_offline;
  if (error.kind === "busy") return t.read_busy;
  return error.kind === "fault" || !error.kind ? t.trouble : error.message;
}

function trouble(message = "") {
  $("trouble").textContent = message;
  $("trouble").hidden = !message;
}

$("cancel").addEventListener("click", () => request.abort());

// --- results ------------------------------------------------------------------------------------------------------------

function show(result, options) {
  pages = result.pages;
  lines.restore(pages, file.name);
  asked = options;
  by = { model: result.model, recognizer: result.recognizer ?? "characters" };
  only("sheet-part");
  $("results").hidden = false;
  $("nothing").hidden = true;
  $("turn").hidden = pages.length < 2;
  $("format").value = "text";
  $("format").querySelector("[value=png]").disabled = pages.length > 1; // it holds a single page
  $("status").textContent = result.kept ? t.read_kept : "";
  turn(0);
  offerAgain();
  $("spoken").textContent = fill(t.read_done, { words: pages.reduce((sum, page) => sum + words(page), 0) });
}

const words = (page) => page.lines.reduce((sum, line) => sum + line.words.length, 0);

function turn(to) {
  index = to;
  const page = pages[index];
  sheet.show(page);
  const model = page.recognizer ?? by.model;
  lines.show(page, { document: file.name, model });
  $("turned").textContent = $("spoken").textContent = fill(t.read_turned, { number: index + 1, of: pages.length });
  $("previous").disabled = index === 0;
  $("next").disabled = index === pages.length - 1;
  const about = asked.recognizer === AUTO ? t.read_about_auto : t.read_about; // a note says how it was chosen
  const said = fill(about, { words: words(page), model, seconds: page.seconds.toFixed(1) });
  $("notes").replaceChildren(...[said, ...page.notes, ...(page.unsure ? [t.read_doubtful] : [])].map(item));
}

function item(text) {
  const element = document.createElement("li");
  element.textContent = text;
  return element;
}

const mayForget = () => !lines.unsaved(pages) || confirm(t.lines_lose);

function forget() {
  sheet.leave();
  lines.reset();
  file = null;
  pages = [];
  only("chooser");
  for (const id of ["file", "camera"]) $(id).value = "";
  $("results").hidden = true;
  $("nothing").hidden = false;
  offerAgain();
}

// Offers to read the page on display in another way once one is chosen.
function offerAgain() {
  const { model, recognizer } = choice();
  $("again-part").hidden = !pages.length || (model === asked.model && recognizer === asked.recognizer);
}

$("previous").addEventListener("click", () => turn(index - 1));
$("next").addEventListener("click", () => turn(index + 1));
$("shown").addEventListener("change", sheet.draw);
addEventListener("beforeunload", (event) => lines.unsaved(pages) && event.preventDefault());
$("another").addEventListener("click", () => {
  if (!mayForget()) return;
  trouble();
  forget();
  $("file").focus();
});
$("again").addEventListener("click", () => {
  if (!mayForget()) return;
  trouble();
  read();
});
receive(take);

// --- export -------------------------------------------------------------------------------------------------------------

const text = () => pages.map((page) => page.text).join("\n\n");
const ENDINGS = { text: "txt", json: "json", hocr: "hocr", alto: "xml", pdf: "read.pdf", png: "read.png" };
const OWN = {
  text: () => new Blob([text(), "\n"], { type: "text/plain" }),
  json: () => new Blob([JSON.stringify(pages, (key, value) => (key === "picture" || key === "image" ? undefined : value), 1)], { type: "application/json" }),
};

async function save() {
  trouble();
  const format = $("format").value;
  const blob = OWN[format]?.() ?? (await ask(t.read_writing, { ...by, format }));
  if (!blob) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${file.name.replace(/\.\w+$/, "")}.${ENDINGS[format]}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

$("save").addEventListener("click", save);
$("copy").addEventListener("click", async () => {
  const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
  $("status").textContent = $("spoken").textContent = copied ? t.read_copied : t.read_not_copied;
});

// --- the library --------------------------------------------------------------------------------------------------------

$("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = $("query").value.trim();
  if (!query) return;
  try {
    const { hits } = await api.search(query);
    $("hits").replaceChildren(...hits.map(hit));
    $("found").textContent = hits.length ? fill(t.library_found, { n: hits.length }) : fill(t.library_none, { query });
  } catch (error) {
    $("hits").replaceChildren();
    $("found").textContent = explanation(error);
  }
});

function hit({ document: name, page, snippet }) {
  const element = item("");
  const [where, words] = ["b", "p"].map((tag) => document.createElement(tag));
  where.textContent = fill(t.library_where, { name, page });
  for (const part of snippet) {
    const marked = part.hit ? document.createElement("mark") : document.createElement("span");
    marked.textContent = part.text;
    words.append(marked);
  }
  element.append(where, words);
  return element;
}

// --- models and recognizers ---------------------------------------------------------------------------------------------

async function load() {
  try {
    const { models, pages: about, corrections } = await api.models();
    lines.offer(corrections);
    offer(models, "page-model", about.model);
    chosen();
    offerRecognizers(about);
    $("keep-part").hidden = $("library-part").hidden = !about.library;
  } catch (error) {
    trouble(explanation(error));
    setTimeout(load, 1000 * AGAIN);
    return;
  }
  trouble();
}

const UNITS = { words: t.read_by_words, lines: t.read_by_lines };

// Lists the ways to read; hides the list if there is only one.
function offerRecognizers({ recognizer: first, recognizers }) {
  const options = recognizers.map(({ name, unit }) => new Option(fill(UNITS[unit], { name }), name));
  options.unshift(new Option(t.read_by_characters, "characters"));
  if (first === AUTO) options.unshift(new Option(t.read_by_auto, AUTO));
  $("recognizer").replaceChildren(...options);
  const wanted = localStorage.getItem(RECOGNIZER);
  $("recognizer").value = options.some(({ value }) => value === wanted) ? wanted : first;
  $("recognizer-part").hidden = options.length < 2;
}

$("recognizer").addEventListener("change", () => {
  localStorage.setItem(RECOGNIZER, $("recognizer").value);
  offerAgain();
});
$("model").addEventListener("change", () => {
  chosen();
  offerAgain();
});
load();
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("sw.js");
