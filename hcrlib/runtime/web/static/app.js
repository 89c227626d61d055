// Single characters: sends the drawing, whenever it pauses, or the chosen image, and shows the answer.

import { alphabet, offerKinds } from "./alphabet.js";
import * as answer from "./answer.js";
import * as api from "./api.js";
import { fetched, offerExamples, onExample, readerOf } from "./examples.js";
import { receive } from "./files.js";
import { chosen, offer } from "./models.js";
import { Pad } from "./pad.js";
import { pass } from "./passing.js";
import { t } from "./strings.js";

const SOON = 120; // ms after the last change, for an answer while drawing
const REST = 450; // further ms, until it is worth asking how the image was read
const AGAIN = 3; // s until an unreachable server is asked again
const MOST_BYTES = 8 << 20;
const $ = (id) => document.getElementById(id);

let models = [];
let image = null; // the File of the second tab
let latest = null; // the {answer, image} on display
let request = null; // AbortController of the current request
let timer = null;
let stored = null; // ID of the last correction
let exampled = false; // whether examples are taken

const pad = new Pad($("pad"), {
  onchange: () => {
    $("pad-hint").hidden = !pad.empty;
    $("undo").disabled = !pad.canUndo;
    $("clear").disabled = pad.empty;
    changed();
  },
  onpen: (down) => ($("spoken").textContent = down ? t.pen_down : t.pen_up),
});

const drawing = () => $("tab-draw").getAttribute("aria-selected") === "true";

// --- requests -----------------------------------------------------------------------------------------------------------

// The drawing or the image has changed, so the answer on display is out of date.
function changed(wait = SOON) {
  latest = null;
  $("right").hidden = true;
  $("take-back").hidden = true;
  $("consent").checked = false;
  $("store").disabled = false;
  $("kept").textContent = "";
  soon(wait);
}

function soon(wait) {
  clearTimeout(timer);
  request?.abort();
  timer = setTimeout(() => (models.length ? read() : load()), wait);
}

async function read() {
  request?.abort();
  if (drawing() ? pad.empty : !image) return nothing(drawing() ? t.nothing : t.no_image_yet);
  const mine = (request = new AbortController());
  try {
    const sent = drawing() ? pad.image() : image;
    await once(sent, mine, false);
    await new Promise((resolve) => setTimeout(resolve, REST));
    if (mine.signal.aborted) return;
    answer.speak(latest.answer);
    await once(sent, mine, true);
  } catch (error) {
    if (!mine.signal.aborted) explain(error);
  }
}

async function once(sent, mine, explained) {
  const options = { model: $("model").value, alphabet: alphabet(), explain: explained, signal: mine.signal };
  const result = await answer.prepare(await api.predict(sent, options));
  if (mine.signal.aborted) return;
  trouble();
  answer.show(result);
  if (!latest) $("truth").value = result.alternatives[0].label;
  latest = { answer: result, image: sent };
  $("right").hidden = !$("right").dataset.kept;
}

function nothing(message) {
  latest = null;
  answer.showNothing(message);
  $("right").hidden = true;
  trouble();
}

function explain(error) {
  if (error.kind === "blank") return nothing(drawing() ? t.nothing : t.blank_image);
  if (error.kind === "busy" || error.kind === "offline" || error.passes) {
    trouble({ busy: t.busy, offline: t.offline }[error.kind] ?? error.message);
    return soon(1000 * (error.wait ?? AGAIN));
  }
  if (error.kind === "no-such-model") return load();
  nothing("");
  trouble(error.kind === "fault" || !error.kind ? t.trouble : error.message);
}

function trouble(message = "") {
  $("trouble").textContent = message;
  $("trouble").hidden = !message;
}

addEventListener("online", () => soon(0));

// --- models -------------------------------------------------------------------------------------------------------------

async function load() {
  try {
    const offered = await api.models();
    models = offered.models;
    $("right").dataset.kept = offered.corrections ? "yes" : "";
  } catch (error) {
    return explain(error);
  }
  offer(models, "model");
  offerExamples(models);
  another();
  if (!exampled) onExample({ four: drawExample, letter: takeExample });
  exampled = true;
}

function another() {
  const { classes } = chosen();
  $("truth").replaceChildren(...classes.map((name) => new Option(name)));
  offerKinds(classes, "may-be");
  changed(0);
}

$("model").addEventListener("change", another);
$("may-be").addEventListener("change", () => changed(0));

// --- drawing ------------------------------------------------------------------------------------------------------------

$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => pad.clear());
$("pen").addEventListener("input", () => (pad.width = $("pen").value / 100));
$("undo").disabled = $("clear").disabled = true;
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && drawing()) {
    event.preventDefault();
    pad.undo();
  }
});

// --- examples -----------------------------------------------------------------------------------------------------------

function drawExample(example) {
  if (!drawing()) select($("tab-draw"));
  readable(example);
  pad.draw(example.strokes);
}

async function takeExample(example) {
  readable(example);
  try {
    take([await fetched(example)]);
    $("credit").hidden = false;
  } catch {
    trouble(t.offline_example);
  }
}

// Sees to it that the model and the kind of characters allow for an example.
function readable(example) {
  $("model").value = readerOf(example, models, chosen()).name;
  another();
  if (!example.classes.every((each) => (alphabet() ?? each).includes(each))) $("may-be").value = "";
}

// --- tabs ---------------------------------------------------------------------------------------------------------------

const tabs = [$("tab-draw"), $("tab-image")];

function select(tab) {
  for (const each of tabs) {
    const on = each === tab;
    each.setAttribute("aria-selected", String(on));
    each.tabIndex = on ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !on;
  }
  changed(0);
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = tabs[1 - index];
    select(other);
    other.focus();
  });
}

// --- images -------------------------------------------------------------------------------------------------------------

function take(files) {
  const [first] = files.filter((file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name));
  if (drawing()) select($("tab-image"));
  if (!first) return refuse(t.no_image);
  if (first.size > MOST_BYTES) return refuse(t.too_large);
  drop();
  image = first;
  $("preview").src = URL.createObjectURL(first);
  $("preview").hidden = false;
  $("chooser").hidden = true;
  $("clear-image").disabled = false;
  changed(0);
  if (files.length > 1) $("spoken").textContent = t.first_only;
}

function refuse(message) {
  clearTimeout(timer);
  drop();
  nothing(t.no_image_yet);
  trouble(message);
}

function drop() {
  if (image) URL.revokeObjectURL($("preview").src);
  image = null;
  $("preview").hidden = true;
  $("preview").removeAttribute("src");
  $("chooser").hidden = false;
  $("credit").hidden = $("clear-image").disabled = true;
  for (const id of ["file", "camera"]) $(id).value = "";
}

$("preview").addEventListener("error", () => ($("preview").hidden = true)); // HEIC, if the browser cannot show it
$("clear-image").addEventListener("click", () => {
  drop();
  $("file").focus();
  changed(0);
});

// --- several characters -------------------------------------------------------------------------------------------------

$("as-page")?.addEventListener("click", async (event) => {
  event.preventDefault();
  if (!latest) return;
  const { name = `${t.drawing}.png`, type } = latest.image;
  await pass(new File([latest.image], name, { type })).catch(() => {}); // there, a file can be chosen
  location.assign(event.target.href);
});

// --- "Was this right?" --------------------------------------------------------------------------------------------------

$("explain").addEventListener("change", answer.paint);
$("correct").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [kept, submit] = [latest, $("store")];
  if (!kept) return;
  submit.disabled = true; // a double click stores it once
  try {
    stored = (await api.correct(await smaller(kept.image), $("truth").value, kept.answer.model)).id;
    $("kept").textContent = t.kept;
    $("take-back").hidden = false;
  } catch {
    $("kept").textContent = t.kept_not;
    submit.disabled = false;
  }
});
$("take-back").addEventListener("click", async () => {
  try {
    await api.takeBack(stored);
    $("kept").textContent = t.taken_back;
    $("take-back").hidden = true;
    $("store").disabled = false;
  } catch {
    $("kept").textContent = t.not_taken_back;
  }
});

// Shrinks a photo to a PNG of at most 560 pixels, twice what the server stores. Files that the browser cannot decode (HEIC) are
// sent unchanged.
async function smaller(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file;
  const share = Math.min(1, 560 / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * share)));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

load();
receive(take);
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("sw.js");
