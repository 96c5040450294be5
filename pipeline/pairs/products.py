"""The products of images.parquet: which received pictures show the article alone, and which a person wearing it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc

from curate.pipeline.tables import manifest
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.folding import folded


class ProductPicture(NamedTuple):
    """One received picture of a product."""

    image_id: str
    path: str  # below the root
    license: str
    text: str = ""  # what its page says of it


class Product(NamedTuple):
    """The pictures of one product, in order of discovery."""

    domain: str
    group_id: str
    articles: tuple[ProductPicture, ...]
    humans: tuple[ProductPicture, ...]
    title: str = ""
    creator: str = ""

    @property
    def missing(self) -> str | None:
        """The reason why it makes no pair, if so."""
        return "no_article" if not self.articles else None if self.humans else "no_human"

    @property
    def name(self) -> str | None:
        """Shared by the colours and sizes of one product: maker and title without what stands in brackets, if any."""
        bare = re.sub(r"[(\[【〔<].*?[)\]】〕>]", " ", folded(self.title))
        bare = " ".join(bare.split())
        return f"{folded(self.creator)}\n{bare}" if bare and bare != folded(self.title) else None


def read(root: Path, article: str, human: str) -> Iterator[Product]:
    """The products with at least one received picture in the roles `article` or `human`, by order of discovery within
    their domain.

    Raises TableError when images.parquet is missing or broken.
    """
    columns = "image_id path domain license role group_id rank status reason candidate_id title creator extra".split()
    images = manifest.read(manifest.IMAGES, root, columns)
    table = images.filter(is_in(images["role"], {article, human}))
    there = manifest.accepted(images.filter(pc.is_in(images["image_id"], value_set=table["image_id"])))
    paths = dict(zip(there["image_id"].to_pylist(), there["path"].to_pylist(), strict=True))
    groups: dict[tuple[str, str], dict[str, list[ProductPicture]]] = {}
    named: dict[tuple[str, str], tuple[str, str]] = {}  # title and creator
    for row in sorted(table.to_pylist(), key=lambda row: (row["domain"], row["rank"], row["candidate_id"])):
        # Bytes that came before, from another address, are refused as a second image but belong to this product, too.
        received = row["status"] == manifest.ACCEPTED or row["reason"] == "duplicate"
        if received and row["image_id"] in paths:
            key = (row["domain"], row["group_id"] or row["image_id"])
            picture = ProductPicture(row["image_id"], paths[row["image_id"]], row["license"], _text(row))
            groups.setdefault(key, {}).setdefault(row["role"], []).append(picture)
            named.setdefault(key, (row["title"] or "", row["creator"] or ""))
    for (domain, group_id), roles in groups.items():
        articles, humans = (tuple(dict.fromkeys(roles.get(role, ()))) for role in (article, human))
        yield Product(domain, group_id, articles, humans, *named[domain, group_id])


def _text(row: dict[str, Any]) -> str:
    extra = json.loads(row["extra"]) if row["extra"] else {}
    return str(extra.get("alt") or "")
