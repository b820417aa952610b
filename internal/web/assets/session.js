// Who reads the page, and its requests to the coordinator. A token lives as long as the tab, and goes nowhere but there.
import { askToken } from "./signin.js";

const KEY = "lockstep-token";
let token = sessionStorage.getItem(KEY) ?? "";

// me is the reader, as /api/v1/whoami tells it.
export let me = {};
export const hasToken = () => token !== "";

const withToken = (headers) => (token ? { ...headers, Authorization: `Bearer ${token}` } : headers);

async function whoami() {
  const r = await fetch("/api/v1/whoami", { headers: withToken({}), cache: "no-store" });
  if (!r.ok) throw new Error((await r.text()).trim() || r.statusText);
  me = await r.json();
  return me;
}

// check tries a token, and returns what is wrong with it.
async function check(text) {
  token = text;
  const { may_read: may, problem } = await whoami();
  if (may) sessionStorage.setItem(KEY, token);
  return may ? "" : problem ?? "the coordinator did not take the token";
}

let entering = null;

// enter finds out who reads the page, and asks for a token until that is somebody who may. Many may wait for it. The
// event "entered" tells of another reader.
export const enter = () => (entering ??= identify().finally(() => { entering = null; }));

async function identify() {
  const before = JSON.stringify(me);
  const { may_read: may, problem } = await whoami();
  if (!may) await askToken(problem ?? "", check);
  if (JSON.stringify(me) !== before) dispatchEvent(new Event("entered"));
}

// leave forgets the token, and all that the page has shown.
export function leave() {
  sessionStorage.removeItem(KEY);
  location.reload();
}

// request fetches, again after the reader has signed in if that is asked for.
async function request(path, options = {}) {
  for (;;) {
    const r = await fetch(path, { ...options, headers: withToken(options.headers ?? {}) });
    if (r.ok) return r;
    if (r.status !== 401) throw new Error((await r.text()).trim() || r.statusText);
    await enter();
  }
}

// ask returns the coordinator's answer as an object; an error has its text.
export const ask = async (path, options) => (await request(path, options)).json();

// listen calls heard with the data of each server-sent event, and opened once the stream is there, until the stream ends.
// (EventSource cannot show a token.)
export async function listen(path, opened, heard) {
  const reader = (await request(path, { cache: "no-store" })).body.pipeThrough(new TextDecoderStream()).getReader();
  opened();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const e of events) heard(e.replace(/^data: /, ""));
  }
}
