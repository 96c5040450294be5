// How much is left, and how long that takes at the pace of the last decisions.

const find = (selector) => document.querySelector(selector);
const PAUSE = 60_000; // ms: longer between two decisions is no work
const LAST = 40; // decisions that the pace is taken from

export class Pace {
  constructor() {
    this.when = []; // ms
  }

  decided(count) {
    const now = Date.now();
    for (let n = 0; n < count; n += 1) this.when.push(now);
  }

  undone(count) {
    this.when.length = Math.max(this.when.length - count, 0);
  }

  show(letters) {
    const total = letters.length;
    const left = letters.reduce((sum, letter) => sum + (letter === "-"), 0);
    find("#left").textContent = `${left.toLocaleString("en")} left`;
    find("#done").style.width = `${total ? (100 * (total - left)) / total : 100}%`;
    const each = this.each();
    find("#pace").textContent = `of ${total.toLocaleString("en")}${each ? ` · ${told(each, left)}` : ""}`;
  }

  // ms for one, by the last decisions; 0 where that is too few.
  each() {
    const last = this.when.slice(-LAST);
    const gaps = last.slice(1).map((when, at) => when - last[at]).filter((gap) => gap < PAUSE);
    return gaps.length < 4 ? 0 : gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  }
}

function told(each, left) {
  const minutes = Math.ceil((left * each) / 60_000);
  const rest = minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
  return `${Math.round(60_000 / each).toLocaleString("en")} a minute · ${rest} to go`;
}

// The next undecided one; the first of all where none follows; where there is none, the next.
export function following(letters, at) {
  const after = letters.indexOf("-", at + 1);
  if (after >= 0) return after;
  const before = letters.indexOf("-");
  return before >= 0 ? before : Math.min(at + 1, letters.length - 1);
}
