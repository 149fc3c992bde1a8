"use strict";
// What can be chosen, what is chosen, and the part of it that stands in the address.

const SIDES = ["left", "right"];

// An arm is a model under a strategy; with a budget it is a setting.
const arms = [];
const settingOf = new Map();
const budgets = [];
data.settings.forEach((setting, index) => {
  const id = `${setting.model}/${setting.strategy}`;
  let arm = arms.find((known) => known.id === id);
  if (!arm) arms.push(arm = { id, model: setting.model, strategy: setting.strategy, budgets: [] });
  arm.budgets.push(setting.budget);
  settingOf.set(`${id} ${setting.budget}`, index);
  if (!budgets.includes(setting.budget)) budgets.push(setting.budget);
});
const size = (budget) => budget.split("+").reduce((sum, part) => sum + (part === "inf" ? Infinity : Number(part)), 0);
budgets.sort((a, b) => (size(a) === size(b) ? parseFloat(a) - parseFloat(b) : size(a) < size(b) ? -1 : 1));
const armOf = (id) => arms.find((arm) => arm.id === id);
const armName = (arm) => `${data.models[arm.model]}/${arm.strategy}`;
const budgetName = (budget) => (budget === "inf+inf" ? "no limit" : budget);

for (const problem of data.problems) {
  problem.byKey = new Map();
  for (const values of problem.traces) {
    const trace = named(data.trace, values);
    trace.branches = trace.branches.map((branch) => named(data.branch, branch));
    for (const each of [trace, ...trace.branches]) {
      each.parts = each.parts.map((part) => named(data.part, part));
      for (const part of each.parts) part.text = problem.texts[part.text].slice(0, part.length);
    }
    for (const [bit, flag] of data.flags.entries()) trace[flag] = Boolean(trace.flags & (1 << bit));
    problem.byKey.set(`${trace.setting} ${trace.sample}`, trace);
  }
  problem.haystack = [problem.id, problem.question, ...problem.texts].join("\n").toLowerCase();
}
const numSamples = 1 + Math.max(0, ...data.problems.flatMap((problem) => problem.traces.map((values) => values[1])));

function preferred(model) {
  const own = arms.filter((arm) => arm.model === model);
  return own.find((arm) => arm.strategy === "elastic") ?? own[0];
}

function initial() {
  const models = Object.keys(data.models);
  const left = preferred(models[0]);
  const right = models.length > 1 ? preferred(models[1]) : arms.find((arm) => arm !== left) ?? left;
  const finite = left.budgets.filter((budget) => Number.isFinite(size(budget)));
  const budget = left.budgets.includes(data.trained_at) ? data.trained_at : finite[finite.length >> 1] ?? left.budgets[0];
  return { problem: data.problems[0]?.id ?? "", sample: 0, left: left.id, right: right.id, budget, against: budget, filter: "all", search: "" };
}

const state = initial();

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const valid = {
    problem: (value) => data.problems.some((problem) => problem.id === value),
    budget: (value) => budgets.includes(value),
    against: (value) => budgets.includes(value),
    sample: (value) => /^\d+$/.test(value) && Number(value) < numSamples,
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

// The left side's budget is `budget`, the right side's is `against`; an arm with one budget has no other.
function budgetOf(side) {
  const arm = armOf(state[side]);
  return arm.budgets.length === 1 ? arm.budgets[0] : side === "left" ? state.budget : state.against;
}

// Those that either side was run with.
function sharedBudgets() {
  const own = SIDES.flatMap((side) => armOf(state[side]).budgets);
  return budgets.filter((budget) => own.includes(budget));
}

const settingAt = (side) => settingOf.get(`${state[side]} ${budgetOf(side)}`) ?? null;
const traceOf = (problem, side) => problem.byKey.get(`${settingAt(side)} ${state.sample}`) ?? null;

// Outcomes
const pairOf = (problem) => SIDES.map((side) => traceOf(problem, side));
const either = (test) => (problem) => pairOf(problem).some((trace) => trace !== null && test(trace));
const verdicts = (left, right) => (problem) => {
  const [l, r] = pairOf(problem);
  return l?.correct === left && r?.correct === right;
};
const filters = [
  { id: "all", name: () => "all outcomes", test: () => true },
  { id: "gained", name: (l, r) => `won: ${l} wrong → ${r} right`, test: verdicts(false, true) },
  { id: "lost", name: (l, r) => `lost: ${l} right → ${r} wrong`, test: verdicts(true, false) },
  { id: "both-right", name: () => "both right", test: verdicts(true, true) },
  { id: "both-wrong", name: () => "both wrong", test: verdicts(false, false) },
  { id: "right", name: () => "right", test: either((trace) => trace.correct === true) },
  { id: "wrong", name: () => "wrong", test: either((trace) => trace.correct === false) },
  { id: "no-answer", name: () => "no answer", test: either((trace) => trace.error === null && trace.answer === null) },
  { id: "unboxed", name: () => "unboxed", test: either((trace) => trace.unboxed) },
  { id: "cut", name: () => "solution cut", test: either((trace) => trace.solution_cut) },
  { id: "forced", name: () => "delimiter forced", test: either((trace) => trace.forced_close) },
  { id: "escaped", name: () => "thought again in the solution", test: either((trace) => trace.escaped) },
  { id: "closed-again", name: () => "closed again in the solution", test: either((trace) => trace.closed_again) },
  { id: "tool-cut", name: () => "tool call cut", test: either((trace) => trace.tool_cut) },
  { id: "error", name: () => "error", test: either((trace) => trace.error !== null) },
];
const OF_BOTH = 5;

const found = () => data.problems.filter((problem) => problem.haystack.includes(state.search.toLowerCase()));
const shown = () => found().filter(filters.find((filter) => filter.id === state.filter).test);
