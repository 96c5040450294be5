"""Histograms and curves as inline SVG: numbers in, markup out, no script and nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike

BINS = 24
_WIDTH, _HEIGHT, _FLOOR = 240, 72, 58  # px of the view box; the axis stands on the floor


def histogram(values: ArrayLike, low: float, high: float, label: str) -> Markup:
    """Bars of `values` between `low` and `high`, with a line at the median; values outside count in the end bars."""
    numbers = np.asarray(values, np.float64)
    high = high if high > low else low + 1.0
    counts, _ = np.histogram(numbers.clip(low, high), BINS, (low, high))
    tallest = max(int(counts.max()), 1)
    step = _WIDTH / BINS
    bars = "".join(
        f'<rect x="{i * step + 0.5:.1f}" y="{_FLOOR - h:.1f}" width="{step - 1:.1f}" height="{h:.1f}" rx="1"/>'
        for i, n in enumerate(counts)
        if (h := max(n / tallest * (_FLOOR - 6), 1.0 if n else 0.0))
    )
    middle = float(np.median(numbers)) if numbers.size else low
    at = (min(max(middle, low), high) - low) / (high - low) * _WIDTH
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<g class="bars">{bars}</g>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_FLOOR}" y2="{_FLOOR}"/>'
        f'<line class="median" x1="{at:.1f}" x2="{at:.1f}" y1="2" y2="{_FLOOR}"/>'
        f'<text x="0" y="{_HEIGHT - 2}">{number(low)}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 2}" text-anchor="end">{number(high)}</text></svg>'
    )


def curves(steps: Sequence[float], series: Mapping[str, Sequence[float | None]], label: str) -> Markup:
    """One line per series over `steps`, scaled together; gaps where a value is None."""
    width, height, floor = 560, 190, 170
    known = [v for values in series.values() for v in values if v is not None]
    if not known or len(steps) < 2:
        return Markup("")
    low, high = min(0.0, *known), float(np.quantile(known, 0.995))
    high = high if high > low else low + 1.0
    first, last = steps[0], steps[-1]

    def place(step: float, value: float) -> str:
        x = (step - first) / max(last - first, 1e-9) * width
        return f"{x:.1f},{floor - (min(value, high) - low) / (high - low) * (floor - 8):.1f}"

    lines = "".join(
        f'<polyline class="c{i % 8}" points="'
        f'{" ".join(place(s, v) for s, v in zip(steps, values, strict=True) if v is not None)}"/>'
        for i, values in enumerate(series.values())
    )
    zero = floor - (0.0 - low) / (high - low) * (floor - 8)
    return Markup(
        f'<svg class="curves" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f'<line class="axis" x1="0" x2="{width}" y1="{zero:.1f}" y2="{zero:.1f}"/>{lines}'
        f'<text x="0" y="12">{number(high)}</text><text x="0" y="{height - 4}">step {number(first)}</text>'
        f'<text x="{width}" y="{height - 4}" text-anchor="end">{number(last)}</text></svg>'
    )


def number(value: float) -> str:
    """As few digits as tell the value."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"
