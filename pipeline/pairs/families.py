"""Products that belong together: pairs that are copies, of which the first is kept, and families of colour variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.pipeline.hashing import clustering
from curate.pipeline.hashing.arrays import Hashes, Pairs
from curate.pipeline.pairs import article_copies, config
from curate.pipeline.pairs.products import Product
from curate.pipeline.tables import manifest
from curate.pipeline.tables.manifest import OK

Row = dict[str, Any]  # of pairs.parquet


def join(section: config.Pairs, made: Sequence[tuple[Product, Row]]) -> None:
    """Gives families of products one cluster_id, and refuses copies of pairs, of which the first is kept.

    `made` holds the rows of pairs.parquet with their products, by order of discovery; they are changed in place.
    """
    first: dict[Product, Row] = {}
    for product, row in made:
        if row.get("article_phash") is not None:
            first.setdefault(product, row)
    group = list(first)
    hashes = np.array([row["article_phash"] for row in first.values()], np.uint64)
    colours = np.frombuffer(b"".join(row["article_colours"] for row in first.values()), np.uint8)
    copies = article_copies.find(
        hashes, colours.reshape(len(group), article_copies.GRID**2, 3), section.radius, section.colour
    )
    families = np.concatenate([copies, _colour_variants(section, group, hashes)])
    cluster = {p: group[i] for p, i in zip(group, clustering.components(len(group), [families]), strict=True)}
    for product, row in made:
        row["cluster_id"] = cluster.get(product, product).group_id
    _refuse_copies(section, made, [(group[i], group[j]) for i, j in copies.tolist()])


def _refuse_copies(
    section: config.Pairs, made: Sequence[tuple[Product, Row]], copies: Sequence[tuple[Product, Product]]
) -> None:
    """Refuses each pair whose article and whose person a pair before it shows, which is kept.

    `copies` are products whose articles are copies, the first of them first. One article on another photo of a person
    is a pair of its own, as it is within a product.
    """
    before: dict[Product, list[Product]] = {}
    for first, second in copies:
        before.setdefault(second, []).append(first)
    kept: dict[Product, list[Row]] = {}
    for product, row in made:
        if row["reason"] != OK:
            continue
        earlier = (other for first in before.get(product, ()) for other in kept.get(first, ()))
        same = next((other for other in earlier if _one_person(section, other, row)), None)
        if same is None:
            kept.setdefault(product, []).append(row)
        else:
            row |= {"status": manifest.REJECTED, "reason": "duplicate", "duplicate_of": same["pair_id"]}


def _one_person(section: config.Pairs, first: Row, second: Row) -> bool:
    grids = [np.frombuffer(row["human_colours"], np.uint8) for row in (first, second)]
    return article_copies.one_picture(first["human_phash"], second["human_phash"], (grids[0], grids[1]), section.radius)


def _colour_variants(section: config.Pairs, group: Sequence[Product], hashes: Hashes) -> Pairs:
    """Pairs of positions [n, 2], i < j, of products that are colours of one another: of one page, shape or name.

    A shape joins a product to the first that it resembles itself, not to what that one resembles, so that plain cuts on
    plain grounds do not chain a whole shop into one family.
    """
    radius = section.family_radius
    alike = np.empty((0, 2), np.int64) if radius is None else article_copies.same_shape(hashes, radius)
    same = [group[i].domain == group[j].domain for i, j in alike.tolist()]
    heads = clustering.stand_ins(len(group), [alike[np.array(same, bool)]])
    edges = [(head, item) for item, head in enumerate(heads.tolist()) if head != item]
    named: dict[tuple[str, str], int] = {}
    for item, product in enumerate(group):
        for name in filter(None, (f"group\n{product.group_id}", product.name)):
            if (head := named.setdefault((product.domain, name), item)) != item:
                edges.append((head, item))
    return np.array(edges, np.int64).reshape(-1, 2)
