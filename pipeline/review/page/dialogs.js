// What a person is asked, and what the keys do.

import { node } from "./shown.js";

const find = (selector) => document.querySelector(selector);
const NAMES = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑" };

// What a person answers: words, or one of `choices`; "" for nothing.
export function choose(question, choices = null, first = "") {
  const dialog = find("#ask");
  find("#question").textContent = question;
  find("#words").hidden = Boolean(choices);
  find("#words").value = "";
  find("#choices").replaceChildren(...(choices ?? []).map((name) => {
    const made = node("button", name);
    made.value = `=${name}`;
    made.classList.toggle("main", name === first);
    return made;
  }));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const given = () => (dialog.returnValue === "yes" ? find("#words").value.trim() : dialog.returnValue.replace(/^=|^no$/, ""));
    dialog.addEventListener("close", () => resolve(given()), { once: true });
  });
}

// Fills the list of keys; `actions` are {name: [key, what it does]}.
export function explain(actions) {
  const told = Object.values(actions).filter(([key]) => key).map(([key, what]) => [NAMES[key] ?? key, what]);
  told.push(["1 to 9", "reject, with the reason below"], ["shift + arrow, shift + click", "grid: up to there"]);
  told.push(["ctrl + click", "grid: one more, or less"], ["ctrl + a", "grid: all that the filters show"]);
  const list = told.flatMap(([key, what]) => [node("dt", node("kbd", key)), node("dd", what)]);
  find("#keys").replaceChildren(...list);
}
