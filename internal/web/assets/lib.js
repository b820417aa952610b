// What all pages share: elements, and words for numbers.

// el makes an element: attributes, then children; on* attributes are listeners.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// svg makes an SVG element.
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") node.style.cssText = value; // an attribute would be refused by the page's policy
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// table makes a table of rows of cells (texts or elements).
export function table(heads, rows) {
  return el("table", {},
    el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.map((r) => el("tr", {}, r.map((c) => (c?.tagName === "TD" ? c : el("td", {}, c)))))));
}

export const card = (title, ...content) => el("section", { class: "card" }, title && el("h2", {}, title), ...content);
export const tile = (name, value) => el("div", { class: "tile" }, el("b", {}, value), el("span", {}, name));
export const state = (s) => el("span", { class: `state ${s}` }, s);

export function number(v) {
  if (v === undefined || v === null) return "–";
  if (v === 0) return "0";
  const a = Math.abs(v);
  if (a >= 1e6 || a < 1e-3) return v.toExponential(2);
  return a >= 1000 ? Math.round(v).toLocaleString("en-US") : String(Number(v.toPrecision(4)));
}

export function bytes(n) {
  let unit = 0;
  for (; n >= 1024 && unit < 4; unit++) n /= 1024;
  return `${unit ? n.toFixed(1) : n} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

export function ago(time) {
  if (!time) return "";
  const s = Math.max(0, (Date.now() - new Date(time)) / 1000);
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

// colors for curves and workers, told apart by eyes of all kinds on light and dark ground.
export const colors = ["#2a78d6", "#e0701a", "#1b9e6b", "#b8449a", "#8a6d00", "#6558d3", "#d03b3b", "#3a8ea5"];
