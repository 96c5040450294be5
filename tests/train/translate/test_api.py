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
from curate.pipeline.imaging import codec
from curate.train.engine.contract import Clock
from curate.train.trainer.run import run
from curate.train.translate.api import _photo
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
    photo = picture(90, 50)
    assert translate(photo, align=False, layout="crop").shape == (SIDE, SIDE, 3)
    made = translate(photo, align=False)
    assert made.shape == photo.shape
    assert np.array_equal(made[:20], photo[:20]) and np.array_equal(made[70:], photo[70:]), "past the middle square"
    assert not np.array_equal(made, photo)
    with pytest.raises(UsageError, match="takes images of 32 px alone"):
        load(full[0], size=64)


def test_networks_that_take_any_size_keep_a_photos(tmp_path: Path) -> None:
    networks = cyclegan()
    cyclegan_files(tmp_path, networks)
    translate, photo = load(tmp_path), picture(48, 64)
    assert np.abs(translate(photo, align=False) - through(networks["net_G_A"], photo)).max() <= 0.501
    odd = picture(50, 61)
    padded = np.pad(odd, ((0, 2), (0, 3), (0, 0)), mode="reflect")
    assert np.abs(translate(odd, align=False) - through(networks["net_G_A"], padded)[:50, :61]).max() <= 0.501
    assert load(tmp_path, size=40)(photo, align=False, layout="crop").shape == (40, 40, 3)
    assert np.array_equal(load(tmp_path, size="photo")(photo, align=False), translate(photo, align=False))
    with pytest.raises(UsageError, match="--size photo"):
        load(tmp_path, size="photo")(photo)


def image_files(folder: Path) -> list[Path]:
    """Files of one picture in which Pillow alone would see something else than a person does."""
    plain = Image.fromarray(
        np.kron(np.random.default_rng(7).integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype("u1")
    )
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint16)
    plain.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.png", transparency=3)
    Image.fromarray(ramp * 500).save(folder / "deep.png")
    Image.fromarray((ramp / 126).astype(np.float32)).save(folder / "float.tif")
    plain.convert("CMYK").save(folder / "print.jpg", quality=90)
    plain.convert("LA").save(folder / "grey-alpha.png")
    rotated = Image.Exif()
    rotated[0x0112] = 8
    plain.save(folder / "turned.jpg", exif=rotated, quality=90)
    plain.save(folder / "turned.tif", exif=rotated)
    plain.convert("RGBA").save(folder / "clear.webp", lossless=True)
    return sorted(folder.iterdir())


def test_a_photo_that_pillow_opened_is_read_as_the_file_is(tmp_path: Path) -> None:
    for path in image_files(tmp_path):
        with Image.open(path) as image:
            exif = dict(image.getexif())
            seen = _photo(image).shown
            assert np.abs(seen.astype(int) - codec.decode(path.read_bytes())).max() <= 1, path.name
            assert dict(image.getexif()) == exif or path.suffix == ".tif"


def test_a_photo_that_can_not_be_decoded_is_a_clear_error(
    tmp_path: Path, full: tuple[Path, dict[str, torch.nn.Module]]
) -> None:
    Image.fromarray(picture(90, 90)).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:2000])
    with Image.open(tmp_path / "x.png") as image, pytest.raises(UsageError, match="can't be read"):
        load(full[0])(image, align=False)


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
    world = DrawnWorld(Demo(portraits=4, anime=0, icons=0, garments=1))
    portrait = next(page for page in world.pages if page.category == "portraits/long" and page.allowed)
    (tmp_path / "photo.jpg").write_bytes(world.encoded(portrait.pictures[0]))
    translate = load(tmp_path, size=32)
    photo = Image.open(tmp_path / "photo.jpg")
    assert translate(photo, layout="crop").size == (32, 32)
    assert translate(photo).size == photo.size
    assert np.array_equal(np.asarray(translate(photo, strength=0)), np.asarray(photo))
    with pytest.raises(UsageError, match="no face was found"):
        translate(np.full((300, 300, 3), 128, np.uint8))


def test_a_run_loads_too(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=1, run__samples=0), tmp_path, tmp_path / "run")
    translate = load(tmp_path / "run")
    assert translate(picture(40, 42), align=False).shape == (40, 42, 3)
    assert load(tmp_path / "run", size=24)(picture(40, 42), align=False, layout="crop").shape == (24, 24, 3)


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
    """And networks are read without torch's compiler, which takes longer to load than they do."""
    code = "import sys, curate; assert 'torch' not in sys.modules; curate.load; assert 'torch' in sys.modules"
    code += "; curate.load('drawn-hair', device='cpu'); assert 'torch._dynamo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ImportError):
        from curate.train import lode  # noqa: F401
