"use strict";
// Accuracy over token budgets as SVG: drawn for the width there is, in the colours of the page's theme.

const DASHES = { elastic: "", nothinking: "1 4", vanilla: "2 3", s1: "7 4", "l1-exact": "8 3 2 3", "l1-max": "8 3 2 3 2 3" };

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function curveLook(curve, models) {
  const main = curve.strategy === "elastic" || curve.strategy === "unconstrained";
  return {
    stroke: `var(--m${models.indexOf(curve.model) % 6})`,
    "stroke-width": main ? 2.6 : 1.6,
    "stroke-dasharray": DASHES[curve.strategy] ?? "",
    fill: "none",
  };
}

function star(x, y, size, colour) {
  const corners = Array.from({ length: 10 }, (_, n) => {
    const [angle, radius] = [(n * Math.PI) / 5 - Math.PI / 2, n % 2 ? size * 0.42 : size];
    return `${x + radius * Math.cos(angle)},${y + radius * Math.sin(angle)}`;
  });
  return svg("polygon", { points: corners.join(" "), fill: colour, stroke: "var(--page)" });
}

// One scale for x, logarithmic unless a budget is 0, and one for accuracy.
function chartScales(places, width, height, margin) {
  const log = places[0] > 0;
  const [low, high] = [places[0], places.at(-1)].map((value) => (log ? Math.log2(value) : value));
  const span = high - low || 1;
  const inner = width - margin.left - margin.right - 24;
  return {
    x: (value) => margin.left + 12 + (((log ? Math.log2(value) : value) - low) / span) * inner,
    y: (value) => margin.top + (1 - value) * (height - margin.top - margin.bottom),
  };
}

function chartGrid(root, scale, ticks, trained, width, height, margin) {
  for (let n = 0; n <= 5; n += 1) {
    const y = scale.y(n / 5);
    root.append(svg("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: y, y2: y }));
    root.append(svg("text", { class: "axis", x: margin.left - 8, y: y + 4, "text-anchor": "end" }, `${n * 20}%`));
  }
  let last = -Infinity;
  for (const [place, budget] of ticks) {
    const x = scale.x(place);
    if (x - last < 50) continue;
    last = x;
    root.append(svg("text", { class: "axis", x, y: height - margin.bottom + 18, "text-anchor": "middle" }, String(place)));
    root.append(svg("text", { class: "axis", x, y: height - margin.bottom + 33, "text-anchor": "middle" }, budget));
  }
  const title = svg("text", { class: "axis", x: (margin.left + width - margin.right) / 2, y: height - 6, "text-anchor": "middle" });
  title.append("total token budget (thinking + solution)");
  root.append(title);
  if (trained.place === null) return;
  const x = scale.x(trained.place);
  root.append(svg("line", { x1: x, x2: x, y1: margin.top, y2: height - margin.bottom, stroke: "var(--quiet)", "stroke-dasharray": "3 3" }));
  root.append(svg("text", { class: "axis", x: x + 6, y: height - margin.bottom - 8 }, `trained at ${trained.text}`));
}

// Draws into the container; pick(curve, budget) is called when a mark is clicked.
function drawChart(container, data, hidden, pick) {
  const models = [...new Set(data.curves.map((curve) => curve.model))];
  const lined = data.curves.flatMap((curve) => curve.line);
  const places = [...lined, ...data.curves.flatMap((curve) => curve.stars)].map((point) => point[0]).sort((a, b) => a - b);
  container.replaceChildren();
  if (!places.length) return;
  const width = Math.max(320, container.clientWidth);
  const height = Math.round(Math.min(430, Math.max(280, width * 0.42)));
  const margin = { left: 46, right: 12, top: 34, bottom: 62 };
  const scale = chartScales(places, width, height, margin);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "accuracy over token budgets" });
  const ticks = new Map([...lined].sort((a, b) => a[0] - b[0]).map((point) => [point[0], point[3]]));
  const known = lined.some((point) => point[0] === data.trained_at);
  chartGrid(root, scale, ticks, { place: known ? data.trained_at : null, text: data.trained_text }, width, height, margin);
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const hits = svg("g", {}); // above every line, so that no curve keeps the pointer from another's marks
  const order = [...data.curves].sort((a, b) => (a.strategy === "elastic") - (b.strategy === "elastic"));
  for (const curve of order) {
    if (hidden.has(curve.label)) continue;
    const look = curveLook(curve, models);
    const group = svg("g", { class: "curve" });
    const path = curve.line.map((point, n) => `${n ? "L" : "M"}${scale.x(point[0])} ${scale.y(point[1])}`).join("");
    group.append(svg("path", { ...look, d: path }));
    for (const [points, starred] of [[curve.line, false], [curve.stars, true]]) {
      for (const point of points) {
        group.append(...chartMark(point, starred, look, scale));
        hits.append(chartHit(curve, point, starred, scale, tip, width, pick));
      }
    }
    root.append(group);
  }
  root.append(hits);
  container.append(root, tip);
}

function chartMark([place, accuracy, se], starred, look, scale) {
  const [x, y] = [scale.x(place), scale.y(accuracy)];
  const filled = look["stroke-width"] > 2;
  const bar = svg("line", { x1: x, x2: x, y1: scale.y(accuracy - se), y2: scale.y(accuracy + se), stroke: look.stroke, "stroke-width": 1.2 });
  const mark = starred
    ? star(x, y, 10, look.stroke)
    : svg("circle", { cx: x, cy: y, r: filled ? 4 : 3.2, fill: filled ? look.stroke : "var(--page)", stroke: look.stroke, "stroke-width": 1.5 });
  if (!starred) return [bar, mark];
  return [bar, mark, svg("text", { x, y: y - 14, fill: look.stroke, "text-anchor": "middle" }, `${place.toFixed(0)} tokens`)];
}

function chartHit(curve, [place, accuracy, se, budget], starred, scale, tip, width, pick) {
  const [x, y] = [scale.x(place), scale.y(accuracy)];
  const hit = svg("circle", { class: "hit", cx: x, cy: y, r: 9 });
  const what = starred ? `no budget, ${place.toFixed(0)} tokens used` : `budget ${budget}, ${place} tokens in all`;
  hit.addEventListener("pointerenter", () => {
    tip.textContent = `${curve.label}\n${what}\n${(100 * accuracy).toFixed(1)} ± ${(100 * se).toFixed(1)} %`;
    tip.hidden = false;
    const shrink = tip.parentElement.clientWidth / width;
    tip.style.left = `${Math.min(Math.max(0, x * shrink - tip.offsetWidth / 2), tip.parentElement.clientWidth - tip.offsetWidth)}px`;
    tip.style.top = `${y * shrink + (y > 110 ? -tip.offsetHeight - 14 : 16)}px`;
  });
  hit.addEventListener("pointerleave", () => { tip.hidden = true; });
  hit.addEventListener("click", () => pick(curve, budget));
  return hit;
}
