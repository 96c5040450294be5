"""`curate evaluate` as a person types it: what it writes, says, keeps and refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from curate.pipeline.imaging import codec
from curate.train.comparison import evaluation, stage, table
from curate.train.comparison.catalogue import CATALOGUE
from curate.train.comparison.evaluation import Evaluation, Way
from curate.train.comparison.scores import Score
from curate.train.trainer.run import run
from tests.support.command import curate
from tests.support.training import dataset, pair_dataset, tiny, tiny_cagan

QUICK = ("--features", "standin", "--resamples", "10", "--device", "cpu")
RUNS = "processed/runs"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that hardly learnt: a CycleGAN with two seeds, and a CAGAN."""
    path = tmp_path_factory.mktemp("root")
    dataset(path, train=4, val=2, test=5)
    pair_dataset(path, train=3, val=3)
    for seed in range(2):
        run(tiny(run__steps=1, run__seed=seed, run__measure_every=0, run__samples=0), path, path / f"{RUNS}/c{seed}")
    run(tiny_cagan(run__steps=1, run__measure_every=0, run__samples=0), path, path / f"{RUNS}/cagan")
    return path


def evaluate(root: Path, *runs: str, code: int = 0, quiet: bool = True) -> str:
    done = curate("evaluate", *runs, *QUICK, "--root", root, *(["-q"] if quiet else []), code=code)
    return done.stdout + done.stderr


def test_all_is_measured_or_said_why_not_and_its_pictures_lie_there(root: Path) -> None:
    told = json.loads(curate("evaluate", "c0", "cagan", *QUICK, "--root", root, "--json").stdout)
    for name, ways in (("c0", ["a2b", "b2a"]), ("cagan", ["repainted"])):
        folder = root / evaluation.FOLDER / name
        assert json.loads((folder / "metrics.json").read_text()) == told[name]
        found = evaluation.read(name, root)
        assert found is not None
        assert list(found.ways) == ways
        for key, way in found.ways.items():
            assert way.scores.keys() | way.unmeasured.keys() == CATALOGUE.keys()
            assert not way.scores.keys() & way.unmeasured.keys()
            assert all(math.isfinite(score.value) and score.spread >= 0 for score in way.scores.values())
            for kind in way.kinds:
                pictures = sorted((folder / "pictures" / key / kind).iterdir())
                assert [picture.name for picture in pictures] == [f"{n:04}.jpg" for n in range(len(way.photos))]
                assert codec.decode(pictures[0].read_bytes()).shape == (32, 32, 3)
            assert b"TrainedAlgorithmicMedia" in (folder / "pictures" / key / "after/0000.jpg").read_bytes()
            assert b"AlgorithmicMedia" not in (folder / "pictures" / key / "nearest/0000.jpg").read_bytes()
        assert codec.decode((folder / "nearest.jpg").read_bytes()).ndim == 3
    first = evaluation.read("c0", root)
    assert first is not None
    assert [photo.id for photo in first.ways["a2b"].photos] == [f"long-{n:03}" for n in range(6, 11)]
    assert all(photo.nearest.startswith("short-00") for photo in first.ways["a2b"].photos)
    assert {"kid_standin", "cycle_l1", "identity_l1", "nearest_standin", "flip_rate_standin"} <= told["c0"][
        "a2b"
    ].keys()


def test_what_was_measured_is_kept_until_something_changes(root: Path) -> None:
    evaluate(root, "c0")
    document = root / evaluation.FOLDER / "c0" / "evaluation.json"
    before = document.read_bytes(), document.stat().st_ino
    assert "nothing has changed" in evaluate(root, "c0", quiet=False)
    assert (document.read_bytes(), document.stat().st_ino) == before
    curate("evaluate", "c0", *QUICK, "--resamples", "11", "--root", root, "-q")
    assert document.read_bytes() != before[0], "more resamples are another measurement"
    curate("evaluate", "c0", *QUICK, "--root", root, "-q")
    assert document.read_bytes() == before[0], "equal images, networks and settings give equal bytes"


def test_what_was_interrupted_is_measured_anew_and_never_half_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(root, "c0")
    folder = root / evaluation.FOLDER / "c0"
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stage, "_write_pictures", interrupted)
        curate("evaluate", "c0", *QUICK, "--resamples", "11", "--root", root, "-q", code=130)
    assert not list(folder.glob("*.json"))
    evaluate(root, "c0")
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == before


def test_runs_that_differ_by_their_seed_are_summed_up(root: Path) -> None:
    shown = evaluate(root, "c0", "c1", quiet=False)
    assert "c0, 2 seeds" in shown
    both = [one for name in ("c0", "c1") if (one := evaluation.read(name, root))]
    ((group, scores),) = evaluation.over_seeds(both)
    values = [one.ways["a2b"].scores["kid"].value for one in group]
    kid = scores["a2b"]["kid"]
    assert kid.value == pytest.approx(sum(values) / 2)
    assert kid.spread == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert not list(evaluation.over_seeds(both[:1]))


def test_runs_are_compared_on_one_page_and_it_may_be_written_again(root: Path, tmp_path: Path) -> None:
    evaluate(root, "c0", "c1")
    out = tmp_path / "page.html"
    flags = ("--features", "standin", "--device", "cpu", "--out", out)
    (root / "params.yaml").write_text("evaluate: {resamples: 10}")
    for _ in range(2):
        told = curate("compare", "c0", "c1", *flags, "--root", root).stderr
        assert told.count("nothing has changed") == 2
    (root / "params.yaml").unlink()
    text = out.read_text("utf-8")
    assert text.count("data-photo=") == 2 * 5
    assert text.count('data-who="c1"') == 2 * 5


def test_mistakes_are_told(root: Path, tmp_path: Path) -> None:
    assert "no trained run is here" in evaluate(tmp_path, code=2)
    assert "2 runs of this name" in evaluate(root, "c0", f"{RUNS}/c0", code=2)
    assert "not a run folder" in evaluate(root, "nobody", code=2)
    assert "there are 1" in evaluate(root, "c0@99", code=2)
    assert "split" in curate("evaluate", "c0", "--split", "dev", "--root", root, code=2).stderr


def one(net: str = "standin", **scores: Score) -> Evaluation:
    way = Way(label="long to short", scores=scores, unmeasured={}, photos=[], kinds=[])
    return Evaluation(
        run=f"run of {net}", recipe="cyclegan", step=1, seed=0, settings="", made_by="", net=net, split="test",
        ways={"a2b": way},
    )  # fmt: skip


def test_a_share_is_in_percent_and_a_distance_is_not() -> None:
    half = Score(value=0.5, spread=0.25, images=4, reference=0.125)
    lines = table.text([one(flip_rate=half, kid=half)]).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        "KID 0.500 ± 0.250 0.125 untranslated less is better".split(),
        "domain flip rate 50.0 ± 25.0 % 12.5 % untranslated more is better".split(),
    ]
