"""What to type next, for what a project has."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from curate.pipeline.core.config import SECTIONS, Section, as_dict, load
from curate.pipeline.core.errors import CurateError
from curate.pipeline.tables import manifest, provenance


def after_init(root: Path) -> Iterator[str]:
    """The lines below what `curate init` wrote into `root`: a command each, to be typed in this order."""
    here = root.resolve() == Path.cwd().resolve()
    yield "next:"
    if not here:
        yield f"  cd {shlex.quote(str(root))}"
    yield "  ${EDITOR:-nano} params.yaml     # what to look for, and where"
    yield "  curate scrape"
    if find_spec("dvc"):
        begun = "" if _below_dvc(root) else "dvc init --no-scm && "
        yield f"  {begun}dvc repro     # or every stage, one after the other, up to the translated photos"


def _below_dvc(root: Path) -> bool:
    """Whether `root` is a DVC repository already."""
    return (root / ".dvc").is_dir()


_SECTIONS = {"crops": "crop", "dedup": "dedup", "pairs": "pairs", "dataset": "build"}


def changed_settings(root: Path) -> Iterator[tuple[str, str]]:
    """What was made with other settings than root/params.yaml has, with the keys, and the commands that make it anew.

    The file was edited since, or options went before it. Nothing where there is none, or one that is broken.
    """
    with contextlib.suppress(CurateError):
        params = load(root)
        for name, section in _SECTIONS.items() if params.path else ():
            table = manifest.TABLES[name]
            if manifest.exists(table, root) and manifest.read(table, root, [table.key]):  # no rows were made with none
                kind: type[Section] = SECTIONS.resolve(section)
                now = json.loads(json.dumps(as_dict(params.section(section, kind)), default=str))
                made = manifest.meta(table, root).get("section", {})
                if keys := [f"{section}.{key}" for key in now if key in made and made[key] != now[key]]:
                    found = f"{name} made with other settings than params.yaml has: {', '.join(keys)}"
                    yield found, provenance.again(table, root)
