// The form above: what is looked at, and in which order.

import { node } from "./shown.js";

export const FIRST = { kind: "crops", domain: "", state: "open", reason: "ok", order: "doubt", low: "", high: "", find: "" };
const find = (selector) => document.querySelector(selector);

// Fills the form with what the set has, and shows what is asked for.
export function offer(form, query, kinds) {
  const { domains, reasons, states, keys } = kinds[query.kind];
  const count = (entries) => entries.map(([name, n]) => [name, `${name} (${n.toLocaleString("en")})`]);
  const refused = Object.entries(reasons).filter(([name]) => name !== "ok");
  const sum = (entries) => entries.reduce((total, [, n]) => total + n, 0);
  options(form, query, "kind", Object.keys(kinds).map((name) => [name, name]));
  options(form, query, "domain", [["", "all"], ...count(Object.entries(domains))]);
  options(form, query, "state", [["", "all"], ["open", "not yet"], ["decided", "by a person"], ...Object.keys(states).slice(1).map((s) => [s, s])]);
  options(form, query, "reason", [["", "anything"], ["ok", `trains (${(reasons.ok ?? 0).toLocaleString("en")})`],
    ...(refused.length ? [["refused", `refused (${sum(refused).toLocaleString("en")})`]] : []), ...count(refused)]);
  options(form, query, "order", keys.map((name) => [name, name.replaceAll("_", " ")]));
  for (const name of ["low", "high", "find"]) form.elements[name].value = query[name];
  const falls = ["doubt", "suspect"].includes(query.order) !== Boolean(query.reverse);
  find("#reverse").textContent = falls ? "highest first" : "lowest first";
  find("#one-cluster").hidden = !query.cluster;
  find("#place").hidden = query.kind !== "crops";
  find("#move").hidden = query.kind !== "crops" || Object.keys(domains).length < 2;
}

function options(form, query, name, entries) {
  const select = form.elements[name];
  select.replaceChildren(...entries.map(([value, text]) => {
    const option = node("option", text);
    option.value = value;
    return option;
  }));
  select.value = query[name];
}

// The buttons by which items are rejected.
export function offerReasons(why, reject) {
  find("#why").replaceChildren(...why.slice(0, 9).map((reason, at) => {
    const made = node("button", node("kbd", String(at + 1)), " ", reason);
    made.addEventListener("click", () => reject(reason));
    return made;
  }));
}

// What is said where the filters show nothing.
export function nothing(query) {
  const filtered = query.domain || query.find || query.low || query.high || query.cluster || query.reason !== "ok";
  find("#none").replaceChildren(
    node("h1", query.state === "open" ? "Nothing is left here." : "There is nothing of that kind."),
    node("p", filtered ? "The filters above show less than there is." : "What you decided counts from the next build on:"),
    ...(filtered ? [] : [node("p", node("code", "curate build"), " or ", node("code", "dvc repro"))]),
  );
}
