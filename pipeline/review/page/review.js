// The review page: what is looked at, what a key does, and that a decision is on the disk before the next picture.

import { Ahead, ask, tell } from "./asking.js";
import { choose, explain } from "./dialogs.js";
import { FIRST, nothing, offer, offerReasons } from "./filters.js";
import { Grid } from "./grid.js";
import { Pace, following } from "./pace.js";
import { Placing } from "./placing.js";
import { Shown, node } from "./shown.js";

const find = (selector) => document.querySelector(selector);
const form = find("#filters");

let start; // what the server says of the whole set
let query = { ...FIRST, reverse: "", cluster: "" };
let view = { kind: "", ids: [], letters: [], at: 0, selected: new Set(), places: new Map() };
let ahead = new Ahead("crops");
let mode = "single";
let anchor = 0;
let busy = null; // what is being done
const pace = new Pace();
const shown = new Shown(document);
const placing = new Placing(shown, placed);
const grid = new Grid(find("#grid"), find("#sheet"), chosen);

const ACTIONS = {
  keep: ["k", "keep", () => decide("keep")],
  reject: ["r", "reject, without a reason", () => decide("reject")],
  words: ["R", "reject, in words of your own", inWords],
  move: ["m", "move to another domain", toDomain],
  undo: ["u", "undo, as far back as you like", () => work(undone)],
  next: ["ArrowRight", "the next one, undecided", () => step(1)],
  back: ["ArrowLeft", "the one before", () => step(-1)],
  down: ["ArrowDown", "grid: a row down", () => step(mode === "grid" ? grid.columns : 1)],
  up: ["ArrowUp", "grid: a row up", () => step(mode === "grid" ? -grid.columns : -1)],
  photo: ["o", "the photo, with the face framed", () => find("#photo").disabled || photo()],
  place: ["f", "place the face: eyes and mouth by clicks, or a box", place],
  zoom: ["z", "zoom; the pointer moves it", () => find("#zoom").classList.toggle("on", shown.zoom())],
  grid: ["g", "grid, and back", () => change(mode === "grid" ? "single" : "grid")],
  open: ["Enter", "grid: the one that is framed, large", () => mode === "grid" && change("single")],
  cluster: ["c", "copies of this one", () => narrow({ cluster: query.cluster ? "" : current(), state: "", reason: "" })],
  clear: ["", "", () => narrow({ ...FIRST, kind: query.kind, cluster: "" })],
  reverse: ["", "", () => narrow({ reverse: query.reverse ? "" : "true" })],
  filters: ["", "", filters],
  help: ["?", "these keys", () => find("#help").showModal()],
};
const KEYS = Object.fromEntries(Object.entries(ACTIONS).map(([name, [key]]) => [key, name]));

async function begin() {
  start = await ask("start");
  query.kind = Object.keys(start.kinds)[0];
  const kept = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  for (const name of Object.keys(query)) if (kept[name] !== undefined) query[name] = kept[name];
  if (!start.kinds[query.kind]) query.kind = Object.keys(start.kinds)[0];
  mode = kept.mode === "grid" ? "grid" : "single";
  explain(ACTIONS);
  await load();
}

// The view that the filters ask for, from its beginning.
async function load() {
  const counts = start.kinds[query.kind];
  if (!counts.keys.includes(query.order)) query.order = counts.keys[0];
  offer(form, query, start.kinds);
  offerReasons(counts.why, (reason) => decide("reject", { reason }));
  const { ids, states } = await ask("view", Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")));
  const places = new Map(ids.map((id, at) => [id, at]));
  view = { kind: query.kind, ids, letters: [...states], at: 0, selected: new Set(), places };
  if (ahead.kind !== query.kind) ahead = new Ahead(query.kind);
  location.replace(`#${new URLSearchParams({ ...query, mode })}`);
  await draw();
}

async function narrow(wish) {
  Object.assign(query, wish);
  await load();
}

async function draw() {
  const empty = !view.ids.length;
  find("#none").hidden = !empty;
  find("#single").hidden = empty || mode === "grid";
  find("#grid").hidden = empty || mode !== "grid";
  find("#to-grid").firstChild.textContent = mode === "grid" ? "single " : "grid ";
  document.body.classList.toggle("whole", mode === "single");
  pace.show(view.letters);
  if (empty) {
    delete document.body.dataset.shown;
    return nothing(query);
  }
  if (mode === "grid") {
    grid.show(view);
    grid.reveal(view.at);
    document.body.dataset.shown = current();
    return undefined;
  }
  return single();
}

async function single() {
  const id = current();
  const at = view.at;
  const item = await ahead.item(id);
  if (id !== current() || mode !== "single") return; // somebody was faster
  placing.end();
  shown.show(item, view.letters[at], { cluster: () => ACTIONS.cluster[2]() });
  find("#photo").disabled = !item.facts.photos.some((one) => one.there);
  find("#place").disabled = !item.facts.photos[0]?.there;
  find("#photo").classList.toggle("on", shown.photo);
  find("#zoom").classList.remove("on");
  shown.stage.classList.remove("zoomed");
  document.body.dataset.shown = id;
  ahead.want(view.ids.slice(at + 1, at + 10));
}

function current() {
  return view.ids[view.at];
}

async function step(by, extend = false) {
  if (!view.ids.length) return;
  view.at = Math.min(Math.max(view.at + by, 0), view.ids.length - 1);
  if (mode === "grid") {
    select(extend ? anchor : view.at, view.at);
    grid.reveal(view.at);
    document.body.dataset.shown = current();
  } else {
    await single();
  }
}

function select(from, to) {
  anchor = from;
  view.selected.clear();
  if (from !== to) for (let at = Math.min(from, to); at <= Math.max(from, to); at += 1) view.selected.add(at);
  grid.draw();
}

// A tile was clicked: alone, up to it (shift), or one more or less (ctrl).
function chosen(at, how, event) {
  view.at = at;
  if (how === "open") return change("single");
  if (event.ctrlKey || event.metaKey) {
    if (!view.selected.size && anchor !== at) view.selected.add(anchor);
    view.selected[view.selected.has(at) ? "delete" : "add"](at);
    grid.draw();
    return undefined;
  }
  return select(event.shiftKey ? anchor : at, at);
}

// A key that comes before the next picture is there decides nothing: nobody has seen what it would decide on.
function decide(decision, more = {}) {
  const places = mode === "grid" && view.selected.size ? [...view.selected].sort((a, b) => a - b) : [view.at];
  const ids = places.map((at) => view.ids[at]).filter(Boolean);
  if (!busy && ids.length) work(() => decided(places, ids, decision, more));
}

async function decided(places, ids, decision, more) {
  const { states } = await tell(`decide/${query.kind}`, { ids, decision, ...more });
  pace.decided(ids.length);
  const what = { keep: "kept", reject: "rejected", move: `moved to ${more.domain}` }[decision];
  const whom = ids.length > 1 ? ids.length.toLocaleString("en") : ids[0].slice(0, 12);
  say(`${whom} ${what}${more.reason ? `: ${more.reason}` : ""}`);
  took(states);
  view.selected.clear();
  view.at = following(view.letters, places.at(-1));
  await draw();
}

// Does one thing after the other; what went wrong is said.
function work(task) {
  const mine = (busy ?? Promise.resolve()).then(task).catch((error) => say(error.message, true));
  busy = mine;
  document.body.setAttribute("aria-busy", "true");
  mine.then(() => {
    if (busy !== mine) return;
    busy = null;
    document.body.removeAttribute("aria-busy");
  });
}

function took(states) {
  for (const [id, letter] of Object.entries(states)) {
    const at = view.places.get(id);
    if (at !== undefined) view.letters[at] = letter;
  }
  ahead.forget(Object.keys(states));
}

async function undone() {
  const { states, count: taken } = await tell(`undo/${query.kind}`);
  took(states);
  pace.undone(taken);
  say(taken ? `${taken.toLocaleString("en")} taken back` : "there is nothing left to undo");
  const back = Object.keys(states).map((id) => view.places.get(id)).filter((at) => at !== undefined);
  if (taken && !back.length) return load(); // decided before this view was made
  if (back.length) view.at = Math.min(...back);
  return draw();
}

// A face is placed in the photo of the current crop; then comes the next one.
async function place() {
  if (mode !== "single" || query.kind !== "crops" || !shown.item?.facts.photos[0]?.there) return;
  shown.photo = true;
  shown.stage.classList.remove("zoomed");
  await single();
  placing.begin(shown.item);
}

function placed(states) {
  work(async () => {
    pace.decided(1);
    took(states);
    say("the face is placed: it is cut with the next curate crop, or dvc repro");
    photo(false);
    view.at = following(view.letters, view.at);
    await draw();
  });
}

async function toDomain() {
  const id = current();
  const own = (await ahead.item(id)).facts;
  const others = Object.keys(start.kinds[query.kind].domains).filter((name) => name !== own.domain);
  if (!others.length) return say("there is one domain alone", true);
  const domain = others.length === 1 ? others[0] : await choose("Into which domain?", others, own.voted);
  return domain && decide("move", { domain });
}

async function inWords() {
  const reason = await choose("Why is it rejected?");
  return reason && decide("reject", { reason });
}

async function change(to) {
  mode = to;
  location.replace(`#${new URLSearchParams({ ...query, mode })}`);
  await draw();
}

function photo(wanted = !shown.photo) {
  shown.photo = wanted;
  find("#photo").classList.toggle("on", shown.photo);
  if (mode === "single" && shown.item) shown.draw();
}

function filters() {
  const open = document.body.classList.toggle("filtering");
  find("#to-filters").setAttribute("aria-expanded", String(open));
}

function say(text, wrong = false) {
  find("#said").textContent = text;
  find("#said").classList.toggle("wrong", wrong);
}

addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, dialog")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    const name = { z: "undo", a: "all" }[event.key];
    if (!name || event.altKey) return;
    event.preventDefault();
    if (name === "undo") work(undone);
    else if (mode === "grid") select(0, view.ids.length - 1);
    return;
  }
  if (event.key === "Enter" && event.target.closest("button, a")) return; // which does what it says
  if (placing.active) return placing.key(event.key);
  const why = /^[1-9]$/.test(event.key) && start?.kinds[query.kind].why[Number(event.key) - 1];
  const name = KEYS[event.key];
  if (!why && !name) return;
  event.preventDefault();
  if (why) decide("reject", { reason: why });
  else if (event.shiftKey && event.key.startsWith("Arrow")) extend(name);
  else ACTIONS[name][2]();
});

function extend(name) {
  if (mode === "grid") step({ next: 1, back: -1, down: grid.columns, up: -grid.columns }[name], true);
}

addEventListener("click", (event) => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  if (name) ACTIONS[name][2]();
});

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  const { name, value } = event.target;
  event.target.blur(); // the keys are the page's again
  const wish = name === "kind" ? { ...FIRST, kind: value, cluster: "" } : { [name]: value };
  narrow(name === "order" ? { ...wish, low: "", high: "", reverse: "" } : wish).catch((error) => say(error.message, true));
});

begin().catch((error) => say(error.message, true));
