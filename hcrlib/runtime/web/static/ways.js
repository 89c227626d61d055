// The ways to read a page, at the top: automatically, character by character, or with a recognizer of whole words or lines.

import { alphabet, kind } from "./alphabet.js";
import { titleOf } from "./models.js";
import { fill, t } from "./strings.js";

export const AUTO = "auto"; // the way that is chosen for each page
export const CHARACTERS = "characters";
const KEY = "page-recognizer"; // under which the browser remembers the choice
const KNOWN = { "best-lines": t.read_by_joined, "wills-fr": t.read_by_french, rapidocr: t.read_by_rapidocr };
const UNITS = { words: t.read_by_words, lines: t.read_by_lines };
const $ = (id) => document.getElementById(id);
const titles = new Map(); // name of a way to read -> its name for people

// Lists the ways to read; hides the list if there is only one.
export function offerWays({ recognizer: first, recognizers }) {
  titles.clear();
  if (first === AUTO) titles.set(AUTO, t.read_by_auto);
  titles.set(CHARACTERS, t.read_by_characters);
  for (const { name, unit } of recognizers) titles.set(name, KNOWN[name] ?? fill(UNITS[unit], { name }));
  $("recognizer").replaceChildren(...[...titles].map(([name, title]) => new Option(title, name)));
  const wanted = localStorage.getItem(KEY);
  $("recognizer").value = titles.has(wanted) ? wanted : first;
  $("recognizer-part").hidden = titles.size < 2;
}

$("recognizer").addEventListener("change", () => localStorage.setItem(KEY, $("recognizer").value));

// Returns whether single characters are read in this way, by the model.
export const reads = (recognizer) => recognizer === AUTO || recognizer === CHARACTERS;

// Returns {model, recognizer, alphabet, kind}.
export function choice() {
  const recognizer = $("recognizer").value;
  return { model: $("model").value, recognizer, ...(reads(recognizer) && { alphabet: alphabet(), kind: kind() }) };
}

// Returns whether two choices read a page in the same way.
export const same = (one, other) => ["model", "recognizer", "alphabet"].every((key) => one[key] === other[key]);

// Names a choice for people; the model only if it reads, or differs from the one before.
export function nameOf({ model, recognizer, kind: only }, before) {
  const single = recognizer === CHARACTERS || only;
  const named = single || (reads(recognizer) && model !== before.model);
  return [!single && (titles.get(recognizer) ?? recognizer), named && titleOf(model), only].filter(Boolean).join(", ");
}
