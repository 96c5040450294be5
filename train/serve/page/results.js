// One card for each way that is chosen: before and after under a slider, and the files to keep.

import { picture, translate } from "./asking.js";

// A card that waits for its turn; `photo` is {file, stem}, `title` what it becomes and by whom.
export class Result {
  constructor(photo, wish, title, article) {
    this.photo = photo;
    this.body = wish.article ? new Blob([photo.file, article]) : photo.file;
    this.wish = wish;
    this.title = title;
    this.card = document.querySelector("#result").content.firstElementChild.cloneNode(true);
    this.part("h3").replaceChildren(title.what, small(title.by));
    this.part(".stage > input").addEventListener("input", (event) => this.slide(event.target.value / 1000));
    this.part("[data-whole]").addEventListener("click", () => this.takeWhole());
    for (const button of this.card.querySelectorAll("[data-kind]")) {
      button.addEventListener("click", () => this.keep(button.dataset.kind));
    }
    this.slide(0.5);
  }

  part(selector) {
    return this.card.querySelector(selector);
  }

  slide(at) {
    this.part(".stage").style.setProperty("--at", `${100 * at}%`);
  }

  async draw() {
    this.card.classList.remove("failed");
    this.part(".told").hidden = true;
    this.part("[data-whole]").hidden = true;
    try {
      const made = await translate(this.body, this.wish);
      const [before, after] = [this.part(".before img"), this.part(".after")];
      [before.src, after.src] = [made.before, made.after];
      [before.alt, after.alt] = ["before", `after: ${this.title.what}`];
      await Promise.all([before.decode(), after.decode()]);
      this.frame(made.faces);
      this.card.classList.add("done");
    } catch (error) {
      this.tell(error.message);
      this.card.classList.add("failed");
      this.part("[data-whole]").hidden = Boolean(this.wish.whole) || !error.message.includes("no face");
    }
  }

  frame(faces) {
    this.part("svg").replaceChildren(...faces.map((face) => {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      ["x", "y", "width", "height"].forEach((name, at) => rect.setAttribute(name, face[at]));
      return rect;
    }));
  }

  async takeWhole() {
    this.wish = { ...this.wish, whole: true };
    await this.draw();
  }

  async keep(kind) {
    this.card.classList.add("again");
    try {
      const blob = await picture(this.body, this.wish, kind);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.photo.stem}-${this.title.file}.${kind}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      this.part(".told").hidden = true;
    } catch (error) {
      this.tell(error.message);
    }
    this.card.classList.remove("again");
  }

  tell(words) {
    const told = this.part(".told");
    told.textContent = words;
    told.hidden = false;
  }
}

function small(words) {
  const made = document.createElement("span");
  made.textContent = words;
  return made;
}
