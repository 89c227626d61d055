// Shows a page: its image with a box around each word, and its text.
// Pointing at a word in the image or in the text highlights it in both; picking one opens its line.

import { fill, t } from "./strings.js";
import * as texts from "./texts.js";
import { isOpen, others, SURE } from "./unsure.js";

const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

let page = null;
let words = []; // {word, line, index, box: <rect>, text: <span>} in reading order
let paragraphs = []; // <p> of each line
let active = null;
let pick = () => {};

// Calls picked({line, word}, walking), with indices, when a word is picked; walking: as the first of the unsure ones.
export function onPick(picked) {
  pick = picked;
}

export function show(shown) {
  page = shown;
  leave();
  if ($("sheet-image").src !== page.picture) $("sheet-image").src = page.picture;
  $("sheet-image").width = page.width;
  $("sheet-image").height = page.height;
  $("boxes").setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  words = page.lines.flatMap((line, at) => line.words.map((word, index) => ({ word, line: at, index })));
  for (const each of words) {
    each.box = rect(each.word.box, certainty(each.word));
    each.text = span(each.word);
  }
  paragraphs = page.lines.map(paragraph);
  $("text").replaceChildren(...paragraphs);
  page.lines.forEach((_, index) => mark(index));
  if (words.length) words[0].text.tabIndex = 0;
  $("keys").hidden = !words.length;
  draw();
}

// Draws the chosen boxes: of words, of lines, or none.
export function draw() {
  const kind = $("shown").value;
  const boxes = { words: words.map(({ box }) => box), lines: page.lines.map(({ box }) => rect(box, "line")), nothing: [] };
  $("boxes").replaceChildren(...boxes[kind]);
  if (active) highlight(active);
}

export const paragraphOf = (line) => paragraphs[line];

// Says behind a line whether it was changed or stored.
export function mark(index) {
  const line = page.lines[index];
  const state = texts.isLocal(page, line) ? t.lines_changed : texts.storedOf(page, line) ? t.lines_stored : "";
  paragraphs[index].dataset.state = state && `✓ ${state}`;
}

export function leave() {
  if (!active) return;
  for (const element of [active.box, active.text]) element.classList.remove("active");
  $("boxes").querySelectorAll(".character").forEach((box) => box.remove());
  active = null;
}

// Highlights a word, given {line, word}; returns its <span>, undefined if there is none.
export function point({ line, word }) {
  const each = words.find((other) => other.line === line && other.index === word);
  if (each) highlight(each);
  else leave();
  return each?.text;
}

// Puts the focus on a word of the text.
export function focus(place) {
  const text = point(place) ?? point({ line: place.line, word: 0 });
  if (!text) return;
  words.forEach((each) => (each.text.tabIndex = -1));
  text.tabIndex = 0;
  text.focus();
}

function certainty(word) {
  return isOpen(word) ? "unsure" : word.confidence >= SURE ? "sure" : "less";
}

export function rect([left, top, right, bottom], kind) {
  const box = document.createElementNS(SVG, "rect");
  const places = { x: left, y: top, width: right - left, height: bottom - top, class: kind };
  for (const [name, value] of Object.entries(places)) box.setAttribute(name, value);
  return box;
}

function span(word) {
  const text = document.createElement("span");
  text.className = `word ${certainty(word)}`;
  text.tabIndex = -1;
  const parts = word.characters.length ? word.characters.map((character) => character.text) : [word.text];
  text.append(...(parts.join("") === word.text ? parts : [word.text]).map((part) => (part === "?" && isOpen(word) ? unread(part) : part)));
  return text;
}

function unread(text) {
  const element = document.createElement("mark");
  element.textContent = text;
  return element;
}

function paragraph(line, index) {
  const element = document.createElement("p");
  const before = page.lines[index - 1];
  const inTable = [line, before].some((each) => (each?.table_row ?? null) !== null);
  if (index && !inTable && line.column !== before.column) element.className = "column";
  const inLine = words.filter((each) => each.line === index);
  element.append(...inLine.flatMap(({ text }, number) => (number ? [" ", text] : [text])));
  return element;
}

// --- pointing -----------------------------------------------------------------------------------------------------------

function highlight(each) {
  leave();
  active = each;
  for (const element of [each.box, each.text]) element.classList.add("active");
  if (!each.box.isConnected) $("boxes").append(each.box);
  $("boxes").append(...each.word.characters.map(({ box }) => rect(box, "character")));
}

function speak({ word }) {
  const readings = others(word);
  $("spoken").textContent = isOpen(word) ? (readings.length ? fill(t.read_perhaps, { labels: readings.join(", ") }) : t.read_not_sure) : "";
}

const find = (element) => words.find(({ box, text }) => box === element || text.contains(element));
const placeOf = ({ line, index }) => ({ line, word: index });

// Returns the word in the line above or below that begins nearest.
function beside(each, step) {
  const lines = words.filter(({ line }) => line === each.line + step);
  const away = ({ word }) => Math.abs(word.box[0] - each.word.box[0]);
  return lines.sort((one, other) => away(one) - away(other))[0];
}

const KEYS = {
  ArrowRight: (index) => words[index + 1],
  ArrowLeft: (index) => words[index - 1],
  ArrowDown: (index) => beside(words[index], 1),
  ArrowUp: (index) => beside(words[index], -1),
  Home: () => words[0],
  End: () => words[words.length - 1],
};

for (const place of [$("boxes"), $("text")]) {
  place.addEventListener("pointerover", (event) => {
    const each = find(event.target);
    if (each && each !== active) highlight(each);
  });
  place.addEventListener("click", (event) => {
    const line = paragraphs.indexOf(event.target.closest("#text > p"));
    const each = find(event.target) ?? words.find((other) => other.line === line);
    if (each && getSelection().isCollapsed) pick(placeOf(each), false);
  });
}
$("text").addEventListener("focusin", (event) => {
  const each = find(event.target);
  if (!each) return;
  highlight(each);
  speak(each);
});
$("text").addEventListener("keydown", (event) => {
  const each = find(event.target);
  if (!each || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return leave();
  if (event.key === "Enter" || event.key === "n") pick(placeOf(each), event.key === "n");
  else if (KEYS[event.key]) {
    const next = KEYS[event.key](words.indexOf(each));
    if (!next) return;
    focus(placeOf(next));
  } else return;
  event.preventDefault();
});
