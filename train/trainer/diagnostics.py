"""What is wrong with a run, in plain words, found in its lines of scalars alone.

Beside losses a recipe may have logged, as `Update.seen`:

seen/accuracy_NAME   the share of a discriminator's judgements that are right, in [0, 1]
seen/article         how often a person in the article worn gets a higher score than beside another one, in [0, 1]
seen/mask, seen/mask_NAME
                     the mean of a mask through which a recipe paints, in [0, 1]
seen/saturated_NAME  the share of a mask's px that are 0 or 1, in [0, 1]
seen/distance        the mean difference of what the members of a council make of one image, a share of the range

and a run's measurements on held-out images add val/diversity_*, val/change_*, val/structure_*, val/colour_* and
val/checkerboard_*. A resumed run has the lines of the one before it, so it finds the same. Only the last lines and an
even sample of those before are read, so that it takes as long late in a run as early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Row = Mapping[str, float]
Rows = Sequence[Row]

LONG = 10  # lines for which something must last, or a tenth of the run so far, up to
LONGEST = 200  # lines
SAMPLE = 200  # lines, evenly spread, that stand for a run so far
WINDOW = 1000  # last lines in which measurements are looked for where they are not kept apart
RIGHT = 0.97  # accuracy from which a discriminator teaches little
FLOOR = 0.02  # of its first losses, under which a discriminator without an accuracy has won
GUESSED = 0.55  # of pairs of articles: half would be right by chance
EXPLODED = 10.0  # times its median until then
ALIKE = 0.4  # diversity under which the outputs are one picture with changes
SAME = 0.02  # of the range: mean change under which an output is its input
INVERTED = -0.3  # structure or colour under which light and dark, or colours, are swapped
CHEQUERED = 0.03  # of the range: a pattern of 2 or 4 px all over the outputs; beginners have up to that
MASK = "seen/mask"  # and with _NAME, where there are several
SATURATED = 0.999  # of a mask's px at 0 or 1: what is there can hardly change
AGREED = 0.01  # distance of a council's members under which they are one
NO_MASK = 0.01  # mean of a mask under which nothing is painted, or over 1 - that all of it


def diagnose(rows: Rows, measured: Rows | None = None) -> dict[str, str]:
    """A sentence per trouble that the newest of `rows` show, by a short name; empty for a healthy run.

    `measured` are those of them that have measurements, val/...; None: looked for in the last WINDOW.
    """
    if not rows:
        return {}
    if measured is None:
        measured = [row for row in rows[-WINDOW:] if any(name.startswith("val/") for name in row)]
    found = {name: check(rows) for name, check in CHECKS.items()}
    found |= {name: check(measured[-SAMPLE:]) for name, check in MEASURED_CHECKS.items()}
    return {name: text for name, text in found.items() if text}


def _not_finite(rows: Rows) -> str:
    broken = [name for name, value in rows[-1].items() if not math.isfinite(value)]
    return f"{broken[0]} is no longer a number: go back to a checkpoint and lower model.lr" if broken else ""


def _diverging(rows: Rows) -> str:
    for optimizer in _optimizers(rows[-1]):
        before = rows[: -1 : max(1, len(rows) // SAMPLE)]
        usual = median(_total(row, optimizer) for row in before) if len(rows) > LONG else 0.0
        if usual > 0 and (now := _total(rows[-1], optimizer)) > EXPLODED * usual:
            return f"the losses of {optimizer} are {now / usual:.0f} times what they were: lower model.lr"
    return ""


def _discriminator_wins(rows: Rows) -> str:
    recent = rows[-_long(rows) :]
    if len(recent) < LONG:
        return ""
    names = [name for name in rows[-1] if name.startswith("seen/accuracy")]
    least = [min(row.get(name, 0.0) for row in recent) for name in names]
    won = [name for name, accuracy in zip(names, least, strict=True) if accuracy > RIGHT]
    if not names and "D" in _optimizers(rows[-1]):
        first = median(_total(row, "D") for row in rows[:LONG])
        won = ["D"] if max(_total(row, "D") for row in recent) < FLOOR * first else []
    if not won:
        return ""
    who = ", ".join(name.removeprefix("seen/accuracy").strip("_") or "D" for name in won)
    return (
        f"the discriminator wins ({who}): it has told real from made for {len(recent)} lines, and the generator learns "
        "little from it: lower model.discriminator_lr, or give it more images, model.augment, or model.r1_weight"
    )


def _article_ignored(rows: Rows) -> str:
    recent = [row["seen/article"] for row in rows[-_long(rows) :] if "seen/article" in row]
    if len(recent) < LONG or len(rows) < 2 * LONG or sum(recent) / len(recent) > GUESSED:
        return ""
    return (
        f"the discriminator ignores the article: it prefers the one worn to another {sum(recent) / len(recent):.0%} of "
        "the time, half is chance: the generator may dress people in anything; data.candidates 8 draws articles that "
        "differ more"
    )


def _collapsed(rows: Rows) -> str:
    measured = _measured(rows, "val/diversity_", 1)
    low = {name: values[-1] for name, values in measured.items() if values[-1] < ALIKE}
    if not low:
        return ""
    where = ", ".join(f"{name.rpartition('_')[2]} {value:.0%}" for name, value in low.items())
    return f"mode collapse: the outputs differ from each other only {where} as much as real images do"


def _copied(rows: Rows) -> str:
    measured = _measured(rows, "val/change_", 2)
    low = {name: max(values) for name, values in measured.items() if len(values) == 2 and max(values) < SAME}
    if not low:
        return ""
    where = ", ".join(f"{name.rpartition('_')[2]} by {value:.1%}" for name, value in low.items())
    return f"the output is just the input, changed only {where} of the range: lower the identity or face loss"


def _inverted(rows: Rows) -> str:
    found = []
    for kind, what in (("structure", "light and dark are"), ("colour", "colours are")):
        low = {n: v for n, v in _measured(rows, f"val/{kind}_", 2).items() if len(v) == 2 and max(v) < INVERTED}
        if low:
            where = ", ".join(f"{name.rpartition('_')[2]} {values[-1]:.2f}" for name, values in low.items())
            found.append(f"{what} swapped in the outputs ({where}; 1 is as in the input)")
    if not found:
        return ""
    return f"{'; '.join(found)}: a cycle can't tell: raise the identity loss, or begin again with another seed"


def _chequered(rows: Rows) -> str:
    measured = _measured(rows, "val/checkerboard_", 2)
    high = {n: v for n, v in measured.items() if len(v) == 2 and min(v) > CHEQUERED}
    if not high:
        return ""
    where = ", ".join(f"{name.rpartition('_')[2]} {values[-1]:.1%}" for name, values in high.items())
    return (
        f"checkerboards: a pattern of a few px lies over the outputs ({where} of the range): model.upsampling nearest"
    )


def _empty_mask(rows: Rows) -> str:
    recent, found = rows[-_long(rows) :], []
    for name in [name for name in rows[-1] if name == MASK or name.startswith(f"{MASK}_")]:
        values = [row[name] for row in recent if name in row]
        if len(values) < LONG:
            continue
        which = name.removeprefix(MASK).replace("_", " ")
        if max(values) < NO_MASK:
            found.append(
                f"the mask{which} is empty: for {len(values)} lines it has let {values[-1]:.1%} of the painting "
                "through, so the output is the input: lower model.mask_weight or model.identity_weight"
            )
        if min(values) > 1 - NO_MASK:
            found.append(
                f"the mask{which} is full: for {len(values)} lines nothing of the photo's own pixels is kept "
                f"({values[-1]:.1%} are painted): raise model.mask_weight"
            )
    return "; ".join(found)


def _saturated(rows: Rows) -> str:
    recent, names = rows[-_long(rows) :], [name for name in rows[-1] if name.startswith("seen/saturated_")]
    if len(recent) < LONG:
        return ""
    stuck = [name.rpartition("_")[2] for name in names if min(row.get(name, 0.0) for row in recent) > SATURATED]
    if not stuck:
        return ""
    return (
        f"the masks of member {', '.join(stuck)} are 0 or 1 everywhere, for {len(recent)} lines: what they show can "
        "hardly change any more: lower model.mask_gain in a new run, or model.mask_decided_weight"
    )


def _agreed(rows: Rows) -> str:
    recent = [row["seen/distance"] for row in rows[-_long(rows) :] if "seen/distance" in row]
    if len(recent) < LONG or max(recent) > AGREED:
        return ""
    return (
        f"the members agree: what they make of a photo differs by {recent[-1]:.1%} of the range, so that one would do: "
        "lower model.council_weight, or raise model.less_style"
    )


def _measured(rows: Rows, prefix: str, count: int) -> dict[str, list[float]]:
    """The last `count` values of each scalar with this prefix."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if name.startswith(prefix):
                found.setdefault(name, []).append(value)
    return {name: values[-count:] for name, values in found.items()}


def _long(rows: Rows) -> int:
    return min(max(LONG, len(rows) // 10), LONGEST)


def _optimizers(row: Row) -> list[str]:
    names = dict.fromkeys(name.partition("/")[0] for name in row if "/" in name)
    return [name for name in names if name not in {"seen", "val"}]


def _total(row: Row, optimizer: str) -> float:
    return sum(v for k, v in row.items() if k.startswith(f"{optimizer}/") and not k.endswith("/lr"))


CHECKS: Mapping[str, Callable[[Rows], str]] = {
    "not_finite": _not_finite,
    "diverging": _diverging,
    "d_wins": _discriminator_wins,
    "article_ignored": _article_ignored,
    "mask": _empty_mask,
    "saturated": _saturated,
    "agreed": _agreed,
}
"""What is seen in the losses."""

MEASURED_CHECKS: Mapping[str, Callable[[Rows], str]] = {
    "collapse": _collapsed,
    "copies": _copied,
    "inverted": _inverted,
    "checkerboard": _chequered,
}
"""What is seen in the measurements."""
