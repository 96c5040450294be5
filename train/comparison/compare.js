"use strict";
// Blind votes: two runs' pictures of one photo, their order drawn, and a key for the better one. Kept in this browser
// after every key; a page that lies on a disk cannot write a file, so a person saves them as one.
(() => {
  const { page, runs } = JSON.parse(document.getElementById("page").textContent);
  const vote = document.getElementById("vote"), large = document.getElementById("large");
  const key = "curate-votes-" + page;
  let ballot = restored() || { page, voter: words(2).join("-"), runs, votes: [] };
  const questions = asked(ballot.voter);

  function words(count) {
    return Array.from(crypto.getRandomValues(new Uint32Array(count)), (n) => n.toString(36));
  }
  function restored() {
    try {
      const found = JSON.parse(localStorage.getItem(key));
      return found && found.page === page && Array.isArray(found.votes) ? found : null;
    } catch { return null; } // no storage, or not ours
  }
  function keep() {
    try { localStorage.setItem(key, JSON.stringify(ballot)); return true; } catch { return false; }
  }
  // Numbers in [0, 1) that follow from the voter's name, so that a page that is opened again asks in the same order.
  function drawn(text) {
    let state = 2166136261;
    for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let n = Math.imul(state ^ (state >>> 15), 1 | state);
      n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
      return ((n ^ (n >>> 14)) >>> 0) / 4294967296;
    };
  }
  function asked(voter) {
    const draw = drawn(voter), found = [];
    for (const card of document.querySelectorAll(".photo[data-photo]")) {
      const there = [...card.querySelectorAll("figure")].filter((f) => runs.includes(f.dataset.who) && f.querySelector("img"));
      for (let i = 0; i < there.length; i++) for (let j = i + 1; j < there.length; j++) {
        const [left, right] = draw() < 0.5 ? [there[i], there[j]] : [there[j], there[i]];
        found.push({ card, left, right });
      }
    }
    for (let i = found.length - 1; i > 0; i--) {
      const j = Math.floor(draw() * (i + 1));
      [found[i], found[j]] = [found[j], found[i]];
    }
    return found;
  }
  function show() {
    const done = ballot.votes.length, question = questions[done];
    const sides = vote.querySelectorAll("#choices button");
    document.getElementById("asked").replaceChildren();
    sides.forEach((side) => side.replaceChildren());
    document.getElementById("choices").hidden = !question;
    if (!question) {
      document.getElementById("state").textContent = `All ${questions.length} done: save your votes`;
      return;
    }
    document.getElementById("state").textContent = `Which is better? ${done + 1} of ${questions.length}`;
    for (const figure of question.card.querySelectorAll("figure"))
      if (figure.dataset.who.startsWith(" ")) document.getElementById("asked").append(figure.cloneNode(true));
    [question.left, question.right].forEach((figure, n) => {
      const picture = figure.querySelector("img").cloneNode();
      picture.alt = n ? "right" : "left"; // not the run's name
      sides[n].append(picture);
    });
  }
  function choose(choice) {
    const question = questions[ballot.votes.length];
    if (!question) return;
    ballot.votes.push({
      way: question.card.dataset.way, photo: question.card.dataset.photo,
      left: question.left.dataset.who, right: question.right.dataset.who, choice,
    });
    changed();
  }
  function undo() { ballot.votes.pop(); changed(); }
  function changed() {
    const kept = keep();
    show();
    if (!kept) document.getElementById("state").textContent += " (this browser keeps nothing: save before you leave)";
  }
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(ballot, null, 1) + "\n"], { type: "application/json" }));
    link.download = `votes-${ballot.voter}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    document.getElementById("state").textContent = `Saved as ${link.download}. Count it: curate compare --votes ${link.download}`;
  }
  function enlarge(card) {
    large.firstElementChild.replaceChildren(...[...card.querySelectorAll("figure")].map((figure) => figure.cloneNode(true)));
    large.showModal();
  }

  const begin = document.getElementById("begin");
  begin.hidden = !questions.length;
  begin.addEventListener("click", () => { show(); vote.showModal(); });
  document.getElementById("undo").addEventListener("click", undo);
  document.getElementById("save").addEventListener("click", save);
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-choice], [data-close], .photo[data-photo]");
    if (!target) return;
    if (target.dataset.choice) choose(target.dataset.choice);
    else if (target.dataset.close !== undefined) target.closest("dialog").close();
    else enlarge(target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!vote.open) {
      if (event.key === "Enter" && event.target.matches(".photo[data-photo]")) enlarge(event.target);
      return;
    }
    const choice = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "same" }[event.key];
    if (choice && !event.repeat) choose(choice);
    else if (event.key === "Backspace" || event.key === "u") undo();
    else return;
    event.preventDefault();
  });
})();
