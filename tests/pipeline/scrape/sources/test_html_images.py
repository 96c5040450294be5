"""The addresses that an element offers for its picture: the best first, and the others to fall back to."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup, Tag

from curate.pipeline.scrape.sources import html_images

PAGE = "https://shop.example/items/7"


def chosen(html: str, page: str = PAGE) -> str | None:
    soup = BeautifulSoup(html, "lxml")
    element = soup.select_one("img.it") or soup.select_one("img")
    assert isinstance(element, Tag)
    return next((offer.url for offer in html_images.offers(element, html_images.base_of(soup, page))), None)


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ('<img src="a.jpg">', "https://shop.example/items/a.jpg"),
        ('<img src="../a.jpg">', "https://shop.example/a.jpg"),
        ('<img src="//cdn.example/a.jpg">', "https://cdn.example/a.jpg"),
        ('<img src=" /a&amp;b.jpg\n">', "https://shop.example/a&b.jpg"),
        ('<base href="/other/"><img src="a.jpg">', "https://shop.example/other/a.jpg"),
        ('<img src="s.jpg" srcset="m.jpg 640w, l.jpg 1280w, s.jpg 320w">', "https://shop.example/items/l.jpg"),
        ('<img src="s.jpg" srcset="m.jpg, l.jpg 2x">', "https://shop.example/items/l.jpg"),
        ('<img srcset="/t/w_100,h_50/a.jpg 100w, /t/w_900,h_9/a.jpg 900w">', "https://shop.example/t/w_900,h_9/a.jpg"),
        ('<img src="blank.gif" data-src="a.jpg">', "https://shop.example/items/a.jpg"),
        ('<img src="data:image/gif;base64,R0" data-original="a.jpg">', "https://shop.example/items/a.jpg"),
        ('<img src="s.jpg" data-src="m.jpg" data-zoom-image="l.jpg">', "https://shop.example/items/l.jpg"),
        ('<a href="/big/a.jpg"><img src="s.jpg"></a>', "https://shop.example/big/a.jpg"),
        ('<a href="/item/8"><img src="s.jpg"></a>', "https://shop.example/items/s.jpg"),
        ('<img src="loading.gif"><noscript><img src="a.jpg"></noscript>', "https://shop.example/items/a.jpg"),
        ('<img src="/blank-t-shirt.jpg">', "https://shop.example/blank-t-shirt.jpg"),
        ('<img src="s.jpg" data-img-hires="/l.jpg">', "https://shop.example/l.jpg"),
        ('<img src="s.jpg" data-ng-lazy-src="//cdn.example/9">', "https://cdn.example/9"),
        ('<img src="s.jpg" data-srcset="/l.jpg 2x, /m.jpg 1x">', "https://shop.example/l.jpg"),
        ('<img src="l-1200x900.jpg" data-thumb="s.jpg">', "https://shop.example/items/l-1200x900.jpg"),
        ('<img src="a.jpg" data-hover-src="b.jpg" data-share-url="/c.jpg">', "https://shop.example/items/a.jpg"),
        (
            '<img src="s.jpg" data-dynamic=\'{"/m.jpg": [400, 500], "/l.jpg": [800, 1000]}\'>',
            "https://shop.example/l.jpg",
        ),
        ('<img data-src="/i_{width}x{height}.jpg" data-widths="[300, 900]">', "https://shop.example/i_900x.jpg"),
        (
            '<img src="/i._SX38_.jpg" data-a="/i._AC_SL1500_.jpg" data-b="/i._SX300_.jpg">',
            "https://shop.example/i._AC_SL1500_.jpg",
        ),
        ('<img src="/i_{width}x.jpg">', "https://shop.example/i_1500x.jpg"),
        ('<img src="/{{ picture }}">', None),
        ("<img src=o.jpg><noscript><img src=p.jpg></noscript><img class=it src=data:,x>", None),
        (
            '<img class=it src="data:,x"><noscript>&lt;img src="n.jpg"&gt;</noscript>',
            "https://shop.example/items/n.jpg",
        ),
        (
            '<picture><img class=it src="s.jpg"></picture><noscript><img src="n.jpg"></noscript>',
            "https://shop.example/items/n.jpg",
        ),
        ("<img>", None),
        (
            '<picture><source type="image/x-new" srcset="n.new 9000w"><source type="image/webp" srcset="l.webp 2000w">'
            '<img src="s.jpg"></picture>',
            "https://shop.example/items/l.webp",
        ),
    ],
)
def test_the_best_picture_of_an_element(html: str, url: str | None) -> None:
    assert chosen(html) == url


def offered(html: str) -> list[list[str]]:
    """What each image of a page offers, without the https://shop.example/ before it."""
    soup = BeautifulSoup(html, "lxml")
    found = [html_images.offers(element, "https://shop.example/") for element in soup.select("img, div")]
    return [[offer.url[21:] for offer in offers] for offers in html_images.without_shared(found)]


def test_every_other_address_is_kept_to_fall_back_to() -> None:
    html = '<a href="/g.png"><img src=s.jpg data-zoom-image=z.jpg data-srcset="m.jpg 900w, t.jpg 90w"></a>'
    assert offered(html) == [["z.jpg", "g.png", "m.jpg", "s.jpg", "t.jpg"]]


def test_a_style_is_read_where_an_element_is_no_image() -> None:
    assert offered("<div style=\"background: #fff url('/b.jpg') no-repeat\"></div>") == [["b.jpg"]]
    assert offered('<div data-bg="url(/c.jpg)"></div>') == [["c.jpg"]]


def test_a_frame_offers_the_one_image_in_it() -> None:
    assert offered("<div><img src=a.jpg></div>")[0] == ["a.jpg"]
    assert offered("<div><img src=a.jpg><img src=b.jpg></div>")[0] == []


def test_a_link_to_a_page_comes_after_the_image_in_it() -> None:
    soup = BeautifulSoup("<a href=/item/8><img src=a.jpg></a><a href=/b.jpg><img src=c.jpg></a>", "lxml")
    found = [[offer.url for offer in html_images.offers(element, "http://h/")] for element in soup.select("a")]
    assert found == [["http://h/a.jpg", "http://h/item/8"], ["http://h/b.jpg", "http://h/c.jpg"]]


def test_an_address_in_the_src_of_several_is_their_spinner() -> None:
    html = "<img src=wait.gif data-src=a.jpg><img src=wait.gif data-src=b.jpg><img src=wait.gif>"
    assert offered(html) == [["a.jpg"], ["b.jpg"], ["wait.gif"]]
