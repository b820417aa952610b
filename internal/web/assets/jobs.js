// The list of jobs.
import { card, el, number, state, table } from "./lib.js";
import { ask, me } from "./session.js";

export function jobsPage() {
  const root = el("div");
  return { root, async draw() { root.replaceChildren(el("h1", {}, "Jobs"), list(await ask("/api/v1/jobs"))); } };
}

function list(jobs) {
  if (!jobs.length) {
    return card("", el("p", {}, "There are no jobs yet. ", me.may_change && [el("a", { href: "#/submit" }, "Submit one"), " or type ",
      el("code", {}, "lockstep job submit job.yaml"), "."]));
  }
  return card("", table(["Job", "State", "Step", "Epoch", "Workers", "Samples/s", "Loss", "Reason"], jobs.toReversed().map((j) => [
    el("a", { href: `#/job/${encodeURIComponent(j.id)}` }, j.id), state(j.state), number(j.step), number(j.epoch), j.workers,
    number(j.samples_per_second), number(j.metrics.val_loss ?? j.metrics.train_loss), el("td", { class: "long" }, j.reason)])));
}
