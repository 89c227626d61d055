// The server's API as functions. They throw Trouble: its `kind` is the problem's name, "offline" if there was no response, or
// "front" if the response is that of another server in between.

import { fill, t } from "./strings.js";

export class Trouble extends Error {
  constructor(kind, detail, wait) {
    super(detail);
    this.kind = kind;
    this.wait = wait; // seconds to wait before trying again
  }
}

async function ask(address, options, as = (response) => response.json()) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("offline", error.message);
  }
  if (response.status === 204) return null;
  if (response.ok) return as(response);
  const text = await response.text().catch(() => "");
  const body = parsed(text);
  if (!body) throw fromFront(response, text);
  const kind = (body.type ?? "#fault").split("#").pop();
  throw new Trouble(kind, body.detail ?? response.statusText, Number(response.headers.get("Retry-After")) || 1);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// An error of a server in front of this one, such as nginx: usually a page of HTML, whose title says what is wrong.
function fromFront(response, text) {
  const title = text.match(/<title>([^<]{1,80})</i)?.[1].trim() || `${response.status} ${response.statusText}`.trim();
  const trouble = new Trouble("front", fill(response.status === 413 ? t.front_large : t.front, { title }));
  trouble.passes = [502, 503, 504].includes(response.status); // once this server is back
  return trouble;
}

export function models() {
  return ask("api/models");
}

// image: a Blob, sent unchanged.
export function predict(image, { model, alphabet, explain, signal }) {
  const query = new URLSearchParams({ model, ...(alphabet && { alphabet }), ...(explain && { explain: "1" }) });
  const headers = { "Content-Type": image.type || "application/octet-stream" };
  return ask(`api/predict?${query}`, { method: "POST", body: image, headers, signal });
}

// Returns a text by which `place` finds a page that was sent with it.
// Whoever knows it sees the lines that have been read, so it cannot be guessed.
export const newTicket = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");

// Resolves to {place}: how many pages are read before this one; 0 while it is read, null if it is unknown. While it is read, there
// are the stage, page, pages, line, lines, and `read`, the lines of this page that have been read: {number, text, box}.
export function place(ticket) {
  return ask(`api/read/place?${new URLSearchParams({ ticket })}`);
}

// page: a File, an image or a PDF. recognizer: a name, "auto" or "characters". alphabet: the characters that may be read.
// corrected: lines to write instead of what is read. Returns the parsed JSON, or a Blob for other formats.
export function read(page, { model, recognizer, alphabet, format = "json", keep, corrected = [], ticket, signal }) {
  const query = new URLSearchParams({ model, recognizer, format, ticket, name: page.name, ...(alphabet && { alphabet }), ...(keep && { keep: "1" }) });
  if (format === "json") query.set("line_images", "1");
  const as = format === "json" ? undefined : (response) => response.blob();
  const headers = { "Content-Type": page.type || "application/octet-stream" };
  let sent = { body: page, headers };
  if (corrected.length) {
    sent = { body: new FormData() };
    sent.body.append("page", page);
    sent.body.append("lines", JSON.stringify(corrected));
  }
  return ask(`api/read?${query}`, { method: "POST", ...sent, signal }, as);
}

export function search(query) {
  return ask(`api/library?${new URLSearchParams({ q: query })}`);
}

export async function correct(file, label, model) {
  const image = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Trouble("offline", "the image cannot be read"));
    reader.readAsDataURL(file);
  });
  return store("api/corrections", { image, label, model });
}

// image: a data URL, the one that came with the page. document: the name of its file. model: the name of the one that read it.
// replaces: the ID of an earlier correction of this line, made here.
export function correctLine({ image, text, document, page, model, replaces }) {
  return store("api/corrections/lines", { image, text, document, page, model, replaces });
}

function store(address, correction) {
  const body = JSON.stringify({ ...correction, consent: true });
  return ask(address, { method: "POST", body, headers: { "Content-Type": "application/json" } });
}

export function takeBack(id) {
  return ask(`api/corrections/${id}`, { method: "DELETE" });
}
