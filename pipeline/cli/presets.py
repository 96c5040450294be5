"""The presets: what makes each use special, and the writing of one as a whole params.yaml into a new project.

A preset is laid out like a params.yaml, and holds only the keys that it sets. `extends: NAME` at its top lays it over
another preset, mapping by mapping; a key of that one is set back by writing its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from curate.pipeline.cli import params_writer, project
from curate.pipeline.cli.commented_yaml import Tree, overlaid, read
from curate.pipeline.core.errors import CurateError, UsageError, nearest
from curate.pipeline.core.files import write_text
from curate.pipeline.tables import decisions, placements

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


def named_by(root: Path) -> str:
    """The preset that root/params.yaml was written from, by its first line; "" where that is none of ours, or none."""
    try:
        first = (root / project.PARAMS).read_text("utf-8", "replace").partition("\n")[0]
    except OSError:
        return ""
    return next((name for name in names() if source(name).partition("\n")[0] == first), "")


def write(name: str, root: Path, *, force: bool = False) -> list[Path]:
    """Writes the preset `name` as root/params.yaml, its site files beside it, and makes the folders of a project.

    So that DVC finds them, what persons write, review.jsonl and faces.jsonl in manifests, is made, too, empty; what is
    there is left alone. A dvc.yaml comes
    with it, where none stands.

    A site file that stands below `root` under the name that the preset gives is used as it is. Returns what was
    written. Raises UsageError for an unknown preset, for a root that holds another project's data, and for a file that
    somebody has edited, unless `force`: then it is kept as FILE.1, or the next number that is free.
    """
    params = text(name)
    _check_data(name, root)
    files: dict[Path, str] = {}
    for site in _sites(params):
        if not (root / site).is_file():
            beside = site if "/" not in site else f"{name}-{Path(site).name}"
            files[root / beside] = _site(name, site).read_text("utf-8")
            params = params.replace(f"site: {site}\n", f"site: {beside}\n")
    files = {root / project.PARAMS: params, **files}
    edited = [path for path in files if path.exists() and not _is_ours(path, files[path])]
    if edited and not force:
        raise UsageError(
            f"{', '.join(map(str, edited))}: there already, and not as any preset has it",
            f"to have it kept as {edited[0].name}.1 and written anew: curate init {name} --force{project.option(root)}",
        )
    try:
        for folder in (*project.FOLDERS, *project.READ_WHOLE):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for file in (decisions.FILE, placements.FILE):
            (root / file).touch()
    except OSError as error:
        raise CurateError(f"{root}: cannot make folders: {error.strerror}", "choose another --root") from error
    for path in edited:
        path.rename(_backup(path))
    for path, content in files.items():
        write_text(path, content)
    return [*files, *project.write_stages(root)]


def _check_data(name: str, root: Path) -> None:
    """Raises UsageError when what stands below `root` is not of the preset `name`: they would train together."""
    found, of = project.holds_data(root), named_by(root)
    drawn = project.is_drawn(root) and not yaml.safe_load(text(name))["scrape"].get("demo")
    if found and (of != name or drawn):
        whose = f" ({'demo' if drawn else of})" if of or drawn else ""
        raise UsageError(
            f"{root}: holds another project's data{whose}: {found}; both would train together",
            f"begin in a folder of its own: curate init {name} --root NEW\n"
            f"  or set this one aside, to be brought back any time: curate init {name} --aside{project.option(root)}",
        )


def _is_ours(path: Path, content: str) -> bool:
    """Whether the file at `path` is as a preset has it, so that nothing is lost with it."""
    there = path.read_text("utf-8", "replace")
    if there == content or path.name != project.PARAMS:
        return there == content
    return any(_but_sites(there) == _but_sites(text(name)) for name in names())


def _but_sites(params: str) -> str:
    """`params` without the paths of its site files, which depend on the root."""
    return re.sub(r"( site: ).+", r"\1", params)


def _backup(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return kept


def _sites(params: str) -> Iterator[str]:
    """The site files that a preset's queries name, each once."""
    queries = yaml.safe_load(params).get("scrape", {}).get("queries", [])
    yield from dict.fromkeys(query["site"] for query in queries if query.get("site"))


def _site(name: str, site: str) -> Traversable:
    """Where the site file `site` of the preset `name` comes from: the demo's own, or the one beside the preset."""
    own = resources.files("curate.presets") / f"{name}.{Path(site).name}"
    return own if own.is_file() else resources.files("curate.pipeline.demo") / Path(site).name
