"use strict";
// Two settings set against each other: their lengths, their accuracies, how they think.

const PARTS = ["thinking tokens", "solution tokens"];

// Widths of bins are powers of two, so the finer of two histograms can be brought to the bins of the other exactly.
function widened([width, counts], wider) {
  const step = wider / width;
  return Array.from({ length: Math.ceil(counts.length / step) }, (_, n) =>
    counts.slice(n * step, (n + 1) * step).reduce((sum, count) => sum + count, 0));
}

function histogram(container, shapes, title) {
  const width = Math.max(300, container.clientWidth);
  const label = `${title}: ${shapes.map((shape) => shape.name).join(" and ")}`;
  const { root, text, frame, height } = framed(width, label, title);
  const wider = Math.max(...shapes.map((shape) => shape.bins[0]));
  const shares = shapes.map((shape) => {
    const counts = widened(shape.bins, wider);
    const all = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => count / all);
  });
  const num = Math.max(8, ...shares.map((each) => each.length));
  const most = Math.max(...shares.flat());
  const x = (bin) => frame.left + (bin / num) * (width - frame.left - frame.right);
  const y = (share) => frame.top + (1 - share / most) * (height - frame.top - frame.bottom);
  for (const share of [0, most / 2, most]) {
    root.append(svg("line", { class: "grid", x1: frame.left, x2: width - frame.right, y1: y(share), y2: y(share) }));
    text(frame.left - 6, y(share) + 4, "end", `${(100 * share).toFixed(0)}%`);
  }
  const every = 2 ** Math.max(0, Math.ceil(Math.log2((num * wider * 52) / (width - frame.left))));
  for (let tokens = 0; tokens <= num * wider; tokens += every) text(x(tokens / wider), height - 24, "middle", compact(tokens));
  shapes.forEach((shape, which) => {
    const steps = shares[which].map((share, bin) => `V${y(share)}H${x(bin + 1)}`).join("");
    root.append(svg("path", { class: `shape ${shape.side}`, d: `M${x(0)} ${y(0)}${steps}V${y(0)}Z` }));
  });
  container.replaceChildren(root);
}

// Accuracy of the right one less that of the left one, on the problems that both have.
function differenceOf(left, right) {
  for (const [a, b, difference, se, num] of data.pairs) {
    if (a === left && b === right) return { difference, se, num };
    if (a === right && b === left) return { difference: -difference, se, num };
  }
  return null;
}

// Each side is { side: "left" or "right", setting: its number or null, name }.
function renderPair(sides) {
  const known = sides.filter(({ setting }) => setting !== null).map((each) => ({ ...each, ...data.settings[each.setting] }));
  PARTS.forEach((title, part) => {
    const shapes = known.filter(({ lengths }) => lengths.length).map(({ side, name, lengths }) => ({ side, name, bins: lengths[part] }));
    if (shapes.length) histogram(by(`lengths-${part}`), shapes, title);
    else by(`lengths-${part}`).replaceChildren();
  });
  const found = known.length < 2 ? null : differenceOf(...known.map(({ setting }) => setting));
  by("difference").textContent = found === null ? "" :
    `Right less left on ${found.num} problems: ${signed(100 * found.difference, 1)}${found.se === null ? "" : ` ± ${(100 * found.se).toFixed(1)}`} points of accuracy.`;
  byTenth(by("tenths"), known);
  by("measures").replaceChildren(...data.measures.map(([name, about, share], n) => {
    const values = sides.map(({ setting }) => (setting === null ? [null, null] : data.settings[setting].measured[n]));
    return values.every(([value]) => value === null) ? null : measureRow(name, about, share ? 100 : 1, values);
  }).filter((row) => row !== null));
}

function measureRow(name, about, scale, values) {
  const most = scale * Math.max(...values.map(([value]) => Math.abs(value ?? 0)));
  const digits = scale === 100 || most >= 10 ? 1 : most >= 1 ? 2 : 3;
  const unit = scale === 100 ? " %" : "";
  // Pieces that are not broken; between them a narrow table may.
  const show = ([value, se]) => {
    if (value === null) return ["–"];
    const mean = (scale * value).toFixed(digits);
    return se === null ? [mean + unit] : [mean, `± ${(scale * se).toFixed(digits)}${unit}`];
  };
  const [a, b] = values.map(([value]) => value);
  const change = a === null || b === null ? "" : signed(scale * (b - a), digits);
  const cells = [...values.map(show), [change]].map((pieces) =>
    el("td", { class: "number" }, ...pieces.flatMap((text) => [" ", el("span", {}, text)])));
  return el("tr", {}, el("th", { scope: "row" }, name, el("small", {}, about)), ...cells);
}

// The mean length of what a thought consists of, from its first tenth to its last.
function byTenth(container, sides) {
  const shown = sides.filter(({ tenths }) => tenths.some((words) => words !== null));
  const most = Math.max(0, ...shown.flatMap(({ tenths }) => tenths));
  if (!most) {
    container.replaceChildren();
    return;
  }
  const width = Math.max(300, container.clientWidth);
  const { root, text, frame, height } = framed(width, "words of a step or sentence, by its place in the thought", "tenth of the thought");
  const x = (tenth) => frame.left + ((tenth + 0.5) / 10) * (width - frame.left - frame.right);
  const y = (words) => frame.top + (1 - words / most) * (height - frame.top - frame.bottom);
  for (const words of [0, most / 2, most]) {
    root.append(svg("line", { class: "grid", x1: frame.left, x2: width - frame.right, y1: y(words), y2: y(words) }));
    text(frame.left - 6, y(words) + 4, "end", words.toFixed(most < 10 ? 1 : 0));
  }
  for (let tenth = 0; tenth < 10; tenth += 1) text(x(tenth), height - 24, "middle", String(tenth + 1));
  for (const { tenths, side } of shown) {
    const points = tenths.flatMap((words, tenth) => (words === null ? [] : [`${x(tenth)},${y(words)}`]));
    root.append(svg("polyline", { class: `shape ${side} open`, points: points.join(" ") }));
  }
  container.replaceChildren(root);
}

function framed(width, label, title) {
  const height = 190;
  const frame = { left: 40, right: 10, top: 10, bottom: 40 };
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const text = (left, top, anchor, words) => root.append(svg("text", { class: "axis", x: left, y: top, "text-anchor": anchor }, words));
  text((frame.left + width) / 2, height - 6, "middle", title);
  return { root, text, frame, height };
}
