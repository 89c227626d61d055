// The page: what is drawn or chosen is sent when the hand rests for a moment, and the answer is shown.

import * as answer from "./answer.js";
import * as api from "./api.js";
import { receive } from "./files.js";
import { chosen, offer } from "./models.js";
import { Pad } from "./pad.js";
import { t } from "./strings.js";

const SOON = 120; // ms after the last change: an answer while drawing
const REST = 450; // ms more: the hand rests, and it is worth asking which pixels mattered
const AGAIN = 3; // s until a server that did not answer is asked again
const MOST_BYTES = 8 << 20;
const $ = (id) => document.getElementById(id);

let models = [];
let picture = null; // the File of the second tab
let latest = null; // {answer, picture} that is shown
let asked = null; // AbortController of the request under way
let timer = null;
let stored = null; // number of the last correction

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

// --- asking -------------------------------------------------------------------------------------------------------------

// What is drawn or chosen has changed: what was answered is no longer its answer.
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
  asked?.abort();
  timer = setTimeout(() => (models.length ? read() : load()), wait);
}

async function read() {
  asked?.abort();
  if (drawing() ? pad.empty : !picture) return nothing(drawing() ? t.nothing : t.no_picture_yet);
  const mine = (asked = new AbortController());
  try {
    const sent = drawing() ? pad.image() : picture;
    await once(sent, mine, false);
    await new Promise((resolve) => setTimeout(resolve, REST));
    if (mine.signal.aborted) return;
    answer.speak(latest.answer);
    if ($("explain").checked) await once(sent, mine, true);
  } catch (error) {
    if (!mine.signal.aborted) explain(error);
  }
}

async function once(sent, mine, explained) {
  const found = await answer.prepared(await api.predict(sent, { model: $("model").value, explain: explained, signal: mine.signal }));
  if (mine.signal.aborted) return;
  trouble();
  answer.show(found);
  if (!latest) $("truth").value = found.alternatives[0].label;
  latest = { answer: found, picture: sent };
  $("right").hidden = !$("right").dataset.kept;
}

function nothing(words) {
  latest = null;
  answer.showNothing(words);
  $("right").hidden = true;
  trouble();
}

function explain(error) {
  if (error.kind === "blank") return nothing(drawing() ? t.nothing : t.blank_picture);
  if (error.kind === "busy" || error.kind === "offline") {
    trouble(error.kind === "busy" ? t.busy : t.offline);
    return soon(1000 * (error.wait ?? AGAIN)); // until it answers
  }
  if (error.kind === "no-such-model") return load();
  nothing("");
  trouble(error.kind === "fault" || !error.kind ? t.trouble : error.message);
}

function trouble(words = "") {
  $("trouble").textContent = words;
  $("trouble").hidden = !words;
}

addEventListener("online", () => soon(0));

// --- models -------------------------------------------------------------------------------------------------------------

async function load() {
  try {
    const found = await api.models();
    models = found.models;
    $("right").dataset.kept = found.corrections ? "yes" : "";
  } catch (error) {
    return explain(error);
  }
  offer(models, "model");
  another();
}

function another() {
  $("truth").replaceChildren(...chosen().classes.map((name) => new Option(name)));
  changed(0);
}

$("model").addEventListener("change", another);

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

// --- tabs ---------------------------------------------------------------------------------------------------------------

const tabs = [$("tab-draw"), $("tab-picture")];

function select(tab) {
  for (const each of tabs) {
    const on = each === tab;
    each.setAttribute("aria-selected", String(on));
    each.tabIndex = on ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !on;
  }
  changed(0);
}

for (const [at, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = tabs[1 - at];
    select(other);
    other.focus();
  });
}

// --- pictures -----------------------------------------------------------------------------------------------------------

function take(files) {
  const [first] = files.filter((file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name));
  if (drawing()) select($("tab-picture"));
  if (!first) return refuse(t.no_picture);
  if (first.size > MOST_BYTES) return refuse(t.formats);
  drop();
  picture = first;
  $("preview").src = URL.createObjectURL(first);
  $("preview").hidden = false;
  $("chooser").hidden = true;
  $("clear-picture").disabled = false;
  changed(0);
  if (files.length > 1) $("spoken").textContent = t.first_only;
}

function refuse(words) {
  clearTimeout(timer);
  drop();
  nothing(t.no_picture_yet);
  trouble(words);
}

function drop() {
  if (picture) URL.revokeObjectURL($("preview").src);
  picture = null;
  $("preview").hidden = true;
  $("preview").removeAttribute("src");
  $("chooser").hidden = false;
  $("clear-picture").disabled = true;
  for (const id of ["file", "camera"]) $(id).value = "";
}

receive(take);
$("preview").addEventListener("error", () => ($("preview").hidden = true)); // HEIC, where the browser cannot show it
$("clear-picture").addEventListener("click", () => {
  drop();
  $("file").focus();
  changed(0);
});

// --- "Was this right?" --------------------------------------------------------------------------------------------------

$("explain").addEventListener("change", () => {
  answer.paint();
  if ($("explain").checked && latest && !latest.answer.importance) soon(0);
});
$("correct").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [kept, submit] = [latest, $("store")];
  if (!kept) return;
  submit.disabled = true; // pressed twice, it is stored once
  try {
    stored = (await api.correct(await smaller(kept.picture), $("truth").value, kept.answer.model)).id;
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

// A photo as a PNG of at most 560 pixels: the server stores less. What the browser cannot decode (HEIC) is sent as it is.
async function smaller(picture) {
  const image = await createImageBitmap(picture).catch(() => null);
  if (!image) return picture;
  const share = Math.min(1, 560 / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height].map((n) => Math.max(1, Math.round(n * share)));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

load();
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("/sw.js");
