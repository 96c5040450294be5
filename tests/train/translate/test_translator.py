"""Photos through a tiny trained run: what is written, where it lies in the photo, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.pipeline.crop.config import Crop
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.geometry import apply
from curate.pipeline.tables import manifest
from curate.train.data import transforms
from curate.train.engine.contract import Batch
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.recipe import CycleGAN
from curate.train.runs.trained import Trained, load_run
from curate.train.trainer.run import run
from curate.train.translate.pictures import Output
from curate.train.translate.stage import run as translate
from curate.train.translate.stage import split_photos
from curate.train.translate.translator import Translator
from tests.support.training import dataset, tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run of one step, whose crops were cut at 128 px."""
    path = tmp_path_factory.mktemp("root")
    dataset(path)
    section = {"size": 128, "domains": {"short": {"align": "none"}}}
    manifest.write(manifest.CROPS, manifest.empty(manifest.CROPS), path, meta={"section": section})
    run(tiny(run__steps=1, run__samples=0), path, path / "run")
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn portrait twice under one name, a picture without a face, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    world = DrawnWorld(Demo(portraits=4, anime=0, icons=0, garments=1))
    portrait = next(page for page in world.pages if page.category == "portraits/long" and page.allowed)
    data = world.encoded(portrait.pictures[0])
    (folder / "more").mkdir()
    (folder / "anna.jpg").write_bytes(data)
    (folder / "more/anna.jpg").write_bytes(data)
    (folder / "wall.png").write_bytes(codec.encode_png(np.full((300, 300, 3), 128, np.uint8)))
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_photo_gives_the_aligned_face_and_the_way_back(root: Path, photos: Path, tmp_path: Path) -> None:
    translator = Translator(load_run(root / "run"), "a2b")
    output = Output("crop", rgba=True)
    (result,) = translate(translator, [photos / "anna.jpg"], tmp_path / "out.png", output)
    assert result.reason == "ok"
    assert codec.decode((tmp_path / "out.png").read_bytes()).shape == (32, 32, 3)
    assert codec.decode((tmp_path / "out-paint.png").read_bytes()).shape == (32, 32, 3)
    notes = json.loads((tmp_path / "out.json").read_text())
    assert (notes["direction"], notes["step"], notes["side"]) == ("a2b", 1, 32)
    assert notes["domains"] == {"a": "long", "b": "short"}
    x, y, width, height = notes["box"]
    middle = apply(notes["affine"], [[x + width / 2, y + height / 2]])[0]
    assert np.abs(middle - 15.5).max() < 8  # the face's middle is in the middle of the output


def test_the_output_is_what_the_recipe_makes_of_the_crop(root: Path, photos: Path) -> None:
    trained = load_run(root / "run")
    photo = codec.decode((photos / "anna.jpg").read_bytes())
    (face,) = Translator(trained, "a2b")(photo)
    cut, seen, made = face.cut, face.seen, face.made
    assert cut.image.shape == (128, 128, 3)
    assert seen is not None and made is not None
    batch = {"a": transforms.to_float(torch.from_numpy(seen)[None])}
    assert np.array_equal(transforms.to_values(trained.recipe.render(batch)["a2b"]), made.picture)
    assert seen.mean() == pytest.approx(cut.image.astype(float).mean(), abs=1)


def test_the_map_to_the_output_puts_pixel_centres_on_pixel_centres(root: Path, photos: Path) -> None:
    translator = Translator(load_run(root / "run"), "b2a")  # b is cut whole: align none
    photo = np.zeros((200, 200, 3), np.uint8)
    (face,) = translator(photo)
    corners = apply(translator.affine(face.cut), [[-0.5, -0.5], [199.5, 199.5]])
    assert np.allclose(corners, [[-0.5, -0.5], [31.5, 31.5]])


def test_each_direction_cuts_by_the_rules_of_its_own_domain(root: Path, photos: Path, tmp_path: Path) -> None:
    translator = Translator(load_run(root / "run"), "b2a")
    assert translator.aligner.rules.align == "none"
    assert translator.domain == "short"
    (result,) = translate(translator, [photos / "wall.png"], tmp_path)
    assert result.reason == "ok"


def test_of_faces_that_are_turned_the_crop_is_compared(root: Path, photos: Path, tmp_path: Path) -> None:
    trained = load_run(root / "run")
    turning = replace(trained, rules={**trained.rules, "a": CropRules(align="box", rotate=45.0, size=64)})
    assert [Translator(one, way).turns for one, way in ((trained, "a2b"), (turning, "a2b"), (turning, "b2a"))] == [
        False, True, False
    ]  # fmt: skip
    translate(Translator(turning, "a2b"), [photos / "anna.jpg"], tmp_path / "out.png", Output("compare"))
    height, width, _ = codec.decode((tmp_path / "out.png").read_bytes()).shape
    assert height == 32 and width > 2 * 32


def test_a_folder_is_searched_and_equal_names_are_told_apart(root: Path, photos: Path, tmp_path: Path) -> None:
    results = translate(Translator(load_run(root / "run"), "a2b"), [photos], tmp_path)
    reasons = {Path(r.input).relative_to(photos).as_posix(): r.reason for r in results}
    assert reasons == {"anna.jpg": "ok", "more/anna.jpg": "ok", "wall.png": "no_face"}
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"anna.png", "anna.json", "anna~2.png", "anna~2.json"}


def test_what_can_not_be_read_is_reported_and_the_others_are_done(root: Path, photos: Path, tmp_path: Path) -> None:
    named = [photos / "notes.txt", photos / "none.jpg", photos / "anna.jpg"]
    results = translate(Translator(load_run(root / "run"), "a2b"), named, tmp_path)
    assert [result.reason for result in results] == ["not_image", "unreadable", "ok"]
    assert results[1].detail == "No such file or directory"


def test_one_file_can_not_take_several_images(root: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one file for 3 images"):
        translate(Translator(load_run(root / "run"), "a2b"), [photos], tmp_path / "out.png")


def test_a_split_names_its_raw_images(root: Path) -> None:
    assert split_photos(root, "long", "test") == [root / f"raw/images/long-{n:03}.png" for n in (8, 9)]
    with pytest.raises(UsageError, match="no image of 'long' is in tset"):
        split_photos(root, "long", "tset")


class Watcher:
    """A recipe that changes nothing and remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Batch] = []

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"nothing": torch.zeros(())}

    def render(self, batch: Batch) -> Batch:
        self.seen.append(batch)
        return {"a2b": batch["a"]}


def looking_at_a(recipe: Watcher, keys: frozenset[str]) -> Trained:
    return Trained(
        recipe=recipe,  # type: ignore[arg-type]
        source="here",
        step=1,
        side=64,
        domains={"a": "long"},
        rules={"a": CropRules(size=128)},
        directions=("a2b",),
        keys=keys,
    )


@pytest.mark.parametrize("masked", [True, False])
def test_networks_that_look_at_the_face_are_shown_where_it_is(photos: Path, masked: bool) -> None:
    watcher = Watcher()
    keys = frozenset(CycleGAN.keys(CycleGANConfig(face_branch=masked)))
    trained = looking_at_a(watcher, keys)
    photo = codec.decode((photos / "anna.jpg").read_bytes())
    (face,) = Translator(trained, "a2b")(photo)
    (batch,) = watcher.seen
    if not masked:
        assert batch.keys() == {"a"}
        return
    assert batch["face_a"].shape == (1, 1, 64, 64)
    assert face.cut.landmarks is not None
    points = apply(face.cut.affine, face.cut.landmarks) / 2  # crop px -> px that the networks see
    mask = batch["face_a"][0, 0]
    assert mask[tuple(points.mean(0)[::-1].astype(int))] > 0.99
    assert mask[:4].max() < 0.01 and mask[:, :4].max() < 0.01
    hull = cv2.contourArea(cv2.convexHull(points.astype(np.float32)))
    assert mask.sum().item() == pytest.approx(hull, rel=0.15)


def test_a_photo_without_landmarks_has_an_empty_mask() -> None:
    watcher = Watcher()
    keys = frozenset(CycleGAN.keys(CycleGANConfig(face_branch=True)))
    trained = looking_at_a(watcher, keys)
    list(Translator(trained, "a2b", align=False, size=64)(np.zeros((64, 64, 3), np.uint8)))
    Translator(trained, "a2b", align=False).whole(np.zeros((64, 32, 3), np.uint8))
    assert [batch["face_a"].shape for batch in watcher.seen] == [(1, 1, 64, 64), (1, 1, 64, 32)]
    assert not any(batch["face_a"].any() for batch in watcher.seen)


def test_a_direction_or_a_folder_that_is_none(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--direction a2c: not one of .*run's") as caught:
        Translator(load_run(root / "run"), "a2c")
    assert caught.value.hint == "a2b: long to short, b2a: short to long"
    with pytest.raises(UsageError, match=r"not a run folder: it has no config\.json"):
        Translator(load_run(tmp_path), "a2b")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config\.json: broken"):
        Translator(load_run(tmp_path), "a2b")
    (tmp_path / "config.json").write_text((root / "run/config.json").read_text())
    with pytest.raises(UsageError, match="no checkpoint yet"):
        Translator(load_run(tmp_path), "a2b")


def test_a_real_photo(root: Path, data: Path, tmp_path: Path) -> None:
    photo = data / "ffhq_reference" / "00001.png"
    if not photo.is_file():
        pytest.skip("no reference photo in CURATE_DATA")
    (result, *_) = translate(Translator(load_run(root / "run"), "a2b", all_faces=True), [photo], tmp_path)
    assert result.reason == "ok"


def test_the_rules_of_a_dataset_without_crops_are_the_defaults(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=1, run__samples=0), tmp_path, tmp_path / "run")
    assert Translator(load_run(tmp_path / "run"), "a2b").aligner.rules.size == Crop().size
