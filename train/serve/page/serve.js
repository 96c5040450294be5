// The page: a photo comes in, and becomes what is chosen.

import { ask } from "./asking.js";
import { shoot } from "./camera.js";
import { Result } from "./results.js";

const find = (selector) => document.querySelector(selector);

let start; // what the server offers
let photo = null; // {file, stem}
let article = null; // a file, for what is worn
let round = 0; // of translating: what belongs to an earlier one is left
const chosen = new Set(); // numbers of ways
const members = new Set([0]);

async function begin() {
  start = await ask("start");
  start.ways.forEach((way, number) => find("#choices").append(pill(label(way), chosen, number, way.name)));
  choose(chosen, Math.max(start.ways.findIndex((way) => !way.wears), 0), true); // what needs nothing but a photo
  const count = Math.max(...start.ways.map((way) => way.members));
  for (let member = 0; member < count; member += 1) find("#members").append(pill(String(member), members, member));
  find("#demo").hidden = !start.samples.length;
  find("#samples").hidden = !start.samples.length;
  find("#drawn").replaceChildren(...start.samples.map(sample));
  press();
}

function label(way) {
  return `${way.source} → ${way.target}`;
}

// A button that is in or out of `group`.
function pill(words, group, value, by = "") {
  const made = document.createElement("button");
  made.append(words);
  if (by) {
    const note = document.createElement("small");
    note.textContent = by;
    made.append(note);
  }
  made.addEventListener("click", () => {
    choose(group, value, !group.has(value));
    press();
    draw();
  });
  made.dataset.value = value;
  return made;
}

function choose(group, value, wanted) {
  if (wanted) group.add(value);
  else if (group.size > 1) group.delete(value); // one at least
}

function press() {
  for (const [place, group] of [["#choices", chosen], ["#members", members]]) {
    for (const made of find(place).children) made.setAttribute("aria-pressed", group.has(Number(made.dataset.value)));
  }
  find("#wear").hidden = ![...chosen].some((number) => start.ways[number].wears);
  find("#council").hidden = ![...chosen].some((number) => start.ways[number].members);
}

function sample(name) {
  const [made, image] = [document.createElement("button"), new Image()];
  image.src = `sample/${name}`;
  image.alt = name;
  made.append(image);
  made.addEventListener("click", async () => {
    const [domain] = name.split("-");
    const fitting = start.ways.flatMap((way, number) => (way.source === domain ? [number] : []));
    if (fitting.length) chosen.clear();
    for (const number of fitting) choose(chosen, number, true);
    press();
    await take(await (await fetch(image.src)).blob(), name);
  });
  return made;
}

async function take(file, name) {
  if (!file) return;
  if (file.size > start.limits.bytes) {
    tell(`${(file.size / 1e6).toFixed(0)} MB are too much: ${(start.limits.bytes / 1e6).toFixed(0)} MB are the most`);
    return;
  }
  tell("");
  photo = { file, stem: name.replace(/\.[^.]*$/, "") || "photo" };
  const preview = find("#chosen");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  preview.onerror = () => { preview.hidden = true; }; // HEIC, say, which the server reads and the browser does not
  find("#photo").classList.add("chosen");
  await draw();
}

// Every way that is chosen, one after the other.
async function draw() {
  if (!photo) return;
  round += 1;
  const mine = round;
  const results = wishes().map(([wish, title]) => new Result(photo, wish, title, article));
  find("#results").replaceChildren(...results.map((one) => one.card));
  for (const one of results) {
    if (mine !== round) return;
    await one.draw();
  }
  document.body.dataset.drawn = round;
}

function wishes() {
  return [...chosen].sort((a, b) => a - b).flatMap((number) => {
    const way = start.ways[number];
    const title = { what: label(way), by: `${way.name} · ${way.system}`, file: way.target.replaceAll(" ", "-") };
    if (way.wears) return [[{ way: number, article: article?.size ?? 0 }, title]];
    const wish = { way: number, every: find("#every").checked };
    if (!way.members) return [[wish, title]];
    return inside(way).map(([member, style]) => {
      const by = `${title.by} · member ${member}, style ${style}`;
      return [{ ...wish, member, style }, { ...title, by, file: `${way.target}-${member}-${style}` }];
    });
  });
}

function inside(way) {
  const whole = (selector, most) => Math.min(Math.max(Math.trunc(Number(find(selector).value)) || 0, 0), most);
  const [first, count] = [whole("#style", 999_999), Math.max(whole("#styles", 6), 1)];
  const who = [...members].filter((member) => member < way.members).sort((a, b) => a - b);
  return who.flatMap((member) => Array.from({ length: count }, (_, more) => [member, first + more]));
}

function tell(words) {
  find("#wrong").textContent = words;
  find("#wrong").hidden = !words;
}

// What is to be worn.
async function wear(file) {
  article = file;
  const preview = find("#article");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  await draw();
}

async function camera() {
  try {
    await take(await shoot(), "camera");
  } catch (error) {
    tell(error.message);
  }
}

const place = find("#photo");
find("#choose").addEventListener("click", () => find("#file").click());
find("#file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) take(file, file.name);
  event.target.value = "";
});
find("#choose-article").addEventListener("click", () => find("#article-file").click());
find("#article-file").addEventListener("change", (event) => event.target.files[0] && wear(event.target.files[0]));
find("#camera").addEventListener("click", camera);
for (const one of ["#style", "#styles", "#every"]) find(one).addEventListener("change", draw);
addEventListener("dragover", (event) => {
  event.preventDefault();
  place.classList.add("over");
});
addEventListener("dragleave", (event) => event.relatedTarget || place.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  place.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && event.target.closest?.("#wear")) wear(file);
  else if (file) take(file, file.name);
});
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) take(file, file.name);
});
begin().catch((error) => tell(error.message));
