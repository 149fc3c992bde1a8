// What came of a run, in words.

import { duration, number, tokens } from "./dom.js";

export const BINDS = {
  tokens: "the budget",
  time: "the deadline",
  money: "the price",
  model: "the model itself",
  stop: "a stop text",
  client: "you",
};

const by = (cause) => BINDS[cause] ?? cause;

// Thinking that is cut off has no solution behind it; where it is closed, the solution follows.
const ending = (account) => (account.solution_ended_by || account.solution_tokens ? "closed" : "cut off");

export function thinkingCaption(account, thinks) {
  const { thinking_tokens: used, thinking_ended_by: cause } = account;
  if (!thinks) return "this strategy does not think";
  if (!cause) return "";
  return cause === "model" ? `closed by itself at ${number(used)}` : `${ending(account)} at ${number(used)} by ${by(cause)}`;
}

export function solutionCaption(account) {
  const { solution_tokens: used, solution_ended_by: cause } = account;
  if (!cause) return used ? "" : "nothing left for it";
  return cause === "model" || cause === "stop" ? `complete at ${number(used)}` : `cut at ${number(used)} by ${by(cause)}`;
}

// Whether something other than the model ended its thinking; a budget of no tokens ends nothing.
const wasBound = ({ thinking_tokens: used, thinking_ended_by: cause }) =>
  Boolean(cause) && cause !== "model" && !(cause === "tokens" && used === 0);

export const hasGate = (account) => account.thinking_ended_by === "model" || wasBound(account);

export function gateText(account) {
  const { thinking_tokens: used, thinking_ended_by: cause } = account;
  const after = `after ${tokens(used)}`;
  return cause === "model" ? `the model closed its thinking ${after}` : `${ending(account)} by ${by(cause)} ${after}`;
}

// What the answer says, where it is known what is right: the last one that it states counts.
export function verdict(text, model, problem) {
  const known = model.examples?.problems.find((each) => each.text === problem.trim());
  if (known === undefined) return null;
  const stated = [...text.matchAll(new RegExp(model.examples.answer_pattern, "g"))].at(-1)?.[1];
  if (stated === undefined) return { right: false, text: `No answer. It is ${known.answer}.` };
  if (stated === known.answer) return { right: true, text: `${stated} is right` };
  return { right: false, text: `${stated} is wrong. It is ${known.answer}.` };
}

// Each as [kind, text]; a kind has its colour.
export function chips(account) {
  const found = [];
  if (wasBound(account)) {
    found.push([account.thinking_ended_by, `thinking ${ending(account)} by ${by(account.thinking_ended_by)}`]);
  }
  if (!account.solution_ended_by) found.push(["bad", "no solution"]);
  else if (account.solution_ended_by === "model") found.push(["good", "solution complete"]);
  else found.push([account.solution_ended_by, `solution cut by ${by(account.solution_ended_by)}`]);
  if (account.escaped) found.push(["bad", "thought again in the solution"]);
  const { deadline } = account;
  if (deadline?.kept) found.push(["good", `deadline kept, ${duration(Math.max(0, deadline.margin_seconds ?? 0))} to spare`]);
  else if (deadline) found.push(["bad", "deadline missed"]);
  return found;
}

// 0.0312 USD; small amounts keep two digits that count.
export function money(cost) {
  const value = Number(cost.total);
  const digits = value > 0 && value < 0.01 ? Math.min(9, 1 - Math.floor(Math.log10(value))) : 2;
  return `${number(value, digits)} ${cost.currency ?? ""}`.trim();
}

export function numbers(account, measured) {
  const rows = [
    ["Time", duration(measured.seconds)],
    ["First token", duration(measured.firstSeconds)],
    ["Speed", `${number(measured.tokens / Math.max(1e-3, measured.seconds))} tokens/s`],
    ["Forced", tokens(account.forced_tokens ?? 0)],
  ];
  if (account.cost) rows.push(["Cost", money(account.cost)]);
  return rows;
}
