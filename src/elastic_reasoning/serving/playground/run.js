// One run: from the request to its account, shown as it comes.

import { stream } from "./api.js";
import { Playback } from "./playback.js";

// What is known of a run before anything has come.
const nothing = () => ({
  thinking: { text: "", tokens: 0 },
  solution: { text: "", tokens: 0 },
  budget: null,
  known: null, // the account, once it has come
  account: null, // the same, once all before it is shown
  stopped: false,
  measured: { firstSeconds: 0, seconds: 0, tokens: 0 },
});

function item(chunk, before) {
  const delta = chunk.choices[0]?.delta ?? {};
  const thinks = typeof delta.reasoning_content === "string";
  const text = delta.reasoning_content ?? delta.content ?? "";
  if (text === "" && !chunk.elastic) return null;
  const usage = chunk.usage ?? {};
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? before.reasoning + (thinks ? 1 : 0);
  const completion = usage.completion_tokens ?? before.completion + 1;
  const tokens = completion - before.completion;
  Object.assign(before, { reasoning, completion });
  return { phase: thinks ? "thinking" : "solution", text, tokens, reasoning, account: chunk.elastic };
}

// show(run) is called whenever there is more to see.
export async function run({ body, signal, perSecond, show }) {
  const now = nothing();
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  const before = { reasoning: 0, completion: 0 };
  const playback = new Playback(perSecond, (next) => {
    const part = now[next.phase];
    part.text += next.text;
    if (next.phase === "thinking") part.tokens = next.reasoning;
    else if (next.text !== "") part.tokens += next.tokens;
    now.budget = next.account?.budget ?? now.budget;
    if (next.account?.seconds !== undefined) now.account = next.account;
    show(now);
  });
  signal.addEventListener("abort", () => playback.flush());
  show(now);
  try {
    for await (const chunk of stream(body, signal)) {
      const next = item(chunk, before);
      if (next === null) continue;
      if (next.text !== "") now.measured.firstSeconds ||= since();
      now.measured.seconds = since();
      now.measured.tokens = before.completion;
      if (next.account?.seconds !== undefined) now.known = next.account;
      playback.push(next);
    }
    await playback.emptied();
  } catch (error) {
    playback.flush();
    if (!signal.aborted) throw error;
    now.stopped = true;
  }
  show(now);
  return now;
}
