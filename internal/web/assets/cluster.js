// Coordinators and workers.
import { ago, card, el, number, table, tile } from "./lib.js";
import { ask } from "./session.js";

// behind is a coordinator's position in the log, and how far that is from what is committed.
function behind(c, x) {
  const lag = c.commit_index - x.applied_index;
  return lag > 0 ? `${x.applied_index} (${lag} behind)` : String(x.applied_index);
}

export function clusterPage() {
  const root = el("div");
  return { root, async draw() {
    const [c, workers] = await Promise.all([ask("/api/v1/cluster"), ask("/api/v1/workers")]);
    root.replaceChildren(el("h1", {}, "Cluster"),
      el("div", { class: "tiles" }, tile("leader", c.leader || "none"), tile("term", c.term), tile("committed", number(c.commit_index)),
        tile("workers", c.workers), tile("jobs running", c.jobs_running), tile("jobs waiting", c.jobs_pending)),
      card("Coordinators", table(["Id", "Role", "Log position", "Address", "Page"], c.coordinators.map((x) => [x.id,
        x.reachable ? x.role : el("span", { class: "alert" }, "does not answer"), x.reachable ? behind(c, x) : "–", x.address,
        x.http_address && el("a", { href: `${location.protocol}//${x.http_address}/#/cluster` }, x.http_address)]))),
      card("Workers", workers.length ? table(["Id", "State", "Address", "Cores", "Job", "Segments", "Micro-batches", "Age"], workers.map((w) => [w.id, w.state.toLowerCase(), w.address, w.cores,
        w.job ? el("a", { href: `#/job/${encodeURIComponent(w.job)}` }, w.job) : el("span", { class: "soft" }, "idle"), w.segments || "", w.speed ? `${number(w.speed)} / s` : "", ago(w.joined)]))
        : el("p", { class: "soft" }, "none; start one with the worker program")));
  } };
}
