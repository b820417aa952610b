// Curves over steps: values under the pointer, zoom by dragging (double click: all), logarithmic on demand.
import { card, colors, el, number, svg } from "./lib.js";

const W = 520, H = 240, left = 56, right = 24, top = 8, bottom = 24;

// chart draws series [{name, points: [[x, y], ...]}]; update() shows new ones.
export function chart(title, series) {
  const c = { title, series, log: false, zoom: null, drag: null };
  c.plot = svg("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", tabindex: "0", "aria-label": `${title} over steps; arrow keys read values, plus and minus zoom, Escape shows all` });
  c.legend = el("div", { class: "legend" });
  const log = el("button", { "aria-pressed": "false", onclick: () => {
    c.log = !c.log;
    log.setAttribute("aria-pressed", c.log);
    log.textContent = c.log ? "linear" : "log";
    paint(c);
  } }, "log");
  const root = card("", el("div", { class: "bar" }, el("h2", { style: "flex: 1; margin: 0" }, title), log), c.plot, c.legend);
  listen(c);
  paint(c);
  return { root, update(next) { c.series = next; if (c.drag === null) paint(c, c.at); } };
}

// keys do what the pointer does: c.at is the place under the reader's eye.
function keys(c, e) {
  const step = { ArrowLeft: -8, ArrowRight: 8 }[e.key];
  if (step) c.at = Math.min(W - right, Math.max(left, (c.at ?? W - right) + step));
  else if (e.key === "Escape") [c.zoom, c.at] = [null, undefined];
  else if (e.key === "+" || e.key === "-") {
    const half = (W - left - right) * (e.key === "+" ? 0.25 : 1), x = c.at ?? (left + W - right) / 2;
    c.zoom = [c.xOf(x - half), c.xOf(x + half)];
  } else return;
  e.preventDefault();
  paint(c, c.at);
}

function listen(c) {
  c.plot.addEventListener("keydown", (e) => keys(c, e));
  c.plot.addEventListener("blur", () => { c.at = undefined; paint(c); });
  const at = (e) => (e.clientX - c.plot.getBoundingClientRect().left) * W / c.plot.getBoundingClientRect().width;
  c.plot.addEventListener("pointerdown", (e) => { c.drag = at(e); });
  c.plot.addEventListener("pointermove", (e) => { c.at = at(e); paint(c, c.at); });
  c.plot.addEventListener("pointerleave", () => { [c.drag, c.at] = [null, undefined]; paint(c); });
  c.plot.addEventListener("dblclick", () => { c.zoom = null; paint(c); });
  c.plot.addEventListener("pointerup", (e) => {
    const range = [c.drag ?? at(e), at(e)].sort((a, b) => a - b).map(c.xOf);
    if (c.drag !== null && Math.abs(at(e) - c.drag) > 8) c.zoom = range;
    c.drag = null;
    paint(c, at(e));
  });
}

// scales sets the way from steps and values to places and back.
function scales(c) {
  c.seen = c.series.map((s) => ({ ...s, points: s.points.filter(([x, y]) =>
    (!c.zoom || (x >= c.zoom[0] && x <= c.zoom[1])) && (!c.log || y > 0)) }));
  const all = c.seen.flatMap((s) => s.points);
  const f = c.log ? Math.log10 : (v) => v;
  const xs = all.map((p) => p[0]), ys = all.map((p) => f(p[1]));
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (!all.length) [x0, x1, y0, y1] = [0, 1, 0, 1];
  if (x0 === x1) x1 = x0 + 1;
  if (y0 === y1) [y0, y1] = [y0 - 0.5, y1 + 0.5];
  c.place = ([x, y]) => [left + (x - x0) / (x1 - x0) * (W - left - right), H - bottom - (f(y) - y0) / (y1 - y0) * (H - top - bottom)];
  c.xOf = (px) => x0 + (px - left) / (W - left - right) * (x1 - x0);
  c.ticks = [0, 0.25, 0.5, 0.75, 1].map((q) => ({ x: x0 + q * (x1 - x0), y: c.log ? 10 ** (y0 + q * (y1 - y0)) : y0 + q * (y1 - y0) }));
}

function paint(c, pointer) {
  scales(c);
  const parts = [];
  for (const t of c.ticks) {
    const [x, y] = c.place([t.x, t.y]);
    parts.push(svg("line", { class: "axis", x1: left, x2: W - right, y1: y, y2: y }),
      svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, number(t.y)),
      svg("text", { x, y: H - 6, "text-anchor": "middle" }, number(Math.round(t.x))));
  }
  c.seen.forEach((s, i) => parts.push(curve(c, s, colors[i % colors.length])));
  const inside = pointer >= left && pointer <= W - right;
  if (inside) parts.push(svg("line", { class: "hair", x1: pointer, x2: pointer, y1: top, y2: H - bottom }));
  if (inside && c.drag !== null) {
    parts.push(svg("rect", { class: "zoom", x: Math.min(c.drag, pointer), width: Math.abs(pointer - c.drag), y: top, height: H - top - bottom }));
  }
  c.plot.replaceChildren(...parts);
  c.legend.replaceChildren(...legend(c, inside ? c.xOf(pointer) : null));
}

function curve(c, s, color) {
  if (s.points.length === 1) {
    const [cx, cy] = c.place(s.points[0]);
    return svg("circle", { cx, cy, r: 3, fill: color });
  }
  return svg("polyline", { class: "curve", stroke: color, points: s.points.map((p) => c.place(p).map((v) => v.toFixed(1)).join()).join(" ") });
}

// legend shows the values next to a step, or else the last ones.
function legend(c, x) {
  return c.seen.filter((s) => s.points.length).map((s) => {
    const p = x === null ? s.points.at(-1) : s.points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
    return el("span", {}, el("i", { style: `background: ${colors[c.seen.indexOf(s) % colors.length]}` }), `${s.name} ${number(p[1])} (step ${number(p[0])})`);
  });
}
