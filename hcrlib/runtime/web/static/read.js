// Whole pages: sends a file, shows and exports its pages.

import { offerKinds } from "./alphabet.js";
import * as api from "./api.js";
import { fetched, offerExamples, onExample } from "./examples.js";
import { receive } from "./files.js";
import { searchable } from "./library.js";
import * as lines from "./lines.js";
import * as live from "./live.js";
import { chosen, offer } from "./models.js";
import { passed } from "./passing.js";
import * as sheet from "./sheet.js";
import { fill, plural, t } from "./strings.js";
import * as texts from "./texts.js";
import { AUTO, CHARACTERS, choice, nameOf, offerWays, reads, same } from "./ways.js";

const MOST_BYTES = 30 << 20;
const MOST_TRIES = 30; // while the server is busy with another page
const TELL = 0.5; // s between two looks at how far the page is
const AGAIN = 3; // s until an unreachable server is asked again
const KINDS = "page-may-be"; // the key under which the browser remembers the kind of characters
const $ = (id) => document.getElementById(id);

let file = null; // the file that was sent
let pages = []; // the response
let asked = {}; // {model, recognizer, alphabet, kind}: what was chosen to read it
let by = {}; // the same: what read it
let index = 0; // of the page on display
let request = null; // AbortController of the current request
let ready = false; // whether there are models and recognizers to read with
let early = null; // the files that were chosen before

// --- reading ------------------------------------------------------------------------------------------------------------

async function take(files) {
  const [first, ...more] = files;
  trouble();
  if (!/^(image\/|application\/pdf$)/.test(first.type) && !/\.(hei[cf]|pdf)$/i.test(first.name)) return trouble(t.read_no_page);
  if (first.size > MOST_BYTES) return trouble(t.read_too_large);
  if (!ready) {
    early = files;
    return;
  }
  if (!mayForget()) return;
  forget();
  file = first;
  if (more.length) $("spoken").textContent = t.first_only;
  await read();
}

async function read() {
  const options = choice();
  const result = await ask(fill(t.read_reading, { name: file.name }), { ...options, keep: $("keep").checked });
  if (result) return show(result, options);
  if (!pages.length) asked = options;
  offerAgain();
}

// Returns the server's response; undefined, after a message to the user, if there is none or the user cancelled.
async function ask(message, options) {
  request?.abort();
  const mine = (request = new AbortController());
  const ticket = api.newTicket();
  const before = $("sheet-part").hidden ? "chooser" : "sheet-part";
  const withLines = !options.format; // the text is on display while a file is prepared
  live.begin(message, withLines ? file : null);
  only("working", withLines);
  const telling = setInterval(() => tell(ticket, mine, withLines), 1000 * TELL);
  try {
    return await patiently(() => api.read(file, { signal: mine.signal, ticket, ...options }), mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) trouble(explanation(error));
    else if (options.keep && request === mine) trouble(t.read_kept_perhaps); // the server goes on reading
  } finally {
    clearInterval(telling);
    if (request === mine) {
      request = null;
      live.end();
      only(before);
    }
  }
}

async function tell(ticket, mine, withLines) {
  const found = await api.place(ticket).catch(() => ({}));
  if (request === mine && Number.isInteger(found.place)) live.tell(found, withLines);
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

// Shows one part of the page's card; reading: instead of a text that is on display.
function only(id, reading = false) {
  for (const each of ["chooser", "working", "sheet-part"]) $(each).hidden = each !== id;
  $("results").hidden = reading || !pages.length;
  $("nothing").hidden = !$("results").hidden;
  $("nothing").textContent = id === "working" ? t.read_soon : t.read_nothing;
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

$("cancel").addEventListener("click", () => request?.abort());

// --- results ------------------------------------------------------------------------------------------------------------

function show(result, options) {
  pages = result.pages;
  texts.begin(pages, file.name);
  asked = options;
  by = { ...options, model: result.model, recognizer: result.recognizer ?? CHARACTERS };
  only("sheet-part");
  $("turn").hidden = pages.length < 2;
  $("format").value = "text";
  $("format").querySelector("[value=png]").disabled = pages.length > 1; // it holds a single page
  $("status").textContent = result.kept ? t.read_kept : "";
  turn(0);
  offerAgain();
  $("spoken").textContent = plural(pages.reduce((sum, page) => sum + words(page), 0), t.read_done_one, t.read_done);
}

const words = (page) => page.lines.reduce((sum, line) => sum + line.words.length, 0);

function turn(to) {
  lines.leave();
  index = to;
  const page = pages[index];
  lines.show(pages, page, ({ recognizer }) => recognizer ?? by.model);
  $("turned").textContent = $("spoken").textContent = fill(t.read_turned, { number: index + 1, of: pages.length });
  $("previous").disabled = index === 0;
  $("next").disabled = index === pages.length - 1;
  const about = page.recognizer && asked.recognizer === AUTO ? t.read_about_auto : t.read_about; // a note names who was chosen
  const recognizer = page.recognizer ?? (by.recognizer === AUTO ? CHARACTERS : by.recognizer);
  const counted = plural(words(page), t.read_words_one, t.read_words_many);
  const said = fill(about, { words: counted, model: nameOf({ ...by, recognizer }, by), seconds: page.seconds.toFixed(1) });
  $("notes").replaceChildren(...[said, ...page.notes, ...(page.unsure ? [t.read_doubtful] : [])].map(item));
}

function item(text) {
  const element = document.createElement("li");
  element.textContent = text;
  return element;
}

function mayForget() {
  lines.leave();
  return !texts.unsaved(pages) || confirm(t.lines_lose);
}

function forget() {
  sheet.leave();
  lines.reset();
  file = null;
  pages = [];
  only("chooser");
  for (const id of ["file", "camera"]) $(id).value = "";
  $("credit").hidden = true;
  offerAgain();
}

// Offers to read the page on display, or the file that could not be read, in another way once one is chosen.
function offerAgain() {
  const now = choice();
  $("model-part").hidden = !reads(now.recognizer);
  $("again-part").hidden = !file || same(now, asked);
  $("again").textContent = fill(t.read_again, { how: nameOf(now, asked) });
}

$("previous").addEventListener("click", () => turn(index - 1));
$("next").addEventListener("click", () => turn(index + 1));
$("shown").addEventListener("change", sheet.draw);
addEventListener("beforeunload", (event) => {
  lines.leave();
  if (texts.unsaved(pages)) event.preventDefault();
});
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

// --- export -------------------------------------------------------------------------------------------------------------

const text = () => pages.map((page) => page.text).join("\n\n");
const ENDINGS = { text: "txt", json: "json", hocr: "hocr", alto: "xml", pdf: "read.pdf", png: "read.png" };
const OWN = {
  text: () => new Blob([text(), "\n"], { type: "text/plain" }),
  json: () => new Blob([JSON.stringify(pages, (key, value) => (key === "picture" || key === "image" ? undefined : value), 1)], { type: "application/json" }),
};

async function save() {
  trouble();
  lines.leave();
  const format = $("format").value;
  const blob = OWN[format]?.() ?? (await ask(t.read_writing, { ...by, format, corrected: texts.corrected(pages) }));
  if (!blob) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${file.name.replace(/\.\w+$/, "")}.${ENDINGS[format]}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

$("save").addEventListener("click", save);
$("copy").addEventListener("click", async () => {
  lines.leave();
  const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
  $("status").textContent = $("spoken").textContent = copied ? t.read_copied : t.read_not_copied;
});

// --- models and recognizers ---------------------------------------------------------------------------------------------

async function load() {
  try {
    const { models, pages: about, corrections } = await api.models();
    lines.offer(corrections);
    offerExamples(models);
    offer(models, "page-model", about.model);
    offerKinds(chosen().classes, KINDS);
    offerWays(about);
    offerAgain();
    $("keep-part").hidden = $("library-part").hidden = !about.library;
  } catch (error) {
    trouble(explanation(error));
    setTimeout(load, 1000 * AGAIN);
    return;
  }
  trouble();
  ready = true;
  onExample({ page: takeExample });
  const sent = await passed().catch(() => undefined);
  if (early || sent) take(early ?? [sent]);
}

async function takeExample(example) {
  const sent = await fetched(example).catch(() => trouble(t.offline_example));
  if (!sent) return;
  const reading = take([sent]);
  if (file === sent) $("credit").hidden = false;
  await reading;
}

$("recognizer").addEventListener("change", offerAgain);
$("model").addEventListener("change", () => {
  offerKinds(chosen().classes, KINDS);
  offerAgain();
});
$("may-be").addEventListener("change", offerAgain);
searchable(explanation);
load();
receive(take);
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("sw.js");
