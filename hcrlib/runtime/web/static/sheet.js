// A page that was read: its picture with a box around each word, its text beside it, and what else a word might be.
// A word in the picture and the same word in the text are one `Seen`: pointing at either shows both.

import { fill, t } from "./strings.js";

const SURE = 0.9; // confidence from which a box is drawn as sure, and as less sure: those of the annotated picture
const LESS = 0.6;
const LEAST = 0.01; // confidence of what else a character might be: what is shown as more than 0 %
const CROP = 96; // pixels: the height of a word's picture
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;

let page = null;
let seen = []; // {word, line, box: <rect>, text: <span>} in reading order
let active = null;

export function show(shown) {
  page = shown;
  leave();
  $("picture").src = page.picture;
  $("picture").width = page.width;
  $("picture").height = page.height;
  $("boxes").setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  seen = page.lines.flatMap((line, at) => line.words.map((word) => ({ word, line: at })));
  for (const each of seen) {
    each.box = rect(each.word.box, certainty(each.word));
    each.text = span(each.word);
  }
  $("text").replaceChildren(...page.lines.map(paragraph));
  if (seen.length) seen[0].text.tabIndex = 0;
  $("keys").hidden = !seen.length;
  draw();
}

// The boxes that are wanted: of words, of lines, none.
export function draw() {
  const wanted = $("shown").value;
  const boxes = { words: seen.map(({ box }) => box), lines: page.lines.map(({ box }) => rect(box, "line")), nothing: [] };
  $("boxes").replaceChildren(...boxes[wanted]);
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

function paragraph(line, at) {
  const element = document.createElement("p");
  if (at && line.column !== page.lines[at - 1].column) element.className = "column";
  const words = seen.filter((each) => each.line === at);
  element.append(...words.flatMap(({ text }, number) => (number ? [" ", text] : [text])));
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
  canvas.getContext("2d").drawImage($("picture"), ...source, 0, 0, canvas.width, CROP);
}

function speak({ characters }) {
  const unsure = characters.filter(({ text, alternatives }) => text === "?" && alternatives.length);
  const told = unsure.map(({ alternatives }) => fill(t.read_perhaps, { labels: alternatives.slice(0, 3).map(({ text }) => text).join(", ") }));
  $("spoken").textContent = told.join(" ");
}

// --- pointing at one ----------------------------------------------------------------------------------------------------

const find = (element) => seen.find(({ box, text }) => box === element || text.contains(element));

function focus(each) {
  seen.forEach(({ text }) => (text.tabIndex = -1));
  each.text.tabIndex = 0;
  each.text.focus();
}

// The word in the line above or below that begins nearest.
function beside(each, step) {
  const lines = seen.filter(({ line }) => line === each.line + step);
  const away = ({ word }) => Math.abs(word.box[0] - each.word.box[0]);
  return lines.sort((one, other) => away(one) - away(other))[0];
}

const KEYS = {
  ArrowRight: (at) => seen[at + 1],
  ArrowLeft: (at) => seen[at - 1],
  ArrowDown: (at) => beside(seen[at], 1),
  ArrowUp: (at) => beside(seen[at], -1),
  Home: () => seen[0],
  End: () => seen[seen.length - 1],
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
  const next = KEYS[event.key]?.(seen.indexOf(find(event.target)));
  if (!next) return;
  event.preventDefault();
  focus(next);
});
$("close").addEventListener("click", () => {
  leave();
  $("text-part").focus({ preventScroll: true });
});
