// Words that were not read for sure: which they are, how else they may be read, and where else the same was read.

import { fill, t } from "./strings.js";

export const SURE = 0.9; // confidence from which a word counts as sure, or as less sure: as in the annotated image
const LESS = 0.6;
const LEAST = 0.01; // confidence from which other readings of a character are listed: more than 0 %
const MOST = 3; // other readings of a word
const percent = (share) => `${Math.round(100 * share)} %`;

export const isOpen = (word) => word.confidence < LESS || word.characters.some(({ text }) => text === "?");

// Returns how many words of a page are unsure.
export const count = (page) => page.lines.reduce((sum, line) => sum + line.words.filter(isOpen).length, 0);

// Returns the place {line, word}, as indices, of the first unsure word behind a place; undefined if there is none.
export function after(page, { line, word }) {
  for (let index = line; index < page.lines.length; index++) {
    const found = page.lines[index].words.findIndex((each, at) => isOpen(each) && (index > line || at > word));
    if (found >= 0) return { line: index, word: found };
  }
  return undefined;
}

// Returns where else in the pages the same was read and is unsure, too: [{page, line, indices}].
export function alike(pages, word) {
  const found = [];
  for (const page of pages) {
    for (const line of page.lines) {
      const indices = line.words.flatMap((each, index) => (each !== word && each.text === word.text && isOpen(each) ? [index] : []));
      if (indices.length) found.push({ page, line, indices });
    }
  }
  return found;
}

// Returns other readings of a word, the most likely first: its least certain character as something else.
export function others({ text, characters, confidence }) {
  if (confidence >= SURE && !characters.some((each) => each.text === "?")) return [];
  const filled = characters.map((each) => (each.text === "?" ? (each.alternatives[0]?.text ?? "?") : each.text));
  const least = characters.reduce((worst, each, index) => (each.confidence < (characters[worst]?.confidence ?? 2) ? index : worst), -1);
  const readings = (characters[least]?.alternatives ?? []).filter(({ confidence }) => confidence >= LEAST).map((each) => filled.map((own, index) => (index === least ? each.text : own)).join(""));
  return [...new Set(readings)].filter((reading) => reading !== text).slice(0, MOST);
}

// Says for people how a word was read.
export function about({ text, confidence }) {
  return confidence === 1 ? fill(t.word_settled, { text }) : fill(t.word_read, { text, percent: percent(confidence) });
}
