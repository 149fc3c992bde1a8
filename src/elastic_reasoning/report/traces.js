"use strict";
// The browser of traces. Everything that a model wrote becomes a text node, never HTML.

const FLAG_NAMES = {
  budget_hit: "thinking budget spent",
  forced_close: "delimiter forced",
  solution_cut: "solution cut",
  escaped: "thought again in the solution",
  closed_again: "closed again in the solution",
  tool_cut: "tool call cut",
  unboxed: "no box",
};
const BY_OTHERS = { deadline: "ended by time", stop: "stopped", abort: "given up" };
const FINISHES = {
  thinking: {
    length: "cut: budget spent", delimiter: "closed by the model", eos: "ended the sequence", boundary: "closed at a line end",
    pause: "closed by the strategy", loop: "closed: it went round in circles", ...BY_OTHERS,
  },
  solution: { length: "cut: budget spent", eos: "finished", delimiter: "", ...BY_OTHERS },
};

function verdictOf(trace) {
  if (trace === null) return { kind: "none", sign: "·", text: "not run" };
  if (trace.error !== null) return { kind: "error", sign: "!", text: "error" };
  return trace.correct ? { kind: "right", sign: "✓", text: "right" } : { kind: "wrong", sign: "✗", text: "wrong" };
}

function renderChoices() {
  for (const side of SIDES) {
    const arm = armOf(state[side]);
    by(`${side}-arm`).replaceChildren(...arms.map((known) => el("option", { value: known.id, selected: known === arm }, armName(known))));
    const chosen = budgetOf(side);
    const options = arm.budgets.includes(chosen) ? arm.budgets : [chosen, ...arm.budgets];
    by(`${side}-budget`).replaceChildren(...options.map((budget) => el("option", { value: budget, selected: budget === chosen }, budgetName(budget))));
    by(`${side}-budget`).disabled = arm.budgets.length === 1;
  }
  const same = state.budget === state.against;
  by("budgets").replaceChildren(...sharedBudgets().map((budget) => el("button", {
    type: "button", "aria-pressed": String(same && budget === state.budget), onclick: () => set({ budget, against: budget }),
  }, budgetName(budget))));
  by("samples-choice").hidden = numSamples < 2;
  by("samples").replaceChildren(...Array.from({ length: numSamples }, (_, sample) => el("button", {
    type: "button", "aria-pressed": String(sample === state.sample), onclick: () => set({ sample }),
  }, String(sample + 1))));
}

// What tells the two sides apart, in a word each.
function sideNames() {
  const [left, right] = SIDES.map((side) => armOf(state[side]));
  if (left.model !== right.model) return [data.models[left.model], data.models[right.model]];
  return left.strategy !== right.strategy ? [left.strategy, right.strategy] : SIDES.map(budgetOf);
}

function renderFilter() {
  const matching = found();
  const option = (filter) => el("option", { value: filter.id, selected: filter.id === state.filter },
    `${filter.name(...sideNames())} (${matching.filter(filter.test).length})`);
  by("filter").replaceChildren(
    ...filters.slice(0, OF_BOTH).map(option),
    el("optgroup", { label: "on either side" }, ...filters.slice(OF_BOTH).map(option)));
}

// The list scrolls to an entry of it, and the page stays where it is.
function keepInView(list, entry) {
  if (!entry) return;
  const [outer, inner] = [list, entry].map((node) => node.getBoundingClientRect());
  list.scrollTop += Math.min(0, inner.top - outer.top) + Math.max(0, inner.bottom - outer.bottom);
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
  keepInView(by("list"), by("list").querySelector("[aria-current=true]"));
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
  if (trace.num_probe) row("probes", [["aside", trace.num_probe]], null, setting.thinking === null ? "" : ", beyond the budget");
  if (trace.num_branch) row("other branches", [["aside", trace.num_branch]], null, "");
  const all = [["thinking", trace.num_thinking], ["solution", trace.num_solution], ["aside", trace.num_branch]];
  if (setting.total !== null) row("in all", all, setting.total, "");
  if (setting.asked !== null) row("in all", all, null, `, ${setting.asked} asked for`);
  if (trace.num_forced) rows.push(el("span", {}, "forced"), el("span", {}), el("b", {}, String(trace.num_forced)));
  return el("div", { class: "meters" }, ...rows);
}

function textOf(part) {
  const look = !part.sampled ? "forced" : part.phase === "closing" || part.phase === "opening" ? "delimiter" : "sampled";
  return el("span", { class: look, title: `${part.phase}, ${part.num} ${part.sampled ? "sampled" : "forced"}` }, part.text);
}

// A mark at the place of a probe, with what was answered there; it opens to all that was asked and sampled.
function probeMark(asked, answered) {
  const all = el("span", { class: "asked", hidden: true }, textOf(asked), textOf(answered), el("small", {}, "taken back"));
  const mark = el("button", {
    type: "button", class: "probe", "aria-expanded": "false", title: `probe, ${answered.num} sampled`, "aria-label": `probe: ${answered.text}`,
    onclick: () => {
      all.hidden = !all.hidden;
      mark.setAttribute("aria-expanded", String(!all.hidden));
    },
  }, answered.text.trim() || "nothing");
  return [mark, all];
}

function blocks(trace) {
  const groups = [];
  for (const part of trace.parts) {
    const before = groups.at(-1);
    const kind = part.phase === "solution" ? "solution" : part.phase === "probe" && before ? before.kind : "thinking";
    if (before?.kind !== kind) groups.push({ kind, parts: [] });
    groups.at(-1).parts.push(part);
  }
  return groups.map(({ kind, parts }) => {
    const finish = parts.findLast((part) => part.finish !== null && part.phase !== "probe")?.finish;
    const texts = parts.flatMap((part, n) => {
      if (part.phase === "probe") return part.sampled ? probeMark(parts[n - 1], part) : [];
      if (!part.text) return [];
      const left = part.omitted ? [el("span", { class: "omitted" }, `${part.omitted.toLocaleString("en")} characters are left out here`)] : [];
      return [...left, textOf(part)];
    });
    const body = texts.length ? texts : [el("span", { class: "empty" }, "nothing")];
    return el("section", { class: `block ${kind}` },
      el("h4", {}, kind, el("span", {}, FINISHES[kind][finish] ?? "")),
      el("div", { class: "text", tabindex: 0, role: "region", "aria-label": `${kind}, text` }, ...body));
  });
}

const ENDS = { length: "cut", eos: "finished", ...BY_OTHERS };

const shortened = (text) => (text.length > 24 ? `${text.slice(0, 24)}…` : text);

function branchName(branch, n) {
  const end = branch.error === null ? ENDS[branch.finish] ?? "ended" : "error";
  return `${n + 1}: ${branch.chosen ? "chosen" : end}${branch.votes_for ? `, ${shortened(branch.votes_for)}` : ""}`;
}

// The thinkings among which one was chosen, each behind a button.
function branchChoice(trace, shown, show) {
  const buttons = trace.branches.map((branch, n) => el("button", {
    type: "button", "aria-pressed": String(n === shown), title: `${branch.num_spent} tokens sampled`, onclick: () => show(n),
  }, branchName(branch, n)));
  return el("div", { class: "branches", role: "group", "aria-label": "branches" }, el("span", {}, "branches"), el("span", { class: "buttons" }, ...buttons));
}

// What is shown of a trace: its own text, or that of another branch.
function bodyOf(trace, shown) {
  const branch = trace.branches[shown];
  if (!branch || branch.chosen) return blocks(trace);
  const [thinking, solution] = branch.budget.split("+").map((part) => (part === "inf" ? null : Number(part)));
  return [
    branch.error === null ? "" : el("p", { class: "said" }, branch.error),
    meters({ ...branch, num_forced: 0, num_probe: 0, num_branch: 0 }, { thinking, solution, total: null, asked: null }),
    ...blocks(branch),
  ];
}

function renderCard(side, problem) {
  const heading = el("h3", {}, armName(armOf(state[side])), el("span", {}, `/${budgetOf(side)}`));
  const trace = problem && traceOf(problem, side);
  if (!trace) {
    const why = !problem ? "no problem chosen" : settingAt(side) === null ? `was not run with ${budgetOf(side)}` : `no sample ${state.sample + 1}`;
    by(side).replaceChildren(heading, el("p", { class: "empty" }, why));
    return;
  }
  const verdict = verdictOf(trace);
  const said = trace.error ?? (trace.answer === null ? trace.reason ?? "no answer" : `answered ${trace.answer}`) + (trace.rule ? `, right by the rule: ${trace.rule}` : "");
  const body = el("div", {});
  const show = (shown) => {
    const choice = trace.branches.length ? [branchChoice(trace, shown, (n) => {
      show(n);
      body.querySelectorAll(".branches button")[n].focus();
    })] : [];
    body.replaceChildren(...choice, ...bodyOf(trace, shown));
  };
  show(trace.branches.findIndex((branch) => branch.chosen));
  by(side).replaceChildren(heading,
    el("div", { class: "verdict" }, el("span", { class: `badge ${verdict.kind}` }, `${verdict.sign} ${verdict.text}`), el("span", { class: "said" }, said)),
    meters(trace, data.settings[trace.setting]),
    el("ul", { class: "flags" }, ...data.flags.filter((flag) => trace[flag]).map((flag) => el("li", {}, FLAG_NAMES[flag]))),
    body);
}

function renderTraces() {
  renderFilter();
  renderList(shown());
  const problem = data.problems.find((known) => known.id === state.problem);
  by("question").replaceChildren(...(problem ? [
    `${problem.question}\n`, el("b", {}, "reference answer: "), problem.answer,
    el("span", { class: "printed" }, `\nsample ${state.sample + 1}`),
  ] : []));
  for (const side of SIDES) renderCard(side, problem);
}
