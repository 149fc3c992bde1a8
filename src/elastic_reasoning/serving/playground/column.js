// One column: what is asked of one model, and what came of it.

import { by, duration, el, tokens } from "./dom.js";
import { FORMS } from "./request.js";
import { Meter } from "./meter.js";
import { Transcript } from "./transcript.js";
import { modelOf, strategyOf } from "./state.js";
import { solutionCaption, thinkingCaption } from "./outcome.js";

const MEANS = {
  separate: "Thinking closes at its wall; the solution has tokens of its own.",
  total: "One wall for both: what thinking takes, the solution loses.",
  asked: "The prompt asks for this length; it is no wall.",
  none: "No wall but the model’s context.",
};
const value = (text) => (text === "" ? null : Number(text));

export class Column {
  // changed(rests) is called when something is asked differently.
  constructor({ name, facts, state, changed }) {
    Object.assign(this, { name, facts, state, changed });
    this.own = state[name];
    this.node = by("column-template").content.firstElementChild.cloneNode(true);
    this.letter = name.toUpperCase();
    this.find(".badge").textContent = this.letter;
    this.node.setAttribute("aria-label", `Run ${this.letter}`);
    this.transcript = new Transcript(this.node, this.letter);
    this.run = null; // what is shown
    this.asked = this.own; // what that was asked with
    this.addMeters();
    this.addChoices();
    this.addForms();
  }

  find(selector) {
    return this.node.querySelector(selector);
  }

  addMeters() {
    const moving = (phase) => (text, rests) => {
      const { ceiling, context } = modelOf(this.facts, this.own.model);
      const most = Math.min(ceiling[phase] ?? Infinity, context ?? Infinity);
      const place = Math.max(0, Math.round(Number(text) || 0));
      this.own[phase] = text === "" ? "" : String(rests ? Math.min(place, most) : place);
      this.change(rests);
    };
    const title = (part) => ({ title: part, unit: "tokens" });
    this.thinking = new Meter({ kind: "thinking", ...title("Thinking"), moved: moving("thinking") });
    this.solution = new Meter({ kind: "solution", ...title("Solution"), moved: moving("solution") });
    this.clock = new Meter({ kind: "clock", title: "Time", unit: "s", digits: 2 });
    this.find(".meters").append(this.thinking.node, this.solution.node, this.clock.node);
  }

  addChoices() {
    for (const model of this.facts.models) this.field("model").append(el("option", { value: model.id }, model.id));
    for (const { name, about } of this.facts.strategies) {
      this.field("strategy").append(el("option", { value: name }, about ? `${name} · ${about}` : name));
    }
    for (const name of ["model", "strategy", "deadline", "cost"]) {
      this.field(name).addEventListener("input", () => {
        this.own[name] = this.field(name).value;
        if (name === "strategy") this.own.options = {};
        this.change(true);
        if (name === "strategy") this.addOptions();
      });
    }
    this.addOptions();
  }

  field(name) {
    return this.find(`[data-field="${name}"]`);
  }

  addOptions() {
    const { options } = strategyOf(this.facts, this.own.strategy);
    this.find(".options").hidden = options.length === 0;
    this.find(".options > div").replaceChildren(
      ...options.map((option) => {
        const isNumber = typeof option.default === "number";
        const input = el("input", { type: isNumber ? "number" : "text", min: 0, placeholder: option.default || "none" });
        input.value = this.own.options[option.name] ?? "";
        input.addEventListener("input", () => {
          this.own.options[option.name] = input.value;
          this.change(true);
        });
        return el("label", {}, el("b", {}, option.name), input, el("small", {}, option.help));
      }),
    );
  }

  addForms() {
    const code = this.find(".code");
    const pre = code.firstElementChild;
    const copied = el("button", { type: "button", class: "copy-button" }, "Copy");
    code.append(copied);
    const buttons = Object.entries(FORMS).map(([form, write]) => {
      const button = el("button", { type: "button", "aria-expanded": "false" }, form);
      button.addEventListener("click", () => {
        const opens = button.getAttribute("aria-expanded") === "false";
        for (const each of buttons) each.setAttribute("aria-expanded", String(opens && each === button));
        this.write = opens ? () => write(this.facts, this.state, this.own) : null;
        code.hidden = !opens;
        pre.setAttribute("aria-label", `Request ${this.letter} as ${form}`);
        this.drawCode();
      });
      return button;
    });
    this.find(".copy [role=group]").append(...buttons);
    this.find(".copy [role=group]").setAttribute("aria-label", `Request ${this.letter} as`);
    copied.addEventListener("click", async () => {
      const done = await copy(pre);
      copied.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      setTimeout(() => (copied.textContent = "Copy"), 2500);
    });
  }

  drawCode() {
    if (this.write) this.find(".code pre").textContent = this.write();
  }

  change(rests) {
    if (this.run !== null && !this.running) this.run = null;
    this.changed(rests);
  }

  // The tokens that must find room on the scale of both columns.
  reach(phase) {
    const { thinking, solution } = this.walls(this.own);
    const wall = phase === "thinking" ? thinking : solution;
    const account = this.run?.account;
    return [wall.limit, wall.mark, value(this.own[phase]), account?.[`${phase}_tokens`] ?? this.run?.[phase].tokens];
  }

  // Where each phase must end, and where a budget would end that is no wall under this strategy.
  walls(own, usedThinking = 0, budget = null) {
    const { bounds, thinks } = strategyOf(this.facts, own.strategy);
    const defaults = modelOf(this.facts, own.model).budget;
    const t = budget?.thinking ?? value(own.thinking) ?? defaults.thinking;
    const s = budget?.solution ?? value(own.solution) ?? defaults.solution;
    const unit = "tokens";
    if (bounds === "separate") return { thinking: { limit: thinks ? t : 0, unit }, solution: { limit: s, unit } };
    const bothAsked = t !== null && s !== null;
    if (bounds === "total" && bothAsked) {
      const left = Math.max(0, t + s - usedThinking);
      return {
        thinking: { limit: t + s, mark: t, unit: `+ ${s} tokens` },
        solution: { limit: left, mark: left > s ? s : null, unit: `tokens, ${left} left` },
      };
    }
    if (bounds === "asked" && bothAsked) {
      return { thinking: { limit: null, mark: t + s, unit: `+ ${s} tokens` }, solution: { limit: null, unit } };
    }
    return { thinking: { limit: null, unit }, solution: { limit: null, unit } };
  }

  // Everything but what came of a run, from what is asked.
  refresh(scales) {
    const { own } = this;
    const strategy = strategyOf(this.facts, own.strategy);
    const model = modelOf(this.facts, own.model);
    for (const name of ["model", "strategy", "deadline", "cost"]) {
      if (this.field(name).value !== own[name]) this.field(name).value = own[name];
    }
    this.find(".about").textContent = [strategy.thinks ? MEANS[strategy.bounds] : "No thinking.", strategy.source.split(",")[0]].join(" ");
    this.find(".price").hidden = !model.prices;
    this.find(".currency").textContent = model.prices?.currency ?? "";
    this.clock.node.hidden = own.deadline === "";
    const uses = strategy.bounds !== "none";
    this.thinking.set(own.thinking, scales.thinking, { uses: uses && strategy.thinks, otherwise: model.budget.thinking });
    this.solution.set(own.solution, scales.solution, { uses, otherwise: model.budget.solution });
    this.clock.set(own.deadline, scales.clock);
    this.drawCode();
    this.draw();
  }

  draw() {
    const run = this.run;
    const asked = run === null ? this.own : this.asked;
    const account = run?.account ?? null;
    const known = run?.known ?? null;
    const used = (phase) => account?.[`${phase}_tokens`] ?? run?.[phase].tokens ?? 0;
    const walls = this.walls(asked, used("thinking"), run?.budget);
    const thinks = strategyOf(this.facts, asked.strategy).thinks;
    const closed = run !== null && (account !== null || run.solution.text !== "");
    this.thinking.draw({
      ...walls.thinking,
      used: used("thinking"),
      closed: closed && thinks ? (known?.thinking_ended_by ?? "open") : null,
      caption: closed && known ? thinkingCaption(known, thinks) : "",
    });
    this.solution.draw({
      ...walls.solution,
      used: Math.min(used("solution"), walls.solution.limit ?? Infinity),
      closed: account && (account.solution_ended_by ?? "nothing"),
      caption: account ? solutionCaption(account) : "",
    });
    if (!this.clock.node.hidden) {
      const limit = value(asked.deadline);
      const late = thinks && closed && known?.thinking_ended_by === "time";
      const caption = account && limit !== null ? `done in ${duration(account.seconds)} by the gateway’s clock` : "";
      const seconds = account?.seconds ?? run?.measured.seconds ?? 0;
      this.clock.draw({ used: seconds, limit, caption, closed: late ? "time" : null });
    }
    this.transcript.draw(run, { model: modelOf(this.facts, asked.model), problem: this.state.problem });
  }

  progress() {
    const { run } = this;
    if (run === null) return `${this.letter}: no answer.`;
    if (run.account || run.stopped) return `${this.letter}: ${this.transcript.said()}`;
    if (run.solution.text) return `${this.letter}: solution, ${tokens(run.solution.tokens)}.`;
    return `${this.letter}: thinking, ${tokens(run.thinking.tokens)}.`;
  }
}

// Whether the text is on the clipboard; where that is not allowed, it is selected.
async function copy(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    return document.execCommand("copy");
  }
}
