"""Commands on a disk that fails: at each call that changes it, for each of the reasons that a disk has.

Every outcome is the right result or one line that says what could not be written and what to do; nothing that was
there is lost or torn; and the same command without the fault goes on to the end of an undisturbed run. Quick: two
commands at the last call of each sort, some more at one or two. All commands and faults: -m deep, which takes most of
an hour of a core.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from curate.pipeline.imaging import codec
from tests.support.disk_walk import Walk
from tests.support.drawn_people import photo
from tests.support.failing_disk import BROKEN, FAULTS, FULL, QUOTA, READ_ONLY, FailingDisk, Fault, failing_disk
from tests.support.http_server import photo as jpeg
from tests.support.http_server import serving
from tests.support.tables import small_world
from tests.support.training import TINY, dataset

LOG = logging.getLogger(__name__)

STAGES = "scrape crop dedup pairs build stats export review".split()
DATA = [
    *"curate.app curate.__main__ typer.rich_utils pydantic.main yaml PIL.JpegImagePlugin PIL.PngImagePlugin".split(),
    *"cv2 pandas pyarrow.dataset curate.pipeline.scrape.forget".split(),
    *(f"curate.pipeline.{name}.{'verdicts' if name == 'review' else 'stage'}" for name in STAGES),
]
TRAINING = "torch.utils.tensorboard curate.train.trainer.run curate.train.translate.stage curate.train.comparison.stage"

RUN = {"steps": 2, "tick": 1, "sample_every": 2, "checkpoint_every": 1, "samples": 1, "device": "cpu"}
PARAMS = {
    "engine": {"kind": "inline"},
    "scrape": {"delay": 0.0},
    "train": {"cyclegan": {**TINY, "run": {**RUN, "features": "standin"}}},
}

# Before them the commands whose results they need.
OF_DATA = {
    "init hair": (),
    "scrape --source folder --input photos --domain new": (),
    "scrape --source html --site shop.yaml --domain shop": (),
    "crop --align box": (),
    "dedup": (),
    "pairs --size 32": (),
    "build": (),
    "stats --html": ("build",),
    "export --to folders --out out": ("build",),
    "export --to webdataset --out out": ("build",),
    "export --to huggingface --out out": ("build",),
    "export --to stylegan-zip --out out": ("build",),
    "export --to viton-hd --out out": ("pairs --size 32", "build"),
    "credits": ("build",),
    "keep {crop}": (),
    "reject {crop}": ("keep {crop}",),
    "undecide {crop}": ("keep {crop}",),
    "sort --by sharpness": (),
    "forget {image} --yes": ("build",),
}
OF_TRAINING = {
    "train cyclegan": (),
    "evaluate --device cpu": ("train cyclegan",),
    "weights import processed/runs/cyclegan -o mine.safetensors": ("train cyclegan",),
    "weights export processed/runs/cyclegan -o out": ("train cyclegan",),
    "translate me.png --run processed/runs/cyclegan --no-align --device cpu": ("train cyclegan",),
    "generate drawn-portrait --seeds 0 --device cpu": (),
}
# By the fault, and the kinds of calls that meet it: two calls of these, or one of each sort of every kind.
QUICK: dict[str, tuple[Fault, str]] = {
    "build": (FULL, ""),
    "scrape --source folder --input photos --domain new": (BROKEN, ""),
    "keep {crop}": (FULL, "create"),
    "reject {crop}": (QUOTA, "write"),
    "undecide {crop}": (BROKEN, "sync"),
    "forget {image} --yes": (READ_ONLY, "rename"),
    "export --to viton-hd --out out": (FULL, "create"),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingDisk]:
    with failing_disk(tmp_path_factory.mktemp("disk"), *DATA) as made:
        yield made


@pytest.fixture(scope="module")
def training_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingDisk]:
    with failing_disk(tmp_path_factory.mktemp("disk"), *DATA, *TRAINING.split()) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Where the shop of shop.yaml is, in shop.yaml and params.yaml of the world."""
    with serving() as shop:
        for n in range(3):
            shop.add(f"/{n}.jpg", jpeg(n))
        shop.page("/items", "".join(f'<a class="card" href="/item/{n}">x</a>' for n in range(3)))
        free = '<a rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">free</a>'
        for n in range(3):
            shop.page(f"/item/{n}", f'<h1>Item {n}</h1><img src="/{n}.jpg">{free}')
        rules = "listing: {item: a.card}\nitem: {images: [{css: img}]}\n"
        (tmp_path / "shop.yaml").write_text(f"name: shop\nstart: ['{shop.url('/items')}']\n{rules}", "utf-8")
        yield shop.host


def world_of_data(root: Path) -> dict[str, str]:
    """Tables, photos and settings; the words that stand for ids in commands."""
    small_world(root, portraits=4)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), "utf-8")
    (root / "photos").mkdir()
    for n in range(2):
        (root / "photos" / f"{n}.jpg").write_bytes(jpeg(n))
    crop = next((root / "processed/crops").rglob("*.png"))
    image = next((root / "raw/images").rglob("*.png"))
    return {"crop": crop.stem, "image": image.stem}


def world_of_training(root: Path) -> None:
    dataset(root, train=2, val=2, test=2)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), "utf-8")
    (root / "me.png").write_bytes(codec.encode_png(photo(0)))


def needs(command: str, words: dict[str, str]) -> list[str]:
    return [before.format(**words) for before in OF_DATA[command]]


def walk(
    disk: FailingDisk, root: Path, argv: str, first: Sequence[str], faults: Sequence[Fault], kinds: str = ""
) -> None:
    """Fails with all that is wrong; logs how many calls were tried. With `kinds`, two calls of these at most."""
    for before in first:
        done = disk.run(before.split(), root)
        assert done.code == 0, done.said
    tries = root.with_name("tries")
    tries.mkdir(exist_ok=True)
    walked = Walk(disk, argv.split(), root, tries, once=argv.startswith("undecide"))
    assert walked.calm.code in {0, 6}, walked.calm.said
    calls = walked.selection(kinds.split())[-2:] if kinds else walked.selection()
    assert calls, "a command that changes nothing"
    outcomes: Counter[str] = Counter()
    wrong = []
    for call in calls:
        for fault in faults:
            if call.kind in {"remove", "meta"} and fault in {FULL, BROKEN}:
                continue  # these take no space, and are no place of the disk that could be bad
            code, faulty = walked.attempt(call, fault)
            outcomes[f"exit {code}"] += 1
            wrong += [f"{fault.name} at {call}: {text}" for text in faulty]
    LOG.info(
        "%s: %d calls, %d tries, %s, %d wrong", argv, len(walked.calm.calls), outcomes.total(), outcomes, len(wrong)
    )
    shutil.rmtree(tries)
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong)


@pytest.mark.parametrize("command", QUICK)
def test_a_disk_that_fails_costs_a_line_and_nothing_else(command: str, disk: FailingDisk, tmp_path: Path) -> None:
    root = tmp_path / "world"
    root.mkdir()
    words = world_of_data(root)
    fault, kinds = QUICK[command]
    walk(disk, root, command.format(**words), needs(command, words), [fault], kinds)


@pytest.mark.deep
@pytest.mark.parametrize("command", OF_DATA)
def test_every_command_of_the_data_half(command: str, disk: FailingDisk, site: str, tmp_path: Path) -> None:
    root = tmp_path / "world"
    root.mkdir()
    words = {} if command.startswith("init") else world_of_data(root)
    argv = command.format(**words)
    if "shop" in command:
        shutil.copyfile(tmp_path / "shop.yaml", root / "shop.yaml")
        argv += f" --allow-net {site} --contact me@example.org"
    # A line that was written, then could be neither synced nor cut off again, has taken back what there was to take.
    faults = [fault for fault in FAULTS if fault != READ_ONLY or not command.startswith("undecide")]
    walk(disk, root, argv, needs(command, words), faults)


@pytest.mark.deep
@pytest.mark.parametrize("command", OF_TRAINING)
def test_every_command_of_the_training_half(command: str, training_disk: FailingDisk, tmp_path: Path) -> None:
    root = tmp_path / "world"
    root.mkdir()
    world_of_training(root)
    walk(training_disk, root, command, OF_TRAINING[command], FAULTS)
