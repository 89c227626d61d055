// The list of what a character may be: kinds of characters among the model's classes. The browser remembers the choice under `key`.

import { t } from "./strings.js";

const select = document.getElementById("may-be");
const KINDS = [
  { name: "digits", text: t.digits, pattern: /^\p{Nd}$/u },
  { name: "capitals", text: t.capitals, pattern: /^\p{Lu}$/u, cased: (letter) => letter.toUpperCase() },
  { name: "small", text: t.small, pattern: /^\p{Ll}$/u, cased: (letter) => letter.toLowerCase() },
  { name: "letters", text: t.letters, pattern: /^\p{L}$/u },
];
let key = null;
let kinds = {}; // {name: the classes of this kind, as a string}

// Offers the kinds that make a difference. A model whose C stands for c, too, cannot be restricted to small letters.
export function offerKinds(classes, under) {
  key = under;
  kinds = {};
  const options = [new Option(t.anything, "")];
  for (const { name, text, pattern, cased = (letter) => letter } of KINDS) {
    const some = classes.filter((each) => pattern.test(each));
    if (some.length < 2 || some.length === classes.length || Object.values(kinds).includes(some.join(""))) continue;
    if (!classes.every((each) => !/^\p{L}$/u.test(each) || classes.includes(cased(each)))) continue;
    kinds[name] = some.join("");
    options.push(new Option(text, name));
  }
  select.replaceChildren(...options);
  const wanted = localStorage.getItem(key);
  if (wanted in kinds) select.value = wanted;
  select.parentElement.hidden = options.length === 1;
}

select.addEventListener("change", () => localStorage.setItem(key, select.value));

// Returns the classes that the character may be, or undefined for all.
export const alphabet = () => kinds[select.value];

// Returns the name of this kind, or undefined for all.
export const kind = () => (select.value ? select.selectedOptions[0].text : undefined);
