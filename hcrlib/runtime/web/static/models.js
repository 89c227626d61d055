// The list of models at the top. The browser remembers the choice under `key`.

import { fill, t } from "./strings.js";

const $ = (id) => document.getElementById(id);
let models = [];

export function offer(available, key, first) {
  models = available;
  const wanted = [localStorage.getItem(key), first].find((name) => models.some((model) => model.name === name));
  $("model").replaceChildren(...models.map(({ name }) => new Option(name)));
  if (wanted) $("model").value = wanted;
  $("model").onchange = () => localStorage.setItem(key, $("model").value);
}

// Returns the chosen model, and shows its description.
export function chosen() {
  const model = models.find(({ name }) => name === $("model").value);
  const values = {
    classes: model.classes.length,
    accuracy: `${(100 * model.accuracy).toFixed(1)} %`,
    data: model.trained_on,
  };
  $("model-about").textContent = fill(model.accuracy ? t.model_about : t.model_plain, values);
  return model;
}
