"""Draws the plots of docs/images from the measured numbers in docs/internals/*.csv, and needs nothing but Python.

    python docs/plot.py

Pictures follow the reader's light or dark theme. tests/architecture/test_docs.py fails when they are not what is drawn
here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parent

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
.title { font-weight: bold }
path { stroke-width: 1.6; stroke-linejoin: round; stroke-opacity: .75 }
.curate { stroke: #1668b8; fill: #1668b8 } .imagededup, .others { stroke: #d1651a; fill: #d1651a }
.third { stroke: #8a56c2; fill: #8a56c2 } .fourth { stroke: #2f8f4e; fill: #2f8f4e }
path.lost { stroke-dasharray: 4 3 } .only { stroke: #888 }
path { fill: none !important } circle, rect { stroke: none !important }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .small { fill: #aaa } .grid { stroke: #444 }
.curate { stroke: #6cb2f5; fill: #6cb2f5 } .imagededup, .others { stroke: #f0995a; fill: #f0995a }
.third { stroke: #b794e6; fill: #b794e6 } .fourth { stroke: #6fcf8e; fill: #6fcf8e } }
"""

Rows = Sequence[Mapping[str, str]]
Curve = Sequence[tuple[int, float]]  # radius in bits, share


def curves(rows: Rows, measure: str) -> Mapping[tuple[str, str, str], Curve]:
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


def svg(title: str, width: float, height: float, parts: Iterator[str]) -> str:
    """A whole file: `parts` on a canvas of that size."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<title>{title}</title><style>{STYLE}</style>'
    return "\n".join([head, *parts, "</svg>\n"])


def quality(rows: Rows) -> Iterator[str]:
    """Precision above, recall below, a column for each set, a line for each kind of copy."""
    width, height = corner(len(SETS), 2)
    yield from legend()
    for line, measure in enumerate(("precision", "recall")):
        lines = curves(rows, measure)
        y = corner(0, line)[1] + PANEL[1] // 2
        yield f'<text x="20" y="{y}" text-anchor="middle" transform="rotate(-90 20 {y})">{measure}</text>'
        for column, (name, title) in enumerate(SETS.items()):
            at = corner(column, line)
            if line == 0:
                yield f'<text x="{at[0] + PANEL[0] / 2}" y="{at[1] - 14}" text-anchor="middle">{title}</text>'
            yield from axes(at, labelled=column == 0)
            for (of, copies, by), points in sorted(lines.items(), key=lambda item: METHODS.index(item[0][2])):
                if of == name:
                    kind = f"{by} lost" if copies in LOST and "whole" in name else by
                    path = "L".join(place(radius, share, at) for radius, share in points)
                    yield f'<path class="{kind}" d="M{path}"><title>{by}, {copies}</title></path>'
    yield f'<text x="{(LEFT + width) / 2}" y="{height - 2}" text-anchor="middle">radius, bits</text>'


LABELS, BARS, BAR = 260, 350, 18  # px: where bars begin, their longest, one with the space below it
TITLE = 34  # px above the bars of a panel


def panels(rows: Rows) -> Mapping[str, Rows]:
    """The rows of each panel, in order."""
    return {name: [row for row in rows if row["panel"] == name] for name in dict.fromkeys(r["panel"] for r in rows)}


def bars(rows: Rows) -> Iterator[str]:
    """A bar for each row, all of a panel from zero on the same scale, with its number."""
    y = 0
    for title, shown in panels(rows).items():
        yield f'<text class="title" x="0" y="{y + TITLE - 10}">{title}</text>'
        y += TITLE
        longest = max(float(row["value"]) for row in shown)
        for row in shown:
            length = max(1.0, float(row["value"]) / longest * BARS)
            yield f'<text x="{LABELS - 8}" y="{y + 12}" text-anchor="end">{row["row"]}</text>'
            yield f'<rect class="{row["by"]}" x="{LABELS}" y="{y + 1}" width="{length:.1f}" height="{BAR - 5}"/>'
            yield f'<text class="small" x="{LABELS + length + 6:.1f}" y="{y + 12}">{row["value"]}</text>'
            y += BAR


def bars_size(rows: Rows) -> tuple[int, int]:
    return LABELS + BARS + 50, len(panels(rows)) * TITLE + len(rows) * BAR + 6


GROWTH, GROWTH_GAP = (250, 190), 70  # px: a panel; from one to the next
DECADES = {"CPU seconds": (-2, 2), "peak memory, MiB": (1, 3)}  # powers of ten
SEARCHES = {
    "curate": "curate",
    "curate, hashes that lean": "curate lost",
    "faiss IndexBinaryFlat": "others",
    "pybktree": "third",
    "imagededup": "fourth",
}


def growth(rows: Rows) -> Iterator[str]:
    """A panel for each measure, both axes by powers of ten, a line with its points for each search."""
    x = 44
    for name, kind in SEARCHES.items():
        yield f'<path class="{kind}" d="M{x} 10H{x + 22}"/><text class="small" x="{x + 28}" y="14">{name}</text>'
        x += 44 + round(5.4 * len(name))
    for column, (title, shown) in enumerate(panels(rows).items()):
        left, top, (low, high) = 44 + column * (GROWTH[0] + GROWTH_GAP), 56, DECADES[title]
        yield f'<text class="title" x="{left}" y="42">{title}</text>'
        for power in range(low, high + 1):
            y = top + (high - power) / (high - low) * GROWTH[1]
            yield f'<line class="grid" x1="{left}" x2="{left + GROWTH[0]}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="small" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        for n, hashes in enumerate(("10,000", "100,000", "1,000,000")):
            at = f'x="{left + 8 + n * (GROWTH[0] - 16) / 2:.1f}" y="{top + GROWTH[1] + 18}"'
            yield f'<text class="small" {at} text-anchor="middle">{hashes}</text>'
        for name, kind in SEARCHES.items():
            points = [
                (
                    left + 8 + (math.log10(float(row["row"])) - 4) / 2 * (GROWTH[0] - 16),
                    top + (high - math.log10(float(row["value"]))) / (high - low) * GROWTH[1],
                )
                for row in shown
                if row["by"] == name
            ]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            yield f'<path class="{kind}" d="M{path}"><title>{name}</title></path>'
            yield from (f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points)
    yield f'<text x="{44 + GROWTH[0] + GROWTH_GAP / 2}" y="{56 + GROWTH[1] + 38}" text-anchor="middle">hashes</text>'


def numbers(name: str) -> Rows:
    with (DOCS / f"internals/{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pictures() -> Mapping[str, str]:
    """What each picture of docs/images that is drawn here should hold, by its name."""
    copies = numbers("dedup-quality")
    made = {
        "dedup-quality.svg": svg(
            "Precision and recall of duplicates, by radius", *corner(len(SETS), 2), quality(copies)
        )
    }
    measured = numbers("benchmarks")
    for name in dict.fromkeys(row["figure"] for row in measured):
        rows = [row for row in measured if row["figure"] == name]
        if name == "dedup-growth":
            size = (44 + 2 * GROWTH[0] + GROWTH_GAP + 60, 56 + GROWTH[1] + 44)
            made[f"{name}.svg"] = svg("Searches among hashes: time and memory", *size, growth(rows))
        else:
            made[f"{name}.svg"] = svg("Measured beside other programs", *bars_size(rows), bars(rows))
    return made


if __name__ == "__main__":
    for name, text in pictures().items():
        (DOCS / "images" / name).write_text(text, "utf-8")
