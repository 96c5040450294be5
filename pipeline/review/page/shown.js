// One item, large: its picture, or the photo that it was cut from, and what is known of it.

const STAMPS = { k: "kept", r: "rejected", m: "moved", p: "placed anew" };
const SVG = "http://www.w3.org/2000/svg";
const EYES = [[36, 42], [42, 48]];

export class Shown {
  constructor(root) {
    this.stage = root.querySelector("#stage");
    this.picture = root.querySelector("#picture");
    this.beside = root.querySelector("#beside");
    this.marks = root.querySelector("#marks");
    this.stamp = root.querySelector("#stamp");
    this.facts = root.querySelector("#facts");
    this.photo = false;
    this.pointer = [0.5, 0.5]; // shares of the stage
    this.stage.addEventListener("pointermove", (event) => this.pan(event));
  }

  // Puts the item on the stage; `pictures` are decoded already, so nothing flickers.
  show(item, letter, searched) {
    this.item = item;
    this.draw();
    this.mark(letter);
    this.tell(item.facts, searched);
  }

  draw() {
    const { facts, pictures } = this.item;
    const raw = this.photo && facts.photos[0]?.there && facts.photos[0];
    this.stage.classList.toggle("raw", Boolean(raw));
    this.put(this.picture, raw ? photo(facts.photos[0]) : pictures[0]?.src, facts.id);
    const second = raw ? facts.photos[1] && photo(facts.photos[1]) : pictures[1]?.src;
    this.beside.hidden = !second;
    if (second) this.put(this.beside, second, facts.id);
    const framed = Boolean(raw && facts.box && raw.width);
    this.marks.toggleAttribute("hidden", !framed);
    if (framed) this.outline(facts);
  }

  put(picture, address, name) {
    picture.alt = address ? name : "the file has gone";
    if (address) picture.src = address;
    else picture.removeAttribute("src");
  }

  outline({ box, landmarks, photos }) {
    this.marks.setAttribute("viewBox", `0 0 ${photos[0].width} ${photos[0].height}`);
    this.marks.removeAttribute("hidden");
    if (!box) return this.marks.replaceChildren();
    const [x, y, width, height] = box;
    const frame = element("rect", { x, y, width, height });
    const points = landmarks ? dots(landmarks, width / 90) : [];
    return this.marks.replaceChildren(frame, ...points);
  }

  mark(letter) {
    this.stamp.hidden = letter === "-";
    this.stamp.textContent = STAMPS[letter] ?? "";
    this.stamp.className = { k: "kept", r: "rejected", m: "moved", p: "placed" }[letter] ?? "";
  }

  // Zooms in where the pointer is, or out.
  zoom() {
    const zoomed = this.stage.classList.toggle("zoomed");
    if (zoomed) this.look();
    return zoomed;
  }

  pan(event) {
    const area = this.stage.getBoundingClientRect();
    this.pointer = [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
    const holds = this.stage.classList.contains("placing"); // else a click would hit no finer than without the zoom
    if (this.stage.classList.contains("zoomed") && !holds) this.look();
  }

  look() {
    const origin = this.pointer.map((share) => `${(share * 100).toFixed(1)}%`).join(" ");
    for (const one of [this.picture, this.beside, this.marks]) one.style.transformOrigin = origin;
  }

  tell(facts, { cluster }) {
    const list = document.createElement("dl");
    const add = (name, ...what) => what.some(Boolean) && list.append(node("dt", name), node("dd", ...what));
    add("domain", facts.domain, facts.voted && ` · looks like ${facts.voted}`);
    add("stages say", facts.reason === "ok" ? "trains" : facts.reason);
    if (facts.decision) {
      const { decision, reason, domain, by } = facts.decision;
      add("decided", [decision, domain && `to ${domain}`, reason && `“${reason}”`, `by ${by}`].filter(Boolean).join(" "));
    }
    for (const [name, value] of Object.entries(facts.numbers)) add(name.replaceAll("_", " "), String(value));
    if (facts.faces > 1) add("faces", `${facts.faces} in the photo`);
    if (facts.copies > 0) add(facts.product ? "alike" : "copies", button(`${facts.copies} more`, () => cluster(facts.id), "c"));
    if (facts.product) add("product", facts.product);
    for (const one of facts.photos) {
      add("title", one.title);
      add("by", one.creator);
      add("licence", one.license);
      if (one.width) add("photo", `${one.width} × ${one.height} px`);
      add("page", link(one.page));
    }
    add("id", node("code", facts.id));
    this.facts.replaceChildren(list);
  }
}

export function photo({ image }) {
  return `photo/${encodeURIComponent(image)}`;
}

export function node(name, ...children) {
  const made = document.createElement(name);
  made.append(...children.filter(Boolean));
  return made;
}

export function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function dots(flat, radius) {
  const points = [];
  for (let at = 0; at < flat.length; at += 2) {
    const eye = EYES.some(([from, to]) => at / 2 >= from && at / 2 < to);
    points.push(element("circle", { cx: flat[at] + 0.5, cy: flat[at + 1] + 0.5, r: radius, class: eye ? "eye" : "dot" }));
  }
  return points;
}

function button(text, action, key) {
  const made = node("button", text, " ", node("kbd", key));
  made.addEventListener("click", action);
  return made;
}

// A page of a stranger's: opened by a click alone, and told nothing of where the click was.
function link(address) {
  let host;
  try {
    host = new URL(address).hostname;
  } catch { // none, or one that only other programs take for an address
    return "";
  }
  const made = node("a", host);
  made.href = address;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}
