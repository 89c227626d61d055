// The list of models at the top of the page; what was chosen is remembered under `key`.

import { fill, t } from "./strings.js";

const $ = (id) => document.getElementById(id);
let models = [];

export function offer(found, key, first) {
  models = found;
  const wanted = [localStorage.getItem(key), first].find((name) => models.some((model) => model.name === name));
  $("model").replaceChildren(...models.map(({ name }) => new Option(name)));
  if (wanted) $("model").value = wanted;
  $("model").onchange = () => localStorage.setItem(key, $("model").value);
}

// The model that is chosen; the page tells about it.
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
