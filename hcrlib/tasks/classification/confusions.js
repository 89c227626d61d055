"use strict";
// A click on a cell shows its images; the arrow keys move between cells. Without scripts, the most frequent ones are shown.
for (const root of document.querySelectorAll(".confusions:not([data-ready])")) {
  root.dataset.ready = "";
  const images = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const table = root.querySelector("table"), seen = root.querySelector(".seen"), buttons = [];
  const title = (row, column) => table.rows[row].cells[column].textContent;
  for (const td of table.querySelectorAll("[data-cell]")) {
    if (!images[td.dataset.cell]) continue;
    const button = document.createElement("button"), row = td.parentNode.rowIndex, column = td.cellIndex;
    const numbers = [...td.childNodes].filter((node) => node.data).map((node, at) => `${node.data} by ${"AB"[at]}`);
    button.setAttribute("aria-label", `${title(row, 0)} read as ${title(0, column)}: ${numbers.join(", ")}`);
    button.setAttribute("aria-pressed", "false");
    button.tabIndex = buttons.length ? -1 : 0;
    button.append(...td.childNodes);
    td.append(button);
    buttons.push({ button, row, column });
    button.addEventListener("click", () => {
      for (const other of buttons) other.button.setAttribute("aria-pressed", String(other.button === button));
      seen.innerHTML = images[td.dataset.cell];
    });
    button.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [0, 0];
      const ahead = buttons.filter((other) => (down ? other.column === column && down * (other.row - row) > 0
        : right && other.row === row && right * (other.column - column) > 0));
      const next = ahead[down + right > 0 ? 0 : ahead.length - 1]?.button;
      if (down || right) { event.preventDefault(); event.stopPropagation() }
      if (!next) return;
      button.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
  const hint = document.createElement("p");
  hint.textContent = "Select a number to see its images; the arrow keys move from cell to cell.";
  if (buttons.length) table.parentNode.before(hint);
}
