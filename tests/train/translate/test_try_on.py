"""People in other articles: what is painted where in the photo, what is kept, what is written and refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from curate import load
from curate.__main__ import main
from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.geometry import apply
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.tables import manifest
from curate.train.data import transforms
from curate.train.data.transforms import to_float
from curate.train.engine.contract import Batch
from curate.train.runs.trained import Trained, load_run
from curate.train.trainer.run import run
from curate.train.translate import try_on
from curate.train.translate.composite import laid_over
from curate.train.translate.pictures import Output
from curate.train.translate.try_on import TryOn, painted
from tests.support.foreign_weights import chainer, chainer_content
from tests.support.training import dataset, pair_dataset, tiny, tiny_cagan

EYE = np.eye(2, 3)


class Painter:
    """A recipe that paints the wanted article's mean colour on the left half of what it sees."""

    def __init__(self) -> None:
        self.seen: list[Batch] = []

    def state_dict(self) -> dict[str, Tensor]:
        return {"nothing": torch.zeros(())}

    def render(self, batch: Batch) -> Batch:
        self.seen.append(batch)
        human = batch["human"]
        alpha = torch.zeros_like(human)
        alpha[..., : human.shape[-1] // 2] = 1.0
        colour = batch["other"][..., 12:20, 12:20].mean((2, 3), keepdim=True)
        return {"swapped": alpha * colour + (1 - alpha) * human, "alpha": alpha * 2 - 1}


def painted_try_on(side: int = 32, width: int | None = None) -> tuple[TryOn, Painter]:
    painter = Painter()
    keys = frozenset(("human", "article", "other"))
    trained = Trained(
        recipe=painter,  # type: ignore[arg-type]
        source="here",
        step=7,
        side=side,
        domains={},
        rules={},
        directions=(),
        keys=keys,
        width=width,
    )
    return TryOn(trained), painter


def photo(height: int, width: int, seed: int = 0) -> codec.RGB:
    made: codec.RGB = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return made


def plain(colour: tuple[int, int, int], side: int = 40) -> codec.RGB:
    return np.full((side, side, 3), colour, np.uint8)


def test_at_the_networks_own_size_their_picture_comes_back() -> None:
    rng = torch.Generator().manual_seed(0)
    seen, rgb = torch.rand(2, 1, 3, 24, 16, generator=rng) * 2 - 1
    share = torch.rand(1, 1, 24, 16, generator=rng).expand_as(seen)
    made = share * rgb + (1 - share) * seen
    own = ((seen[0] + 1) * 127.5).permute(1, 2, 0).numpy()
    before = Photo.of(np.rint(own).astype(np.uint8))
    back = laid_over(before, painted(seen, made, share * 2 - 1, EYE)).shown
    wanted = ((made[0] + 1) * 127.5).permute(1, 2, 0).numpy()
    assert np.abs(back - wanted).max() <= 1.2


def test_where_nothing_is_painted_the_photo_stays_bit_for_bit_at_its_own_size() -> None:
    large = photo(300, 200)
    seen = torch.zeros(1, 3, 32, 32)
    layer = painted(seen, seen, -torch.ones_like(seen), EYE * 32 / 300)
    assert np.array_equal(laid_over(Photo.of(large), layer).shown, large)


@pytest.mark.parametrize(("height", "width"), [(300, 200), (200, 300), (40, 40)])
def test_paint_lies_where_it_was_seen_and_the_rest_is_kept(height: int, width: int) -> None:
    try_on_article, _ = painted_try_on()
    person = photo(height, width)
    made = try_on_article(Photo.of(person), plain((200, 0, 100)))
    assert made.photo.shown.shape == person.shape
    band = 2 * max(height, width) // 32  # a pixel of the view is so large in the photo, and edges are soft
    left, right = made.photo.shown[:, : width // 2 - band], made.photo.shown[:, width // 2 + band :]
    assert np.abs(left.astype(int) - (200, 0, 100)).max() <= 1
    assert np.array_equal(right, person[:, width // 2 + band :])
    corners = apply(made.layer.affine, [[-0.5, -0.5], [width - 0.5, height - 0.5]])
    inner = np.array([width, height]) * 32 / max(width, height)
    assert np.allclose(corners[1] - corners[0], inner, atol=0.2)
    assert np.allclose(corners.mean(0), 15.5, atol=0.1)


def test_what_a_narrow_view_does_not_show_is_kept() -> None:
    try_on_article, painter = painted_try_on(32, width=24)
    person = photo(64, 64)
    made = try_on_article(Photo.of(person), plain((0, 250, 0))).photo.shown
    assert painter.seen[0]["human"].shape == (1, 3, 32, 24)
    assert np.array_equal(made[:, :8], person[:, :8]), "left of the view, though the view's left half is painted"
    assert np.abs(made[:, 12:29].astype(int) - (0, 250, 0)).max() <= 1, "where it has faded in"
    assert np.array_equal(made[:, 35:], person[:, 35:])


def test_an_article_that_nobody_knows_is_plain_white() -> None:
    try_on_article, painter = painted_try_on()
    try_on_article(Photo.of(photo(40, 40)), plain((9, 9, 9)))
    try_on_article(Photo.of(photo(40, 40)), plain((9, 9, 9)), plain((90, 90, 90)))
    blank, worn = (batch["article"] for batch in painter.seen)
    assert torch.equal(blank, torch.ones_like(blank))
    assert worn.mean().item() == pytest.approx(90 / 127.5 - 1, abs=1e-3)


@pytest.fixture
def article_files(tmp_path: Path) -> Path:
    """Two people, two articles, and a file that is no picture."""
    for number, name in enumerate(("people/anna", "people/ben")):
        (tmp_path / "people").mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(codec.encode_png(photo(60, 40, number)))
    (tmp_path / "articles").mkdir()
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        (tmp_path / f"articles/{name}.png").write_bytes(codec.encode_png(plain(colour)))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_everybody_tries_everything_on_and_the_grid_shows_it(article_files: Path) -> None:
    root = article_files
    jobs = try_on.list_jobs([root / "people"], [root / "articles"])
    assert [job.name for job in jobs] == ["anna-blue", "anna-red", "ben-blue", "ben-red"]
    results = try_on.run(painted_try_on()[0], jobs, root / "out", Output("compare"))
    assert [result.reason for result in results] == ["ok"] * 4
    shown = codec.decode((root / "out/anna-red.png").read_bytes())
    assert shown.shape == (60, 40 + 4 + 60 + 4 + 40, 3), "the person, the article, the person in it"
    assert shown[:, -40:-30].mean((0, 1)).tolist() == [255, 0, 0]
    assert codec.decode((root / "out/grid.png").read_bytes()).shape == (3 * 36, 5 * 36 + 8, 3)
    notes = json.loads((root / "out/ben-blue.json").read_text())
    assert (notes["article"], notes["worn"], notes["side"], notes["step"]) == (
        str(root / "articles/blue.png"),
        None,
        32,
        7,
    )
    assert len(notes["affine"]) == 6


def test_what_can_not_be_read_is_reported_and_a_broken_article_ends_it(article_files: Path) -> None:
    root = article_files
    jobs = try_on.list_jobs([root / "notes.txt", root / "people/anna.png"], [root / "articles/red.png"])
    assert [r.reason for r in try_on.run(painted_try_on()[0], jobs, root / "out")] == ["not_image", "ok"]
    jobs = try_on.list_jobs([root / "people/anna.png"], [root / "notes.txt"])
    with pytest.raises(UsageError, match=r"notes\.txt: "):
        try_on.run(painted_try_on()[0], jobs, root / "out")
    with pytest.raises(UsageError, match="one file for 2 images"):
        try_on.run(
            painted_try_on()[0], try_on.list_jobs([root / "people"], [root / "articles/red.png"]), root / "out.png"
        )


def raw_world(root: Path) -> None:
    """Pairs, and the raw images that it was boxed from."""
    pair_dataset(root, train=2, val=3, humans=2)
    rows = manifest.read(manifest.PAIRS, root).to_pylist()
    seen: dict[str, dict[str, Any]] = {}
    for row in rows:
        for role in ("article", "human"):
            path = row[f"{role}_path"]
            row[f"{role}_image_id"] = key = Path(path).stem
            seen[key] = {"candidate_id": key, "image_id": key, "path": f"raw/images/{key}.png"}
            seen[key] |= {"domain": "garments", "rank": 0}
            (root / "raw/images").mkdir(parents=True, exist_ok=True)
            (root / f"raw/images/{key}.png").write_bytes((root / path).read_bytes())
    manifest.write(manifest.PAIRS, manifest.from_rows(manifest.PAIRS, rows), root)
    fixed = {"source": "folder", "status": manifest.ACCEPTED, "reason": manifest.OK, "license": "cc0"}
    table = manifest.from_rows(manifest.IMAGES, [{**row, **fixed} for row in seen.values()])
    manifest.write(manifest.IMAGES, table, root)


def test_of_a_split_everybody_gets_the_next_article(tmp_path: Path) -> None:
    raw_world(tmp_path)
    jobs = try_on.split_jobs(tmp_path, "val")
    assert len(jobs) == 6
    numbers = [[int(path.stem[:3]) for path in (job.person, job.worn, job.wanted) if path] for job in jobs]
    assert numbers == [[2, 2, 3], [2, 2, 3], [3, 3, 4], [3, 3, 4], [4, 4, 2], [4, 4, 2]]
    with pytest.raises(UsageError, match="0 articles are in test"):
        try_on.split_jobs(tmp_path, "test")
    images = manifest.read(manifest.IMAGES, tmp_path)
    manifest.write(manifest.IMAGES, images.slice(0, 1), tmp_path)
    with pytest.raises(TableError, match=r"pair .*: its photos are not in images\.parquet"):
        try_on.split_jobs(tmp_path, "val")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run of two steps."""
    root = tmp_path_factory.mktemp("cagan")
    raw_world(root)
    rows = manifest.read(manifest.PAIRS, root).to_pylist()
    section = {"size": 48, "background": [250, 250, 250]}
    manifest.write(manifest.PAIRS, manifest.from_rows(manifest.PAIRS, rows), root, meta={"section": section})
    run(tiny_cagan(), root, root / "processed/runs/cagan")
    return root


def test_a_run_remembers_how_its_pairs_were_boxed(trained: Path) -> None:
    found = load_run(trained / "processed/runs/cagan")
    assert (found.letterbox.size, found.letterbox.background, found.is_try_on) == (48, (250, 250, 250), True)


def test_from_python_a_photo_of_any_size_comes_back_in_the_article(trained: Path) -> None:
    t = load(trained / "processed/runs/cagan", device="cpu")
    person, shirt = Image.fromarray(photo(90, 70)), plain((10, 20, 30))
    made = t(person, article=shirt)
    assert isinstance(made, Image.Image) and made.size == (70, 90)
    assert np.array_equal(t(np.asarray(person), article=Image.fromarray(shirt)), np.asarray(made))
    assert not np.array_equal(t(np.asarray(person), article=shirt, worn=shirt), np.asarray(made))
    with pytest.raises(UsageError, match="puts articles on people") as caught:
        t(person)
    assert "article=shirt" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="has no members"):
        t(person, article=shirt, style=3)


def test_networks_of_two_domains_put_no_articles_on_people(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=1, run__samples=0), tmp_path, tmp_path / "run")
    with pytest.raises(UsageError, match="puts no articles on people"):
        load(tmp_path / "run", device="cpu")(photo(40, 40), article=photo(40, 40))


def test_chainers_file_paints_what_its_recipe_paints(tmp_path: Path) -> None:
    np.savez(tmp_path / "gen.npz", **chainer_content("generator", chainer()["generator"]))  # type: ignore[arg-type]
    t = load(tmp_path / "gen.npz", size=64, device="cpu")
    person, shirt, worn = (photo(256, 256, seed) for seed in range(3))
    seen = TryOn(t.trained)(Photo.of(person), shirt, worn)
    known = to_float(torch.from_numpy(worn)[None])
    made = t.recipe.render({"human": seen.seen, "article": transforms.resize(known, 64), "other": seen.wanted})
    assert torch.allclose(made["swapped"], seen.made, atol=0.05)
    assert np.array_equal(t(person, article=shirt, worn=worn), seen.photo.shown)


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of `curate translate WORDS`."""
    monkeypatch.setattr(sys, "argv", ["curate", "translate", *map(str, words), "--device", "cpu"])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_the_command_takes_an_article_and_finds_the_run(
    trained: Path, article_files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, red, out = (article_files / name for name in ("people/anna.png", "articles/red.png", "anna.png"))
    assert call(monkeypatch, anna, "--article", red, "--worn", red, "-o", out, "--root", trained) == 0
    assert f"{anna} in {red}: {out}" in capsys.readouterr().out
    assert codec.decode(out.read_bytes()).shape == (60, 40, 3)
    assert call(monkeypatch, anna, "--run", "processed/runs/cagan", "--root", trained) == 2
    assert "--article shirt.jpg" in capsys.readouterr().err
    assert call(monkeypatch, "--split", "val", "--article", red, "--root", trained) == 2
    assert "a split has both" in capsys.readouterr().err
    for words in (["--members", "0"], ["--styles", "1"], ["--style", "0"]):
        assert call(monkeypatch, anna, "--article", red, *words, "-o", out, "--root", trained) == 2
        assert f"leave {words[0]} out" in capsys.readouterr().err
