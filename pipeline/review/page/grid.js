// Thousands of small pictures, of which only those in sight exist.

import { pictures } from "./asking.js";

const LEAST = 146; // px, height of a tile; less on a phone
const SPARE = 2; // rows above and below what is seen
const CLASSES = { k: "kept", r: "rejected", m: "moved", p: "placed" };

export class Grid {
  constructor(element, sheet, chosen) {
    this.element = element;
    this.sheet = sheet;
    this.chosen = chosen; // called with the place of a tile and how it was clicked
    this.tiles = new Map();
    this.view = null;
    addEventListener("scroll", () => this.draw(), { passive: true });
    addEventListener("resize", () => this.draw());
    sheet.addEventListener("click", (event) => this.clicked(event, "click"));
    sheet.addEventListener("dblclick", (event) => this.clicked(event, "open"));
  }

  clicked(event, how) {
    const tile = event.target.closest(".tile");
    if (tile) this.chosen(Number(tile.dataset.at), how, event);
  }

  show(view) {
    this.view = view;
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.draw();
  }

  get columns() {
    return Math.max(1, Math.floor(this.sheet.clientWidth / (LEAST * (innerWidth < 700 ? 0.7 : 1) * this.shape)));
  }

  // How wide a tile is, in its heights: a pair shows two pictures.
  get shape() {
    return this.view?.kind === "pairs" ? 1.6 : 1;
  }

  get side() {
    const width = this.sheet.clientWidth / this.columns;
    return [width, width / this.shape];
  }

  draw() {
    if (this.element.hidden || !this.view) return;
    const { ids, letters } = this.view;
    const columns = this.columns;
    const [width, height] = this.side;
    this.sheet.style.height = `${Math.ceil(ids.length / columns) * height}px`;
    const top = this.sheet.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / height) - SPARE) * columns;
    const last = Math.min(ids.length, (Math.ceil((innerHeight - top) / height) + SPARE) * columns);
    for (const [at, tile] of this.tiles) {
      if (at < first || at >= last) {
        tile.remove();
        this.tiles.delete(at);
      }
    }
    for (let at = first; at < last; at += 1) {
      const tile = this.tiles.get(at) ?? this.tile(at, ids[at]);
      tile.style.transform = `translate(${(at % columns) * width}px, ${Math.floor(at / columns) * height}px)`;
      tile.style.width = `${width - 6}px`;
      tile.style.height = `${height - 6}px`;
      tile.className = `tile ${CLASSES[letters[at]] ?? ""}`;
      tile.classList.toggle("here", at === this.view.at);
      tile.classList.toggle("selected", this.view.selected.has(at));
    }
  }

  tile(at, id) {
    const tile = document.createElement("div");
    tile.dataset.at = at;
    tile.title = id;
    for (const address of pictures(this.view.kind, id)) {
      const picture = new Image();
      picture.src = address;
      picture.alt = id;
      picture.draggable = false;
      tile.append(picture);
    }
    this.tiles.set(at, tile);
    this.sheet.append(tile);
    return tile;
  }

  // Scrolls until the place is in sight below the bars.
  reveal(at) {
    const height = this.side[1];
    const top = this.sheet.getBoundingClientRect().top + Math.floor(at / this.columns) * height;
    const head = document.querySelector("#filters").getBoundingClientRect().bottom;
    const foot = document.querySelector("footer").getBoundingClientRect().top;
    if (top < head) scrollBy(0, top - head - 6);
    else if (top + height > foot) scrollBy(0, top + height - foot + 6);
    this.draw();
  }
}
