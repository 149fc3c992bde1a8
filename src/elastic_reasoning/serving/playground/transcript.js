// What a model wrote, the gate between its thinking and its solution, and what came of it.

import { el } from "./dom.js";
import { chips, gateText, hasGate, numbers, verdict } from "./outcome.js";

export class Transcript {
  constructor(node, letter) {
    const find = (selector) => node.querySelector(selector);
    this.node = find(".transcript");
    this.node.setAttribute("aria-label", `What ${letter} wrote`);
    this.thinking = find(".block.thinking");
    this.solution = find(".block.solution");
    this.gate = find(".gate");
    this.waiting = find(".waiting");
    this.alert = find(".alert");
    this.outcome = find(".outcome");
    this.numbers = find(".numbers");
  }

  draw(run, { model, problem }) {
    this.waiting.hidden = run !== null || !this.alert.hidden;
    this.node.hidden = this.outcome.hidden = this.numbers.hidden = run === null;
    if (run === null) return;
    const followed = this.node.scrollTop + this.node.clientHeight >= this.node.scrollHeight - 40; // nobody has scrolled up
    const closed = run.account !== null || run.solution.text !== "";
    this.write(this.thinking, run.thinking, !closed && !run.stopped);
    this.write(this.solution, run.solution, closed && run.account === null && !run.stopped);
    this.gate.hidden = !(closed && run.known && hasGate(run.known));
    if (!this.gate.hidden) {
      this.gate.textContent = gateText(run.known);
      this.gate.dataset.cause = run.known.thinking_ended_by;
    }
    this.drawOutcome(run, model, problem);
    if (followed) this.node.scrollTop = this.node.scrollHeight;
  }

  write(block, part, active) {
    const text = block.querySelector(".text");
    block.hidden = part.text === "" && !active;
    block.classList.toggle("active", active);
    const shown = text.textContent;
    if (part.text === shown) return;
    if (shown !== "" && part.text.startsWith(shown)) text.firstChild.appendData(part.text.slice(shown.length));
    else text.textContent = part.text;
  }

  drawOutcome(run, model, problem) {
    const found = run.account ? verdict(run.solution.text, model, problem) : null;
    const ends = run.account ? chips(run.account) : run.stopped ? [["client", "stopped by you"]] : [];
    this.outcome.hidden = ends.length === 0;
    this.outcome.replaceChildren(
      ...(found ? [el("strong", { class: `verdict ${found.right ? "good" : "bad"}` }, `${found.right ? "✓" : "✗"} ${found.text}`)] : []),
      ...ends.map(([kind, text]) => el("span", { class: "chip", "data-cause": kind }, text)),
    );
    const rows = run.account ? numbers(run.account, run.measured) : [];
    this.numbers.hidden = rows.length === 0;
    this.numbers.replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  // What came of it, as it is read aloud.
  said() {
    return [this.gate.hidden ? "" : this.gate.textContent, ...[...this.outcome.children].map((each) => each.textContent)]
      .filter(Boolean)
      .join(". ");
  }

  // Why there is no answer; action is a button, or null.
  refuse(refusal, action) {
    this.alert.replaceChildren();
    this.alert.hidden = refusal === null;
    if (refusal === null) return;
    const status = refusal.status ? `${refusal.status} ${refusal.code}`.trim() : refusal.code;
    this.alert.append(el("p", {}, ...(status ? [el("b", {}, status), " "] : []), refusal.message), ...(action ? [action] : []));
    this.waiting.hidden = true;
  }
}
