// What the page asks of its server.

export async function ask(path) {
  return (await asked(path)).json();
}

// The photo, translated: two pictures to look at, and where the face is.
export async function translate(photo, wish) {
  return (await asked(address("translate", wish), { method: "POST", body: photo })).json();
}

// The photo, translated, as a file.
export async function picture(photo, wish, kind) {
  return (await asked(address(`picture/${kind}`, wish), { method: "POST", body: photo })).blob();
}

function address(path, wish) {
  return `${path}?${new URLSearchParams(wish)}`;
}

async function asked(path, how = {}) {
  const response = await fetch(path, how).catch(() => {
    throw new Error("the server does not answer: start curate serve again, and open the address that it prints");
  });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({ error: `the server answers ${response.status}` }));
  throw new Error([told.error, told.hint].filter(Boolean).join(": "));
}
