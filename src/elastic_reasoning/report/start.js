"use strict";
// Puts the parts together: what is chosen is drawn, and whatever is clicked or pressed changes what is chosen.

function renderSides() {
  renderChoices();
  renderPair(SIDES.map((side) => ({ side, setting: settingAt(side), name: `${armName(armOf(state[side]))}/${budgetOf(side)}` })));
}

function set(change) {
  const focused = document.activeElement?.closest("#compared .buttons, #list")?.id;
  Object.assign(state, change);
  if ("filter" in change || "search" in change) {
    const problems = shown();
    if (problems.length && !problems.some((problem) => problem.id === state.problem)) state.problem = problems[0].id;
  }
  renderSides();
  renderTraces();
  writeHash();
  if (focused) by(focused).querySelector("[aria-pressed=true], [aria-current=true]")?.focus({ preventScroll: true });
}

// A setting that is picked anywhere comes to the right, if its arm is not on a side already
function pick(model, strategy, budget) {
  const arm = `${model}/${strategy}`;
  const shared = armOf(arm).budgets.length === 1 ? {} : { budget, against: budget };
  set({ ...shared, ...(SIDES.some((side) => state[side] === arm) ? {} : { right: arm }) });
  goTo("compared");
}

function goTo(section) {
  by(section).focus({ preventScroll: true });
  by(section).scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

for (const cell of document.querySelectorAll("[data-setting]")) {
  const { model, strategy, budget } = data.settings[cell.dataset.setting];
  cell.addEventListener("click", () => pick(model, strategy, budget));
}
for (const button of document.querySelectorAll("[data-pair]")) {
  const [a, b] = button.dataset.pair.split(" ").map((index) => data.settings[index]);
  button.addEventListener("click", () => {
    set({ left: `${a.model}/${a.strategy}`, right: `${b.model}/${b.strategy}`, budget: a.budget, against: b.budget });
    goTo("compared");
  });
}

// Keys work wherever the reader is on the page, and lead to what they change; what scrolls or has keys of its own keeps them.
const step = (list, now, by_) => list[Math.min(list.length - 1, Math.max(0, list.indexOf(now) + by_))];

function show(node, section) {
  const { top, bottom } = node.getBoundingClientRect();
  if (bottom <= 0 || top >= window.innerHeight) goTo(section);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, .text, .question, .scroll, #chart")) return;
  const moves = { ArrowUp: -1, ArrowDown: 1, k: -1, j: 1 };
  const turns = { ArrowLeft: -1, ArrowRight: 1 };
  if (event.key in moves) {
    const ids = shown().map((problem) => problem.id);
    if (ids.length) set({ problem: step(ids, state.problem, moves[event.key]) });
    show(by("browser"), "traces");
  } else if (event.key in turns) {
    const budget = step(sharedBudgets(), state.budget, turns[event.key]);
    set({ budget, against: budget });
    show(by("compared"), "compared");
  } else if (event.key === "/") by("search").focus();
  else return;
  event.preventDefault();
});
by("search").addEventListener("input", (event) => set({ search: event.target.value }));
by("filter").addEventListener("change", (event) => set({ filter: event.target.value }));
for (const side of SIDES) {
  by(`${side}-arm`).addEventListener("change", (event) => set({ [side]: event.target.value }));
  by(`${side}-budget`).addEventListener("change", (event) => set({ [side === "left" ? "budget" : "against"]: event.target.value }));
}
window.addEventListener("hashchange", () => {
  readHash();
  renderSides();
  renderTraces();
});

// Tables sort by the values behind their cells
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const value = (row) => row.cells[column].dataset;
    const compare = (a, b) => ("number" in value(a) ? value(a).value - value(b).value : value(a).value.localeCompare(value(b).value));
    body.append(...[...body.rows].sort((a, b) => (up ? compare(a, b) : compare(b, a))));
  }));
}

// The figure
const hidden = new Set();
let chart = data.charts[0];
function drawFigure() {
  drawChart(by("chart"), chart, hidden, pick);
  const toggle = (key, sample, words) => el("button", {
    type: "button",
    "aria-pressed": String(!hidden.has(key)),
    onclick: () => {
      if (!hidden.delete(key)) hidden.add(key);
      const at = [...by("legend").children].indexOf(document.activeElement);
      drawFigure();
      by("legend").children[at]?.focus();
    },
  }, svg("svg", { width: 28, height: 14, "aria-hidden": "true" }, ...sample), words);
  const curves = chart.curves.map((curve) => {
    const look = curveLook(curve);
    const line = [svg("line", { ...look, x1: 0, x2: 28, y1: 7, y2: 7 }), marker(curve, look, 14, 7)];
    return toggle(curve.label, curve.line.length ? line : [star(14, 7, 7, look.stroke)], curve.label);
  });
  const quiet = svg("line", { x1: 0, x2: 28, y1: 7, y2: 7, stroke: "var(--quiet)" });
  by("legend").replaceChildren(...curves, ...(chart.published.length ? [toggle("published", [quiet], "published, by number")] : []));
  by("axes").replaceChildren(...data.charts.map((other) => el("button", {
    type: "button",
    "aria-pressed": String(other === chart),
    onclick: () => {
      chart = other;
      drawFigure();
      by("axes").querySelector("[aria-pressed=true]").focus();
    },
  }, other.name)));
}

const linked = readHash();
renderSides();
renderTraces();
drawFigure();
let drawn = by("chart").clientWidth;
new ResizeObserver(() => {
  if (drawn === by("chart").clientWidth) return;
  drawn = by("chart").clientWidth;
  drawFigure();
  renderSides();
}).observe(by("chart"));
if (linked) goTo("traces");
