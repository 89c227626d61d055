// The answer as it is shown: a large label, bars, the glyph that was judged and which of its pixels mattered.

import { fill, t } from "./strings.js";

const $ = (id) => document.getElementById(id);
const percent = (share) => (100 * share).toFixed(1);
let glyph = null; // ImageData of what was seen
let importance = null; // Int8Array of 784

// What `show` needs of an answer, so that the page then changes at once or not at all.
export async function prepared(answer) {
  return { ...answer, glyph: await pixels(answer.seen) };
}

export function show(answer) {
  const best = answer.alternatives[0];
  $("label").textContent = answer.label;
  $("words").textContent = answer.unsure ? fill(t.unsure, { label: best.label }) : "";
  $("alternatives").replaceChildren(...answer.alternatives.map(bar));
  importance = answer.importance ? Int8Array.from(atob(answer.importance), (c) => c.charCodeAt(0)) : null;
  glyph = answer.glyph;
  paint();
  for (const id of ["alternatives", "seen-part"]) $(id).hidden = false;
}

export function showNothing(words) {
  $("label").textContent = "";
  $("words").textContent = words;
  $("spoken").textContent = words;
  for (const id of ["alternatives", "seen-part"]) $(id).hidden = true;
}

// For those who listen: once the hand rests, not at every stroke.
export function speak(answer) {
  const best = answer.alternatives[0];
  const words = answer.unsure ? t.spoken_unsure : t.spoken;
  $("spoken").textContent = fill(words, { label: best.label, percent: percent(best.probability) });
}

export function paint() {
  if (!glyph) return;
  const wanted = $("explain").checked;
  const shown = new ImageData(28, 28);
  for (let i = 0; i < 784; i++) {
    const ink = glyph.data[4 * i];
    const weight = wanted && importance ? Math.sqrt(Math.abs(importance[i]) / 127) : 0;
    const color = (importance?.[i] ?? 0) >= 0 ? [214, 39, 40] : [31, 95, 191];
    color.forEach((c, j) => {
      shown.data[4 * i + j] = 255 - (ink * (255 - c * weight)) / 255;
    });
    shown.data[4 * i + 3] = 255;
  }
  $("seen").getContext("2d").putImageData(shown, 0, 0);
  $("explain-hint").hidden = !wanted;
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

async function pixels(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  return pen.getImageData(0, 0, 28, 28);
}
