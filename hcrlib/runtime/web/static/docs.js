// Renders openapi.json, the description of the API.

import { t } from "./strings.js";

function make(tag, content = "", attributes = {}) {
  const element = document.createElement(tag);
  element.append(...[content].flat());
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const SCROLLS = { tabindex: "0" }; // makes elements wider than a phone scrollable by keyboard
const code = (text) => make("code", text);
const json = (value) => make("pre", JSON.stringify(value, null, 2), SCROLLS);

function rows(pairs) {
  return make("table", make("tbody", pairs.map(([name, ...cells]) => make("tr", [make("th", name, { scope: "row" }), ...cells.map((cell) => make("td", cell))]))), SCROLLS);
}

function operation(path, method, about, shared) {
  const parts = [make("h2", code(`${method.toUpperCase()} ${path}`)), make("p", about.summary)];
  if (about.description) parts.push(make("p", about.description));
  if (about.parameters) {
    parts.push(make("h3", t.docs_parameters), rows(about.parameters.map((each) => [code(each.name), each.in, each.description ?? ""])));
  }
  if (about.requestBody) {
    parts.push(make("h3", t.docs_body), rows(Object.entries(about.requestBody.content).map(([type, body]) => [code(type), body.schema.description ?? ""])));
  }
  const answers = Object.entries(about.responses).map(([status, each]) => {
    const found = each.$ref ? shared.responses[each.$ref.split("/").pop()] : each;
    return [status, found.description];
  });
  parts.push(make("h3", t.docs_answers), rows(answers));
  return make("section", parts, { class: "card" });
}

const document_ = await (await fetch("openapi.json")).json();
const root = document_.servers[0].url.replace(/\/$/, "");
const sections = [make("p", document_.info.description)];
for (const [path, methods] of Object.entries(document_.paths)) {
  for (const [method, about] of Object.entries(methods)) sections.push(operation(root + path, method, about, document_.components));
}
const problems = document_["x-problems"].map(({ name, status, title }) => {
  const row = make("tr", [make("th", code(name), { scope: "row" }), make("td", String(status)), make("td", title)], { id: name });
  return row;
});
sections.push(make("section", [make("h2", t.docs_problems), make("table", make("tbody", problems), SCROLLS)], { class: "card" }));
const shapes = Object.entries(document_.components.schemas).map(([name, shape]) => make("details", [make("summary", name), json(shape)]));
sections.push(make("section", [make("h2", t.docs_shapes), ...shapes], { class: "card" }));
document.getElementById("docs").replaceChildren(...sections);
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
