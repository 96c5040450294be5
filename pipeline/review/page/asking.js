// What the page asks of its server, and what it knows already of what comes next.

const AHEAD = 12; // items whose facts and pictures are there before they are asked for
const KEPT = 400; // items that are remembered

export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return answer(await reach(query ? `${path}?${query}` : path));
}

export async function tell(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return answer(await reach(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function reach(...what) {
  try {
    return await fetch(...what);
  } catch {
    throw new Error("nobody answers: is curate review still running? What was decided is written down");
  }
}

async function answer(response) {
  const told = await response.json().catch(() => ({ error: `the server answers ${response.status}` }));
  if (!response.ok) throw new Error([told.error, told.hint].filter(Boolean).join(": "));
  return told;
}

export function pictures(kind, id) {
  const parts = kind === "pairs" ? ["article", "human"] : ["crop"];
  return parts.map((part) => `picture/${kind}/${encodeURIComponent(id)}/${part}`);
}

// Facts and decoded pictures of items, by id: each is fetched once, those to come before they are asked for.
export class Ahead {
  constructor(kind) {
    this.kind = kind;
    this.known = new Map();
  }

  async item(id) {
    this.want([id]);
    const one = this.known.get(id);
    try {
      return { facts: await one.facts, pictures: await Promise.all(one.pictures) };
    } catch (error) {
      this.known.delete(id); // asked again next time
      throw error;
    }
  }

  forget(ids) {
    for (const id of ids) {
      const one = this.known.get(id);
      if (one) one.facts = null;
    }
  }

  want(ids) {
    const missing = ids.slice(0, AHEAD).filter((id) => !this.known.get(id)?.facts);
    if (!missing.length) return;
    const query = new URLSearchParams(missing.map((id) => ["ids", id]));
    const facts = reach(`facts/${this.kind}?${query}`).then(answer);
    facts.catch(() => {});
    missing.forEach((id, at) => {
      const own = facts.then((all) => all[at]);
      own.catch(() => {});
      const known = this.known.get(id)?.pictures ?? pictures(this.kind, id).map(decoded);
      this.known.delete(id);
      this.known.set(id, { facts: own, pictures: known });
    });
    for (const id of this.known.keys()) {
      if (this.known.size <= KEPT) break;
      this.known.delete(id);
    }
  }
}

// The picture at an address, decoded; null where there is none any more.
async function decoded(address) {
  const picture = new Image();
  picture.src = address;
  try {
    await picture.decode();
    return picture;
  } catch {
    return null;
  }
}
