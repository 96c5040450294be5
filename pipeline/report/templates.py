"""The pages' templates: escaping whatever came from the web, strict about names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup


def render(name: str, view: Mapping[str, Any]) -> str:
    """The template `name` of this folder for `view`; page.css stands in it as `css`."""
    loader = FunctionLoader(_text)
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters |= {"web": _web, "count": _count, "size": _size}
    return environment.get_template(name).render(view, css=Markup(_text("page.css")))


def _text(name: str) -> str:
    return (resources.files("pipeline.report") / name).read_text("utf-8")


def _web(url: str | None) -> str | None:
    """`url` if it is one that a browser may follow: addresses come from strangers."""
    return url if url and urlsplit(url).scheme in {"http", "https"} else None


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
