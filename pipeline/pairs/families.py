"""Products that belong together: copies of one article, of which the first is kept, and families of colour variants."""

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
    """Gives families of products one cluster_id, and refuses the pairs of all but the first of copied articles.

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
    pair_of = {product: row["pair_id"] for product, row in reversed(made) if row["reason"] == OK}
    usable = [group[i] in pair_of and group[j] in pair_of for i, j in copies.tolist()]
    stand_ins = clustering.stand_ins(len(group), [copies[np.array(usable, bool)]])
    stands = {p: group[i] for p, i in zip(group, stand_ins, strict=True)}
    for product, row in made:
        stand_in = stands.get(product, product)
        row["cluster_id"] = cluster.get(product, product).group_id
        if stand_in != product and row["reason"] == OK:
            row |= {"status": manifest.REJECTED, "reason": "duplicate", "duplicate_of": pair_of[stand_in]}


def _colour_variants(section: config.Pairs, group: Sequence[Product], hashes: Hashes) -> Pairs:
    """Pairs of positions [n, 2], i < j, of products that are colours of one another: of one shape, or of one name.

    A shape joins a product to the first that it resembles itself, not to what that one resembles, so that plain cuts on
    plain grounds do not chain a whole shop into one family.
    """
    alike = article_copies.same_shape(hashes, section.family_radius)
    same = [group[i].domain == group[j].domain for i, j in alike.tolist()]
    heads = clustering.stand_ins(len(group), [alike[np.array(same, bool)]])
    edges = [(head, item) for item, head in enumerate(heads.tolist()) if head != item]
    named: dict[tuple[str, str], int] = {}
    for item, product in enumerate(group):
        if product.name and (head := named.setdefault((product.domain, product.name), item)) != item:
            edges.append((head, item))
    return np.array(edges, np.int64).reshape(-1, 2)
