"""Answers that were damaged at random: a source ends with every one of them, with an error of ours at most."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.core.errors import CurateError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import load
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions
from tests.support.fake_apis import KINDS, Reply, stand_in
from tests.support.http_server import Site

LONGEST = 40  # answers after which a source should have noticed that they are all alike

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\ud800", "http://[", "//x", "<b", "b1", "9" * 400, "http://x.example/1.jpg"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@dataclass
class Lent:
    """The layer as a source sees it, with one answer for everything."""

    body: bytes
    settings: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        return self.answer(url)

    def answer(self, url: str, options: RequestOptions = PLAIN, daily: int | None = None) -> Response:
        self.asked += 1
        if self.asked > LONGEST:
            pytest.fail("a source that asks for ever")
        response = Response(url, 200, self.body, "", None, None, None, datetime.now(UTC))
        if options.check is not None:
            options.check(response)
        return response

    def key(self, source: str) -> str | None:
        return "a-key"

    def set_aside(self, source: str, url: str, body: bytes) -> str:
        return "raw/.answers/x.txt"

    def space(self, host: str, delay: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def whole(name: str) -> Any:
    stand = stand_in(Site(), name)
    kind = KINDS[name]
    items = [kind.item(stand, n) for n in (3, 2, 1)]
    params = {"page": "1", "per_page": "20", "method": "flickr.photos.search"}
    return items if name == "bing" else kind.page(items, params, 1)


def damaged(name: str, intact: Any, place: tuple[Any, ...], value: Any) -> bytes:
    answer = copy.deepcopy(intact)
    if not place:
        answer = value
    else:
        at = answer
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
    if name == "bing":
        reply = KINDS[name].page(answer if isinstance(answer, list) else [answer], {}, 1)
        assert isinstance(reply, Reply)
        return str(reply.body).encode("utf-8", "replace")
    return json.dumps(answer).encode()


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_answer_is_no_bug(name: str) -> None:
    intact = whole(name)

    @settings(max_examples=80, deadline=None, database=None)
    @given(st.sampled_from(list(places(intact))), values)
    def check(place: tuple[Any, ...], value: Any) -> None:
        pages = Lent(damaged(name, intact, place, value))
        try:
            for candidate in load(name)(Query(source=name, query="hair", base_url="http://x.example"), pages):
                msgspec.json.encode(candidate)  # it can be written down
        except (CurateError, FetchError):
            pass

    check()


@pytest.mark.parametrize("name", KINDS)
def test_an_endless_list_of_the_same_ends(name: str) -> None:
    intact = whole(name)
    if name == "commons":
        intact = {**intact, "continue": {"gsroffset": 50, "continue": "gsroffset||"}}
        intact.pop("batchcomplete")
    body = damaged(name, intact, (0,), intact[0]) if isinstance(intact, list) else json.dumps(intact).encode()
    found = list(load(name)(Query(source=name, query="hair", base_url="http://x.example"), Lent(body)))
    assert len(found) == 3
