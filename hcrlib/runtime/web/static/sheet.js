// Shows a page: its image with a box around each word, its text, and other readings of a word.
// Pointing at a word in the image or in the text highlights it in both.

import { fill, t } from "./strings.js";

const SURE = 0.9; // confidence from which a word counts as sure, or as less sure: as in the annotated image
const LESS = 0.6;
const LEAST = 0.01; // confidence from which other readings of a character are listed: more than 0 %
const CROP = 96; // pixels: the height of a word's image
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;

let page = null;
let words = []; // {word, line, box: <rect>, text: <span>} in reading order
let active = null;

export function show(shown) {
  page = shown;
  leave();
  $("sheet-image").src = page.picture;
  $("sheet-image").width = page.width;
  $("sheet-image").height = page.height;
  $("boxes").setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  words = page.lines.flatMap((line, index) => line.words.map((word) => ({ word, line: index })));
  for (const each of words) {
    each.box = rect(each.word.box, certainty(each.word));
    each.text = span(each.word);
  }
  $("text").replaceChildren(...page.lines.map(paragraph));
  if (words.length) words[0].text.tabIndex = 0;
  $("keys").hidden = !words.length;
  draw();
}

// Draws the chosen boxes: of words, of lines, or none.
export function draw() {
  const kind = $("shown").value;
  const boxes = { words: words.map(({ box }) => box), lines: page.lines.map(({ box }) => rect(box, "line")), nothing: [] };
  $("boxes").replaceChildren(...boxes[kind]);
  if (active) point(active);
}

export function leave() {
  if (!active) return;
  for (const element of [active.box, active.text]) element.classList.remove("active");
  $("boxes").querySelectorAll(".character").forEach((box) => box.remove());
  $("word-part").hidden = true;
  active = null;
}

function certainty(word) {
  return word.confidence >= SURE ? "sure" : word.confidence >= LESS ? "less" : "unsure";
}

function rect([left, top, right, bottom], kind) {
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
  text.append(...(parts.join("") === word.text ? parts : [word.text]).map((part) => (part === "?" ? mark(part) : part)));
  return text;
}

function mark(text) {
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

// --- one word -----------------------------------------------------------------------------------------------------------

function point(each) {
  leave();
  active = each;
  for (const element of [each.box, each.text]) element.classList.add("active");
  if (!each.box.isConnected) $("boxes").append(each.box);
  $("boxes").append(...each.word.characters.map(({ box }) => rect(box, "character")));
  $("word").textContent = each.word.text;
  $("word-share").textContent = percent(each.word.confidence);
  $("characters").replaceChildren(...each.word.characters.map(character));
  crop(each.word.box);
  $("word-part").hidden = false;
}

function character({ text, alternatives }) {
  const item = document.createElement("li");
  const best = document.createElement("b");
  best.append(text === "?" ? mark(text) : text);
  const others = alternatives.filter(({ confidence }) => confidence >= LEAST).map((each) => `${each.text === text ? "" : each.text} ${percent(each.confidence)}`.trim());
  item.append(best, " ", others.join(", "));
  return item;
}

function crop([left, top, right, bottom]) {
  const canvas = $("crop");
  const share = CROP / (bottom - top);
  canvas.height = CROP;
  canvas.width = Math.round((right - left) * share);
  const source = [left, top, right - left, bottom - top].map((n) => n * page.scale);
  canvas.getContext("2d").drawImage($("sheet-image"), ...source, 0, 0, canvas.width, CROP);
}

function speak({ characters }) {
  const unsure = characters.filter(({ text, alternatives }) => text === "?" && alternatives.length);
  const sentences = unsure.map(({ alternatives }) => fill(t.read_perhaps, { labels: alternatives.slice(0, 3).map(({ text }) => text).join(", ") }));
  $("spoken").textContent = sentences.join(" ");
}

// --- pointing -----------------------------------------------------------------------------------------------------------

const find = (element) => words.find(({ box, text }) => box === element || text.contains(element));

function focus(each) {
  words.forEach(({ text }) => (text.tabIndex = -1));
  each.text.tabIndex = 0;
  each.text.focus();
}

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
  for (const happens of ["pointerover", "click"]) {
    place.addEventListener(happens, (event) => {
      const each = find(event.target);
      if (each && each !== active) point(each);
    });
  }
}
$("text").addEventListener("focusin", (event) => {
  const each = find(event.target);
  point(each);
  speak(each.word);
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Escape") return leave();
  const next = KEYS[event.key]?.(words.indexOf(find(event.target)));
  if (!next) return;
  event.preventDefault();
  focus(next);
});
$("close").addEventListener("click", () => {
  leave();
  $("text-part").focus({ preventScroll: true });
});
