"""Which rows train and which ones judge: a pure function of a name, so that no row moves as the data grow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from curate.pipeline.core.errors import UsageError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def check_shares(section: str, val: float, test: float) -> None:
    """Raises UsageError when `val` and `test`, each in [0, 1], leave less than nothing to train on."""
    if val + test > 1.0:
        raise UsageError(
            f"{section}.val + {section}.test: {val} + {test} is more than 1",
            f"lower one of them in params.yaml, section {section}",
        )


def split_of(name: str, *, val: float, test: float, salt: str = "") -> Split:
    """The split of everything that goes by `name`, at the given shares in [0, 1].

    `name` is hashed to a point of [0, 1): test lies below `test`, val in the next `val`, train above. It depends on
    nothing else: not on the other rows, and a larger `test` only takes rows in, so that what once judged never trains
    because of it.
    """
    digest = hashlib.sha256(f"{salt}\n{name}".encode()).digest()
    point = (int.from_bytes(digest[:8], "big") >> 11) / 2**53  # exact, and never 1.0
    if point < test:
        return "test"
    return "val" if point < test + val else "train"


def gaps(rows: Iterable[tuple[str, str]], shares: Mapping[str, float]) -> Iterator[str]:
    """A line for each domain that has no row in a split that was to have a share of it.

    `rows` are the domain and the split of each, `shares` the share of each split.
    """
    counts = Counter(rows)
    for domain in sorted({domain for domain, _ in counts}):
        total = sum(counts[domain, split] for split in SPLITS)
        for split, share in shares.items():
            if share > 0 and not counts[domain, split]:
                yield f"{domain}: none of its {total} rows is in {split}: too few for a share of {share:g}"
