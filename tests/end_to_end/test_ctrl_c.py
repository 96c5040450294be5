"""Ctrl-C on a terminal, in every long command: once it ends well and goes on, twice it ends at once.

On a pseudo-terminal, so that the key reaches every process of the command, workers and helpers, too. What ends in a
blink is not here: init, sources, models, params, list, keep, reject and the like; nor is forget, which can be done once
and has a test of its own, and pages, of which test_web.py tells.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.support import scale
from tests.support.command import curate
from tests.support.terminal import Terminal

LOG = logging.getLogger(__name__)
INTERRUPTED = 130
GONE = 5.0  # s that a helper process may take to notice that nobody waits for it any more
GOES_ON = ("the same command goes on", "the same command begins anew")


class Case(NamedTuple):
    """A command in the small world, and what of its results is taken away before, so that it has work to do."""

    words: str
    without: tuple[str, ...] = ()
    ends: int = 0  # when nobody interrupts it


PHOTOS = "project raw/images --run processed/runs/stylegan2 --no-align --distance pixels"
CASES = {
    "scrape": Case("scrape", ("raw", "manifests/images.parquet")),
    "crop": Case("crop --workers 2", ("processed/crops", "manifests/crops.parquet")),
    "crop alone": Case("crop --workers 1", ("processed/crops", "manifests/crops.parquet")),
    "dedup": Case("dedup --workers 2", ("processed/dedup", "manifests/dedup.parquet")),
    "pairs": Case("pairs --workers 2", ("processed/pairs", "manifests/pairs.parquet")),
    "build": Case("build", ("manifests/dataset.parquet",)),
    "stats": Case("stats --html", ("processed/report",)),
    "export folders": Case("export --to folders --domain long --domain short --out exported", ("exported",)),
    "export webdataset": Case("export --to webdataset --shard 4 --out exported", ("exported",)),
    "export stylegan-zip": Case("export --to stylegan-zip --size 64 --out exported", ("exported",)),
    "export huggingface": Case("export --to huggingface --out exported", ("exported",)),
    "export viton-hd": Case("export --to viton-hd --pairs --out exported", ("exported",)),
    "credits": Case("credits", ("processed/credits",)),
    "select": Case("select --keep 4", ("manifests/review.jsonl",)),
    "sort": Case("sort --by alike", ("processed/sorted",)),
    "suspects": Case("suspects --features pixels", ("processed/suspects",)),
    "sbom": Case("sbom", ("sbom.cdx.json",)),
    "train": Case("train cyclegan --steps 40", ("processed/runs/cyclegan",)),
    "train --dry-run": Case("train cyclegan --steps 40 --dry-run"),
    "evaluate": Case("evaluate cyclegan --images 8 --features standin", ("processed/evaluated",)),
    "compare": Case("compare cyclegan --images 8 --features standin", ("compare.html", "processed/compared")),
    "translate": Case("translate --weights drawn-hair --split train --out there", ("there",)),
    "generate": Case("generate processed/runs/stylegan2 --seeds 0-99 --out other", ("other",)),
    "label": Case("label generated --by smile --force", ("generated/.curate-smiles.jsonl",), 2),
    "direction": Case("direction generated --method sefa --count 2 --check 20 --force --out new", ("new",), 2),
    "project": Case(f"{PHOTOS} --steps 9", ("projected",)),
    "project --tune": Case(f"{PHOTOS} --steps 2 --tune --tune-steps 1", ("projected",)),
    "edit": Case("edit generated/seed0000.png generated/seed0001.png --direction sefa1", ("edited",)),
    "weights import": Case("weights import processed/runs/cyclegan -o one.safetensors", ("one.safetensors",)),
    "weights export": Case("weights export processed/runs/cyclegan --layout onnx -o onnx", ("onnx",)),
    "doctor": Case("doctor"),
    "dvc": Case("repro crop", ("processed/crops", "manifests/crops.parquet")),
}
SHARES = (0.1, 0.5, 0.9)  # of the time that a command takes, at which Ctrl-C is pressed: early, in the middle, late
RUN = {"steps": 2, "tick": 1, "batch": 2, "samples": 1, "sample_every": 50, "checkpoint_every": 5, "measure_every": 0}
MODELS = {
    "cyclegan": {"width": 4, "discriminator_width": 4, "blocks": 1, "discriminator_layers": 1},
    "stylegan2": {"z_dim": 8, "w_dim": 8, "mapping_layers": 1, "channel_base": 128, "channel_max": 8},
}
DATA = {"cyclegan": {"a": "long", "b": "short"}, "stylegan2": {"a": "long"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything has run once, in small."""
    root = tmp_path_factory.mktemp("world")
    curate("init", "demo", "--root", root)
    params: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    params["scrape"]["demo"] = {"seed": 3, "portraits": 12, "anime": 2, "icons": 2, "garments": 9}
    params["train"] = {
        name: {"data": {"domains": DATA[name], "size": 32, "load": 32}, "run": RUN, "model": model}
        for name, model in MODELS.items()
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    for words in ("scrape", "crop", "dedup", "pairs", "build", "train cyclegan", "train stylegan2"):
        curate(*words.split(), "--root", root)
    generated = root / "generated"
    curate("generate", root / "processed/runs/stylegan2", "--seeds", "0-29", "--out", generated)
    curate("direction", generated, "--method", "sefa", "--count", "1", "--out", root / "directions")
    Terminal(["dvc", "init", "--no-scm", "--quiet"], root).ended()
    Terminal(["dvc", "commit", "--force", "--quiet", "scrape"], root).ended()
    return root


@pytest.fixture
def root(world: Path, tmp_path: Path) -> Path:
    """The world, to be worked in."""
    shutil.copytree(world, tmp_path / "root", symlinks=True)
    return tmp_path / "root"


def command(case: Case, root: Path) -> Terminal:
    for name in case.without:
        place = root / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    if case.words.startswith("repro"):
        return Terminal([sys.executable, "-m", "dvc", *case.words.split()], root)
    return Terminal.curate(*case.words.split(), cwd=root)


def press(terminal: Terminal, times: Sequence[float]) -> int:
    """Presses Ctrl-C after each of `times`, s from the one before, while the command is at work; its exit code."""
    for seconds in times:
        end = time.monotonic() + seconds
        while time.monotonic() < end and terminal.process.poll() is None:
            terminal.read(0.01)
        if terminal.process.poll() is None:
            terminal.press_ctrl_c()
    code = terminal.ended(120 if len(times) < 2 else 10)
    assert not terminal.left(GONE), terminal.shown
    return code


PYTHON_STARTS = 0.1  # s in which Ctrl-C may still be Python's own
TWICE = (0.2, 2.0)  # s; once more: of two that come while the machine is busy, the system may make one


def assert_clear(code: int, shown: str, words: str) -> None:
    assert "Traceback" not in shown and "bug of ours" not in shown and "leaked" not in shown, shown
    if words.startswith("repro"):
        assert code, shown
    else:
        assert code == INTERRUPTED, f"exit {code}\n{shown}"
        assert any(line in shown for line in GOES_ON), shown


@pytest.mark.deep
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_once_it_ends_well_and_goes_on_and_twice_at_once(name: str, root: Path) -> None:
    case = CASES[name]
    start = time.monotonic()
    with command(case, root) as terminal:
        assert terminal.ended(300) == case.ends, terminal.shown
    takes = time.monotonic() - start
    met = 0
    for share in SHARES:
        for more in ((), TWICE):
            with command(case, root) as terminal:
                code = press(terminal, [max(share * takes, PYTHON_STARTS), *more])
            LOG.info("%s at %.0f %%%s: exit %d", name, 100 * share, ", twice" if more else "", code)
            if code != case.ends:
                met += 1
                assert_clear(code, terminal.shown, case.words)
    assert met >= 2, "it had ended before most of the times"
    case = case._replace(without=())
    with command(case, root) as terminal:
        assert terminal.ended(300) == case.ends, terminal.shown


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Path]:
    """A root with photos that crop has not seen."""
    scale.world(tmp_path, 60, kind="process")
    yield tmp_path


@pytest.mark.parametrize("way", ["once", "twice", "terminated", "hung up"])
def test_a_pool_of_processes_ends_with_its_command(photos: Path, way: str) -> None:
    with Terminal.curate("crop", "--workers", "2", cwd=photos) as terminal:
        terminal.wait_for("crop")
        if way == "hung up":
            terminal.hang_up()
            assert press(terminal, []) == INTERRUPTED
        elif way == "terminated":
            os.killpg(terminal.process.pid, signal.SIGTERM)  # all of them, as `timeout` does
            assert_clear(press(terminal, []), terminal.shown, "crop")
        else:
            assert_clear(press(terminal, [0.0, *(TWICE if way == "twice" else ())]), terminal.shown, "crop")
    assert not (photos / "manifests/crops.parquet").exists()
