"use strict";
// Tables sort by a click on a heading, are filtered by a text and show that they scroll; figures open large. Without scripts, all is shown as it is.
const value = (text) => (/^<?\s*-?[\d,]+(\.\d+)?(e[+-]?\d+)?(\s|$)/i.test(text) ? parseFloat(text.replace(/[<,\s]*/, "").replace(/,/g, "")) : NaN);

function compare(a, b) {
  if (!a || !b) return !a - !b; // empty cells come last
  const [x, y] = [value(a), value(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y;
}

const tables = document.querySelectorAll("table:not(.matrix)");
const scrolling = (table) => (getComputedStyle(table).overflowX === "auto" ? table : table.parentElement);

for (const table of tables) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 2) continue;
  for (const [column, th] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener("click", () => {
      const down = th.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent.trim();
      const order = (a, b) => (down && text(a) && text(b) ? compare(text(b), text(a)) : compare(text(a), text(b)));
      table.tBodies[0].append(...rows.sort(order));
    });
  }
  if (rows.length < 6) continue;
  const label = document.createElement("label"), input = document.createElement("input"), count = document.createElement("span");
  label.className = "filter";
  input.type = "search";
  label.append("Rows that contain", input, count);
  scrolling(table).before(label);
  const filter = () => {
    const word = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(word);
    count.textContent = ` ${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };
  input.addEventListener("input", filter);
  filter();
}

// A table that is wider than the page says so, and fades at its right edge until its end is reached.
for (const table of tables) {
  const box = scrolling(table), hint = document.createElement("p");
  hint.className = "scrolls";
  hint.textContent = "More columns to the right: scroll the table sideways \u2192";
  box.before(hint);
  const look = () => {
    hint.hidden = box.scrollWidth <= box.clientWidth + 1;
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  };
  box.addEventListener("scroll", look);
  new ResizeObserver(look).observe(box);
}

const dialog = document.createElement("dialog");
dialog.addEventListener("click", () => dialog.close());
document.body.append(dialog);
for (const image of document.querySelectorAll("figure img")) {
  const open = () => {
    const large = image.cloneNode();
    for (const name of ["role", "tabindex", "title"]) large.removeAttribute(name);
    dialog.replaceChildren(large);
    dialog.showModal();
  };
  image.tabIndex = 0;
  image.setAttribute("role", "button");
  image.title = "Open large";
  image.addEventListener("click", open);
  image.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
    }
  });
}
