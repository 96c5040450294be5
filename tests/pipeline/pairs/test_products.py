"""Products and their variants: red is worn with red, and what stands for many articles is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.pairs import products
from curate.pipeline.pairs.products import Product, ProductPicture
from curate.pipeline.tables import manifest
from tests.support.tables import image_row, png


def read(
    root: Path, *pictures: tuple[str, str | None], **columns: Any
) -> list[tuple[str | None, list[int], list[int]]]:
    """The variants of a product with pictures (role, variant): the places of the articles and of the people of each."""
    rows = [
        image_row(root, png(n), "shop", n, role=role, variant=variant, group_id="g", **columns)
        for n, (role, variant) in enumerate(pictures)
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)
    place = {row["image_id"]: n for n, row in enumerate(rows)}
    return [
        (one.variant, *([place[p.image_id] for p in part] for part in (one.articles, one.humans)))
        for one in products.read(root, "a", "h")
    ]


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        ("a h h", [(None, [0], [1, 2])]),
        ("a:red a:blue h:blue h:red", [("red", [0], [3]), ("blue", [1], [2])]),
        ("a:red h:red h h:blue", [("red", [0], [1, 2]), ("blue", [], [3])]),
        ("a:red a:blue h h:red", [("red", [0], [3]), ("blue", [1], []), (None, [], [2])]),
        ("a h:red h:blue", [(None, [0], [1, 2])]),
        ("a:red a h:red h:blue h", [("red", [0], [2]), (None, [1], [3, 4])]),
        ("h:red h:blue", [(None, [], [0, 1])]),
    ],
)
def test_people_belong_to_the_article_of_their_variant(tmp_path: Path, pictures: str, expected: list[Any]) -> None:
    parted = [(role, variant or None) for role, _, variant in (one.partition(":") for one in pictures.split())]
    assert read(tmp_path, *parted) == expected


@pytest.mark.parametrize(
    ("titles", "same"),
    [
        (("Ribbed suit - Coral", "Ribbed Suit – navy blue"), True),
        (("リブ水着 ネイビー", "ﾘﾌﾞ水着 赤"), True),
        (("Suit (red)", "suit [blue]"), True),
        (("Ribbed suit - Coral", "Flat suit - Coral"), False),
        (("Ribbed suit", "Ribbed suit"), False),  # two products may have one plain name
    ],
)
def test_names_without_colours(titles: tuple[str, str], same: bool) -> None:
    first, second = (Product("d", title, (), (), title, "Maker").name for title in titles)
    assert (first is not None and first == second) == same


def one(article: str, *humans: str, title: str) -> Product:
    alone, *worn = (ProductPicture(name, "", "") for name in (article, *humans))
    return Product("d", title, (alone,), tuple(worn), title)


def test_a_picture_for_many_products_is_no_article() -> None:
    many = [one("soon", f"h{n}", title=f"suit {n}") for n in range(3)]
    assert products.shared_articles(many) == {"soon"}
    assert products.shared_articles(many[:2]) == frozenset()
    colours = [one("all", f"h{n}", title=f"Suit - {name}") for n, name in enumerate(("red", "blue", "green"))]
    assert products.shared_articles(colours) == frozenset()
    listed = [one("all", "h", title=f"suit {n}") for n in range(3)]
    assert products.shared_articles(listed) == frozenset(), "one product on three pages"


def test_a_list_says_of_each_picture_what_it_shows(tmp_path: Path) -> None:
    said = (("a", "suit", None), ("h", "back", None), ("h", "suit", '{"alt": "worn"}'))
    rows = [
        image_row(tmp_path, png(n), "shop", n, role=role, group_id="g", title=title, extra=extra)
        for n, (role, title, extra) in enumerate(said)
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    [product] = products.read(tmp_path, "a", "h")
    assert (product.title, [human.text for human in product.humans]) == ("suit", ["back", "worn"])
