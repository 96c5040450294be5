"""What a JSON file beside a picture says of it, as downloaders write them: names as text, in lists or in objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate.pipeline.core.files import NOT_THERE, reading
from curate.pipeline.scrape.sources import licenses
from curate.pipeline.scrape.sources.candidate import tidy
from curate.pipeline.scrape.web.json_reader import read_json

# Whoever made the picture, before whoever only put it up.
_CREATORS = (
    *"creator creators author authors artist artists artist_name tag_string_artist tags_artist".split(),
    *"photographer illustrator user_name username user owner owner_name ownername uploader".split(),
)
_NAMES = tuple("name title username user_name display_name realname nick screen_name fullname account".split())
_TAGS = frozenset({"tag_string_artist", "tags_artist"})  # words in one text
_LICENSES = tuple("license_url licence_url license licence license_name rights usage_terms".split())
_PARTS = ("url", "href", "name", "title", "id")  # of a licence that is an object
_PAGES = ("page_url", "post_url", "webpage_url", "permalink", "url", "source")


def read(picture: Path) -> Mapping[str, Any]:
    """The object in NAME.ext.json or NAME.json beside `picture`; empty if there is none.

    Raises CurateError for a file that can't be read: it may say whose the picture is.
    """
    for beside in (picture.with_name(picture.name + ".json"), picture.with_suffix(".json")):
        try:
            with reading(beside):
                facts = read_json(beside.read_bytes())
        except (*NOT_THERE, ValueError):
            continue
        if isinstance(facts, dict):
            return facts
    return {}


def facts(said: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a Candidate that `said` fills: page_url, title, creator, license, license_url and extra."""
    page = _text(said, *_PAGES)
    stated = _stated(said)
    flickr = licenses.of_flickr(page) or said.get("category") == "flickr"
    url = next((text for text in stated if text.startswith(("http://", "https://"))), None)
    return {
        "page_url": page,
        "title": tidy(_text(said, "title", "caption", "description")),
        "creator": tidy(_creator(said)),
        "license": licenses.code(*stated, flickr=flickr),
        "license_url": url,
        "extra": {"license_raw": tidy(" | ".join(stated))} if stated else {},
    }


def _text(said: Mapping[str, Any], *keys: str) -> str | None:
    return next((said[key] for key in keys if isinstance(said.get(key), str) and said[key].strip()), None)


def _stated(said: Mapping[str, Any]) -> list[str]:
    """Everything that is said of the licence: texts, numbers, names and addresses in objects."""
    values = [said.get(key) for key in _LICENSES]
    values = [part for value in values for part in (value if isinstance(value, list) else [value])]
    parts = [part for one in values for part in (map(one.get, _PARTS) if isinstance(one, dict) else [one])]
    words = [str(part).strip() for part in parts if isinstance(part, str | int) and not isinstance(part, bool)]
    return [word for word in dict.fromkeys(words) if word]


def _creator(said: Mapping[str, Any]) -> str | None:
    for key in _CREATORS:
        names = list(_names(said.get(key)))
        if key in _TAGS:
            names = [word for name in names for word in name.split()]
        if names:
            return ", ".join(dict.fromkeys(names))
    tags = said.get("tags")
    return ", ".join(_names(tags.get("artist"))) or None if isinstance(tags, dict) else None


def _names(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, list):
        for one in value:
            yield from _names(one)
    elif isinstance(value, dict):
        yield from next((names for key in _NAMES if (names := list(_names(value.get(key))))), [])
