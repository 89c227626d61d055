// The list of models at the top, named by what they read. The browser remembers the choice under `key`.

import { fill, t } from "./strings.js";

const NONE = "none"; // the class of what is no character
const $ = (id) => document.getElementById(id);
let models = [];

export function offer(available, key, first) {
  models = available;
  const wanted = [localStorage.getItem(key), first].find((name) => models.some((model) => model.name === name));
  $("model").replaceChildren(...models.map(({ name }) => new Option(titleOf(name), name)));
  if (wanted) $("model").value = wanted;
  $("model").onchange = () => localStorage.setItem(key, $("model").value);
}

// Returns the chosen model, and shows its description.
export function chosen() {
  const model = models.find(({ name }) => name === $("model").value);
  const classes = model.classes.filter((each) => each !== NONE).length;
  $("model-about").textContent = fill(model.accuracy ? t.model_about : t.model_plain, { classes, ...figures(model.accuracy) });
  return model;
}

// Returns a model's name for people: what it reads, with its own name where others read the same.
export function titleOf(name) {
  const model = models.find((each) => each.name === name);
  if (!model) return name;
  const title = kind(model);
  return models.some((other) => other !== model && kind(other) === title) ? fill(t.model_namesake, { title, name }) : title;
}

function kind({ name, classes }) {
  const [digits, letters] = [/^\p{Nd}$/u, /^\p{L}$/u].map((pattern) => classes.some((each) => pattern.test(each)));
  return (digits && letters ? t.model_both : digits ? t.model_digits : letters ? t.model_letters : "") || name;
}

// Returns {right, of}: 9 of 10, or of a larger number where that is half a percent off or none would be wrong.
function figures(accuracy) {
  const rounded = (n) => Math.round(accuracy * n);
  const isClose = (n) => rounded(n) < n && Math.abs(rounded(n) / n - accuracy) < 0.005;
  const of = [10, 100, 1000].find(isClose) ?? 10000;
  return { right: rounded(of), of };
}
