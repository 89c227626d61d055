// Corrects the text of lines: shows each line's image with a field for its text, and stores it if the user consents.

import * as api from "./api.js";
import * as sheet from "./sheet.js";
import { fill, t } from "./strings.js";

const WRAPPED = 36; // characters from which on a field has two rows: what fits on a phone
const EXPLAINED = ["not-valid", "blank"]; // problems whose explanation helps the user
const $ = (id) => document.getElementById(id);

let page = null;
let about = {}; // {document, model}: the name of its file, and of the one that read it
const typed = new WeakMap(); // line -> text that is not saved yet
const local = new WeakSet(); // lines that are changed here only
const stored = new Map(); // key of a line -> {id, text} on the server
const keyOf = (document, page, line) => [document, page.number, line.image].join("\n");

export function show(shown, { document, model }) {
  page = shown;
  about = { document, model };
  $("lines").replaceChildren(...page.lines.map(row));
}

// Ends correcting, for another file: consent is given for one file.
export function reset() {
  page = null;
  $("lines-consent").checked = false;
  turn(false);
}

export function offer(stores) {
  $("lines-consent-part").hidden = !stores;
}

export function unsaved(pages) {
  return pages.some(({ lines }) => lines.some((line) => typed.has(line) || local.has(line)));
}

// Gives the lines of a document that was read again the texts that are stored.
export function restore(pages, document) {
  for (const page of pages) {
    for (const line of page.lines) rewrite(page, line, stored.get(keyOf(document, page, line))?.text ?? line.text);
  }
}

function row(line, index) {
  const form = $("line-row").content.firstElementChild.cloneNode(true);
  const [image, text, said] = ["img", "textarea", "span"].map((tag) => form.querySelector(tag));
  const [save, takeBack] = form.querySelectorAll("button");
  const say = (message) => ($("spoken").textContent = said.textContent = message);
  const key = keyOf(about.document, page, line);
  const showStored = () => (takeBack.hidden = !stored.has(key));
  if (line.image) image.src = line.image;
  else image.hidden = true;
  text.value = typed.get(line) ?? line.text;
  text.rows = text.value.length > WRAPPED ? 2 : 1;
  text.setAttribute("aria-label", fill(t.lines_text, { number: index + 1 }));
  showStored();
  if (local.has(line)) said.textContent = t.lines_changed;
  else if (stored.has(key) && !typed.has(line)) said.textContent = t.kept;

  text.addEventListener("input", () => {
    said.textContent = "";
    if (tidy(text.value) === line.text) typed.delete(line);
    else typed.set(line, text.value);
  });
  text.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault(); // a line has no line breaks
      form.requestSubmit();
      form.nextElementSibling?.querySelector("textarea").focus();
    } else if (event.key === "Escape") {
      text.value = line.text;
      typed.delete(line);
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = tidy(text.value);
    if (save.disabled) return;
    if (!wanted) return say(t.lines_empty);
    text.value = wanted;
    if (wanted !== line.text) local.add(line);
    rewrite(page, line, wanted);
    typed.delete(line);
    if (stored.get(key)?.text === wanted) {
      local.delete(line);
      return say(t.kept);
    }
    if (!$("lines-consent").checked) return say(t.lines_changed);
    if (!line.image) return say(t.lines_no_image);
    const correction = { ...about, page: page.number, image: line.image, text: wanted, replaces: stored.get(key)?.id };
    save.disabled = true; // a double click stores it once
    try {
      stored.set(key, { ...(await api.correctLine(correction)), text: wanted });
      local.delete(line);
      say(t.kept);
    } catch (error) {
      say(EXPLAINED.includes(error.kind) ? error.message : t.kept_not);
      local.add(line);
    }
    save.disabled = false;
    showStored();
  });
  takeBack.addEventListener("click", async () => {
    try {
      await api.takeBack(stored.get(key).id);
    } catch (error) {
      if (error.kind !== "not-found") return say(t.not_taken_back);
    }
    stored.delete(key);
    local.add(line);
    say(t.taken_back);
    showStored();
    text.focus();
  });
  return form;
}

// As the server stores texts.
function tidy(text) {
  return text.normalize("NFC").split(/\s+/).filter(Boolean).join(" ");
}

// Gives a line another text. Its words keep their boxes if their number stays the same; otherwise these are estimated.
function rewrite(page, line, text) {
  if (text === line.text) return;
  const [texts, [left, top, right, bottom]] = [text.split(" "), line.box];
  const [same, place] = [texts.length === line.words.length, (at) => left + Math.round(((right - left) * at) / text.length)];
  let start = 0;
  line.words = texts.map((word, index) => {
    const end = start + word.length;
    const box = same ? line.words[index].box : [place(start), top, place(end), bottom];
    start = end + 1;
    return { text: word, box, confidence: 1, characters: [] };
  });
  line.text = text;
  const between = (each, before) => {  // as Page.text
    const inTable = (each.table_row ?? null) !== null;
    if (inTable && each.table_row === before.table_row) return "\t";
    return !inTable && (before.table_row ?? null) === null && each.column !== before.column ? "\n\n" : "\n";
  };
  page.text = page.lines.map((each, index) => (index ? between(each, page.lines[index - 1]) : "") + each.text).join("");
}

function turn(on) {
  $("fix").setAttribute("aria-pressed", String(on));
  $("words-part").hidden = on;
  $("lines-part").hidden = !on;
  if (page) sheet.show(page); // with the corrected words
}

$("fix").addEventListener("click", () => turn($("lines-part").hidden));
