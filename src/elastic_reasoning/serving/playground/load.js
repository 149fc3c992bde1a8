// The gateway's load and what bound its answers, asked for every two seconds while somebody looks.

import { get } from "./api.js";
import { duration, el, number } from "./dom.js";
import { BINDS, money } from "./outcome.js";

const EVERY_SECONDS = 2;
const MOST_POINTS = 30;
const CAUSES = ["model", "tokens", "time", "money"];
const NAMES = { ...BINDS, model: "by itself" };

const sum = (values) => Object.values(values).reduce((total, value) => total + value, 0);
const added = (models, part) => sum(Object.values(models).map(({ minute }) => sum(minute[part])));

export function startLoad(panel) {
  const rates = [];
  let before = null;
  let timer = null;
  const look = async () => {
    if (document.hidden) return;
    try {
      const stats = await get("elastic/stats");
      const count = sum(Object.values(stats.models).map(({ total }) => total.generated_tokens));
      const now = performance.now() / 1000;
      if (before !== null) rates.push(Math.max(0, count - before.count) / (now - before.now));
      before = { count, now };
      panel.hidden = false;
      panel.replaceChildren(...draw(stats, rates.slice(-MOST_POINTS)));
    } catch (error) {
      panel.hidden = true;
      if (error.status === 404) clearInterval(timer); // this gateway tells nothing of it
    }
  };
  timer = setInterval(look, EVERY_SECONDS * 1000);
  document.addEventListener("visibilitychange", look);
  look();
}

function draw(stats, rates) {
  const rate = el("div", { class: "rate" }, el("b", {}, number(rates.at(-1) ?? 0)), el("span", {}, "tokens/s"), sparkline(rates));
  const models = Object.entries(stats.models).map(([model, { minute }]) => ends(model, minute.thinking_ended_by));
  const legend = el("ul", { class: "legend" }, ...CAUSES.map((cause) => el("li", { "data-cause": cause }, NAMES[cause])));
  const rows = facts(stats).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  return [
    el("h2", { id: "load-title" }, "Live load"),
    el("div", {}, rate, share("Running", stats.running, stats.max_running), share("Waiting", stats.waiting, stats.max_waiting)),
    el("div", {}, el("h3", {}, "What ended thinking, last minute"), ...models, legend),
    el("dl", { class: "numbers" }, ...rows),
  ];
}

function share(title, value, most) {
  const fill = el("div", { class: "fill" });
  fill.style.width = `${Math.min(100, (100 * value) / most)}%`;
  const gauge = { class: "gauge", role: "meter", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": most, "aria-valuenow": value };
  const text = el("span", {}, el("b", {}, number(value)), ` of ${number(most)}`);
  return el("div", { class: "share" }, el("span", {}, title), text, el("div", gauge, fill));
}

function ends(model, counts) {
  const total = sum(counts);
  const parts = CAUSES.filter((cause) => counts[cause]).map((cause) => {
    const part = el("span", { "data-cause": cause }, number(counts[cause]));
    part.style.flexGrow = counts[cause];
    return part;
  });
  const said = CAUSES.filter((cause) => counts[cause]).map((cause) => `${NAMES[cause]} ${counts[cause]}`);
  const bar = el("div", { class: "ends", role: "img", "aria-label": `${model}: ${said.join(", ") || "no request"}` }, ...parts);
  return el("div", { class: "model-ends" }, el("span", {}, model), total ? bar : el("small", {}, "no request"));
}

function facts(stats) {
  const rows = [];
  const deadlines = (outcome) => sum(Object.values(stats.models).map(({ minute }) => minute.deadlines[outcome] ?? 0));
  const [kept, missed] = [deadlines("kept"), deadlines("missed")];
  const firsts = Object.values(stats.models).map(({ minute }) => minute.time_to_first_token_seconds).filter(Boolean);
  rows.push(["Requests a minute", number(added(stats.models, "requests"))]);
  rows.push(["First token after", firsts.length ? duration(sum(firsts) / firsts.length) : "–"]);
  if (kept + missed) rows.push(["Deadlines kept", `${number(kept)} of ${number(kept + missed)}`]);
  if (sum(stats.refusals.minute)) rows.push(["Refused", number(sum(stats.refusals.minute))]);
  if (stats.today?.cost) rows.push(["Spent today", money({ total: stats.today.cost, currency: stats.currency })]);
  return rows;
}

function sparkline(rates) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  node.setAttribute("viewBox", `0 0 ${MOST_POINTS} 20`);
  node.setAttribute("preserveAspectRatio", "none");
  node.setAttribute("aria-hidden", "true");
  const most = Math.max(1, ...rates);
  const first = MOST_POINTS - rates.length;
  const points = rates.map((rate, n) => `${first + n + 0.5},${(19 - (18 * rate) / most).toFixed(2)}`);
  const area = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  area.setAttribute("points", [`${first + 0.5},20`, ...points, `${MOST_POINTS - 0.5},20`].join(" "));
  if (rates.length > 1) node.append(area);
  return node;
}
