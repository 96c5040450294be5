"use strict";
document.documentElement.classList.add("js");

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
