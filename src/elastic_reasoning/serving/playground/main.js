// The page: one problem, one column or two, and the load beside them.

import { Refusal, get, key } from "./api.js";
import { Column } from "./column.js";
import { announcer, by, el, plain } from "./dom.js";
import { startLoad } from "./load.js";
import { scaleFor } from "./meter.js";
import { bodyOf } from "./request.js";
import { run as start } from "./run.js";
import { PACES, SIDES, modelOf, read, write } from "./state.js";
import { startTheme } from "./theme.js";

const EXAMPLES = [
  ["Count", "How many positive integers below 100 are divisible by neither 2 nor 5?"],
  ["Ages", "Ann is twice as old as Ben was when Ann was as old as Ben is now. Together they are 63. How old is Ann?"],
  ["Code", "Write a Python function that returns the longest palindrome in a text, in O(n^2)."],
];
const NUM_EXTREME = 8; // problems that count as short, and as long
const announce = announcer(by("status"));
let facts, state, columns;
let stopping = null; // while something runs

function showNotice(text) {
  by("notice").hidden = text === "";
  by("notice").textContent = text;
}

// Both columns have one scale, so that their walls can be compared; it rests while a wall is moved.
let scales = null;
function refresh(rests = true) {
  const shown = shownColumns();
  if (rests || scales === null) {
    const deadlines = shown.map((column) => Number(column.own.deadline));
    scales = { clock: scaleFor(deadlines.map((each) => each * 60)) / 60 };
    for (const phase of ["thinking", "solution"]) scales[phase] = scaleFor(shown.flatMap((column) => column.reach(phase)));
  }
  for (const column of columns) column.refresh(scales);
  by("columns").classList.toggle("two", state.compare);
  columns[1].node.hidden = !state.compare;
  showExamples();
  if (rests) history.replaceState(null, "", write(facts, state));
}

const shownColumns = () => (state.compare ? columns : columns.slice(0, 1));

function fillForm() {
  for (const name of ["problem", "temperature", "seed", "pace"]) by(name).value = state[name];
  by("compare").checked = state.compare;
}

function startForm() {
  by("pace").append(...Object.entries(PACES).map(([pace, text]) => el("option", { value: pace }, text)));
  for (const name of ["problem", "temperature", "seed", "pace"]) {
    by(name).addEventListener("input", () => {
      state[name] = by(name).value;
      if (name === "problem") for (const column of columns) column.change(false);
      refresh();
    });
  }
  by("compare").addEventListener("change", () => {
    state.compare = by("compare").checked;
    refresh();
  });
  by("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (stopping) stopping.abort();
    else runAll();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !stopping) runAll();
    if (event.key === "Escape") stopping?.abort();
  });
}

// Those of the left model: problems that it can solve, or some that any may.
let shownExamples;
function showExamples() {
  const pose = (text) => {
    by("problem").value = text;
    by("problem").dispatchEvent(new Event("input"));
  };
  const known = modelOf(facts, state.a.model).examples;
  if (known === shownExamples) return;
  shownExamples = known;
  const texts = known?.problems.map((each) => each.text).sort((left, right) => left.length - right.length);
  const oneOf = (some) => () => {
    const others = some.filter((text) => text !== state.problem);
    pose(others[Math.floor(Math.random() * others.length)]);
  };
  const buttons = known
    ? [
        ["Short", oneOf(texts.slice(0, NUM_EXTREME))],
        ["Long", oneOf(texts.slice(-NUM_EXTREME))],
        ["⟳ Shuffle a new problem", oneOf(texts)],
      ]
    : EXAMPLES.map(([name, text]) => [name, () => pose(text)]);
  by("examples").replaceChildren(...buttons.map(([name, onclick]) => el("button", { type: "button", class: "quiet", onclick }, name)));
}

async function runOne(column, signal) {
  column.transcript.refuse(null);
  column.asked = structuredClone(column.own);
  column.running = true;
  let drawn = false;
  const draw = () => {
    drawn = false;
    column.draw();
  };
  try {
    await start({
      body: bodyOf(facts, state, column.own),
      signal,
      perSecond: state.pace === "live" ? Infinity : Number(state.pace),
      show: (run) => {
        column.run = run;
        if (!drawn) requestAnimationFrame(draw);
        drawn = true;
        announce(shownColumns().map((each) => each.progress()).join(" "));
      },
    });
  } catch (error) {
    if (!column.run?.thinking.text && !column.run?.solution.text) column.run = null;
    refuse(column, error);
  } finally {
    column.running = false;
    column.draw();
  }
}

function refuse(column, error) {
  const refusal = error instanceof Refusal ? error : new Refusal(0, { message: `The gateway cannot be reached: ${error.message}` });
  if (refusal.status === 401) askForKey();
  const { earliest_seconds: earliest, least_cost: least } = refusal.details;
  const instead = (field, value, unit) => {
    const use = () => {
      column.own[field] = value;
      column.change(true);
      runAll();
    };
    return el("button", { type: "button", onclick: use }, `Run with ${value} ${unit}`);
  };
  let action = null;
  if (earliest !== undefined) action = instead("deadline", String(Math.ceil(earliest * 100) / 100), "s");
  else if (least !== undefined) action = instead("cost", plain(least), column.find(".currency").textContent);
  else if (refusal.retrySeconds !== null) {
    action = el("button", { type: "button", onclick: runAll }, `Try again in ${Math.ceil(refusal.retrySeconds)} s`);
    action.disabled = true;
    setTimeout(() => {
      action.disabled = false;
      action.textContent = "Try again";
    }, refusal.retrySeconds * 1000);
  }
  column.transcript.refuse(refusal, action);
}

async function runAll() {
  if (stopping || !columns) return;
  stopping = new AbortController();
  by("run").textContent = "Stop";
  by("run").classList.add("stops");
  if (by("columns").getBoundingClientRect().top > innerHeight / 2) by("columns").scrollIntoView();
  await Promise.all(shownColumns().map((column) => runOne(column, stopping.signal)));
  stopping = null;
  by("run").textContent = "Run";
  by("run").classList.remove("stops");
  refresh();
  announce(shownColumns().map((column) => column.progress()).join(" "), true);
}

function askForKey() {
  by("key-form").hidden = false;
  by("key").focus();
}

async function open() {
  try {
    facts = await get("elastic/models");
  } catch (error) {
    if (error.status !== 401) return showNotice(`The gateway cannot be asked for its models: ${error.message}`);
    if (key.get()) showNotice("This key is not known here.");
    return askForKey();
  }
  showNotice("");
  by("key-form").hidden = key.get() === "";
  state = read(facts, location.hash);
  columns = SIDES.map((name) => new Column({ name, facts, state, changed: refresh }));
  by("columns").replaceChildren(...columns.map((column) => column.node));
  fillForm();
  refresh();
  if (!("ready" in document.body.dataset)) startLoad(by("load"));
  document.body.dataset.ready = "";
}

by("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(by("key").value.trim());
  open();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is what was chosen
  by("problem").focus();
});
startTheme(by("theme"));
startForm();
open();
window.addEventListener("hashchange", () => {
  if (!facts || location.hash === write(facts, state)) return;
  stopping?.abort();
  open();
});
