"""Histograms and curves as inline SVG: numbers in, markup out, no script and nothing to fetch.

Numbers beside them are HTML, which stays as large as the page's words, however small the drawing is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from curate.pipeline.pages import templates

BINS = 24
_WIDTH, _HEIGHT, _FLOOR = 240, 60, 58  # px of the view box; the axis stands on the floor


def histogram(
    kept: ArrayLike, refused: ArrayLike, low: float, high: float, label: str, limits: Sequence[float] = ()
) -> Markup:
    """Bars of the values that were `kept`, those `refused` on top of them, between `low` and `high`.

    Values outside count in the end bars. A dashed line stands at the median of what was kept, a whole one at each of
    `limits` that is between the two.
    """
    numbers, others = np.asarray(kept, np.float64), np.asarray(refused, np.float64)
    high = high if high > low else low + 1.0
    counts, more = (np.histogram(each.clip(low, high), BINS, (low, high))[0] for each in (numbers, others))
    tallest = max(int((counts + more).max()), 1)
    below: list[str] = []
    above: list[str] = []
    for i, (n, m) in enumerate(zip(counts.tolist(), more.tolist(), strict=True)):
        foot = _FLOOR
        for count, bars in ((n, below), (m, above)):
            height = max(count / tallest * (_FLOOR - 6), 1.0 if count else 0.0)
            foot -= height
            if height:
                bars.append(_bar(i, foot, height))

    def at(value: float) -> float:
        return (min(max(value, low), high) - low) / (high - low) * _WIDTH

    middle = at(float(np.median(numbers))) if numbers.size else None
    lines = "" if middle is None else _line("median", middle)
    lines += "".join(_line("limit", at(limit)) for limit in limits if low <= limit <= high)
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{templates.text(label)}">'
        f'<g class="bars">{"".join(below)}</g><g class="refused">{"".join(above)}</g>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_FLOOR}" y2="{_FLOOR}"/>{lines}'
        f'</svg><p class="ends"><span>{number(low)}</span><span>{number(high)}</span></p>'
    )


def _bar(place: int, top: float, height: float) -> str:
    step = _WIDTH / BINS
    return f'<rect x="{place * step + 0.5:.1f}" y="{top:.1f}" width="{step - 1:.1f}" height="{height:.1f}" rx="1"/>'


def _line(kind: str, x: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{_FLOOR}"/>'


def curves(lines: Mapping[str, tuple[Sequence[float], Sequence[float | None]]], label: str) -> Markup:
    """One line per name over its steps, scaled together; gaps where a value is None, a dot where there is one alone."""
    points = {
        name: [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
        for name, (steps, values) in lines.items()
    }
    known = [point for line in points.values() for point in line]
    if not known:
        return Markup("")
    width, height, top, floor = 360, 112, 5, 108
    low, high = min(0.0, *(v for _, v in known)), float(np.quantile([v for _, v in known], 0.995))
    high = high if high > low else low + 1.0
    first, last = min(step for step, _ in known), max(step for step, _ in known)

    def place(step: float, value: float) -> tuple[str, str]:
        x = (step - first) / (last - first) * (width - 6) if last > first else width / 2
        return f"{x + 3:.1f}", f"{floor - (min(value, high) - low) / (high - low) * (floor - top):.1f}"

    drawn = []
    for i, line in enumerate(points.values()):
        style = f"c{i % 8}" + (" again" if i >= 8 else "")
        places = [place(*point) for point in line]
        if len(places) == 1:
            drawn.append(f'<circle class="{style}" cx="{places[0][0]}" cy="{places[0][1]}" r="4"/>')
        elif places:
            drawn.append(f'<polyline class="{style}" points="{" ".join(map(",".join, places))}"/>')
    zero = place(first, 0.0)[1] if low < 0 else f"{floor}"
    said = templates.text(f"{label} over steps")
    return Markup(
        f'<p class="top">{number(high)}</p>'
        f'<svg class="curves" viewBox="0 0 {width} {height}" role="img" aria-label="{said}">'
        f'<line class="axis" x1="0" x2="{width}" y1="{zero}" y2="{zero}"/>{"".join(drawn)}</svg>'
        f'<p class="ends"><span>step {number(first)}</span><span>{number(last) if last > first else ""}</span></p>'
    )


def number(value: float) -> str:
    """As few digits as tell the value."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"
