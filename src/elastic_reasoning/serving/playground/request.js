// One request: as it is sent, and as others would write it.

import { key, root } from "./api.js";
import { strategyOf } from "./state.js";

// What bounds the answer, by the API's names; what is left empty is left to the server.
function limitsOf(facts, own) {
  const limits = {};
  const put = (name, value) => value !== "" && (limits[name] = Number(value));
  put("thinking_budget", own.thinking);
  put("solution_budget", own.solution);
  put("deadline_seconds", own.deadline);
  put("max_cost", own.cost);
  if (own.strategy !== facts.default_strategy) limits.strategy = own.strategy;
  for (const option of strategyOf(facts, own.strategy).options) {
    const value = own.options[option.name] ?? "";
    if (value !== "") limits[option.name] = typeof option.default === "number" ? Number(value) : value;
  }
  return limits;
}

function chatOf(state, own) {
  const chat = { model: own.model, messages: [{ role: "user", content: state.problem }] };
  if (state.temperature !== "") chat.temperature = Number(state.temperature);
  if (state.seed !== "") chat.seed = Number(state.seed);
  return chat;
}

export function bodyOf(facts, state, own) {
  const streaming = { stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } };
  return { ...chatOf(state, own), ...limitsOf(facts, own), ...streaming };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const json = (value) => JSON.stringify(value, null, 2);

// A value as Python writes it.
function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`).join(", ")}}`;
}

function curl(url, body, withKey) {
  const lines = [`curl -s ${url}`, "-H 'Content-Type: application/json'"];
  if (withKey) lines.push('-H "Authorization: Bearer $ELASTIC_API_KEY"');
  return `${[...lines, `-d ${quoted(json(body))}`].join(" \\\n  ")}\n`;
}

function python(facts, state, own) {
  const { model, messages, ...sampling } = chatOf(state, own);
  const named = Object.entries({ model, messages, ...sampling, extra_body: limitsOf(facts, own) });
  return [
    ...(key.get() ? ["import os\n"] : []),
    "from openai import OpenAI\n",
    `client = OpenAI(base_url=${JSON.stringify(root.href.replace(/\/$/, ""))}, api_key=${key.get() ? 'os.environ["ELASTIC_API_KEY"]' : '"none"'})`,
    "answer = client.chat.completions.create(",
    ...named.map(([name, value]) => `    ${name}=${literal(value)},`),
    ")",
    "print(answer.choices[0].message.reasoning_content)",
    "print(answer.choices[0].message.content)",
    "print(answer.elastic)\n",
  ].join("\n");
}

function vllm(facts, state, own) {
  const { max_cost: cost, ...xargs } = limitsOf(facts, own);
  const chat = chatOf(state, own);
  chat.model = facts.models.find((model) => model.id === own.model).model;
  const note = cost === undefined ? "" : "# A price is kept by the gateway alone.\n";
  return note + curl("http://127.0.0.1:8000/v1/chat/completions", { ...chat, vllm_xargs: xargs }, false);
}

export const FORMS = {
  curl: (facts, state, own) => {
    const body = { ...chatOf(state, own), ...limitsOf(facts, own) };
    return curl(new URL("chat/completions", root).href, body, key.get() !== "");
  },
  Python: python,
  "vLLM (vllm_xargs)": vllm,
};
