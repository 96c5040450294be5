"""The colours of the drawn world."""

from __future__ import annotations

from curate.pipeline.demo.drawing import Colour, colour, mix

SKIN: tuple[Colour, ...] = tuple(
    map(colour, ("#fbe0cd", "#f5cfb2", "#ecbd98", "#dfa67c", "#c98a5e", "#b57850", "#9c6445"))
)
HAIR: tuple[Colour, ...] = tuple(
    map(colour, ("#2b2426", "#47302a", "#6b4630", "#93532f", "#b8693a", "#d9b070", "#a9a6a8", "#7c4258"))
)
IRIS: tuple[Colour, ...] = tuple(map(colour, ("#4a3222", "#6b4a2b", "#3f6a4d", "#3d6f93", "#5b7480", "#2f2a2a")))
ORNAMENTS: tuple[Colour, ...] = tuple(map(colour, ("#e07a6b", "#f3e3c8", "#6c8fc4", "#e3b04b", "#c95d86")))
LIPS: tuple[Colour, ...] = tuple(map(colour, ("#c7635f", "#b84e57", "#d07a70", "#a8504c")))
CLOTHES: tuple[Colour, ...] = tuple(
    map(
        colour,
        ("#e8e2d6", "#2f3e55", "#c9574a", "#4f7d6b", "#e3b04b", "#7b8fb8", "#3b3a3f", "#d99aa0", "#5c4a72", "#9db8a2"),
    )
)
# Each backdrop takes one row: light, middle, dark, accent.
BACKDROPS: tuple[tuple[Colour, Colour, Colour, Colour], ...] = tuple(
    (colour(a), colour(b), colour(c), colour(d))
    for a, b, c, d in (
        ("#f6efe6", "#e4d3c0", "#c3a88f", "#d98f6c"),
        ("#e6f0f2", "#b9d3da", "#7fa5b3", "#f0c987"),
        ("#eef1e6", "#c5d3b4", "#8aa27b", "#e8b796"),
        ("#f5e6ea", "#e3bcc8", "#b98799", "#8fa6c8"),
        ("#e9e7f4", "#c1bbdf", "#8b84b5", "#f2b8a0"),
        ("#fbf0d9", "#f0d49a", "#cf9f5d", "#7ba39a"),
        ("#dfe6ee", "#93a9c2", "#4c6483", "#eab77a"),
        ("#e0ece7", "#8fb9a8", "#4d8072", "#f4d9a8"),
    )
)
ANIME_HAIR: tuple[Colour, ...] = tuple(
    map(
        colour,
        ("#3d3550", "#7a4a3a", "#f0c766", "#f29ab0", "#8fc3e8", "#b79be0", "#e8734f", "#7fcdb0", "#d9d6e3", "#5a6fb5"),
    )
)
ANIME_IRIS: tuple[Colour, ...] = tuple(
    map(colour, ("#3f7fd0", "#8a4fc0", "#2f9a78", "#c4553f", "#a8702a", "#d0588f", "#3a9fb0"))
)
ANIME_SKIN: tuple[Colour, ...] = tuple(map(colour, ("#ffe9dc", "#fde0cd", "#f8d2b8", "#e9b994")))
GARMENT: tuple[tuple[str, Colour], ...] = tuple(
    (name, colour(code))
    for name, code in (
        ("cream", "#efe4cc"), ("navy", "#2d3f63"), ("coral", "#e0705c"), ("forest", "#3f7058"), ("mustard", "#dfa93f"),
        ("sky", "#7fb2d6"), ("charcoal", "#45454c"), ("rose", "#dd8fa0"), ("lavender", "#9c8cc4"), ("mint", "#8cc7ae"),
        ("brick", "#a94a3c"), ("teal", "#2f7f86"),
    )
)  # fmt: skip


def ink(tone: Colour) -> Colour:
    """The colour of the outline around `tone`."""
    return mix(mix(tone, (0.16, 0.08, 0.16), 0.78), (0.1, 0.05, 0.1), 0.2)
