"use strict";
// Accuracy over tokens as SVG: drawn for the width there is, in the colours of the page's theme.

const DASHES = { elastic: "", nothinking: "1 4", vanilla: "2 3", s1: "7 4", "l1-exact": "8 3 2 3", "l1-max": "8 3 2 3 2 3" };
const MARGIN = { left: 46, right: 24, top: 34, bottom: 64 };

function curveLook(curve) {
  const main = curve.strategy === "elastic" || curve.strategy === "unconstrained";
  return {
    stroke: modelColour(curve.model),
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

// One logarithmic scale for x, on which 0 stands one doubling below the least other place; and one for accuracy.
function chartScales({ places: [least, smallest, most], range: [low, high] }, width, height) {
  const at = (place) => (place > 0 ? Math.log2(place) : Math.log2(smallest) - 1);
  const span = at(most) - at(least) || 1;
  const inner = width - MARGIN.left - MARGIN.right - 36;
  return {
    x: (place) => MARGIN.left + 14 + ((at(place) - at(least)) / span) * inner,
    y: (accuracy) => MARGIN.top + ((high - accuracy) / (high - low)) * (height - MARGIN.top - MARGIN.bottom),
  };
}

function chartGrid(root, chart, scale, width, height) {
  const text = (x, y, anchor, words) => root.append(svg("text", { class: "axis", x, y, "text-anchor": anchor }, words));
  const [low, high, step] = chart.range;
  for (let n = 0; n <= Math.round((high - low) / step); n += 1) {
    const y = scale.y(low + n * step);
    root.append(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
    text(MARGIN.left - 8, y + 4, "end", `${Math.round(100 * (low + n * step))}%`);
  }
  const bottom = height - MARGIN.bottom;
  let end = -Infinity;
  for (const [place, words] of chart.ticks) {
    const [first, ...budgets] = words.split("\n");
    const lines = budgets.length > 1 ? [first, `${budgets[0]} …`] : [first, ...budgets];
    const half = Math.max(...lines.map((line) => line.length)) * 3.6;
    const x = scale.x(place);
    if (x - half < end + 4) continue;
    end = x + half;
    lines.forEach((line, n) => text(x, bottom + 18 + 15 * n, "middle", line));
  }
  text((MARGIN.left + width - MARGIN.right) / 2, height - 8, "middle", chart.label);
  if (chart.mark === null) return;
  if (chart.mark < chart.places[0]) return text(MARGIN.left + 6, bottom - 8, "start", `← trained at ${data.trained_at}`);
  if (chart.mark > chart.places[2]) return text(width - MARGIN.right - 6, bottom - 8, "end", `trained at ${data.trained_at} →`);
  const x = scale.x(chart.mark);
  root.append(svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: bottom, stroke: "var(--quiet)", "stroke-dasharray": "3 3" }));
  const [side, anchor] = x > width / 2 ? [x - 6, "end"] : [x + 6, "start"];
  return text(side, bottom - 8, anchor, `trained at ${data.trained_at}`);
}

// Draws into the container; pick(model, strategy, budget) is called when a mark is chosen.
function drawChart(container, chart, hidden, pick) {
  container.replaceChildren();
  if (!chart.curves.length) return;
  const width = Math.max(320, container.clientWidth);
  const height = Math.round(Math.min(430, Math.max(280, width * 0.42)));
  const scale = chartScales(chart, width, height);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `accuracy over ${chart.name}` });
  chartGrid(root, chart, scale, width, height);
  const tip = el("div", { class: "tip", hidden: "", role: "status" });
  const marks = svg("g", {}); // above every line, so that no curve keeps the pointer from another's marks
  if (!hidden.has("published")) chart.published.forEach((series, n) => root.append(publishedCurve(series, n, chart, scale, width, tip, marks)));
  const order = [...chart.curves].sort((a, b) => (a.strategy === "elastic") - (b.strategy === "elastic"));
  for (const curve of order) {
    if (hidden.has(curve.label)) continue;
    const look = curveLook(curve);
    const group = svg("g", { class: "curve" });
    const path = curve.line.map((point, n) => `${n ? "L" : "M"}${scale.x(point[0])} ${scale.y(point[1])}`).join("");
    group.append(svg("path", { ...look, d: path }));
    for (const [points, starred] of [[curve.line, false], [curve.stars, true]]) {
      for (const point of points) {
        group.append(...chartMark(curve, point, starred, look, scale));
        const [place, accuracy, se, budget] = point;
        const what = starred || chart.id === "used" ? `${budget === "inf+inf" ? "no budget" : `budget ${budget}`}, ${place.toFixed(0)} tokens used` : `budget ${budget}`;
        const words = `${curve.label}\n${what}\n${(100 * accuracy).toFixed(1)} ± ${(100 * se).toFixed(1)} %`;
        marks.append(chartHit(scale.x(place), scale.y(accuracy), words, tip, width, () => pick(curve.model, curve.strategy, budget)));
      }
    }
    root.append(group);
  }
  root.append(marks);
  container.append(root, tip);
  oneTabStop(marks);
}

// Curves that differ in s alone differ in their marker.
const OUTLINES = ["M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0Z", "M-.9-.9H.9V.9H-.9Z", "M0-1.2L1.1.8H-1.1Z", "M0-1.3L1.1 0L0 1.3L-1.1 0Z", "M0 1.2L1.1-.8H-1.1Z"];

function marker(curve, look, x, y) {
  const filled = look["stroke-width"] > 2;
  return svg("path", {
    d: OUTLINES[curve.marker % OUTLINES.length], transform: `translate(${x} ${y}) scale(${filled ? 4 : 3.2})`, "vector-effect": "non-scaling-stroke",
    fill: filled ? look.stroke : "var(--page)", stroke: look.stroke, "stroke-width": 1.5,
  });
}

function chartMark(curve, [place, accuracy, se], starred, look, scale) {
  const [x, y] = [scale.x(place), scale.y(accuracy)];
  const bar = svg("line", { x1: x, x2: x, y1: scale.y(accuracy - se), y2: scale.y(accuracy + se), stroke: look.stroke, "stroke-width": 1.2 });
  if (!starred) return [bar, marker(curve, look, x, y)];
  return [bar, star(x, y, 10, look.stroke), svg("text", { x, y: y - 14, fill: look.stroke, "text-anchor": "middle" }, `${place.toFixed(0)} tokens`)];
}

// What a paper prints: quiet, with its number in the list of sources at the end of the line.
function publishedCurve(series, number, chart, scale, width, tip, marks) {
  const group = svg("g", { class: "published" });
  const path = series.line.map((point, n) => `${n ? "L" : "M"}${scale.x(point[0])} ${scale.y(point[1])}`).join("");
  group.append(svg("path", { d: path }));
  const label = (x, y) => group.append(svg("text", { x: x + 6, y: y + 4 }, String(number + 1)));
  const points = [...series.line, ...series.stars];
  for (const [place, accuracy] of points) {
    const [x, y] = [scale.x(place), scale.y(accuracy)];
    group.append(svg("circle", { cx: x, cy: y, r: 3 }));
    const words = `published: ${series.name}\n${compact(place)} tokens\n${(100 * accuracy).toFixed(1)} %`;
    marks.append(chartHit(x, y, words, tip, width, () => by("published")?.scrollIntoView({ block: "nearest" })));
  }
  const last = series.line.at(-1) ?? points.at(-1);
  if (last) label(scale.x(last[0]), scale.y(last[1]));
  if (series.across !== null) {
    const y = scale.y(series.across);
    group.append(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y, "stroke-dasharray": "1 4" }));
    label(width - MARGIN.right - 22, y - 8);
  }
  return group;
}

function chartHit(x, y, words, tip, width, choose) {
  const hit = svg("circle", { class: "hit", cx: x, cy: y, r: 9, role: "button", tabindex: -1, "aria-label": words.replaceAll("\n", ", ") });
  const show = () => {
    tip.textContent = words;
    tip.hidden = false;
    const shrink = tip.parentElement.clientWidth / width;
    tip.style.left = `${Math.min(Math.max(0, x * shrink - tip.offsetWidth / 2), tip.parentElement.clientWidth - tip.offsetWidth)}px`;
    tip.style.top = `${y * shrink + (y > 110 ? -tip.offsetHeight - 14 : 16)}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const event of ["pointerenter", "focus"]) hit.addEventListener(event, show);
  for (const event of ["pointerleave", "blur"]) hit.addEventListener(event, hide);
  hit.addEventListener("click", choose);
  hit.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  });
  return hit;
}

// The marks are one stop of the Tab key; arrows go from one to the next.
function oneTabStop(marks) {
  const all = [...marks.children];
  all[0]?.setAttribute("tabindex", 0);
  marks.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = all[all.indexOf(event.target) + move];
    if (!next) return;
    event.preventDefault();
    event.target.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  });
}
