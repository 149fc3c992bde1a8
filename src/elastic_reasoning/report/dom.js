"use strict";
// What every part of the page uses: its data, and elements with text that is never read as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const named = (names, values) => Object.fromEntries(names.map((name, n) => [name, values[n]]));

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const signed = (value, digits) => {
  const size = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(size) ? "−" : "+"}${size}`;
};
const modelColour = (model) => `var(--m${Object.keys(data.models).indexOf(model) % 6})`;

// 512, 1K for 1,024 or 1,000, 1.75K, 6.8K: as in the figures that are files.
function compact(tokens) {
  if (tokens < 1000) return String(Math.round(tokens));
  return tokens % 256 === 0 ? `${tokens / 1024}K` : `${(tokens / 1000).toFixed(1).replace(/\.0$/, "")}K`;
}
