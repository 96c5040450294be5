"""The presets: whole params.yaml files, one per use, and the writing of one into a new project."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from curate.pipeline.core.errors import CurateError, UsageError, nearest
from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import decisions

FOLDERS = ("raw", "processed", "manifests")
_SITE = ".site.yaml"


def names() -> list[str]:
    """Every preset, by name."""
    files = (entry.name for entry in resources.files("presets").iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml") and not name.endswith(_SITE))


def text(name: str) -> str:
    """The params.yaml of the preset `name`. Raises UsageError, with the nearest name, if there is none."""
    if name not in names():
        raise UsageError(f"there is no preset '{name}'{nearest(name, names())}", f"presets: {', '.join(names())}")
    return (resources.files("presets") / f"{name}.yaml").read_text("utf-8")


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
    own = resources.files("presets") / f"{name}.{Path(site).name}"
    return own if own.is_file() else resources.files("curate.pipeline.demo") / Path(site).name
