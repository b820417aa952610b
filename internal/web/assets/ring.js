// The ring of a job's newest generation: one arc for each worker, as long as its part of the segments.
import { colors, number, svg } from "./lib.js";

const R = 84, C = 150;
const at = (turn, r) => [C + r * Math.sin(2 * Math.PI * turn), C - r * Math.cos(2 * Math.PI * turn)];

export function ring(j) {
  const parts = [];
  j.members.forEach((m, i) => {
    const from = m.segment_from / j.micro_batches, to = m.segment_to / j.micro_batches;
    parts.push(...arc(m, from, to, colors[i % colors.length]));
  });
  const label = j.members.length ? `${j.members.length} workers` : "no workers";
  return svg("svg", { class: "ring", viewBox: "-30 30 360 240", width: 360, role: "img", "aria-label": `ring of ${label}` }, parts,
    svg("text", { x: C, y: C - 4, "text-anchor": "middle" }, label),
    svg("text", { x: C, y: C + 12, "text-anchor": "middle" }, j.generation ? `generation ${j.generation}` : ""));
}

function arc(m, from, to, color) {
  const gap = to - from > 0.03 ? 0.006 : 0;
  const [x0, y0] = at(from + gap, R), [x1, y1] = at(Math.min(to - gap, from + 0.9999), R);
  const path = svg("path", { d: `M${x0} ${y0}A${R} ${R} 0 ${to - from > 0.5 ? 1 : 0} 1 ${x1} ${y1}`, style: `stroke: ${color}; stroke-width: 16` },
    svg("title", {}, `${m.worker}: segments ${m.segment_from} to ${m.segment_to - 1}${m.speed ? `, ${number(m.speed)} micro-batches a second` : ""}`));
  const [tx, ty] = at((from + to) / 2, R + 22);
  return [path, svg("text", { x: tx, y: ty, "text-anchor": tx > C + 30 ? "start" : tx < C - 30 ? "end" : "middle" }, m.worker.split("-").slice(0, 2).join("-"))];
}
