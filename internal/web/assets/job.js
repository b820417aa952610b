// One job.
import { ago, bytes, card, clock, colors, el, number, state, table, tile } from "./lib.js";
import { ask, me } from "./session.js";
import { chart } from "./chart.js";
import { ring } from "./ring.js";
import { timeline } from "./timeline.js";

const ended = (j) => ["SUCCEEDED", "FAILED", "CANCELLED"].includes(j.state);

export function jobPage(id) {
  const path = `/api/v1/jobs/${encodeURIComponent(id)}`;
  const head = el("div"), members = el("div"), past = el("div"), events = [];
  const charts = el("div", { class: "grid" }), shown = new Map();
  const root = el("div");
  async function draw() {
    const after = events.at(-1)?.sequence ?? 0;
    const [j, points, fresh] = await Promise.all([ask(path), ask(`${path}/metrics`), ask(`${path}/events?after=${after}`)]);
    events.push(...fresh);
    head.replaceChildren(...headOf(j, path));
    curves(shown, charts, points);
    members.replaceChildren(card("Ring", el("div", { class: "beside" }, ring(j), el("div", { class: "grow" }, membersOf(j)))));
    redraw(past, card("Generations", timeline(j, events), historyOf(j)), checkpointsOf(j), eventsOf(events), specOf(j));
    if (!root.firstChild) root.append(head, charts, members, past);
  }
  return { root, draw };
}

function headOf(j, path) {
  const total = j.total_steps || 1;
  return [
    el("div", { class: "bar" }, el("h1", {}, j.id), state(j.state), ...(ended(j) || !me.may_change ? [] : actions(j, path))),
    j.reason && el("p", {}, j.reason),
    el("progress", { max: total, value: j.step, style: "width: 100%", "aria-label": "steps done" }),
    el("div", { class: "tiles" },
      tile("step", `${number(j.step)} / ${number(j.total_steps)}`), tile("epoch", j.total_epochs ? `${j.epoch} / ${j.total_epochs}` : j.epoch),
      tile("samples a second", number(j.samples_per_second)), tile("workers", `${j.workers} (${j.workers_min} to ${j.workers_max})`),
      tile("parameters", number(j.parameters)), tile("generations", j.generations),
      ...Object.entries(j.metrics).map(([name, v]) => tile(name.replaceAll("_", " "), number(v)))),
    j.model_digest && el("p", {}, "Model ", el("code", {}, j.model_digest)),
  ].filter(Boolean);
}

// actions are buttons for what may be done to a job that goes on.
function actions(j, path) {
  const post = (what) => ask(`${path}/${what}`, { method: "POST" }).catch((e) => alert(e.message));
  const scale = () => {
    const text = prompt("Workers, from min to max", `${j.workers_min}:${j.workers_max}`);
    const [min, max] = (text ?? "").split(":");
    if (text) post(`scale?min=${min}&max=${max ?? min}`);
  };
  return [
    j.state === "PAUSED" ? el("button", { onclick: () => post("resume") }, "Resume") : el("button", { onclick: () => post("pause") }, "Pause"),
    el("button", { onclick: scale }, "Scale"),
    el("button", { class: "danger", onclick: () => confirm(`Cancel ${j.id}?`) && post("cancel") }, "Cancel"),
  ];
}

// figure is a value of a point, undefined where it was not measured.
function figure(p, name) {
  if (name === "samples_per_second") return p.samples_per_second || undefined;
  return p.metrics[name] ?? (p.phases?.[name] === undefined ? undefined : 1000 * p.phases[name]);
}

// curves keeps one chart for each figure: train and validation of the same figure are in one.
function curves(shown, place, points) {
  const groups = new Map([["samples a second", ["samples_per_second"]]]);
  for (const name of new Set(points.flatMap((p) => Object.keys(p.metrics)))) {
    const key = name.replace(/^(train|val|test)_/, "");
    groups.set(key, [...(groups.get(key) ?? []), name].sort());
  }
  if (points.some((p) => p.phases)) groups.set("milliseconds of a step", ["compute", "wait", "reduce", "update"]);
  for (const [key, names] of groups) {
    const series = names.map((name) => ({ name: name.replaceAll("_", " "), points: points.map((p) => [p.step, figure(p, name)]).filter(([, v]) => v !== undefined) }));
    if (!shown.has(key)) {
      shown.set(key, chart(key, series));
      place.append(shown.get(key).root);
    } else shown.get(key).update(series);
  }
}

function membersOf(j) {
  if (!j.members.length) return null;
  const rows = j.members.map((m, i) => [el("span", {}, el("i", { class: "dot", style: `background: ${colors[i % colors.length]}` }), m.worker), m.address,
    m.segment_to > m.segment_from ? `${m.segment_from} to ${m.segment_to - 1}` : "none", m.speed ? `${number(m.speed)} / s` : "–"]);
  return table(["Worker", "Address", "Segments", "Micro-batches"], rows);
}

// redraw replaces what is shown, and leaves open what the reader has opened.
function redraw(place, ...content) {
  const open = new Set([...place.querySelectorAll("details[open] > summary")].map((s) => s.textContent));
  place.replaceChildren(...content);
  for (const s of place.querySelectorAll("details > summary")) s.parentElement.open = open.has(s.textContent);
}

function historyOf(j) {
  if (!j.history.length) return null;
  return table(["Generation", "Formed", "Workers", "Why"], j.history.toReversed().slice(0, 8).map((g) => [g.number, clock(g.formed),
    g.workers, el("td", { class: "long" }, g.parks ? `${g.cause} (to store the state)` : g.cause)]));
}

function checkpointsOf(j) {
  const rows = [...j.checkpoints].reverse().map((c) => [el("code", {}, c.id), number(c.step), c.epoch, bytes(c.size), ago(c.created),
    el("td", { class: "long" }, el("code", {}, c.root))]);
  return card("Checkpoints", rows.length ? table(["Id", "Step", "Epoch", "Size", "Age", "Digest"], rows) : el("p", { class: "soft" }, "none yet"));
}

function eventsOf(events) {
  const telling = events.filter((e) => !/progress|metric/.test(e.type)).slice(-50).reverse();
  return card("Events", table(["Time", "What", ""], telling.map((e) => [clock(e.time_ms), e.type.replace("lockstep.job.", ""),
    el("td", { class: e.type.endsWith("alert") ? "long alert" : "long" }, wordsOf(e.data))])));
}

function wordsOf(d) {
  return [d.state, d.state === "RUNNING" && d.phase?.toLowerCase(), d.checkpoint && `${d.checkpoint}, step ${d.step}`, d.workers > 0 && `${d.workers} workers`, d.reason]
    .filter(Boolean).join(" · ");
}

const specOf = (j) => card("", el("details", {}, el("summary", {}, "Specification"), el("pre", {}, JSON.stringify(j.spec, null, 2))));
