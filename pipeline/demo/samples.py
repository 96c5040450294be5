"""A few people of the drawn world, to try networks on where no photo is at hand; drawn-hair does well by them."""

from __future__ import annotations

import numpy as np

from curate.pipeline.demo import face, hair, portrait
from curate.pipeline.imaging import codec

SIDE = 480  # px
PEOPLE: tuple[tuple[int, hair.Length], ...] = ((131, "long"), (169, "long"), (172, "short"), (162, "short"))


def draw() -> dict[str, bytes]:
    """JPEG by name: long-1, long-2, short-1 and so on. None of them is in the set that the demo scrapes."""
    made: dict[str, bytes] = {}
    for seed, length in PEOPLE:
        rng = np.random.default_rng([81, seed])
        person = portrait.sample(rng, face.sample(rng), length, SIDE, SIDE)
        number = 1 + sum(name.startswith(length) for name in made)
        made[f"{length}-{number}"] = codec.encode_jpeg(person.draw(), 92)
    return made
