// The frame: which page is shown, and when it is drawn anew.
import { el } from "./lib.js";
import { ask, enter, hasToken, leave, listen, me } from "./session.js";
import { jobsPage } from "./jobs.js";
import { jobPage } from "./job.js";
import { comparePage } from "./compare.js";
import { clusterPage } from "./cluster.js";
import { submitPage } from "./submit.js";

const main = document.getElementById("main");
const link = document.getElementById("link");
let page = null; // has draw(), which shows what is new

// pages by the part of the address behind #.
function pageOf(hash) {
  const [, name, id] = hash.split("/");
  if (name === "job" && id) return jobPage(decodeURIComponent(id));
  return { compare: comparePage, cluster: clusterPage, submit: submitPage }[name]?.() ?? jobsPage();
}

function show() {
  page = pageOf(location.hash || "#/");
  main.replaceChildren(page.root);
  for (const a of document.querySelectorAll("nav a")) {
    if (a.getAttribute("href") === (location.hash || "#/")) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  draw();
}

let drawing = false, again = false;
const wrong = el("p", { class: "error" }); // is shown until there is something to see, such as a job that this coordinator does not know yet

// draw draws the page, one time after the other.
async function draw() {
  if (drawing) { again = true; return; }
  drawing = true;
  do {
    again = false;
    try {
      await page.draw();
      wrong.remove();
    } catch (e) {
      wrong.textContent = e.message;
      if (!page.root.firstChild) main.append(wrong);
    }
  } while (again);
  drawing = false;
}

let others = []; // addresses of the coordinators' pages

async function learn() {
  const c = await ask("/api/v1/cluster");
  others = c.coordinators.map((x) => x.http_address).filter((a) => a && a !== location.host);
  link.textContent = `${c.answered_by} · ${c.leader ? `leader ${c.leader}` : "no leader"}`;
}

// move goes to another coordinator's page, the same place in it, if one is ready.
async function move() {
  link.textContent = "this coordinator does not answer; looking for another";
  for (const host of others) {
    try {
      const r = await fetch(`${location.protocol}//${host}/readyz`, { signal: AbortSignal.timeout(2000) });
      if (r.ok) { location.href = `${location.protocol}//${host}/${location.hash}`; return; }
    } catch { /* the next one may */ }
  }
}

// pause lets a second pass.
const pause = () => new Promise((done) => { setTimeout(done, 1000); });

// follow draws at every change of the cluster's state, and looks for another coordinator when this one does not answer.
async function follow() {
  for (;;) {
    let open = false;
    try {
      await enter();
      await listen("/api/v1/changes", () => { open = true; }, () => { learn().catch(() => {}); draw(); });
    } catch { /* it is tried again */ }
    if (!open) await move();
    await pause();
  }
}

// greet shows what its reader may do, and who that is.
function greet() {
  document.querySelector('nav a[href="#/submit"]').hidden = !me.may_change;
  document.getElementById("who").replaceChildren(...(me.guarded ? [`${me.name} (${me.role}) `] : []),
    ...(hasToken() ? [el("button", { onclick: leave }, "Sign out")] : []));
}

addEventListener("hashchange", () => { if (page) show(); main.focus(); });
addEventListener("entered", () => { greet(); show(); });
follow();
