"""Draws docs/images/dedup-quality.svg from docs/internals/dedup-quality.csv, and needs nothing but Python.

    python docs/plot.py

The picture follows the reader's light or dark theme. tests/architecture/test_docs.py fails when it is not what is
drawn here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parent
NUMBERS = DOCS / "internals/dedup-quality.csv"
PICTURE = DOCS / "images/dedup-quality.svg"

SETS = {
    "photos, aligned crops": "photos, aligned",
    "drawings, aligned crops": "drawings, aligned",
    "photos, whole": "photos, whole",
    "drawings, whole": "drawings, whole",
}
METHODS = ("imagededup", "curate")  # the last one lies on top
LOST = ("crop 5 %", "border 5 %")  # nobody finds these well in whole pictures: dashed
RADII = (2, 4, 6, 8, 10, 12)  # bits
SCARCE = 0.05  # of less recall, precision is that of a pair or two
PANEL = (150, 120)  # px
GAP = (28, 40)
LEFT, TOP = 66, 74

STYLE = """
text { font: 12px sans-serif; fill: #333 } .small { font-size: 11px; fill: #666 } .grid { stroke: #ddd }
path { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-opacity: .75 }
.curate { stroke: #1668b8 } .imagededup { stroke: #d1651a } .lost { stroke-dasharray: 4 3 }
.only { stroke: #888 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .small { fill: #aaa } .grid { stroke: #444 }
.curate { stroke: #6cb2f5 } .imagededup { stroke: #f0995a } }
"""

Curve = Sequence[tuple[int, float]]  # radius in bits, share


def curves(rows: Sequence[Mapping[str, str]], measure: str) -> Mapping[tuple[str, str, str], Curve]:
    """The points of each line, by set, kind of copy and method; without those that have no such share."""
    found: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for row in rows:
        known = row["precision"] and float(row["recall"]) >= SCARCE if measure == "precision" else True
        if row["by"] in METHODS and row["copies"] not in {"flip", "turn 90"} and known:
            points = found.setdefault((row["set"], row["copies"], row["by"]), [])
            points.append((int(row["radius"]), float(row[measure])))
    return found


def corner(column: int, line: int) -> tuple[int, int]:
    return LEFT + column * (PANEL[0] + GAP[0]), TOP + line * (PANEL[1] + GAP[1])


def place(radius: int, share: float, at: tuple[int, int]) -> str:
    """Where a point lies, in px from the left and from the top."""
    x = at[0] + (radius - RADII[0]) / (RADII[-1] - RADII[0]) * PANEL[0]
    return f"{x:.1f} {at[1] + (1 - share) * PANEL[1]:.1f}"


def axes(at: tuple[int, int], *, labelled: bool) -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        y = at[1] + (1 - share) * PANEL[1]
        yield f'<line class="grid" x1="{at[0]}" x2="{at[0] + PANEL[0]}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if labelled:
            yield f'<text class="small" x="{at[0] - 8}" y="{y + 4:.1f}" text-anchor="end">{share}</text>'
    for radius in RADII:
        x = place(radius, 0, at).split()[0]
        yield f'<text class="small" x="{x}" y="{at[1] + PANEL[1] + 15}" text-anchor="middle">{radius}</text>'


def legend() -> Iterator[str]:
    entries = [("curate", "curate"), ("imagededup", "imagededup, the hash alone")]
    entries.append(("lost only", "5 % cut off each side, or a border of 5 %"))
    x = LEFT
    for kind, words in entries:
        yield f'<path class="{kind}" d="M{x} 20H{x + 26}"/><text x="{x + 33}" y="24">{words}</text>'
        x += 64 + 6 * len(words)


def draw(rows: Sequence[Mapping[str, str]]) -> str:
    """The picture as SVG: precision above, recall below, a column for each set, a line for each kind of copy."""
    width, height = corner(len(SETS), 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    ]
    parts += [f"<title>Precision and recall of duplicates, by radius</title><style>{STYLE}</style>", *legend()]
    for line, measure in enumerate(("precision", "recall")):
        lines = curves(rows, measure)
        y = corner(0, line)[1] + PANEL[1] // 2
        parts.append(f'<text x="20" y="{y}" text-anchor="middle" transform="rotate(-90 20 {y})">{measure}</text>')
        for column, (name, title) in enumerate(SETS.items()):
            at = corner(column, line)
            if line == 0:
                parts.append(f'<text x="{at[0] + PANEL[0] / 2}" y="{at[1] - 14}" text-anchor="middle">{title}</text>')
            parts += axes(at, labelled=column == 0)
            for (of, copies, by), points in sorted(lines.items(), key=lambda item: METHODS.index(item[0][2])):
                if of == name:
                    kind = f"{by} lost" if copies in LOST and "whole" in name else by
                    path = "L".join(place(radius, share, at) for radius, share in points)
                    parts.append(f'<path class="{kind}" d="M{path}"><title>{by}, {copies}</title></path>')
    parts.append(f'<text x="{(LEFT + width) / 2}" y="{height - 2}" text-anchor="middle">radius, bits</text></svg>\n')
    return "\n".join(parts)


def picture() -> str:
    """What dedup-quality.svg should hold."""
    with NUMBERS.open(encoding="utf-8", newline="") as file:
        return draw(list(csv.DictReader(file)))


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
