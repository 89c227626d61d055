// Searches the library.

import * as api from "./api.js";
import { fill, plural, t } from "./strings.js";

const $ = (id) => document.getElementById(id);

// explanation: returns the text for the user of an error.
export function searchable(explanation) {
  $("search").addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = $("query").value.trim();
    if (!query) return;
    try {
      const { hits } = await api.search(query);
      $("hits").replaceChildren(...hits.map(hit));
      $("found").textContent = hits.length ? plural(hits.length, t.library_found_one, t.library_found) : fill(t.library_none, { query });
    } catch (error) {
      $("hits").replaceChildren();
      $("found").textContent = explanation(error);
    }
  });
}

function hit({ document: name, page, snippet }) {
  const element = document.createElement("li");
  const [where, words] = ["b", "p"].map((tag) => document.createElement(tag));
  where.textContent = fill(t.library_where, { name, page });
  for (const part of snippet) {
    const marked = part.hit ? document.createElement("mark") : document.createElement("span");
    marked.textContent = part.text;
    words.append(marked);
  }
  element.append(where, words);
  return element;
}
