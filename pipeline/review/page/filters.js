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
