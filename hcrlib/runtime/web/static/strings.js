// Every word of the page: strings.json, which the server puts into the page.
export const t = JSON.parse(document.getElementById("strings").textContent);

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
