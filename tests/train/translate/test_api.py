"""One line in Python: photos of any kind through runs and files of weights, and the recipe itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from curate import load
from curate.pipeline.core.errors import UsageError
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.world import DrawnWorld
from curate.train.engine.contract import Clock
from curate.train.trainer.run import run
from tests.support.foreign_weights import SIDE, cyclegan, cyclegan_files, ugatit, ugatit_content
from tests.support.training import dataset, tiny


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.nn.Module]]:
    """The authors' file of six networks whose generators take 32 px alone, and those networks."""
    path = tmp_path_factory.mktemp("full") / "selfie2anime_params_0000100.pt"
    networks = ugatit(light=False)
    torch.save(ugatit_content(networks), path)
    return path, networks


def picture(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def through(network: torch.nn.Module, pixels: np.ndarray) -> np.ndarray:
    """What `network` makes of `pixels`, as every reference's test does it."""
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        made = network((x - 0.5) / 0.5)
    image = made if isinstance(made, torch.Tensor) else made[0]
    return ((image * 0.5 + 0.5) * 255)[0].permute(1, 2, 0).numpy()


def test_a_photo_as_it_is_becomes_what_the_networks_make_of_it(full: tuple[Path, dict[str, torch.nn.Module]]) -> None:
    path, networks = full
    translate, photo = load(path), picture()
    for direction, name in (("a2b", "genA2B"), ("b2a", "genB2A")):
        made = translate(photo, direction, align=False)
        assert made.dtype == np.uint8
        assert np.abs(made - through(networks[name], photo)).max() <= 0.501  # rounding to whole numbers


def test_other_sizes_are_cut_and_scaled_to_the_only_one_there_is(full: tuple[Path, dict[str, torch.nn.Module]]) -> None:
    translate = load(full[0])
    assert translate(picture(90, 50), align=False).shape == (SIDE, SIDE, 3)
    with pytest.raises(UsageError, match="takes images of 32 px alone"):
        load(full[0], size=64)


def test_networks_that_take_any_size_leave_photos_alone(tmp_path: Path) -> None:
    networks = cyclegan()
    cyclegan_files(tmp_path, networks)
    translate, photo = load(tmp_path), picture(48, 64)
    assert np.abs(translate(photo, align=False) - through(networks["net_G_A"], photo)).max() <= 0.501
    assert translate(picture(50, 64), align=False).shape == (256, 256, 3)  # no multiple of four: its middle square
    assert load(tmp_path, size=40)(photo, align=False).shape == (40, 40, 3)


def test_pil_in_pil_out(full: tuple[Path, dict[str, torch.nn.Module]]) -> None:
    translate = load(full[0])
    photo = Image.fromarray(picture())
    made = translate(photo, align=False)
    assert isinstance(made, Image.Image)
    assert np.array_equal(np.asarray(made), translate(picture(), align=False))
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6  # the camera lay on its side: turn it back by 90 degrees
    assert np.array_equal(np.asarray(translate(turned, align=False)), np.asarray(made))
    assert translate(photo.convert("L"), align=False).size == (SIDE, SIDE)


def test_faces_are_found_and_aligned(tmp_path: Path) -> None:
    cyclegan_files(tmp_path, cyclegan())
    world = DrawnWorld(Demo(portraits=4, anime=0, garments=1))
    portrait = next(page for page in world.pages if page.category == "portraits/long" and page.allowed)
    (tmp_path / "photo.jpg").write_bytes(world.encoded(portrait.pictures[0]))
    translate = load(tmp_path, size=32)
    assert translate(Image.open(tmp_path / "photo.jpg")).size == (32, 32)
    with pytest.raises(UsageError, match="no face was found"):
        translate(np.full((300, 300, 3), 128, np.uint8))


def test_a_run_loads_too(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=1, run__samples=0), tmp_path, tmp_path / "run")
    translate = load(tmp_path / "run")
    assert translate(picture(40, 40), align=False).shape == (32, 32, 3)


def test_the_recipe_steps_and_renders(full: tuple[Path, dict[str, torch.nn.Module]]) -> None:
    path, networks = full
    recipe = load(path).recipe
    x = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    assert torch.equal(recipe.render({"a": x})["a2b"], networks["genA2B"](x).out)
    with pytest.raises(UsageError, match="a discriminator of 7 layers needs more"):
        next(iter(recipe.step({"a": x, "b": x}, Clock(0, 1))))


def test_a_lone_generator_goes_its_own_way(tmp_path: Path) -> None:
    torch.save(cyclegan()["net_G_B"].state_dict(), tmp_path / "latest_net_G_B.pth")
    translate = load(tmp_path / "latest_net_G_B.pth")
    assert translate.direction == "b2a"
    translate(picture(), align=False)
    with pytest.raises(UsageError, match=r"--direction a2b: not one of .*net_G_B\.pth's") as caught:
        translate(picture(), "a2b", align=False)
    assert caught.value.hint == "b2a: b to a"


@pytest.mark.parametrize("photo", ["photo.jpg", np.zeros((4, 4)), np.zeros((4, 4, 3), np.float32)], ids=type)
def test_other_kinds_of_photos_are_refused(full: tuple[Path, dict[str, torch.nn.Module]], photo: object) -> None:
    with pytest.raises(UsageError, match="a photo of "):
        load(full[0])(photo)


def test_the_package_opens_without_torch() -> None:
    code = "import sys, curate; assert 'torch' not in sys.modules; curate.load; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ImportError):
        from curate.train import lode  # noqa: F401
