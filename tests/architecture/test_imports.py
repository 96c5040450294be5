"""Who may import whom: the rules that keep the house simple."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.imports import ROOT, files, imported, modules, name, ours, tree

VERBS = {f"pipeline.{verb}" for verb in "scrape crop dedup pairs build stats sort lists select export".split()}
SPEAKERS = {
    "curate",
    "curate.pipeline.cli.context",
    "curate.train.cli.params",
    "curate.pipeline.cli.console",
    "curate.pipeline.cli.commands",
    "curate.pipeline.cli.scrape",
    "curate.pipeline.cli.review",
    "curate.train.cli.commands",
    "curate.train.cli.translate",
}
LENT_TO_TRAIN = {
    f"pipeline.{module}"
    for module in (
        "manifest params origins registry errors images shards geometry letterbox warp align detectors crop cli "
        "console progress".split()
    )
} | {"pipeline"}


def under(module: str, *tops: str) -> bool:
    return any(module == top or module.startswith(top + ".") for top in tops)


def sources(*tops: str) -> list[Path]:
    found = [path for path in files() if under(name(path), *tops)]
    assert found, f"no file below {tops}"
    return found


@pytest.mark.parametrize("path", sources("pipeline"), ids=str)
def test_the_data_half_knows_nothing_of_training(path: Path) -> None:
    assert not {m for m in imported(path) if under(m, "train", "torch", "torchvision")}


@pytest.mark.parametrize("path", sources("train"), ids=str)
def test_training_takes_only_what_is_lent(path: Path) -> None:
    taken = {m for m in ours(path) if under(m, "pipeline")}
    assert not {m for m in taken if m not in LENT_TO_TRAIN and not under(m, "curate.pipeline.faces.detectors")}


@pytest.mark.parametrize("path", sources("curate.train.recipes"), ids=str)
def test_recipes_build_on_networks_and_losses(path: Path) -> None:
    training = ("networks", "losses", "augment", "draws", "recipe", "recipes")
    allowed = [
        *(f"train.{name}" for name in training),
        "curate.pipeline.core.registry",
        "curate.pipeline.core.config",
        "curate.pipeline.core.errors",
    ]
    stray = {m for m in ours(path) if not under(m, *allowed)}
    assert not stray


@pytest.mark.parametrize("path", sources("curate.train.networks"), ids=str)
def test_networks_build_on_blocks_and_draws(path: Path) -> None:
    assert ours(path) <= {"curate.train.networks.blocks", "curate.train.networks", "curate.train.engine.rng"}


def test_losses_know_tensors_alone() -> None:
    assert not ours(modules()["curate.train.gan.losses"])


def test_the_loop_names_no_recipe() -> None:
    assert not {
        m
        for m in ours(modules()["curate.train.engine.loop"])
        if under(m, "curate.train.recipes", "curate.train.networks", "curate.train.gan.losses")
    }


@pytest.mark.parametrize("verb", sorted(VERBS & modules().keys()))
def test_verbs_do_not_import_each_other(verb: str) -> None:
    assert not ours(modules()[verb]) & (VERBS - {verb})


@pytest.mark.parametrize("path", sources("curate.pipeline.scrape.sources", "curate.pipeline.faces.detectors"), ids=str)
def test_sources_and_detectors_import_no_verb(path: Path) -> None:
    assert not ours(path) & VERBS


@pytest.mark.parametrize("path", sources("curate.pipeline.scrape.sources"), ids=str)
def test_sources_neither_sleep_nor_write_nor_dial(path: Path) -> None:
    assert not imported(path) & {"time", "requests", "urllib3", "socket", "threading"}


@pytest.mark.parametrize("path", files(), ids=str)
def test_only_the_doors_speak_and_read_flags(path: Path) -> None:
    if name(path) in SPEAKERS:
        return
    assert "typer" not in imported(path)
    speech = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and _speaks(node)]
    assert not speech, f"{path}:{speech[0].lineno}"


def _speaks(call: ast.Call) -> bool:
    return ast.unparse(call.func) in {"print", "sys.stdout.write", "sys.stderr.write", "params.load"}


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


@pytest.mark.parametrize("path", files(), ids=str)
def test_rooms_stay_small(path: Path) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert text.count("\n") < 300
    assert path.name != "utils.py"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "pipeline").rglob("*.py")), ids=lambda p: p.name)
def test_the_data_tests_stand_without_train(path: Path) -> None:
    assert "torch" not in imported(path.relative_to(ROOT))
    assert not {m for m in imported(path.relative_to(ROOT)) if under(m, "train")}
