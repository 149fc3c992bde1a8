// Elements with text that is never read as HTML.

export const by = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// A value that outlives a reload: in localStorage or sessionStorage, or nowhere where a browser keeps nothing.
export function keeper(area, name) {
  let value = "";
  return {
    get() {
      try {
        return window[area].getItem(name) ?? "";
      } catch {
        return value;
      }
    },
    set(next) {
      value = next;
      try {
        if (next === "") window[area].removeItem(name);
        else window[area].setItem(name, next);
      } catch {
        // it is known until the page is left
      }
    },
  };
}

export const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// 0.0000159, never 1.59e-5.
export const plain = (value) => value.toLocaleString("en", { useGrouping: false, maximumSignificantDigits: 12 });

export const tokens = (count) => `${number(count)} ${count === 1 ? "token" : "tokens"}`;

// 64 ms, 1.24 s, 3 min 5 s.
export function duration(seconds) {
  if (seconds < 1) return `${number(seconds * 1000)} ms`;
  if (seconds < 60) return `${number(seconds, 2)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

// Tells a screen reader what happens, the last thing said at most every few seconds.
export function announcer(node, everySeconds = 3) {
  let timer = null;
  let next = "";
  let saidAt = -Infinity;
  const say = () => {
    timer = null;
    saidAt = performance.now();
    node.textContent = next;
  };
  return (text, atOnce = false) => {
    next = text;
    if (atOnce) {
      clearTimeout(timer);
      say();
    } else timer ??= setTimeout(say, Math.max(0, saidAt + everySeconds * 1000 - performance.now()));
  };
}
