// All texts of the app: strings.json, which the server embeds in the HTML.
export const t = JSON.parse(document.getElementById("strings").textContent);

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// Fills in a number: `one` for 1, else `many`.
export const plural = (n, one, many) => fill(n === 1 ? one : many, { n });
