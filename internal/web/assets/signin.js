// The dialog that asks for a token.
import { el } from "./lib.js";

// askToken shows the dialog, with what was wrong so far, until check finds nothing wrong with a token.
export function askToken(problem, check) {
  return new Promise((resolve) => {
    const wrong = el("p", { class: "error", role: "alert" }, problem);
    const text = el("input", { type: "password", name: "token", "aria-label": "token", autocomplete: "current-password", spellcheck: "false", placeholder: "lockstep_…", required: true });
    const submit = el("button", { type: "submit" }, "Sign in");
    const form = el("form", { onsubmit: async (e) => {
      e.preventDefault();
      submit.disabled = true;
      wrong.textContent = await check(text.value.trim()).catch((e) => `the coordinator does not answer: ${e.message}`);
      submit.disabled = false;
      if (wrong.textContent) return text.select();
      dialog.remove();
      resolve();
    } }, el("h2", { id: "sign-in" }, "Sign in"),
    el("p", {}, `The coordinator at ${location.host} asks who you are. Paste a token, or come with a certificate in your browser.`),
    el("div", { class: "bar" }, text, submit), wrong,
    el("p", { class: "soft" }, "An administrator makes tokens: ", el("code", {}, "lockstep token create NAME --role reader"), ". It is kept until this tab is closed."));
    const dialog = el("dialog", { "aria-labelledby": "sign-in", oncancel: (e) => e.preventDefault(), onclose: () => dialog.showModal() }, form);
    document.body.append(dialog);
    dialog.showModal();
    text.focus();
  });
}
