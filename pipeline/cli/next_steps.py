"""What to type next, for what a project has."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


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
