"use strict";
// The browser of traces. Everything that a model wrote becomes a text node, never HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const SIDES = ["left", "right"];
const FLAG_NAMES = {
  budget_hit: "thinking budget spent",
  forced_close: "delimiter forced",
  solution_cut: "solution cut",
  escaped: "thought again in the solution",
};
const FINISHES = {
  thinking: { length: "cut: budget spent", delimiter: "closed by the model", eos: "ended the sequence", boundary: "closed at a line end" },
  solution: { length: "cut: budget spent", eos: "finished", delimiter: "" },
};

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const named = (names, values) => Object.fromEntries(names.map((name, n) => [name, values[n]]));

// What can be chosen
const arms = [];
const settingOf = new Map();
const budgets = [];
data.settings.forEach((setting, index) => {
  const arm = `${setting.model}/${setting.strategy}`;
  if (!arms.some((known) => known.id === arm)) arms.push({ id: arm, model: setting.model, strategy: setting.strategy, budgets: [] });
  arms.find((known) => known.id === arm).budgets.push(setting.budget);
  settingOf.set(`${arm} ${setting.budget}`, index);
  if (!budgets.includes(setting.budget)) budgets.push(setting.budget);
});
const size = (budget) => budget.split("+").reduce((sum, part) => sum + (part === "inf" ? Infinity : Number(part)), 0);
budgets.sort((a, b) => (size(a) === size(b) ? parseFloat(a) - parseFloat(b) : size(a) < size(b) ? -1 : 1));
const nameOf = (strategy) => data.names[strategy] ?? strategy;
const armOf = (id) => arms.find((arm) => arm.id === id);

for (const problem of data.problems) {
  problem.byKey = new Map();
  for (const values of problem.traces) {
    const trace = named(data.trace, values);
    trace.parts = trace.parts.map((part) => named(data.part, part));
    for (const part of trace.parts) part.text = problem.texts[part.text].slice(0, part.length);
    for (const [bit, flag] of data.flags.entries()) trace[flag] = Boolean(trace.flags & (1 << bit));
    problem.byKey.set(`${trace.setting} ${trace.sample}`, trace);
  }
  problem.haystack = [problem.id, problem.question, ...problem.texts].join("\n").toLowerCase();
}

// The state, and the part of it that stands in the address
function preferred(model) {
  const own = arms.filter((arm) => arm.model === model);
  return own.find((arm) => arm.strategy === "elastic") ?? own[0];
}

function initial() {
  const models = [...new Set(arms.map((arm) => arm.model))];
  const left = preferred(models[0]);
  const right = models.length > 1 ? preferred(models[1]) : arms.find((arm) => arm !== left) ?? left;
  const finite = left.budgets.filter((budget) => Number.isFinite(size(budget)));
  const budget = left.budgets.includes(data.trained_text) ? data.trained_text : finite[finite.length >> 1] ?? left.budgets[0];
  return { problem: data.problems[0]?.id ?? "", budget, sample: 0, left: left.id, right: right.id, filter: "all", search: "" };
}

const state = initial();

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const valid = {
    problem: (value) => data.problems.some((problem) => problem.id === value),
    budget: (value) => budgets.includes(value),
    sample: (value) => /^\d+$/.test(value),
    left: armOf,
    right: armOf,
    filter: (value) => filters.some((filter) => filter.id === value),
    search: () => true,
  };
  for (const [name, value] of given) {
    if (Object.hasOwn(valid, name) && valid[name](value)) state[name] = name === "sample" ? Number(value) : value;
  }
  by("search").value = state.search;
  return given.has("problem");
}

function writeHash() {
  const start = initial();
  const changed = Object.entries(state).filter(([name, value]) => name === "problem" || value !== start[name]);
  history.replaceState(null, "", `#${new URLSearchParams(changed)}`);
}

function traceOf(problem, side) {
  const arm = armOf(state[side]);
  const budget = arm.budgets.length === 1 ? arm.budgets[0] : state.budget;
  return problem.byKey.get(`${settingOf.get(`${arm.id} ${budget}`)} ${state.sample}`) ?? null;
}

// Outcomes
const pairOf = (problem) => SIDES.map((side) => traceOf(problem, side));
const either = (test) => (problem) => pairOf(problem).some((trace) => trace !== null && test(trace));
const verdicts = (left, right) => (problem) => {
  const [l, r] = pairOf(problem);
  return l?.correct === left && r?.correct === right;
};
const filters = [
  { id: "all", name: () => "all outcomes", test: () => true },
  { id: "gained", name: (l, r) => `${l} wrong → ${r} right`, test: verdicts(false, true) },
  { id: "lost", name: (l, r) => `${l} right → ${r} wrong`, test: verdicts(true, false) },
  { id: "both-right", name: () => "both right", test: verdicts(true, true) },
  { id: "both-wrong", name: () => "both wrong", test: verdicts(false, false) },
  { id: "forced", name: () => "delimiter forced", test: either((trace) => trace.forced_close) },
  { id: "cut", name: () => "solution cut", test: either((trace) => trace.solution_cut) },
  { id: "no-answer", name: () => "no answer", test: either((trace) => trace.error === null && trace.answer === null) },
  { id: "escaped", name: () => "thought again in the solution", test: either((trace) => trace.escaped) },
  { id: "error", name: () => "error", test: either((trace) => trace.error !== null) },
];

const found = () => data.problems.filter((problem) => problem.haystack.includes(state.search.toLowerCase()));

function shown() {
  return found().filter(filters.find((filter) => filter.id === state.filter).test);
}

function verdictOf(trace) {
  if (trace === null) return { kind: "none", sign: "·", text: "not run" };
  if (trace.error !== null) return { kind: "error", sign: "!", text: "error" };
  return trace.correct ? { kind: "right", sign: "✓", text: "right" } : { kind: "wrong", sign: "✗", text: "wrong" };
}

// Drawing
function renderChoices() {
  by("budgets").replaceChildren(...budgets.map((budget) => el("button", {
    type: "button", "aria-pressed": String(budget === state.budget), onclick: () => set({ budget }),
  }, budget === "inf+inf" ? "no limit" : budget)));
  const numSamples = 1 + Math.max(0, ...data.problems.flatMap((problem) => problem.traces.map((values) => values[1])));
  by("samples-choice").hidden = numSamples < 2;
  by("samples").replaceChildren(...Array.from({ length: numSamples }, (_, sample) => el("button", {
    type: "button", "aria-pressed": String(sample === state.sample), onclick: () => set({ sample }),
  }, String(sample + 1))));
  const [left, right] = SIDES.map((side) => armOf(state[side]));
  const names = left.model === right.model ? [nameOf(left.strategy), nameOf(right.strategy)] : [left.model, right.model];
  const matching = found();
  by("filter").replaceChildren(...filters.map((filter) => el("option", { value: filter.id, selected: filter.id === state.filter },
    `${filter.name(...names)} (${matching.filter(filter.test).length})`)));
}

function renderList(problems) {
  by("count").textContent = `${problems.length} of ${data.problems.length} problems; marks: left, right`;
  by("list").replaceChildren(...problems.map((problem) => el("li", {}, el("button", {
    type: "button", "aria-current": String(problem.id === state.problem), onclick: () => set({ problem: problem.id }),
  },
  el("span", { class: "id" }, problem.id),
  el("span", {}, ...pairOf(problem).map(verdictOf).map((verdict) =>
    el("span", { class: `mark ${verdict.kind}`, role: "img", "aria-label": verdict.text, title: verdict.text }, ` ${verdict.sign}`))),
  el("span", { class: "ask" }, problem.question)))));
  by("list").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

function meters(trace, setting) {
  const rows = [];
  const row = (name, parts, limit, unit) => {
    const num = parts.reduce((sum, part) => sum + part[1], 0);
    const fill = limit ? parts.map(([kind, value]) => el("i", { class: kind, style: `width:${(100 * value) / limit}%` })) : [];
    const bar = el("span", { class: limit ? "bar" : "bar open" }, ...fill);
    rows.push(el("span", {}, name), bar, el("b", {}, limit === null ? `${num}${unit}` : `${num}/${limit}`));
  };
  row("thinking", [["thinking", trace.num_thinking]], setting.thinking, "");
  row("solution", [["solution", trace.num_solution]], setting.solution, "");
  const both = [["thinking", trace.num_thinking], ["solution", trace.num_solution]];
  if (setting.total !== null) row("in all", both, setting.total, "");
  if (setting.asked !== null) row("in all", both, null, `, ${setting.asked} asked for`);
  if (trace.num_forced) rows.push(el("span", {}, "forced"), el("span", {}), el("b", {}, String(trace.num_forced)));
  return el("div", { class: "meters" }, ...rows);
}

function blocks(trace) {
  const groups = [];
  for (const part of trace.parts) {
    const kind = part.phase === "solution" ? "solution" : "thinking";
    if (groups.at(-1)?.kind !== kind) groups.push({ kind, parts: [] });
    groups.at(-1).parts.push(part);
  }
  return groups.map(({ kind, parts }) => {
    const finish = parts.findLast((part) => part.finish !== null)?.finish;
    const texts = parts.filter((part) => part.text).map((part) => {
      const look = !part.sampled ? "forced" : part.phase === "closing" || part.phase === "opening" ? "delimiter" : "sampled";
      return el("span", { class: look, title: `${part.phase}, ${part.num} ${part.sampled ? "sampled" : "forced"}` }, part.text);
    });
    const body = texts.length ? texts : [el("span", { class: "empty" }, "nothing")];
    return el("section", { class: `block ${kind}` },
      el("h3", {}, kind, el("span", {}, FINISHES[kind][finish] ?? "")), el("div", { class: "text" }, ...body));
  });
}

function renderCard(side, problem) {
  const chosen = el("select", { "aria-label": `${side} side`, onchange: (event) => set({ [side]: event.target.value }) },
    ...arms.map((arm) => el("option", { value: arm.id, selected: arm.id === state[side] }, `${arm.model}, ${nameOf(arm.strategy)}`)));
  const trace = problem && traceOf(problem, side);
  if (!trace) {
    by(side).replaceChildren(chosen, el("p", { class: "empty" }, problem ? `no trace under budget ${state.budget}` : "no problem chosen"));
    return;
  }
  const verdict = verdictOf(trace);
  const said = trace.error ?? (trace.answer === null ? trace.reason ?? "no answer" : `answered ${trace.answer}`);
  const setting = data.settings[trace.setting];
  by(side).replaceChildren(chosen,
    el("div", { class: "verdict" }, el("span", { class: `badge ${verdict.kind}` }, `${verdict.sign} ${verdict.text}`), el("span", {}, said)),
    meters(trace, setting),
    el("ul", { class: "flags" }, ...data.flags.filter((flag) => trace[flag]).map((flag) => el("li", {}, FLAG_NAMES[flag]))),
    ...blocks(trace));
}

function render() {
  renderChoices();
  const problems = shown();
  renderList(problems);
  const problem = data.problems.find((known) => known.id === state.problem);
  by("question").replaceChildren(...(problem ? [
    `${problem.question}\n`, el("b", {}, "reference answer: "), problem.answer,
    el("span", { class: "printed" }, `\nbudget ${state.budget}, sample ${state.sample + 1}`),
  ] : []));
  for (const side of SIDES) renderCard(side, problem);
}

function set(change) {
  const focused = document.activeElement?.closest("#traces button, #traces select")?.closest("[id]")?.id;
  Object.assign(state, change);
  if ("filter" in change || "search" in change) {
    const problems = shown();
    if (problems.length && !problems.some((problem) => problem.id === state.problem)) state.problem = problems[0].id;
  }
  render();
  writeHash();
  if (focused) by(focused).querySelector("[aria-pressed=true], [aria-current=true], select")?.focus({ preventScroll: true });
}

// Keys
function step(list, now, by_) {
  return list[Math.min(list.length - 1, Math.max(0, list.indexOf(now) + by_))];
}

by("traces").addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowUp: -1, ArrowDown: 1, k: -1, j: 1 };
  const turns = { ArrowLeft: -1, ArrowRight: 1 };
  if (event.key in moves) {
    const ids = shown().map((problem) => problem.id);
    if (ids.length) set({ problem: step(ids, state.problem, moves[event.key]) });
  } else if (event.key in turns) set({ budget: step(budgets, state.budget, turns[event.key]) });
  else if (event.key === "/") by("search").focus();
  else return;
  event.preventDefault();
});
by("search").addEventListener("input", (event) => set({ search: event.target.value }));
by("filter").addEventListener("change", (event) => set({ filter: event.target.value }));
window.addEventListener("hashchange", () => { readHash(); render(); });

// The table sorts by the values behind its cells
const heads = [...document.querySelectorAll("#results th")];
heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach((other) => other.setAttribute("aria-sort", "none"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = head.closest("table").tBodies[0];
  const value = (row) => row.cells[column].dataset;
  const compare = (a, b) => ("number" in value(a) ? value(a).value - value(b).value : value(a).value.localeCompare(value(b).value));
  body.append(...[...body.rows].sort((a, b) => (up ? compare(a, b) : compare(b, a))));
}));

// The figure
const hidden = new Set();
function chart() {
  const models = [...new Set(data.curves.map((curve) => curve.model))];
  drawChart(by("chart"), data, hidden, (curve, budget) => {
    const arm = `${curve.model}/${curve.strategy}`;
    set({ budget, ...(SIDES.some((side) => state[side] === arm) ? {} : { right: arm }) });
    by("traces").focus({ preventScroll: true });
    by("traces").scrollIntoView({ behavior: "smooth" });
  });
  by("legend").replaceChildren(...data.curves.map((curve) => {
    const look = curveLook(curve, models);
    const sample = curve.line.length ? svg("line", { ...look, x1: 0, x2: 28, y1: 7, y2: 7 }) : star(14, 7, 7, look.stroke);
    const toggle = () => {
      if (!hidden.delete(curve.label)) hidden.add(curve.label);
      chart();
    };
    return el("button", { type: "button", "aria-pressed": String(!hidden.has(curve.label)), onclick: toggle },
      svg("svg", { width: 28, height: 14, "aria-hidden": "true" }, sample), curve.label);
  }));
}

const linked = readHash();
render();
chart();
let drawn = by("chart").clientWidth;
new ResizeObserver(() => {
  if (drawn === by("chart").clientWidth) return;
  drawn = by("chart").clientWidth;
  chart();
}).observe(by("chart"));
if (linked) {
  by("traces").scrollIntoView();
  by("traces").focus({ preventScroll: true });
}
