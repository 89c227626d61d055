// Reading a page: a file is sent, its pages are shown and taken along; what was kept is searched.

import * as api from "./api.js";
import { receive } from "./files.js";
import { chosen, offer } from "./models.js";
import * as sheet from "./sheet.js";
import { fill, t } from "./strings.js";

const MOST_BYTES = 30 << 20;
const MOST_TRIES = 30; // while the server reads another page
const AGAIN = 3; // s until a server that did not answer is asked again
const RECOGNIZER = "page-recognizer"; // where the browser remembers which was chosen
const $ = (id) => document.getElementById(id);

let file = null; // what was sent
let pages = []; // what came back
let by = {}; // {model, recognizer}: the names of what read them
let at = 0; // the page that is shown
let asked = null; // AbortController of the request under way

// --- reading ------------------------------------------------------------------------------------------------------------

async function take([first, ...more]) {
  trouble();
  if (!/^(image\/|application\/pdf$)/.test(first.type) && !/\.(hei[cf]|pdf)$/i.test(first.name)) return trouble(t.read_no_page);
  if (first.size > MOST_BYTES) return trouble(t.read_too_large);
  forget();
  file = first;
  if (more.length) $("spoken").textContent = t.first_only;
  const options = { model: $("model").value, recognizer: $("recognizer").value, keep: $("keep").checked };
  const found = await ask(fill(t.read_reading, { name: file.name }), options);
  if (found) shown(found);
}

// What the server answers; undefined where it does not, or where it is not waited for any more: then that is said.
async function ask(words, options) {
  asked?.abort();
  const mine = (asked = new AbortController());
  const [before, stop] = working(words);
  try {
    return await patiently(() => api.read(file, { signal: mine.signal, ...options }), mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) trouble(explained(error));
    else if (options.keep && asked === mine) trouble(t.read_kept_perhaps); // the server reads on
  } finally {
    stop();
    if (asked === mine) only(before);
  }
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

// [what was shown before, a function that stops the clock]: that it works is shown in its place.
function working(words) {
  const [since, before] = [Date.now(), $("sheet-part").hidden ? "chooser" : "sheet-part"];
  const tick = () => ($("elapsed").textContent = Math.round((Date.now() - since) / 1000));
  const timer = setInterval(tick, 1000);
  tick();
  $("doing").textContent = $("spoken").textContent = words;
  only("working");
  return [before, () => clearInterval(timer)];
}

function only(id) {
  for (const each of ["chooser", "working", "sheet-part"]) $(each).hidden = each !== id;
}

function explained(error) {
  if (error.kind === "offline") return t.read_offline;
  if (error.kind === "busy") return t.read_busy;
  return error.kind === "fault" || !error.kind ? t.trouble : error.message;
}

function trouble(words = "") {
  $("trouble").textContent = words;
  $("trouble").hidden = !words;
}

$("cancel").addEventListener("click", () => asked.abort());

// --- what was read ------------------------------------------------------------------------------------------------------

function shown(found) {
  pages = found.pages;
  by = { model: found.model, recognizer: found.recognizer };
  only("sheet-part");
  $("results").hidden = false;
  $("nothing").hidden = true;
  $("turn").hidden = pages.length < 2;
  $("format").value = "text";
  $("format").querySelector("[value=png]").disabled = pages.length > 1; // it holds one page
  $("told").textContent = found.kept ? t.read_kept : "";
  turn(0);
  $("spoken").textContent = fill(t.read_done, { words: pages.reduce((sum, page) => sum + words(page), 0) });
}

const words = (page) => page.lines.reduce((sum, line) => sum + line.words.length, 0);

function turn(to) {
  at = to;
  const page = pages[at];
  sheet.show(page);
  $("turned").textContent = $("spoken").textContent = fill(t.read_turned, { number: at + 1, of: pages.length });
  $("previous").disabled = at === 0;
  $("next").disabled = at === pages.length - 1;
  const about = fill(t.read_about, { words: words(page), model: by.recognizer ?? by.model, seconds: page.seconds.toFixed(1) });
  $("notes").replaceChildren(...[about, ...page.notes].map(item));
}

function item(text) {
  const element = document.createElement("li");
  element.textContent = text;
  return element;
}

function forget() {
  sheet.leave();
  file = null;
  pages = [];
  only("chooser");
  for (const id of ["file", "camera"]) $(id).value = "";
  $("results").hidden = true;
  $("nothing").hidden = false;
}

$("previous").addEventListener("click", () => turn(at - 1));
$("next").addEventListener("click", () => turn(at + 1));
$("shown").addEventListener("change", sheet.draw);
$("another").addEventListener("click", () => {
  trouble();
  forget();
  $("file").focus();
});
receive(take);

// --- taking it along ----------------------------------------------------------------------------------------------------

const text = () => pages.map((page) => page.text).join("\n\n");
const ENDINGS = { text: "txt", json: "json", hocr: "hocr", alto: "xml", pdf: "read.pdf", png: "read.png" };
const OWN = {
  text: () => new Blob([text(), "\n"], { type: "text/plain" }),
  json: () => new Blob([JSON.stringify(pages, (key, value) => (key === "picture" ? undefined : value), 1)], { type: "application/json" }),
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
  $("told").textContent = $("spoken").textContent = copied ? t.read_copied : t.read_not_copied;
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
    $("found").textContent = explained(error);
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

// --- what the server has ------------------------------------------------------------------------------------------------

async function load() {
  try {
    const { models, pages: about } = await api.models();
    offer(models, "page-model", about.model);
    chosen();
    offerRecognizers(about.recognizers);
    $("keep-part").hidden = $("library-part").hidden = !about.library;
  } catch (error) {
    trouble(explained(error));
    setTimeout(load, 1000 * AGAIN);
    return;
  }
  trouble();
}

const UNITS = { words: t.read_by_words, lines: t.read_by_lines };

// What reads whole words or lines; where there is none, nothing is to be chosen.
function offerRecognizers(found) {
  const options = found.map(({ name, unit }) => new Option(fill(UNITS[unit], { name }), name));
  $("recognizer").replaceChildren(new Option(t.read_by_characters, ""), ...options);
  const wanted = localStorage.getItem(RECOGNIZER);
  $("recognizer").value = found.some(({ name }) => name === wanted) ? wanted : "";
  $("recognizer-part").hidden = !found.length;
}

$("recognizer").addEventListener("change", () => localStorage.setItem(RECOGNIZER, $("recognizer").value));
$("model").addEventListener("change", chosen);
load();
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("/sw.js");
