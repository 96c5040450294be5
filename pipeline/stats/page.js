"use strict";
document.documentElement.classList.add("js");

// A phone shows headings first: what stands below them opens at a touch.
if (matchMedia("(max-width: 600px)").matches)
  for (const folded of document.querySelectorAll("details.fold")) folded.open = false;

// And of what became of photos the first two; the others come at a touch.
if (matchMedia("(max-width: 600px)").matches)
  for (const changes of document.querySelectorAll(".changes")) {
    const hidden = changes.children.length - 2;
    if (hidden < 1) continue;
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.textContent = `${hidden} more photos`;
    more.addEventListener("click", () => { changes.classList.remove("few"); more.remove(); });
    changes.classList.add("few");
    changes.after(more);
  }

// A photo and what became of it lie over each other; the line between them follows the pointer, or the arrow keys.
for (const slider of document.querySelectorAll(".slider")) {
  const show = (percent) => {
    const at = Math.min(100, Math.max(0, percent));
    slider.style.setProperty("--x", at + "%");
    slider.setAttribute("aria-valuenow", Math.round(at));
  };
  const follow = (event) => {
    const box = slider.getBoundingClientRect();
    show(100 * (event.clientX - box.left) / box.width);
  };
  Object.entries({ tabindex: 0, role: "slider", "aria-label": "before and after", "aria-valuemin": 0, "aria-valuemax": 100 })
    .forEach(([name, value]) => slider.setAttribute(name, value));
  slider.addEventListener("pointermove", follow);
  slider.addEventListener("pointerdown", follow);
  slider.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -5, ArrowRight: 5, Home: -100, End: 100 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(Number(slider.getAttribute("aria-valuenow")) + move);
  });
  show(50);
}

// Every picture opens large, with what is known of it. All of that is text of strangers: it is only ever set as text.
const details = JSON.parse(document.getElementById("details").textContent);
const dialog = document.createElement("dialog");
document.body.append(dialog);
let opened = null;

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
};

// The file itself where the page still lies in its project, else the smaller copy that lies beside the page.
const photo = (one) => {
  const image = element("img", { src: one.src, width: one.width, height: one.height, alt: "" });
  const original = new Image();
  original.onload = () => { image.src = one.original; };
  original.src = one.original;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  Object.entries({ viewBox: "0 0 1000 1000", preserveAspectRatio: "none" }).forEach(([k, v]) => svg.setAttribute(k, v));
  const draw = (tag, attributes) => {
    const shape = document.createElementNS(svg.namespaceURI, tag);
    Object.entries(attributes).forEach(([k, v]) => shape.setAttribute(k, v));
    svg.append(shape);
  };
  if (one.box) draw("rect", { x: one.box[0], y: one.box[1], width: one.box[2], height: one.box[3] });
  for (let at = 0; at < one.points.length; at += 2)
    draw("line", { x1: one.points[at], y1: one.points[at + 1], x2: one.points[at], y2: one.points[at + 1] });
  return element("div", { class: "photo" }, image, svg);
};

const show = (link) => {
  const one = details[link.dataset.detail];
  opened = link;
  const facts = element("dl");
  for (const fact of one.facts) {
    const said = fact.href ? element("a", { href: fact.href, rel: "noreferrer" }, fact.text) : fact.text;
    facts.append(element("dt", {}, fact.name), element("dd", {}, said));
  }
  const told = element("div", { class: "told" }, element("h3", {}, one.title), element("p", { class: "state" }, one.fate.state));
  if (one.fate.because) told.append(element("p", {}, one.fate.because));
  if (one.fate.command) told.append(element("p", { class: "remedy" }, one.fate.change, element("code", {}, one.fate.command)));
  if (one.crop) told.append(element("img", { class: "cut", src: one.crop, alt: "what was cut from it" }));
  told.append(facts);
  const button = (label, sign, act) => {
    const made = element("button", { type: "button", "aria-label": label }, sign);
    made.addEventListener("click", act);
    return made;
  };
  const controls = element("div", { class: "controls" }, button("the one before", "‹", () => step(-1)),
    button("the next one", "›", () => step(1)), button("close", "×", () => dialog.close()));
  dialog.replaceChildren(controls, element("div", { class: "photos" }, ...one.photos.map(photo)), told);
  if (!dialog.open) dialog.showModal();
};

const step = (by) => {
  const links = [...opened.closest("section").querySelectorAll("[data-detail]")];
  const next = links[links.indexOf(opened) + by];
  if (next) show(next);
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-detail]");
  if (link && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    show(link);
  } else if (event.target === dialog) dialog.close();
});
document.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && dialog.open) step(by);
});
dialog.addEventListener("close", () => opened.focus());
