// A face that was missed, or is wrong, placed by a person: eyes and mouth, or a box; it is cut at once.

import { tell } from "./asking.js";
import { element, node } from "./shown.js";

const ASKED = ["the left eye, as you see it", "the right eye", "the middle of the mouth"];
const DRAG = 8; // px of the screen: a shorter way is a click

export class Placing {
  constructor(shown, done) {
    this.shown = shown;
    this.done = done; // called with the letters that change
    this.panel = document.querySelector("#placing");
    this.item = null;
    const stage = shown.stage;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    stage.addEventListener("pointerup", (event) => this.up(event));
  }

  get active() {
    return Boolean(this.item);
  }

  // Asks for a face of the item, whose photo is on the stage.
  begin(item) {
    this.item = item;
    this.shown.stage.classList.add("placing");
    fetch(`prepare/${encodeURIComponent(item.facts.id)}`); // while the person clicks
    this.again();
  }

  again() {
    this.points = [];
    this.numbers = null;
    this.start = null;
    this.shown.outline({ photos: this.item.facts.photos });
    this.ask();
  }

  end() {
    if (!this.item) return;
    this.item = null;
    this.panel.hidden = true;
    this.shown.stage.classList.remove("placing", "zoomed");
  }

  ask() {
    const text = `Click ${ASKED[0]}, or drag a box around the face.`;
    this.panel.hidden = false;
    this.panel.replaceChildren(node("p", this.points.length ? `Click ${ASKED[this.points.length / 2]}.` : text), this.buttons(false));
  }

  buttons(ready) {
    const made = (name, key, action) => {
      const one = node("button", name, " ", node("kbd", key));
      one.addEventListener("click", action);
      return one;
    };
    const row = node("p", ready && made("take it", "Enter", () => this.take()), ready && made("again", "f", () => this.again()),
      made("zoom", "z", () => this.shown.zoom()), made("cancel", "Esc", () => this.cancel()));
    if (ready) row.firstChild.className = "main";
    return row;
  }

  cancel() {
    this.end();
    this.shown.draw();
  }

  key(key) {
    if (key === "Escape") this.cancel();
    else if (key === "z") this.shown.zoom();
    else if (key === "f") this.again();
    else if (key === "Enter" && this.numbers) this.take();
  }

  // Where on the photo the pointer is, in its px, index coordinates.
  where({ clientX, clientY }) {
    const { width, height } = this.item.facts.photos[0];
    const area = this.shown.picture.getBoundingClientRect();
    const scale = Math.min(area.width / width, area.height / height);
    const left = area.left + (area.width - width * scale) / 2;
    const top = area.top + (area.height - height * scale) / 2;
    const inside = (value, most) => Math.min(Math.max(value, -0.5), most - 0.5);
    return [inside((clientX - left) / scale - 0.5, width), inside((clientY - top) / scale - 0.5, height)];
  }

  down(event) {
    if (!this.active || this.numbers) return;
    event.preventDefault();
    this.start = { at: this.where(event), x: event.clientX, y: event.clientY };
    this.shown.stage.setPointerCapture(event.pointerId);
  }

  dragged(event) {
    return Math.hypot(event.clientX - this.start.x, event.clientY - this.start.y) >= DRAG && !this.points.length;
  }

  drag(event) {
    if (this.active && this.start && this.dragged(event)) this.draw(this.box(event));
  }

  box(event) {
    const [x, y] = this.where(event);
    const [left, top] = this.start.at;
    return [Math.min(x, left) + 0.5, Math.min(y, top) + 0.5, Math.abs(x - left), Math.abs(y - top)];
  }

  up(event) {
    if (!this.active || !this.start) return;
    const box = this.dragged(event) && this.box(event);
    const at = this.start.at;
    this.start = null;
    if (box) {
      this.cut(box);
    } else {
      this.points.push(...at);
      this.draw();
      if (this.points.length < 6) this.ask();
      else this.cut(this.points);
    }
  }

  draw(box = null) {
    const radius = this.item.facts.photos[0].width / 120;
    const dots = [];
    for (let at = 0; at < this.points.length; at += 2) {
      dots.push(element("circle", { cx: this.points[at] + 0.5, cy: this.points[at + 1] + 0.5, r: radius, class: "eye" }));
    }
    if (box) dots.push(element("rect", { x: box[0], y: box[1], width: box[2], height: box[3] }));
    this.shown.marks.replaceChildren(...dots);
  }

  async cut(numbers) {
    this.numbers = numbers;
    const item = this.item;
    this.panel.replaceChildren(node("p", "cutting ..."));
    try {
      const { picture, reason } = await tell(`cut/${encodeURIComponent(item.facts.id)}`, numbers);
      if (this.item !== item) return;
      const image = new Image();
      image.src = picture;
      image.alt = "the face, cut anew";
      const told = reason === "ok" ? "Cut anew." : `It would be refused: ${reason}.`;
      this.panel.replaceChildren(image, node("p", told), this.buttons(true));
    } catch (error) {
      this.failed(error);
    }
  }

  async take() {
    const { id } = this.item.facts;
    try {
      const { states } = await tell(`place/${encodeURIComponent(id)}`, this.numbers);
      this.end();
      this.done(states);
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error) {
    if (!this.active) return;
    this.again();
    this.panel.prepend(node("p", error.message));
    this.panel.firstChild.className = "wrong";
  }
}
