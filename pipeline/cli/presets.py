"""The presets: what makes each use special, and the writing of one as a whole params.yaml into a new project.

A preset is laid out like a params.yaml, and holds only the keys that it sets. `extends: NAME` at its top lays it over
another preset, mapping by mapping; a key of that one is set back by writing its default.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from curate.pipeline.cli import params_writer
from curate.pipeline.cli.commented_yaml import Tree, overlaid, read
from curate.pipeline.core.errors import CurateError, UsageError, nearest
from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import decisions

FOLDERS = ("raw", "processed", "manifests")
_SITE = ".site.yaml"


def names() -> list[str]:
    """Every preset, by name."""
    files = (entry.name for entry in resources.files("curate.presets").iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml") and not name.endswith(_SITE))


def source(name: str) -> str:
    """The file of the preset `name`. Raises UsageError, with the nearest name, if there is none."""
    if name not in names():
        raise UsageError(f"there is no preset '{name}'{nearest(name, names())}", f"presets: {', '.join(names())}")
    return (resources.files("curate.presets") / f"{name}.yaml").read_text("utf-8")


def tree(name: str) -> Tree:
    """What the preset `name` sets, with what it extends. Raises UsageError, with the nearest name, if there is none."""
    own = read(source(name))
    base = own.entries.get("extends")
    return own if base is None else overlaid(tree(base.text[0]), own.without("extends"))


@cache
def text(name: str) -> str:
    """The whole params.yaml of the preset `name`.

    Raises UsageError, with the nearest name, for a preset, a section or a key that does not exist.
    """
    return params_writer.render(tree(name))


def write(name: str, root: Path, *, force: bool = False) -> list[Path]:
    """Writes the preset `name` as root/params.yaml, its site files beside it, and makes the folders of a project.

    So that DVC finds it, manifests/review.jsonl is made, too, empty; one that is there is left alone.

    A site file that stands below `root` under the name that the preset gives is used as it is. Returns what was
    written. Raises UsageError for an unknown preset, and for a file that is there already, unless `force`.
    """
    params = text(name)
    files: dict[Path, str] = {}
    for site in _sites(params):
        if not (root / site).is_file():
            beside = site if "/" not in site else f"{name}-{Path(site).name}"
            files[root / beside] = _site(name, site).read_text("utf-8")
            params = params.replace(f"site: {site}\n", f"site: {beside}\n")
    files = {root / "params.yaml": params, **files}
    there = [path for path in files if path.exists()]
    if there and not force:
        raise UsageError(f"{', '.join(map(str, there))}: there already", f"to overwrite: curate init {name} --force")
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / decisions.FILE).touch()
    except OSError as error:
        raise CurateError(f"{root}: cannot make folders: {error.strerror}", "choose another --root") from error
    for path, content in files.items():
        with atomic_write(path) as temporary:
            temporary.write_text(content, "utf-8")
    return list(files)


def _sites(params: str) -> Iterator[str]:
    """The site files that a preset's queries name, each once."""
    queries = yaml.safe_load(params).get("scrape", {}).get("queries", [])
    yield from dict.fromkeys(query["site"] for query in queries if query.get("site"))


def _site(name: str, site: str) -> Traversable:
    """Where the site file `site` of the preset `name` comes from: the demo's own, or the one beside the preset."""
    own = resources.files("curate.presets") / f"{name}.{Path(site).name}"
    return own if own.is_file() else resources.files("curate.pipeline.demo") / Path(site).name
