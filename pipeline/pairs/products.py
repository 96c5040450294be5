"""The products of images.parquet: which received pictures show the article alone, and which a person wearing it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pyarrow.compute as pc

from curate.pipeline.core.documents import from_json
from curate.pipeline.tables import colour_words, manifest
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.folding import folded


class ProductPicture(NamedTuple):
    """One received picture of a product."""

    image_id: str
    path: str  # below the root
    license: str
    text: str = ""  # what its page says of it
    variant: str | None = None  # of the product


SHARED = 3  # products with one picture of the article: no picture of any of them

Pictures: TypeAlias = tuple[ProductPicture, ...]


class Product(NamedTuple):
    """The pictures of one product, or of one variant of it, in order of discovery."""

    domain: str
    group_id: str
    articles: tuple[ProductPicture, ...]
    humans: tuple[ProductPicture, ...]
    title: str = ""
    creator: str = ""
    variant: str | None = None

    @property
    def missing(self) -> str | None:
        """The reason why it makes no pair, if so."""
        return "no_article" if not self.articles else None if self.humans else "no_human"

    @property
    def name(self) -> str | None:
        """Shared by the colours and sizes of one product: maker and title without what stands in brackets, and without
        its colours; None where the title has neither."""
        bare = re.sub(r"[(\[【〔<].*?[)\]】〕>]", " ", folded(self.title))
        bare = " ".join(colour_words.without(bare).split())
        return f"{folded(self.creator)}\n{bare}" if bare and bare != folded(self.title) else None


def read(root: Path, article: str, human: str) -> Iterator[Product]:
    """The products with at least one received picture in the roles `article` or `human`, by order of discovery within
    their domain.

    Raises TableError when images.parquet is missing or broken.
    """
    columns = (
        "image_id path domain license role group_id variant rank status reason candidate_id title creator extra".split()
    )
    images = manifest.read(manifest.IMAGES, root, columns)
    table = images.filter(is_in(images["role"], {article, human}))
    there = manifest.accepted(images.filter(pc.is_in(images["image_id"], value_set=table["image_id"])))
    there = manifest.with_photos(there, root)
    paths = dict(zip(there["image_id"].to_pylist(), there["path"].to_pylist(), strict=True))
    groups: dict[tuple[str, str], dict[str, list[ProductPicture]]] = {}
    named: dict[tuple[str, str], tuple[str, str]] = {}  # title and creator
    for row in sorted(table.to_pylist(), key=lambda row: (row["domain"], row["rank"], row["candidate_id"])):
        # Bytes that came before, from another address, are refused as a second image but belong to this product, too.
        received = row["status"] == manifest.ACCEPTED or row["reason"] == "duplicate"
        if received and row["image_id"] in paths:
            key = (row["domain"], row["group_id"] or row["image_id"])
            title, _ = named.setdefault(key, (row["title"] or "", row["creator"] or ""))
            picture = ProductPicture(
                row["image_id"], paths[row["image_id"]], row["license"], _text(row, title), row["variant"]
            )
            groups.setdefault(key, {}).setdefault(row["role"], []).append(picture)
    for (domain, group_id), roles in groups.items():
        articles, humans = (tuple(dict.fromkeys(roles.get(role, ()))) for role in (article, human))
        for variant, alone, worn in _by_variant(articles, humans):
            yield Product(domain, group_id, alone, worn, *named[domain, group_id], variant)


def shared_articles(products: Sequence[Product]) -> frozenset[str]:
    """The image_ids that stand for the article of several products of other names, which share no picture of a person:
    what a shop shows until it has a picture."""
    found: dict[str, dict[str, set[str]]] = {}
    for product in products:
        worn = {human.image_id for human in product.humans}
        name = product.name or folded(product.title) or product.group_id
        found.setdefault(product.articles[0].image_id, {}).setdefault(name, set()).update(worn)
    return frozenset(
        image_id
        for image_id, by_name in found.items()
        if len(by_name) >= SHARED and len(set().union(*by_name.values())) == sum(map(len, by_name.values()))
    )


def _by_variant(articles: Pictures, humans: Pictures) -> Iterator[tuple[str | None, Pictures, Pictures]]:
    """The variants of one product, each with its pictures of the article and of people in it.

    A person whose variant is not told belongs to the only one that articles have; where there are several, to none.
    An article whose variant is not told may be anybody's: the colours decide.
    """
    if len(named := list(dict.fromkeys(picture.variant for picture in articles))) < 2:
        variant = named[0] if named else None
        own = tuple(h for h in humans if variant is None or h.variant in {None, variant})
        yield variant, articles, own
    else:
        own = ()
        for variant in named:
            worn = tuple(h for h in humans if h.variant == variant or (variant is None and h.variant not in named))
            own += worn
            yield variant, tuple(a for a in articles if a.variant == variant), worn
    for left in dict.fromkeys(h.variant for h in humans if h not in own):
        yield left, (), tuple(h for h in humans if h.variant == left)


def _text(row: dict[str, Any], title: str) -> str:
    """What is said of one picture: by its page, and by a list of one's own, whose titles may differ from picture to
    picture of a product."""
    extra = _extra(row["extra"])
    own = row["title"] if row["title"] != title else None
    return " ".join(str(said) for said in (extra.get("alt"), own) if said)


def _extra(text: str | None) -> dict[str, Any]:
    """What a source noted beside the columns; nothing where that is no JSON object, as in a stranger's table."""
    try:
        found = from_json(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
