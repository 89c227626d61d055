// Shows an answer: a large label, bars, the steps to the glyph that the model saw, and which of its pixels mattered.

import { fill, t } from "./strings.js";

const $ = (id) => document.getElementById(id);
const either = new Intl.ListFormat(document.documentElement.lang, { type: "disjunction" });
const RESTROKED = 0.3; // pixels: lesser differences of the strokes' width come from scaling
const percent = (share) => (100 * share).toFixed(1);
let glyph = null; // ImageData of the model's input
let importance = null; // Int8Array of 784

// Decodes the pictures of an answer first, so that `show` changes everything at once.
export async function prepare(answer) {
  const [picture, ink] = await Promise.all([answer.steps?.picture, answer.steps?.ink].map((address) => address && decoded(address)));
  return { ...answer, picture, ink, glyph: await pixels(answer.seen) };
}

export function show(answer) {
  $("label").textContent = answer.label;
  $("words").textContent = words(answer);
  $("alternatives").replaceChildren(...answer.alternatives.map(bar));
  importance = answer.importance ? Int8Array.from(atob(answer.importance), (c) => c.charCodeAt(0)) : null;
  glyph = answer.glyph;
  paint();
  showSteps(answer);
  for (const id of ["alternatives", "seen-part"]) $(id).hidden = false;
  offerPage(answer.unsure);
}

export function showNothing(message) {
  $("label").textContent = "";
  $("words").textContent = message;
  $("spoken").textContent = message;
  for (const id of ["alternatives", "seen-part"]) $(id).hidden = true;
  offerPage(false);
}

// For screen readers: called when the drawing pauses, not at every stroke.
export function speak(answer) {
  const sentence = answer.unsure ? t.spoken_unsure : t.spoken;
  const share = answer.unsure ? answer.shape_probability : answer.probability;
  $("spoken").textContent = fill(sentence, { label: answer.label, percent: percent(share), words: words(answer) });
}

// Offers to read what is no single character as a page, if this server reads pages.
function offerPage(offered) {
  if ($("as-page")) $("as-page").hidden = !offered;
}

function words({ unsure, odd, others, alike, shape_probability: together }) {
  if (unsure) return fill(others ? t.several : odd ? t.odd : t.unsure, { label: either.format(alike) });
  return alike.length > 1 ? fill(t.alike, { others: either.format(alike.slice(1)), percent: percent(together) }) : "";
}

// The steps come later than the answer itself.
function showSteps({ steps, picture, ink }) {
  $("steps").classList.toggle("late", !steps);
  if (!steps) return;
  $("picture").replaceChildren(picture);
  $("ink").replaceChildren(ink);
  $("ground").textContent = steps.dark ? t.dark_ink : t.light_ink;
  const [from, width] = [steps.stroke, steps.glyph_stroke];
  const text = Math.abs(from - width) < RESTROKED ? t.stroke : t.stroke_changed;
  $("stroke").textContent = fill(text, { from: from.toFixed(1), width: width.toFixed(1) });
}

export function paint() {
  if (!glyph) return;
  const explain = $("explain").checked;
  const shown = new ImageData(28, 28);
  for (let i = 0; i < 784; i++) {
    const ink = glyph.data[4 * i];
    const weight = explain && importance ? Math.sqrt(Math.abs(importance[i]) / 127) : 0;
    const color = (importance?.[i] ?? 0) >= 0 ? [214, 39, 40] : [31, 95, 191];
    color.forEach((c, j) => {
      shown.data[4 * i + j] = 255 - (ink * (255 - c * weight)) / 255;
    });
    shown.data[4 * i + 3] = 255;
  }
  $("seen").getContext("2d").putImageData(shown, 0, 0);
  $("explain-hint").hidden = !explain;
}

function bar({ label, probability }) {
  const item = document.createElement("li");
  const [name, track, share, fillIn] = ["span", "span", "span", "i"].map((tag) => document.createElement(tag));
  name.className = "name";
  name.textContent = label;
  track.className = "bar";
  track.setAttribute("aria-hidden", "true");
  fillIn.style.width = `${100 * probability}%`;
  track.append(fillIn);
  share.className = "percent";
  share.textContent = `${percent(probability)} %`;
  item.append(name, track, share);
  return item;
}

async function decoded(address) {
  const image = new Image();
  image.alt = "";
  image.src = address;
  await image.decode();
  return image;
}

async function pixels(address) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const pen = canvas.getContext("2d");
  pen.drawImage(await decoded(address), 0, 0);
  return pen.getImageData(0, 0, 28, 28);
}
