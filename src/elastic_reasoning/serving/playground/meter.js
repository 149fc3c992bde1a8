// A meter: what is used of a budget, and the wall where it ends. The wall is a slider.

import { el, number } from "./dom.js";

const STEPS = [4, 6, 8, 12, 16];

// The end of a scale on which these values leave room: 24 for 16, 768 for 512.
export function scaleFor(values) {
  const most = 1.15 * Math.max(3, ...values.filter(Number.isFinite));
  for (let unit = 1; ; unit *= 2) for (const step of STEPS) if (step * unit >= most) return step * unit;
}

let count = 0;

export class Meter {
  // kind: thinking, solution or clock; unit: what is counted; moved: called with the wall's new place and whether it rests.
  constructor({ kind, title, unit, moved = null, digits = 0 }) {
    const id = `meter-${(count += 1)}`;
    this.digits = digits;
    this.used = el("span", { class: "used" }, "0");
    this.fill = el("div", { class: "fill" });
    this.over = el("div", { class: "fill over" });
    this.beyond = el("div", { class: "beyond" });
    this.wall = el("div", { class: "wall" }, el("div", { class: "door" }));
    this.soft = el("div", { class: "wall soft", "data-closed": "", hidden: "" }, el("div", { class: "door" }));
    this.caption = el("p", { class: "caption" });
    this.gauge = el("div", { class: "gauge", role: "meter", "aria-label": `${title} used`, "aria-valuemin": 0 });
    this.gauge.append(this.beyond, this.fill, this.over, this.soft, this.wall);
    const track = el("div", { class: "track" }, this.gauge);
    const head = el("div", { class: "meter-head" });
    this.node = el("div", { class: `meter ${kind}` }, head, track, this.caption);
    head.append(el(moved ? "label" : "span", { class: "title", for: moved && id }, title), this.used);
    head.append(el("span", { class: "of" }, "of"));
    if (moved === null) {
      this.limit = el("span", { class: "limit" });
      head.append(this.limit, el("span", { class: "of" }, unit));
      return;
    }
    this.limit = el("input", { id, type: "number", min: 0, step: 1, class: "limit" });
    this.slider = el("input", { type: "range", min: 0, "aria-label": `${title} wall, ${unit}` });
    this.unit = el("span", { class: "of" }, unit);
    head.append(this.limit, this.unit);
    track.append(this.slider);
    this.limit.addEventListener("input", () => moved(this.limit.value, false));
    this.limit.addEventListener("change", () => moved(this.limit.value, true));
    this.slider.addEventListener("input", () => moved(this.slider.value, false));
    this.slider.addEventListener("change", () => moved(this.slider.value, true));
  }

  // The budget that is asked for on a scale, "" for the server's own (a number, or null for none); a strategy may use none.
  set(value, scale, { uses = true, otherwise = null } = {}) {
    this.scale = scale;
    if (this.slider === undefined) {
      this.limit.textContent = value;
      return;
    }
    if (document.activeElement !== this.limit) this.limit.value = value;
    this.limit.placeholder = otherwise ?? "no limit";
    this.limit.disabled = this.slider.disabled = !uses;
    this.slider.max = scale;
    this.slider.step = Math.max(1, scale / 256);
    const place = value === "" ? otherwise : value;
    this.slider.value = place ?? scale;
    this.slider.setAttribute("aria-valuetext", place === null ? "no limit" : `${place} tokens`);
  }

  // used: so far; limit: nothing passes it, or null; mark: where a budget would end that is no wall here, or null.
  draw({ used, limit, mark = null, closed = null, caption = "", unit = null }) {
    const share = (value) => Math.min(1, value / this.scale);
    const within = mark === null ? used : Math.min(used, mark);
    if (unit !== null) this.unit.textContent = unit;
    this.used.textContent = number(used, this.digits);
    this.fill.style.width = `${100 * share(within)}%`;
    this.over.style.left = `${100 * share(within)}%`;
    this.over.style.width = `${100 * (share(used) - share(within))}%`;
    this.beyond.style.left = `${100 * share(limit ?? this.scale)}%`;
    this.wall.hidden = limit === null && closed === null;
    const place = share(closed === null ? (limit ?? used) : used);
    this.wall.style.left = `${100 * place}%`;
    this.wall.dataset.closed = closed ?? "";
    this.soft.hidden = mark === null;
    this.soft.style.left = `${100 * share(mark ?? 0)}%`;
    this.gauge.setAttribute("aria-valuemax", limit ?? this.scale);
    this.gauge.setAttribute("aria-valuenow", Math.min(used, limit ?? this.scale));
    this.caption.textContent = caption;
    this.caption.dataset.closed = closed ?? "";
    this.caption.style.left = `${100 * place}%`;
    this.caption.style.transform = `translateX(${-100 * place}%)`;
  }
}
