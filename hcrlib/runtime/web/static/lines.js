// The line that is open: its picture above a field for its text, and what is known about the word at the cursor. While walking,
// Enter settles one unsure word after the other; otherwise it saves one line after the other.

import * as sheet from "./sheet.js";
import { fill, plural, t } from "./strings.js";
import * as texts from "./texts.js";
import * as unsure from "./unsure.js";

const HEIGHT = 48; // pixels: the least height of a line's picture; of a longer line, the part around the word is shown
const MARGIN = 0.35; // of the line's height, around it in its picture
const $ = (id) => document.getElementById(id);

let pages = [];
let page = null;
let by = () => ""; // returns the name of the one that read a page
let open = null; // {line, word: indices, walking, form, field, ...}
let stores = false; // whether the server stores corrections

export function offer(stored) {
  stores = stored;
}

// Shows a page of a document. reader: returns the name of the one that read a page.
export function show(all, shown, reader) {
  [pages, page, by] = [all, shown, reader];
  refresh();
}

// Ends correcting, for another file: consent is given for one file.
export function reset() {
  close();
  [pages, page] = [[], null];
  $("lines-consent").checked = false;
}

// Closes the open line; what was typed is kept, here only.
export function leave() {
  if (open && dirty()) texts.change([{ page, line: lineOf(), words: written() }]);
  if (open) refresh();
}

const lineOf = () => page.lines[open.line];
const dirty = () => open && texts.tidy(open.field.value) && texts.tidy(open.field.value) !== lineOf().text;
const written = () => texts.spelled(lineOf(), texts.tidy(open.field.value));
const say = (message) => ($("spoken").textContent = $("status").textContent = message);

function refresh() {
  close();
  sheet.show(page);
  const left = unsure.count(page);
  $("walk").hidden = !left;
  $("walk").textContent = plural(left, t.walk_one, t.walk);
  $("undo-line").disabled = !texts.canUndo();
}

function close() {
  if (!open) return;
  const { form, line } = open;
  open = null;
  $("consent-home").append($("lines-consent-part"));
  form.remove();
  sheet.paragraphOf(line).hidden = false;
}

// Opens the line of a word, given {line, word}; the nearest one if leaving the open line removes that word.
function edit(place, walking) {
  const { words } = page.lines[place.line];
  leave();
  const left = page.lines[place.line].words;
  const kept = left.indexOf(words[place.word]);
  place = { ...place, word: kept >= 0 ? kept : Math.min(place.word, left.length - 1) };
  const form = $("line-row").content.firstElementChild.cloneNode(true);
  const part = (name) => form.querySelector(`.${name}`);
  open = { ...place, walking, form, field: form.querySelector("textarea"), picture: form.querySelector("canvas") };
  const line = lineOf();
  sheet.paragraphOf(place.line).hidden = true;
  sheet.paragraphOf(place.line).after(form);
  const title = fill(t.lines_text, { number: place.line + 1 });
  open.field.value = line.text;
  open.field.setAttribute("aria-label", title);
  open.picture.setAttribute("aria-label", fill(t.lines_picture, { number: place.line + 1 }));
  $("lines-consent-part").hidden = !stores;
  form.append($("lines-consent-part"));
  part("pass").hidden = !walking;
  part("save").textContent = walking ? t.walk_settle : t.lines_save;
  part("take-back").hidden = !texts.storedOf(page, line);
  open.field.addEventListener("keydown", typed);
  for (const happens of ["keyup", "click", "focus", "input"]) open.field.addEventListener(happens, atCursor);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(false);
  });
  part("pass").addEventListener("click", onward);
  part("alike").addEventListener("click", settleAlike);
  part("close").addEventListener("click", cancel);
  part("take-back").addEventListener("click", takeBack);
  const start = line.words.slice(0, place.word).reduce((sum, { text }) => sum + text.length + 1, 0);
  const end = start + line.words[place.word].text.length;
  open.field.setSelectionRange(walking ? start : end, end);
  open.field.focus({ preventScroll: true });
  showWord();
  form.scrollIntoView({ block: "nearest" });
  if (walking) $("spoken").textContent = unsure.about(line.words[place.word]);
}

function typed(event) {
  if (event.isComposing) return;
  if (event.key === "Enter") {
    event.preventDefault(); // a line has no line breaks
    if ((event.ctrlKey || event.metaKey) && open.walking) settleAlike();
    else save(true);
  } else if (event.key === "Escape") {
    event.preventDefault();
    cancel();
  }
}

function cancel() {
  const place = open;
  close();
  sheet.focus(place);
}

function atCursor() {
  if (!open) return;
  offerReadings();
  if (open.walking) return;
  const typed = open.field.value.slice(0, open.field.selectionStart).trimStart().split(/\s+/).length - 1;
  const [words, now] = [lineOf().words, written()];
  const index = now.length === words.length ? typed : words.indexOf(now[typed]);
  if (index === open.word || !words[index]) return;
  open.word = index;
  showWord();
}

// Shows what is known about the word at the cursor: in the picture, and below the field.
function showWord() {
  const word = lineOf().words[open.word];
  sheet.point(open);
  paint(word);
  const about = open.form.querySelector(".about");
  about.replaceChildren(unsure.about(word), ...unsure.others(word).map((reading) => suggestion(word, reading)));
  offerReadings();
  const same = unsure.alike(pages, word).reduce((sum, { indices }) => sum + indices.length, 0);
  const alike = open.form.querySelector(".alike");
  alike.hidden = !open.walking || !same;
  alike.textContent = fill(t.walk_alike, { n: same + 1 });
}

function suggestion(word, reading) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = reading;
  button.setAttribute("aria-label", fill(t.word_take, { reading }));
  button.addEventListener("click", () => {
    const now = written();
    const start = now.slice(0, now.indexOf(word)).reduce((sum, { text }) => sum + text.length + 1, 0);
    open.field.value = now.map((each) => (each === word ? reading : each.text)).join(" ");
    open.field.setSelectionRange(start, start + reading.length);
    open.field.focus();
    offerReadings();
  });
  return button;
}

// Offers other readings of the word as long as it stands in the field as it was read.
function offerReadings() {
  const gone = !written().includes(lineOf().words[open.word]);
  open.form.querySelectorAll(".about button").forEach((each) => (each.hidden = gone));
}

function paint(word) {
  const [left, top, right, bottom] = lineOf().box;
  const margin = Math.round(MARGIN * (bottom - top));
  const [height, width] = [bottom - top + 2 * margin, open.form.clientWidth];
  const most = Math.round((height * width) / HEIGHT); // what fits
  const all = Math.min(right - left + 2 * margin, most);
  const start = Math.max(0, Math.min((word.box[0] + word.box[2] - all) / 2, right + margin - all));
  const from = all < most ? Math.max(0, left - margin) : Math.max(start, left - margin);
  const zoom = Math.max(HEIGHT / height, Math.min(1.5, width / all)) * devicePixelRatio;
  open.picture.width = all * zoom;
  open.picture.height = height * zoom;
  open.picture.style.width = `${open.picture.width / devicePixelRatio}px`;
  const pen = open.picture.getContext("2d");
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, open.picture.width, open.picture.height);
  const source = [from, top - margin, all, height].map((n) => n * page.scale);
  pen.drawImage($("sheet-image"), ...source, 0, 0, open.picture.width, open.picture.height);
  pen.strokeStyle = "#d55e00";
  pen.lineWidth = 2 * devicePixelRatio;
  pen.strokeRect((word.box[0] - from) * zoom, (word.box[1] - top + margin) * zoom, (word.box[2] - word.box[0]) * zoom, (word.box[3] - word.box[1]) * zoom);
}

// --- saving -------------------------------------------------------------------------------------------------------------

// Saves the open line, or settles its word. further: to the next line; while walking, always to the next word.
function save(further) {
  if (open.walking) return settle([]);
  const text = texts.tidy(open.field.value);
  if (!text) return state(t.lines_empty);
  const line = lineOf();
  const words = texts.spelled(line, text).map((word) => ({ ...word, confidence: 1, characters: [] }));
  const place = { line: open.line, word: open.word };
  commit([{ page, line, words }]);
  keep(line);
  const next = further && page.lines[place.line + 1];
  if (next) edit({ line: place.line + 1, word: 0 }, false);
  else if (further) sheet.focus(place);
  else edit({ ...place, word: Math.min(place.word, words.length - 1) }, false);
}

// Settles the word as it stands in the field, and the same ones elsewhere; goes on to the next.
function settle(elsewhere) {
  const [line, text, { word: at }] = [lineOf(), texts.tidy(open.field.value), open];
  if (!text) return state(t.lines_empty);
  const word = line.words[at];
  const before = line.words.slice(0, at).map((each) => `${each.text} `).join("");
  const after = line.words.slice(at + 1).map((each) => ` ${each.text}`).join("");
  const alone = text.length > before.length + after.length && text.startsWith(before) && text.endsWith(after);
  const reading = alone ? text.slice(before.length, text.length - after.length) : undefined;
  if (elsewhere.length && !alone) return state(t.walk_not_alone);
  if (reading === word.text && word.characters.some((each) => each.text === "?")) return state(t.walk_unread);
  const fixed = (words, indices) => indices.reduceRight((all, index) => texts.spliced(all, index, index + 1, reading.split(" ")), words);
  const edits = new Map([[line, { page, line, words: alone ? fixed(line.words, [at]) : texts.spelled(line, text) }]]);
  for (const other of elsewhere) {
    const indices = other.line === line ? [...other.indices, at].sort((one, two) => one - two) : other.indices;
    edits.set(other.line, { ...other, words: fixed(other.line.words, indices) });
  }
  const more = edits.get(line).words.length - line.words.length;
  const place = { line: open.line, word: at + Math.max(0, more) };
  commit([...edits.values()]);
  if (!line.words.some(unsure.isOpen) && texts.isLocal(page, line)) keep(line); // the user has seen all of it
  walk(place);
  if (elsewhere.length) $("status").textContent = fill(t.walk_settled, { n: 1 + elsewhere.reduce((sum, { indices }) => sum + indices.length, 0) });
}

function settleAlike() {
  settle(unsure.alike(pages, lineOf().words[open.word]));
}

const onward = () => walk({ line: open.line, word: open.word });

// Opens the first unsure word behind a place.
function walk(place) {
  const next = unsure.after(page, place);
  if (next) return edit(next, true);
  leave();
  sheet.focus(place);
  const left = unsure.count(page);
  say(left ? plural(left, t.walk_left_one, t.walk_left) : t.walk_done);
}

// Changes lines in one step, and closes the open one.
function commit(edits) {
  texts.change(edits);
  refresh();
  $("status").textContent = "";
}

// Stores a line that the user has seen as a whole, with consent.
function keep(line) {
  if (stores && $("lines-consent").checked) follow(line, texts.store(page, line, by(page)));
}

// Shows what became of a line on the server.
async function follow(line, sent) {
  const [here, message] = [page, await sent];
  if (here !== page) return;
  const index = page.lines.indexOf(line);
  sheet.mark(index);
  if (open?.line === index) {
    open.form.querySelector(".take-back").hidden = !texts.storedOf(page, line);
    state(message);
  }
  say(message);
}

function state(message) {
  open.form.querySelector(".state").textContent = $("spoken").textContent = message;
}

async function takeBack() {
  const line = lineOf();
  await follow(line, texts.takeBack(page, line));
  open?.field.focus();
}

async function undo() {
  if (!texts.canUndo()) return;
  close();
  const undoing = texts.undo(by(page));
  refresh();
  const { edits, followed } = await undoing;
  const index = page.lines.indexOf(edits[0].line);
  page.lines.forEach((_, each) => sheet.mark(each));
  if (index >= 0) sheet.focus({ line: index, word: 0 });
  say(followed ? t.undone : t.kept_not);
}

sheet.onPick((place, walking) => (walking ? walk(place) : edit(place, false)));
$("walk").addEventListener("click", () => walk({ line: 0, word: -1 }));
$("undo-line").addEventListener("click", undo);
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z" || !page) return;
  const typing = event.target.matches("input, textarea") && (event.target !== open?.field || open.field.value !== lineOf().text);
  if (typing || !texts.canUndo()) return;
  event.preventDefault();
  undo();
});
