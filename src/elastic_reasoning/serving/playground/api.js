// The public API, and nothing else.

import { keeper } from "./dom.js";

export const root = new URL("v1/", document.baseURI);

export class Refusal extends Error {
  constructor(status, error, retrySeconds = null) {
    super(error?.message ?? `the server answered with status ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
    this.details = error ?? {};
    this.retrySeconds = retrySeconds;
  }
}

export const key = keeper("sessionStorage", "elastic-key");

async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(key.get() && { Authorization: `Bearer ${key.get()}` }) };
  const response = await fetch(new URL(path, root), { ...options, headers, cache: "no-store" });
  if (response.ok) return response;
  const retry = Number.parseFloat(response.headers.get("Retry-After"));
  const body = await response.json().catch(() => null);
  throw new Refusal(response.status, body?.error, Number.isFinite(retry) ? retry : null);
}

export const get = async (path) => (await ask(path)).json();

// The chunks of a streamed answer; what is aborted, the server stops.
export async function* stream(body, signal) {
  const headers = { "Content-Type": "application/json" };
  const response = await ask("chat/completions", { method: "POST", headers, body: JSON.stringify(body), signal });
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refusal(0, chunk.error);
    yield chunk;
  }
  throw new Refusal(0, { message: "The stream ended before the answer did." });
}

async function* events(bytes) {
  const reader = bytes.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const whole = (rest + part.value).split("\n\n");
    rest = whole.pop();
    for (const event of whole) {
      for (const line of event.split("\n")) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  }
}
