// The generations of a job on the time line: as high as the workers they had.
import { clock, colors, el, svg } from "./lib.js";

const W = 1100, H = 90;

export function timeline(j, events) {
  const spans = spansOf(events.filter((e) => e.type === "lockstep.job.state"));
  if (!spans.length) return el("p", { class: "soft" }, "none yet");
  const over = ["SUCCEEDED", "FAILED", "CANCELLED"].includes(j.state);
  const begin = spans[0].from, end = over ? new Date(j.finished).getTime() : Date.now();
  const most = Math.max(...spans.map((s) => s.workers), 1), x = (t) => (t - begin) / Math.max(1, end - begin) * W;
  return svg("svg", { viewBox: `0 0 ${W} ${H + 18}`, width: "100%", role: "img", "aria-label": `${spans.length} generations` },
    spans.map((s, i) => svg("rect", { x: x(s.from), width: Math.max(2, x(Math.min(s.to ?? end, end)) - x(s.from) - 1), y: H - H * s.workers / most,
      height: Math.max(2, H * s.workers / most), fill: colors[i % colors.length], opacity: s.phase === "RUNNING" ? 0.8 : 0.3 },
    svg("title", {}, `generation ${s.generation}, ${s.phase.toLowerCase()}: ${s.workers} workers, from ${clock(s.from)}`))),
    svg("text", { x: 0, y: H + 14 }, clock(begin)), svg("text", { x: W, y: H + 14, "text-anchor": "end" }, over ? clock(end) : "now"));
}

// spansOf turns state events into times with the same members.
function spansOf(events) {
  const out = [];
  for (const e of events) {
    if (out.length) out.at(-1).to ??= e.time_ms;
    if (e.data.state === "RUNNING") {
      out.push({ from: e.time_ms, generation: e.data.generation, workers: e.data.workers, phase: e.data.phase ?? "" });
    }
  }
  return out;
}
