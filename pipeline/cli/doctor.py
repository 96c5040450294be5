"""Checks what curate stands on: Python, packages, models, GPU, DVC, the disk, params.yaml and the tables."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from curate.pipeline.cli import next_steps
from curate.pipeline.cli.project import FOLDERS
from curate.pipeline.core.config import SECTIONS, Section, load
from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.optional_packages import DISTRIBUTION, how_to_install
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces import detectors, model_files
from curate.pipeline.stats import funnel
from curate.pipeline.tables import manifest, provenance

State = Literal["ok", "warn", "fail"]
GIGABYTE = 1e9
SCARCE, LITTLE = 1.0, 10.0  # GB of free disk: too little to work, little for a project


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    mend: str = ""  # what to do about it


def run(root: Path) -> list[Check]:
    """Everything there is to check, for the project at `root`. Fetches nothing and leaves nothing behind."""
    return [
        _python(),
        *_packages(),
        *_imports(),
        *_models(),
        *_dvc(root),
        *_disk(root),
        *_params(root),
        *_tables(root),
    ]


def text(checks: list[Check]) -> str:
    """One line per check, and below it how to mend it."""
    room = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state:4}  {check.name:{room}}  {check.found}")
        if check.mend and check.state != "ok":
            lines.append(f"{'':4}  {'':{room}}  -> {check.mend}")
    counts = {state: sum(check.state == state for check in checks) for state in ("fail", "warn")}
    if counts["fail"]:
        lines.append(f"\n{counts['fail']} to mend before curate can work")
    elif counts["warn"]:
        lines.append(f"\nready; {counts['warn']} to look at")
    else:
        lines.append("\nready")
    return "\n".join(lines)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    state: State = "ok" if sys.version_info >= (3, 11) else "fail"
    return Check("python", state, found, "install Python 3.11 or newer and make the environment again: make install")


def _packages() -> Iterator[Check]:
    """What curate's own metadata asks for is there. Whether it works is for _imports to say."""
    try:
        needed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Check("packages", "warn", "curate itself is not installed", "make install, or: pip install -e .")
        return
    names = [re.match(r"[\w.-]+", line)[0] for line in needed if "extra ==" not in line]  # type: ignore[index]
    missing = [name for name in names if not _version(name)]
    if {"dlib", "dlib-bin"} - set(missing):  # one of the two brings dlib, depending on the machine
        missing = [name for name in missing if not name.startswith("dlib")]
    there = len(names) - len([name for name in names if name in missing])
    if missing:
        yield Check("packages", "fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    else:
        yield Check("packages", "ok", f"{there} installed")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _imports() -> Iterator[Check]:
    """Packages with native code, each tried in a process of its own: a broken one may take it down."""
    yield _imported(
        "opencv",
        "import cv2; cv2.CascadeClassifier; print(cv2.__version__)",
        "pip install 'opencv-python<5'; if it says libGL: apt-get install -y libgl1 libglib2.0-0",
    )
    yield _imported(
        "dlib", "import dlib; dlib.shape_predictor; print(dlib.__version__)", "pip install --force-reinstall dlib-bin"
    )
    if not find_spec("torch"):
        yield Check("torch", "warn", "not installed: the data half works, training does not", how_to_install("torch"))
        return
    pair = _imported(
        "torch",
        "import torch, torchvision; torchvision.ops.nms; torch.ops.torchvision.nms; "
        "print(torch.__version__, 'with torchvision', torchvision.__version__)",
        "the two must be of one release: pip install --upgrade --force-reinstall torch torchvision",
    )
    yield pair
    if pair.state == "ok":
        name = _try("import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')")[1]
        slow = "none: training runs on the CPU, slowly"
        yield Check("gpu", "ok" if name else "warn", name or slow, "for CUDA, see: nvidia-smi")


def _imported(name: str, code: str, mend: str) -> Check:
    fine, said = _try(code)
    return Check(name, "ok" if fine else "fail", said, mend)


def _try(code: str) -> tuple[bool, str]:
    """Whether `code` runs, and its last line of output or of its error."""
    try:
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        return False, "did not answer within three minutes"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else "" if done.returncode == 0 else "it crashed"


def _models() -> Iterator[Check]:
    for name, model in model_files.MODELS.items():
        try:
            path = model_files.find(name)
        except CurateError as error:
            yield Check(f"model {name}", "fail", error.message, error.hint)
            continue
        if path:
            yield Check(f"model {name}", "ok", str(path))
        else:
            when = "fetched when it is first needed; at once" if model.fetched else "where it is needed"
            mend = f"{when}: {model_files.how_to_get(name)}; or put {model.file} into $CURATE_MODELS"
            yield Check(f"model {name}", "warn", "not on this machine yet", mend)


def _dvc(root: Path) -> Iterator[Check]:
    command, version = shutil.which("dvc"), _version("dvc")
    beside = Path(sys.executable).with_name("dvc")
    if command or beside.is_file():
        yield Check("dvc", "ok", version or command or str(beside))
    else:
        yield Check("dvc", "warn", "not there: every command works, dvc repro does not", how_to_install("dvc"))
    lock = root / "dvc.lock"
    if lock.is_file() and re.search(
        r"path: (pipeline|train)/\S+\.py$", lock.read_text("utf-8", "replace"), re.MULTILINE
    ):
        found = "of an older checkout, whose stages depended on single files"
        yield Check("dvc.lock", "warn", found, "dvc repro: each stage runs once more, quickly, for the same tables")


def _disk(root: Path) -> Iterator[Check]:
    there = next(folder for folder in (root.resolve(), *root.resolve().parents) if folder.exists())
    for folder in FOLDERS:
        path = root / folder
        try:
            with tempfile.TemporaryFile(dir=path if path.exists() else there):
                pass
        except OSError as error:
            mend = f"give yourself the right to write there, e.g. sudo chown -R $USER {path}"
            yield Check(f"write {folder}/", "fail", f"{path}: {error.strerror}", mend)
        else:
            yield Check(f"write {folder}/", "ok", "yes" if path.is_dir() else "yes; it will be made")
    free = shutil.disk_usage(there).free / GIGABYTE
    state: State = "fail" if free < SCARCE else "warn" if free < LITTLE else "ok"
    yield Check("disk", state, f"{free:.1f} GB free", "free some space, or work on another disk: --root DIR")


def _params(root: Path) -> Iterator[Check]:
    try:
        params = load(root)
        for name in SECTIONS:
            section: Section = params.section(name, SECTIONS.resolve(name))
            if isinstance(section, Crop):
                for rules in (section, *(section.rules(domain) for domain in section.domains)):
                    detectors.names(rules)
    except CurateError as error:
        yield Check("params.yaml", "fail", error.message, error.hint)
    else:
        yield Check("params.yaml", "ok", "valid" if params.path else "none: the defaults serve")


def _tables(root: Path) -> Iterator[Check]:
    unused: list[manifest.Table] = []
    with contextlib.suppress(CurateError):  # a broken table is told of below
        unused = funnel.unused(root)
    for name, table in manifest.TABLES.items():
        if not manifest.exists(table, root):
            yield Check(f"table {name}", "ok", "not needed" if table in unused else f"not yet: {table.made_by}")
            continue
        try:
            yield Check(f"table {name}", "ok", f"{manifest.read(table, root).num_rows:,} rows")
        except CurateError as error:
            yield Check(f"table {name}", "fail", error.message, error.hint)
    try:
        freshness = provenance.freshness(root, [table for table in provenance.ORDER if table not in unused])
    except CurateError as error:
        yield Check("up to date", "fail", error.message, error.hint)
        return
    if freshness.stale:
        found, _, commands = freshness.text().rpartition(": ")
        yield Check("up to date", "warn", found, commands)
    for found, commands in next_steps.changed_settings(root):
        yield Check("settings", "warn", found, commands)
