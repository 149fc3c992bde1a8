// What is asked for, and the address that leads back to it:
// #problem=…&a=mini-e1/elastic/16+20&a.deadline=2&b=…&compare=0

export const SIDES = ["a", "b"];
export const PACES = { "8": "8 tokens/s", "24": "24 tokens/s", live: "as it comes" };

export const modelOf = (facts, id) => facts.models.find((model) => model.id === id);
export const strategyOf = (facts, name) => facts.strategies.find((strategy) => strategy.name === name);
const text = (value) => (value === null ? "" : String(value));

function side(model, strategy) {
  const [thinking, solution] = model.examples ? [12, 20] : [512, 256];
  return {
    model: model.id,
    strategy,
    thinking: text(model.budget.thinking ?? thinking),
    solution: text(model.budget.solution ?? solution),
    deadline: "",
    cost: "",
    options: {},
  };
}

// Two models side by side where there are two; else separate budgets beside one that is cut as a whole.
export function initial(facts) {
  const [first, second] = facts.models;
  const cut = facts.strategies.find((strategy) => strategy.bounds === "total").name;
  return {
    problem: first.examples?.problems[0].text ?? "How many positive integers below 100 are divisible by neither 2 nor 5?",
    compare: true,
    temperature: first.examples ? "0" : "",
    seed: "",
    pace: first.examples && !matchMedia("(prefers-reduced-motion: reduce)").matches ? "24" : "live",
    a: side(first, facts.default_strategy),
    b: side(second ?? first, second ? facts.default_strategy : cut),
  };
}

const spelled = (own) => `${own.model}/${own.strategy}/${own.thinking || "default"}+${own.solution || "default"}`;
const amount = (value) => (value !== "" && Number.isFinite(Number(value)) && Number(value) >= 0 ? value : "");
const tokens = (value) => (/^\d{1,9}$/.test(value) ? value : "");

function readSetting(facts, own, value) {
  const found = /^(.+)\/([^/]+)\/(\w+)[+ ](\w+)$/.exec(value); // a plus that is not escaped is read as a blank
  if (!found || !modelOf(facts, found[1]) || !strategyOf(facts, found[2])) return;
  [own.model, own.strategy] = found.slice(1, 3);
  [own.thinking, own.solution] = found.slice(3).map(tokens);
}

export function read(facts, hash) {
  const state = initial(facts);
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const has = (name, use) => given.has(name) && use(given.get(name));
  has("problem", (value) => (state.problem = value));
  has("compare", (value) => (state.compare = value !== "0"));
  has("temperature", (value) => (state.temperature = amount(value)));
  has("seed", (value) => (state.seed = tokens(value)));
  has("pace", (value) => Object.hasOwn(PACES, value) && (state.pace = value));
  for (const name of SIDES) {
    const own = state[name];
    has(name, (value) => readSetting(facts, own, value));
    has(`${name}.deadline`, (value) => (own.deadline = amount(value)));
    has(`${name}.cost`, (value) => (own.cost = amount(value)));
    for (const option of strategyOf(facts, own.strategy).options) {
      has(`${name}.${option.name}`, (value) => (own.options[option.name] = value));
    }
  }
  return state;
}

export function write(facts, state) {
  const given = new URLSearchParams({ problem: state.problem });
  for (const name of state.compare ? SIDES : ["a"]) {
    const own = state[name];
    given.set(name, spelled(own));
    for (const limit of ["deadline", "cost"]) if (own[limit] !== "") given.set(`${name}.${limit}`, own[limit]);
    for (const [option, value] of Object.entries(own.options)) if (value !== "") given.set(`${name}.${option}`, value);
  }
  const start = initial(facts);
  for (const name of ["temperature", "seed", "pace"]) if (state[name] !== start[name]) given.set(name, state[name]);
  if (!state.compare) given.set("compare", "0");
  return `#${given.toString().replaceAll("%2F", "/")}`;
}
