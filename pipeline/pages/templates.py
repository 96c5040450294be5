"""The one place that makes text safe for HTML: templates, strict about names, and what escapes beside them.

Titles, names and addresses are strangers': what they hold of HTML is text, what would turn a line around is shown as
its code, and an address that no browser should follow is no link.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from curate.pipeline.core.terminal_text import visible

_HERE = "curate.pipeline.pages"
STYLES = ("palette.css", "page.css")  # what stands in a template as `css`


def render(name: str, view: Mapping[str, Any], package: str = _HERE) -> str:
    """The template `name` of `package`'s folder for `view`; `css` in it: this folder's STYLES, then the package's own.

    Templates import this folder's others by their names.
    """
    loader = ChoiceLoader([FunctionLoader(partial(_text, package)), FunctionLoader(partial(_text, _HERE))])
    environment = Environment(
        loader=loader,
        autoescape=True,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"web": web_address, "count": _count, "size": _size}
    styles = [_text(_HERE, style) for style in STYLES] + [_text(package, "page.css") if package != _HERE else ""]
    return environment.get_template(name).render(view, css=Markup("".join(style or "" for style in styles)))


def script(name: str, package: str) -> Markup:
    """The file `name` of `package`'s folder, to stand in a page between script tags as it is."""
    return Markup(_text(package, name) or "")


def _text(package: str, name: str) -> str | None:
    file = resources.files(package) / name
    return file.read_text("utf-8") if file.is_file() else None


def web_address(url: str | None) -> str | None:
    """`url` if it is one that a browser may follow: addresses come from strangers."""
    try:
        return url if url and urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:  # http://[bad
        return None


def text(value: str) -> Markup:
    """`value` as HTML, or as an attribute's value between quotes, as `render` has it."""
    return escape(shown(value))


def link(url: str | None, value: str) -> Markup:
    """`value` as HTML, leading to `url` where that is a web address."""
    address = web_address(url)
    return text(value) if address is None else Markup('<a href="{}">{}</a>').format(text(address), text(value))


def shown(value: Any) -> Any:
    """What a page shows of `value`, not yet as HTML: text without what steers, anything else as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
