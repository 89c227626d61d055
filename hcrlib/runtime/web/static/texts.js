// The texts of a document's lines: corrects them, undoes that, and stores them on the server.

import * as api from "./api.js";
import { t } from "./strings.js";

const EXPLAINED = ["not-valid", "blank"]; // problems whose explanation helps the user
const asRead = new WeakMap(); // line -> its text as it was read
const stored = new Map(); // key of a line -> {id, text} on the server
let name = ""; // of the file
let steps = []; // that can be undone: arrays of {page, line, words, kept}
let sending = Promise.resolve(); // lines are stored one after the other

const keyOf = (page, line) => [name, page.number, line.image].join("\n");

// Begins with the pages of a file. Lines whose text is stored, as this file was read before, get that text.
export function begin(pages, document) {
  [name, steps] = [document, []];
  for (const page of pages) {
    for (const line of page.lines) {
      asRead.set(line, line.text);
      const kept = storedOf(page, line);
      if (kept) set(page, line, spelled(line, kept.text));
    }
  }
}

export const storedOf = (page, line) => stored.get(keyOf(page, line));
export const isLocal = (page, line) => line.text !== asRead.get(line) && storedOf(page, line)?.text !== line.text;
export const unsaved = (pages) => pages.some((page) => page.lines.some((line) => isLocal(page, line)));
export const canUndo = () => steps.length > 0;

// Returns the corrected lines of all pages, for files that the server writes: it reads the pages again, and lays these over it.
export const corrected = (pages) =>
  pages.flatMap(({ number, lines }) =>
    lines.flatMap((line, index) => {
      const words = line.words.map(({ text, box }) => ({ text, box }));
      return line.text === asRead.get(line) ? [] : { page: number, line: index, was: asRead.get(line), words };
    }),
  );

// As the server stores texts.
export const tidy = (text) => text.normalize("NFC").split(/\s+/).filter(Boolean).join(" ");

// Gives lines other words, in one step. edits: [{page, line, words}].
export function change(edits) {
  steps.push(edits.map(({ page, line }) => ({ page, line, words: line.words, kept: storedOf(page, line) })));
  for (const { page, line, words } of edits) set(page, line, words);
}

// Takes the last step back, on the server, too; returns its edits and whether the server followed.
export async function undo(model) {
  const edits = steps.pop();
  for (const { page, line, words } of edits) set(page, line, words);
  const followed = await Promise.all(
    edits.filter(({ page, line, kept }) => storedOf(page, line) !== kept).map(({ page, line, kept }) => (kept ? send(page, line, kept.text, model) : takeBack(page, line))),
  );
  return { edits, followed: followed.every((message) => message === t.kept || message === t.taken_back) };
}

// Stores the text of a line; resolves to a message for the user.
export const store = (page, line, model) => send(page, line, line.text, model);

function send(page, line, text, model) {
  return next(async () => {
    const before = storedOf(page, line);
    if (before?.text === text) return t.kept;
    if (!line.image) return t.lines_no_image;
    const correction = { document: name, page: page.number, image: line.image, text, model, replaces: before?.id };
    try {
      stored.set(keyOf(page, line), { ...(await api.correctLine(correction)), text });
      return t.kept;
    } catch (error) {
      return EXPLAINED.includes(error.kind) ? error.message : t.kept_not;
    }
  });
}

// Deletes the text of a line on the server; resolves to a message for the user.
export function takeBack(page, line) {
  return next(async () => {
    const kept = storedOf(page, line);
    try {
      if (kept) await api.takeBack(kept.id);
    } catch (error) {
      if (error.kind !== "not-found") return t.not_taken_back;
    }
    stored.delete(keyOf(page, line));
    return t.taken_back;
  });
}

function next(work) {
  return (sending = sending.then(work));
}

function set(page, line, words) {
  line.words = words;
  line.text = words.map(({ text }) => text).join(" ");
  const between = (each, before) => {  // as Page.text
    const inTable = (each.table_row ?? null) !== null;
    if (inTable && each.table_row === before.table_row) return "\t";
    return !inTable && (before.table_row ?? null) === null && each.column !== before.column ? "\n\n" : "\n";
  };
  page.text = page.lines.map((each, index) => (index ? between(each, page.lines[index - 1]) : "") + each.text).join("");
}

// Returns the words of a line with another text: those at its start and its end that stay the same are kept as they are.
export function spelled({ words }, text) {
  const texts = text.split(" ");
  const most = Math.min(texts.length, words.length);
  let [start, end] = [0, 0];
  while (start < most && texts[start] === words[start].text) start++;
  while (end < most - start && texts.at(-1 - end) === words.at(-1 - end).text) end++;
  return spliced(words, start, words.length - end, texts.slice(start, texts.length - end));
}

// Returns words with those from `start` to before `end` replaced by texts. As many texts keep their boxes; others share them.
export function spliced(words, start, end, texts) {
  const old = words.slice(start, end);
  const [first, last] = [old[0] ?? words[start - 1] ?? words[start], old.at(-1) ?? words[start] ?? words.at(-1)];
  const total = texts.join(" ").length || 1;
  const at = (n) => Math.round(first.box[0] + ((last.box[2] - first.box[0]) * n) / total);
  let done = 0;
  const sure = texts.map((text, index) => {
    const box = texts.length === old.length ? old[index].box : [at(done), first.box[1], at(done + text.length), first.box[3]];
    done += text.length + 1;
    return { text, box, confidence: 1, characters: [] };
  });
  return [...words.slice(0, start), ...sure, ...words.slice(end)];
}
