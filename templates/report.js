// What the page does beside being read; without it all is there, unsorted and in the system's colours.
"use strict";
(function () {
  const words = document.body.dataset;
  const make = (tag, attributes, text) => {
    const made = document.createElement(tag);
    for (const name in attributes) made.setAttribute(name, attributes[name]);
    if (text) made.textContent = text;
    return made;
  };

  // A mark leads to its origin even where that is folded away.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let folded = false;
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS" && !at.open) { at.open = true; folded = true; }
    }
    const own = target.querySelector(":scope > details");
    if (own && !own.open) { own.open = true; folded = true; }
    if (folded) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();

  // Light, dark, or as the system has it: the rules of the dark page apply always, never or by the system.
  const dark = [];
  for (const rule of document.styleSheets[0].cssRules) {
    if (rule.media && rule.media.mediaText.includes("prefers-color-scheme")) dark.push([rule, rule.media.mediaText]);
  }
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  let shown = null;
  const theme = make("button", { type: "button", class: "theme" });
  const paint = () => {
    const now = shown === null ? isDark.matches : shown;
    for (const [rule, own] of dark) rule.media.mediaText = shown === null ? own : shown ? "screen" : "not all";
    document.documentElement.style.colorScheme = shown === null ? "" : shown ? "dark" : "light";
    theme.textContent = now ? words.light : words.dark;
  };
  theme.addEventListener("click", () => { shown = !(shown === null ? isDark.matches : shown); paint(); });
  isDark.addEventListener("change", paint);
  paint();
  document.querySelector("main").prepend(theme);

  // Tables: a click on a heading sorts, a box filters the long ones.
  const keyOf = (row, column) => {
    let at = 0;
    for (const cell of row.cells) {
      if (column < at + cell.colSpan) {
        const exact = cell.querySelector("[data-v]");
        if (exact) return Number(exact.dataset.v);
        if (cell.querySelector(".unknown, .no")) return null;
        const text = cell.textContent.trim();
        const number = /^[-−]?[\d,]+(\.\d+)?$/.test(text) ? Number(text.replace(/,/g, "")) : NaN;
        return text === "" ? null : Number.isNaN(number) ? text : number;
      }
      at += cell.colSpan;
    }
    return null;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), document.documentElement.lang);
  const columnsOf = (head) => { // heading cell -> its column, through cells that span several
    const taken = [], found = new Map();
    [...head.rows].forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (taken[y] && taken[y][x]) x++;
        for (let dy = 0; dy < cell.rowSpan; dy++) for (let dx = 0; dx < cell.colSpan; dx++) {
          (taken[y + dy] = taken[y + dy] || [])[x + dx] = true;
        }
        if (cell.colSpan === 1) found.set(cell, x);
        x += cell.colSpan;
      }
    });
    return found;
  };
  for (const table of document.querySelectorAll(".tbl table")) {
    const body = table.tBodies[0];
    if (!table.tHead || !body || body.rows.length < 4 || table.classList.contains("steps-of")) continue;
    const headings = columnsOf(table.tHead);
    for (const [heading, column] of headings) {
      if (!heading.textContent.trim()) continue;
      const button = make("button", { type: "button", class: "sort", title: words.sort });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        for (const [other] of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
        rows.sort(([a], [b]) => a === null ? (b === null ? 0 : 1) : b === null ? -1 : down ? compare(b, a) : compare(a, b));
        body.append(...rows.map(([, row]) => row));
      });
    }
    if (body.rows.length < 8) continue;
    const box = make("input", { type: "search", class: "filter", placeholder: words.filter, "aria-label": words.filter });
    box.addEventListener("input", () => {
      const wanted = box.value.toLowerCase().split(/\s+/);
      for (const row of body.rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
    });
    table.parentElement.before(box);
  }

  // Paper has nothing to unfold.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const fold of closed) fold.open = true;
  });
  addEventListener("afterprint", () => { for (const fold of closed) fold.open = false; });
})();
