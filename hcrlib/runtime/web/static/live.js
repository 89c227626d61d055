// What is shown while a page is read: how far it is, and its lines as soon as they have been read.

import { rect } from "./sheet.js";
import { fill, plural, t } from "./strings.js";

const STAGES = { finding: t.read_finding, choosing: t.read_choosing, reading: t.read_line };
const $ = (id) => document.getElementById(id);
let message = "";
let clock = null;

// Begins to show the progress. file: its picture, or null to show none of the lines.
export function begin(said, file) {
  end();
  message = $("doing").textContent = $("spoken").textContent = said;
  const since = Date.now();
  const tick = () => ($("elapsed").textContent = Math.round((Date.now() - since) / 1000));
  clock = setInterval(tick, 1000);
  tick();
  showStage();
  if (file?.type.startsWith("image/")) $("live-image").src = URL.createObjectURL(file);
}

export function end() {
  clearInterval(clock);
  if ($("live-image").src) URL.revokeObjectURL($("live-image").src);
  $("live-image").removeAttribute("src");
  $("live-sheet").hidden = $("live").hidden = true;
  $("live").replaceChildren();
  $("live-boxes").replaceChildren();
}

// Shows how far the page is: {place, stage, page, pages, line, lines, read}.
export function tell({ place, stage, read = [], ...numbers }, withLines) {
  $("doing").textContent = place ? plural(place, t.read_place_one, t.read_place) : message;
  showStage(fill(STAGES[stage] ?? "", numbers), numbers);
  if (withLines && read.length) showLines(read, Math.max(numbers.lines, read.at(-1).number));
}

function showStage(stage = "", { page = 0, pages = 0, line = 0, lines = 0 } = {}) {
  $("stage").textContent = stage && pages > 1 ? fill(t.read_stage_of_page, { page, pages, stage }) : stage;
  const done = page - 1 + (lines && (line - 1) / lines); // pages
  if (done > 0) $("progress").value = done / pages;
  else $("progress").removeAttribute("value"); // it is not known how far it is
}

function showLines(read, lines) {
  const texts = new Map(read.map(({ number, text }) => [number, text]));
  const rows = [...$("live").children];
  while (rows.length < lines) rows.push(document.createElement("p"));
  for (const [index, row] of rows.slice(0, lines).entries()) row.textContent = texts.get(index + 1) ?? "";
  $("live").replaceChildren(...rows.slice(0, lines));
  $("live").hidden = false;
  $("nothing").hidden = true;
  $("live-boxes").replaceChildren(...read.map(({ box }) => rect(box, "line")));
}

$("live-image").addEventListener("load", () => {
  const { naturalWidth, naturalHeight } = $("live-image");
  $("live-boxes").setAttribute("viewBox", `0 0 ${naturalWidth} ${naturalHeight}`);
  $("live-sheet").hidden = false;
});
