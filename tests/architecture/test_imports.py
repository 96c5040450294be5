"""Who may import whom, and the other rules that keep the layout simple."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from tests.architecture.imports import files, imported, modules, name, ours, tree
from tests.support import ROOT

DATA = "pipeline.core pipeline.tables pipeline.imaging pipeline.faces"  # what training may take of the data half

# Every folder, and the folders that it may import beside itself. A name stands for all that lies below it, except
# where something below it has a row of its own.
MAY_IMPORT = {
    "pipeline.core": "",
    "pipeline.hashing": "",
    "pipeline.imaging": "pipeline.core",
    "pipeline.tables": "pipeline.core",
    "pipeline.faces": "pipeline.core pipeline.imaging pipeline.tables",
    "pipeline.build": "pipeline.core pipeline.tables",
    "pipeline.export": "pipeline.core pipeline.imaging pipeline.tables pipeline.faces",
    "pipeline.demo": "pipeline.core pipeline.imaging pipeline.tables",
    "pipeline.pages": "pipeline.core pipeline.imaging pipeline.tables",
    "pipeline.web": "pipeline.core pipeline.pages",
    "pipeline.scrape.web": "pipeline.core pipeline.scrape.config",
    "pipeline.scrape.sources": (
        "pipeline.core pipeline.tables pipeline.imaging pipeline.hashing pipeline.scrape.web pipeline.scrape.config"
    ),
    "pipeline.scrape": (
        "pipeline.core pipeline.tables pipeline.imaging pipeline.hashing pipeline.demo pipeline.scrape.web "
        "pipeline.scrape.sources"
    ),
    "pipeline.crop": "pipeline.core pipeline.tables pipeline.imaging pipeline.faces",
    "pipeline.dedup": "pipeline.core pipeline.tables pipeline.imaging pipeline.hashing pipeline.faces",
    "pipeline.pairs": "pipeline.core pipeline.tables pipeline.imaging pipeline.hashing pipeline.faces",
    "pipeline.review": (
        "pipeline.core pipeline.tables pipeline.imaging pipeline.hashing pipeline.faces pipeline.pages pipeline.web"
    ),
    "pipeline.stats": "pipeline.core pipeline.tables pipeline.imaging pipeline.faces pipeline.pages",
    "pipeline.cli": "pipeline presets",
    "presets": "",
    "train.networks": "",
    "train.engine": "pipeline.core",
    "train.gan": "pipeline.core train.engine",
    "train.data": f"{DATA} train.engine",
    "train.recipes": "pipeline.core train.gan train.networks train.engine",
    "train.runs": f"{DATA} train.recipes train.gan train.data train.networks train.engine",
    "train.weights": f"{DATA} train.runs train.recipes train.gan train.data train.networks train.engine",
    "train.evaluation": (
        f"{DATA} train.weights train.runs train.recipes train.gan train.data train.networks train.engine"
    ),
    "train.translate": (
        f"{DATA} train.weights train.runs train.recipes train.gan train.data train.networks train.engine"
    ),
    "train.serve": f"{DATA} pipeline.web train.translate train.runs",
    "train.latent": (
        f"{DATA} train.translate train.evaluation train.weights train.runs train.recipes train.gan train.data "
        "train.networks train.engine"
    ),
    "train.comparison": (
        f"{DATA} pipeline.pages train.evaluation train.weights train.runs train.recipes train.gan train.data "
        "train.networks train.engine"
    ),
    "train.trainer": (
        f"{DATA} train.evaluation train.weights train.runs train.recipes train.gan train.data train.networks "
        "train.engine"
    ),
    "train.cli": f"{DATA} pipeline.cli pipeline.review pipeline.demo pipeline.web train",
}
STAGES = "scrape crop dedup pairs build stats export".split()


def under(module: str, *tops: str) -> bool:
    return any(module == top or module.startswith(top + ".") for top in tops)


def folder(module: str) -> str | None:
    """The row of MAY_IMPORT that `module` belongs to: the longest that fits; None for curate's own files."""
    rows = [row for row in MAY_IMPORT if under(module, f"curate.{row}")]
    return max(rows, key=len, default=None)


def allowed(module: str, row: str) -> bool:
    """Whether a file of the folder `row` may import `module`."""
    names = [f"curate.{name}" for name in MAY_IMPORT[row].split()]
    home = folder(module)
    return home == row or (home is None and module in names) or under(module, *names)


def assert_nothing(wrong: Mapping[Path, Collection[object]]) -> None:
    """That no file has anything wrong; else they are named, with what it is."""
    found = {str(path): sorted(map(str, what)) for path, what in wrong.items() if what}
    assert not found, found


def sources(*tops: str) -> list[Path]:
    found = [path for path in files() if under(name(path), *tops)]
    assert found, f"no file below {tops}"
    return found


def test_a_file_imports_what_its_folder_may() -> None:
    packages = {"curate", "curate.pipeline", "curate.train"}  # their __init__ do nothing that could be depended on
    rows = {path: row for path in files() if (row := folder(name(path))) is not None}
    wrong = {path: [m for m in ours(path) - packages if not allowed(m, row)] for path, row in rows.items()}
    assert_nothing(wrong)


def test_every_folder_has_its_row() -> None:
    """A new folder says whom it may import before anything stands in it."""
    for top in ("pipeline", "train"):
        found = {f"{top}.{entry.name}" for entry in (ROOT / top).iterdir() if any(entry.glob("*.py"))}
        assert found == {row for row in MAY_IMPORT if row.startswith(top) and row.count(".") == 1}


def test_arrows_point_down() -> None:
    """Two folders that may import each other, or one another by a third, would be one folder."""
    done: set[str] = set()

    def visit(row: str, trail: tuple[str, ...]) -> None:
        assert row not in trail, " -> ".join((*trail, row))
        if row not in done:
            for other in MAY_IMPORT[row].split():
                if other in MAY_IMPORT and not row.startswith(f"{other}."):
                    visit(other, (*trail, row))
            done.add(row)

    for row in MAY_IMPORT:
        visit(row, ())


@pytest.mark.parametrize("top", ["pipeline", "train"])
def test_nothing_lies_loose(top: str) -> None:
    assert [path.name for path in (ROOT / top).glob("*") if path.is_file()] == ["__init__.py"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_folder_with_its_section(stage: str) -> None:
    here = ROOT / "pipeline" / stage
    assert {"__init__.py", "stage.py", "config.py"} <= {path.name for path in here.iterdir()}
    assert any(
        isinstance(node, ast.FunctionDef) and node.name == "run"
        for node in tree(Path("pipeline", stage, "stage.py")).body
    )


@pytest.mark.parametrize("path", [p for p in files() if p.name == "__init__.py"], ids=str)
def test_a_package_holds_a_docstring_or_a_table(path: Path) -> None:
    """Importing pipeline.crop.config must not import OpenCV, so no __init__ imports anything heavy."""
    heavy = {"cv2", "dlib", "numpy", "pyarrow", "torch", "requests", "PIL", "pandas", "scipy"}
    # Two state what a detector takes, and a landmarker.
    if path.parent not in {Path("pipeline/faces/detectors"), Path("pipeline/faces/landmarkers")}:
        assert not imported(path) & heavy


def test_the_data_half_knows_nothing_of_training() -> None:
    training = ("curate.train", "torch", "torchvision")
    assert_nothing({path: [m for m in imported(path) if under(m, *training)] for path in sources("curate.pipeline")})


def test_everything_is_imported_below_curate() -> None:
    """A module that is reached by two names would be loaded twice, and `train` may be anybody's."""
    assert_nothing({path: [m for m in imported(path) if under(m, "pipeline", "train", "presets")] for path in files()})


def test_sources_neither_sleep_nor_write_nor_dial() -> None:
    dialling = {"time", "requests", "urllib3", "socket", "threading"}
    assert_nothing({path: imported(path) & dialling for path in sources("curate.pipeline.scrape.sources")})


def test_only_the_commands_print_and_read_flags() -> None:
    speaking = ("curate.pipeline.cli", "curate.train.cli", "curate.__main__", "curate.command_line", "curate.app")
    silent = [path for path in files() if not under(name(path), *speaking)]
    assert_nothing({path: imported(path) & {"typer"} for path in silent})
    assert_nothing({path: [node.lineno for node in ast.walk(tree(path)) if _speaks(node)] for path in silent})


def _speaks(node: ast.AST) -> bool:
    speech = {"print", "sys.stdout.write", "sys.stderr.write", "config.load"}
    return isinstance(node, ast.Call) and ast.unparse(node.func) in speech


def test_nothing_imports_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for other in ours(modules()[module]):
                visit(other, (*trail, module))
            done.add(module)

    for module in modules():
        visit(module, ())


def test_a_public_class_name_has_one_meaning() -> None:
    homes: dict[str, list[str]] = {}
    for path in files():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path))
    assert not {name: where for name, where in homes.items() if len(where) > 1}


def test_a_module_name_stands_once_in_each_half() -> None:
    shared = {"__init__", "config", "stage", "recipe", "networks"}
    systems = {path.stem for path in (ROOT / "train/weights").glob("*.py")}  # a file per recipe, named after it
    for top, own in (("pipeline", {"anime"}), ("train", systems)):
        stems = [path.stem for path in (ROOT / top).rglob("*.py") if path.stem not in shared | own]
        assert not {stem for stem in stems if stems.count(stem) > 1}


def test_files_and_functions_stay_small() -> None:
    assert not [path for path in files() if (ROOT / path).read_text("utf-8").count("\n") >= 300]
    assert not [path for path in files() if path.stem in {"utils", "common", "helpers"}]
    functions = {path: [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)] for path in files()}
    assert_nothing({path: [n.name for n in own if lines(n) > 60] for path, own in functions.items()})


def lines(node: ast.FunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_the_data_tests_stand_without_train() -> None:
    tests = [path.relative_to(ROOT) for path in (ROOT / "tests/pipeline").rglob("*.py")]
    assert_nothing({path: [m for m in imported(path) if under(m, "curate.train", "torch")] for path in tests})
