// The curves of several jobs in one chart.
import { card, el } from "./lib.js";
import { ask } from "./session.js";
import { chart } from "./chart.js";

export function comparePage() {
  const root = el("div"), picked = new Set(), choice = el("div", { class: "bar" });
  const figure = el("select", { "aria-label": "figure", onchange: () => draw() });
  let plot = null;
  async function draw() {
    const jobs = await ask("/api/v1/jobs");
    choices(jobs);
    const names = [...new Set(jobs.flatMap((j) => Object.keys(j.metrics)))].sort();
    if (figure.options.length !== names.length) figure.replaceChildren(...names.map((n) => el("option", { selected: n === "train_loss" }, n)));
    const series = await Promise.all([...picked].map(async (id) => ({ name: id, points: (await ask(`/api/v1/jobs/${encodeURIComponent(id)}/metrics`))
      .filter((p) => figure.value in p.metrics).map((p) => [p.step, p.metrics[figure.value]]) })));
    if (!plot) {
      plot = chart("", series);
      root.append(el("h1", {}, "Compare"), card("", choice, figure), el("div", { class: "wide" }, plot.root));
    } else plot.update(series);
  }
  function choices(jobs) {
    if (choice.childElementCount === jobs.length) return;
    if (!picked.size) jobs.slice(-3).forEach((j) => picked.add(j.id));
    choice.replaceChildren(...jobs.map((j) => el("label", {}, el("input", { type: "checkbox", checked: picked.has(j.id), onchange: (e) => {
      if (e.target.checked) picked.add(j.id); else picked.delete(j.id);
      draw();
    } }), ` ${j.id}`)));
  }
  return { root, draw };
}
