// A form for a new job.
import { card, el } from "./lib.js";
import { ask, me } from "./session.js";

export function submitPage() {
  return me.may_change ? form() : { root: el("p", { class: "error" }, `${me.role}/${me.name} may not submit jobs: that takes the role user or admin`), async draw() {} };
}

function form() {
  const text = el("textarea", { "aria-label": "specification", spellcheck: "false", placeholder: "apiVersion: lockstep/v1\nkind: TrainJob\n..." });
  const wrong = el("div", { class: "error", role: "alert" });
  const file = el("input", { type: "file", "aria-label": "file", accept: ".yaml,.yml", onchange: async () => { text.value = await file.files[0].text(); } });
  const submit = el("button", { onclick: async () => {
    wrong.textContent = "";
    try {
      const j = await ask("/api/v1/jobs", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: text.value });
      location.hash = `#/job/${encodeURIComponent(j.id)}`;
    } catch (e) { wrong.textContent = e.message; }
  } }, "Submit");
  const root = el("div", {}, el("h1", {}, "Submit a job"), card("", el("div", { class: "bar" }, file, submit), text, wrong));
  return { root, async draw() {} };
}
