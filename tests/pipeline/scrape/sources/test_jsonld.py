"""Structured data: the page's own subject, in every shape in which it is written."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.scrape.sources import jsonld

PAGE = "https://shop.example/items/7"


def structured(*blocks: object, heading: str = "", addresses: tuple[str, ...] = ()) -> jsonld.PageData:
    texts = [block if isinstance(block, str) else json.dumps(block) for block in blocks]
    scripts = "".join(f'<script type="application/ld+json">{text}</script>' for text in texts)
    return jsonld.read(BeautifulSoup(scripts, "lxml"), PAGE, addresses, heading)


def pictures(page: jsonld.PageData) -> list[str]:
    return [picture.url for picture in jsonld.pictures(page)]


def test_structured_data_in_every_shape() -> None:
    found = structured(
        '{"@type": "BreadcrumbList", "name": "crumbs"}',
        "{broken",
        '<!-- [{"@graph": [{"@type": ["Product"], "name": "水着", "brand": {"name": "Mika"}, "image": ["a.jpg", '
        '{"@type": "ImageObject", "contentUrl": "b.jpg", "license": "L", "creator": {"name": "C"}}, 7]}]}] -->',
    )
    assert jsonld.text(found, "name") == "水着"
    assert jsonld.text(found, "brand") == "Mika"
    assert jsonld.text(found, "sku") is None
    assert jsonld.pictures(found) == [("a.jpg", None, None, None, None), ("b.jpg", "L", "C", None, None)]


OWN = {"@type": "Product", "name": "Linen shirt", "sku": "7", "image": "own.jpg"}
OTHER = {"@type": "Product", "name": "Wool scarf", "sku": "8", "image": "other.jpg"}


@pytest.mark.parametrize(
    ("things", "heading", "addresses"),
    [
        ([OTHER, OWN], "LINEN ｓhirt", ()),
        ([OTHER, OWN | {"url": "/items/7?colour=2"}], "", (PAGE,)),
        ([OTHER | {"url": "/items/8"}, OWN], "", ()),
        ([OTHER, {"@type": "ItemPage", "mainEntity": OWN}], "Linen shirt for him", ()),
        ([{"@graph": [{"@type": "Person", "image": "clerk.jpg"}, OTHER, OWN]}], "Linen shirt", ()),
        ([OWN | {"isRelatedTo": [OTHER], "isSimilarTo": OTHER}], "", ()),
        ([{"@type": "ItemList", "itemListElement": [OTHER]}, OWN], "", ()),
        ([{"@type": "ImageObject", "contentUrl": "logo.jpg", "@id": PAGE}, OWN], "", (PAGE,)),
        ([OWN | {"@type": "http://schema.org/Product"}, OTHER], "", ()),
    ],
)
def test_the_page_s_own_product_and_no_other(things: list[object], heading: str, addresses: tuple[str, ...]) -> None:
    page = structured(*things, heading=heading, addresses=addresses)
    assert pictures(page) == ["own.jpg"]
    assert jsonld.text(page, "sku") == "7"


def test_others_alone_are_not_the_page_s() -> None:
    page = structured(OTHER | {"url": "/items/8"}, heading="Linen shirt", addresses=(PAGE,))
    assert pictures(page) == [] and jsonld.text(page, "name") is None


def test_a_thing_of_no_kind_in_particular_is_a_subject_after_all_others() -> None:
    loose = {"name": "Evening", "image": "e.jpg"}
    assert pictures(structured({"@type": "Organization", "name": "Shop", "image": "logo.jpg"}, loose)) == ["e.jpg"]
    assert pictures(structured(loose, OWN)) == ["own.jpg"]


def test_a_reference_is_followed() -> None:
    page = structured(
        {
            "@graph": [
                OWN | {"image": {"@id": "#i"}},
                {"@type": "ImageObject", "@id": "#i", "url": "i.jpg", "caption": "x"},
            ]
        }
    )
    assert [(picture.url, picture.text) for picture in jsonld.pictures(page)] == [("i.jpg", "x")]


@pytest.mark.parametrize("way", ["hasVariant", "offers", "itemOffered", "by id"])
def test_variants_name_the_colour_of_their_pictures(way: str) -> None:
    red, blue = ({"@type": "Product", "color": colour, "image": f"{colour}.jpg"} for colour in ("red", "blue"))
    group = {"@type": "ProductGroup", "name": "Suit", "productGroupID": "G", "image": "all.jpg"}
    if way == "by id":
        page = structured(group, *(one | {"inProductGroupWithID": "G", "name": "Suit"} for one in (red, blue)))
    else:
        parts = [{"@type": "Offer", "itemOffered": one} for one in (red, blue)] if way == "itemOffered" else [red, blue]
        page = structured(group | {way if way != "itemOffered" else "offers": parts})
    assert [(picture.url, picture.variant) for picture in jsonld.pictures(page)] == [
        ("all.jpg", None),
        ("red.jpg", "red"),
        ("blue.jpg", "blue"),
    ]


def test_the_way_to_a_product_is_among_its_words() -> None:
    steps = [{"@type": "ListItem", "name": "Ｋids"}, {"@type": "ListItem", "item": {"name": "Swim"}}]
    page = structured({"@type": "BreadcrumbList", "itemListElement": steps}, OWN | {"category": "Shirts"}, OTHER)
    assert jsonld.words(page) == "Linen shirt\nShirts\nＫids\nSwim"


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(["@graph", "@type", "@id", "image", "name", "url", "offers", "hasVariant"]),
                x,
                max_size=4,
            )
        ),
    ),
    st.sampled_from(["Product", "ProductGroup", "ImageObject"]),
)
def test_any_structured_data_is_read(value: object, kind: str) -> None:
    found = structured(json.dumps(value).replace("</", "<\\/"), {"@type": kind, "image": value, "offers": value})
    jsonld.text(found, "name")
    jsonld.words(found)
    jsonld.pictures(found)
