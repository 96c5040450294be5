"""Every command that writes, each with a small world to do it in: for the walks over a disk that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from curate.pipeline.imaging import codec
from tests.support import drawn_people
from tests.support.drawn_people import photo
from tests.support.failing_disk import Asked
from tests.support.http_server import photo as jpeg
from tests.support.tables import small_world

SEEDS = 20
_LATENT = "--run drawn-portrait --device cpu"


def empty(root: Path) -> dict[str, str]:
    """Nothing."""
    return {}


def of_data(root: Path, portraits: int = 4) -> dict[str, str]:
    """Tables, photos and settings; the words that stand for ids in commands."""
    small_world(root, portraits)
    _settings(root)
    (root / "photos").mkdir()
    for n in range(2):
        (root / "photos" / f"{n}.jpg").write_bytes(jpeg(n))
    crop = next((root / "processed/crops").rglob("*.png"))
    image = next((root / "raw/images").rglob("*.png"))
    return {"crop": crop.stem, "image": image.stem}


def of_many(root: Path) -> dict[str, str]:
    """The same with enough crops to choose from."""
    return of_data(root, portraits=8)


def of_people(root: Path) -> dict[str, str]:
    """Photos with faces, and settings by which their crops are packed into shards."""
    drawn_people.table(root, {"long": [drawn_people.png(photo(seed)) for seed in range(3)]})
    _settings(root, crop={"shard_above": 0, "shard_size": 2, "size": 64})
    return {"image": next((root / "raw/images").rglob("*.png")).stem}


def of_training(root: Path) -> dict[str, str]:
    """A dataset, settings and a photo."""
    from tests.support.training import TINY, dataset  # torch, which the walk in a hurry goes without

    dataset(root, train=2, val=2, test=2)
    run = {"steps": 2, "tick": 1, "sample_every": 2, "checkpoint_every": 1, "samples": 1, "device": "cpu"}
    _settings(root, train={"cyclegan": {**TINY, "run": {**run, "features": "standin"}}})
    (root / "me.png").write_bytes(codec.encode_png(photo(0)))
    return {}


def of_latent(root: Path) -> dict[str, str]:
    """A photo and a table of labels for seeds."""
    (root / "me.png").write_bytes(codec.encode_png(photo(0)))
    rows = [f"{seed}\t{seed % 2}\n" for seed in range(SEEDS)]
    (root / "beards.tsv").write_text("".join(["seed\tbeard\n", *rows]), "utf-8")
    return {}


def _settings(root: Path, **sections: object) -> None:
    sections |= {"engine": {"kind": "inline"}, "scrape": {"delay": 0.0}}
    (root / "params.yaml").write_text(yaml.safe_dump(sections), "utf-8")


@dataclass(frozen=True)
class Command:
    """`curate LINE` in a world, after some others; what is typed and who visits, as Asked has it."""

    line: str
    world: Callable[[Path], dict[str, str]] = of_data
    after: tuple[str, ...] = ()
    typed: str = ""
    visit: str = ""
    once: bool = False  # when it has ended well, the same command is another deed
    costly: bool = False  # a try takes a second of the processor or more

    def __str__(self) -> str:
        if self.line in self.after:
            return f"{self.line} (again)"
        return f"{self.line} ({self.visit or 'typed'})" if self.visit or self.typed else self.line

    def asked(self, words: dict[str, str]) -> Asked:
        """What is asked of curate; `words` stand for what is in braces."""
        return Asked(tuple(self.line.format(**words).split()), self.typed, self.visit)


def _trained(line: str) -> Command:
    return Command(line, of_training, ("train cyclegan",))


_PACKED = "crop --align box --size 64"
_SECOND = "review --export second"
_SUSPECTS = "suspects --features pixels"
_GENERATE = f"generate drawn-portrait --seeds 0-{SEEDS - 1} --device cpu"
_LABEL = "label --by beards.tsv"
_DIRECTION = "direction --label beard --device cpu"
_PROJECT = f"project me.png --steps 1 --distance pixels --no-align {_LATENT}"

COMMANDS = (
    Command("init hair", empty),
    Command("scrape --source folder --input photos --domain new"),
    Command("scrape --source html --site shop.yaml --domain shop --allow-net {host} --contact me@example.org"),
    Command("crop --align box"),
    Command(_PACKED, of_people, costly=True),
    Command("dedup"),
    Command("pairs --size 32"),
    Command("build"),
    Command("stats --html", after=("build",)),
    Command("export --to folders --out out", after=("build",)),
    Command("export --to webdataset --out out", after=("build",)),
    Command("export --to huggingface --out out", after=("build",)),
    Command("export --to stylegan-zip --out out", after=("build",)),
    Command("export --to viton-hd --out out", after=("pairs --size 32", "build")),
    Command("credits", after=("build",)),
    Command("keep {crop}"),
    Command("reject {crop}", after=("keep {crop}",)),
    Command("undecide {crop}", after=("reject {crop}", "keep {crop}"), once=True),
    Command("review --by ann", visit="decides"),
    Command("review --by ann", visit="places"),
    Command("review --by ann", after=("reject {crop} --by ann", "keep {crop} --by ann"), visit="takes_back", once=True),
    Command(_SECOND, once=True),
    Command("review --import second", after=(_SECOND, "reject {crop} --root second --by ben"), once=True),
    Command("sort --by sharpness"),
    Command("list no-face"),
    Command("select --keep 1", of_many),
    Command("select --undo", of_many, ("select --keep 1",)),
    Command(_SUSPECTS, of_many),
    Command("suspects --reject 1", of_many, (_SUSPECTS,)),
    Command("suspects --undo", of_many, (_SUSPECTS, "suspects --reject 1")),
    Command("forget {image} --yes", after=("build",)),
    Command("forget {image} --yes", of_people, (_PACKED, "dedup", "build")),
    Command("forget {image}", after=("build",), typed="y\n"),
    Command("sbom"),
    Command("train cyclegan", of_training),
    _trained("evaluate --device cpu"),
    Command("compare --device cpu --features standin", of_training, ("train cyclegan",), costly=True),
    _trained("weights import processed/runs/cyclegan -o mine.safetensors"),
    _trained("weights export processed/runs/cyclegan -o out"),
    _trained("translate me.png --run processed/runs/cyclegan --no-align --device cpu"),
    Command("generate drawn-portrait --seeds 0 --device cpu", of_latent),
    Command(_LABEL, of_latent, (_GENERATE,)),
    Command(_DIRECTION, of_latent, (_GENERATE, _LABEL)),
    Command(_PROJECT, of_latent),
    Command(
        f"edit projected/me.safetensors --direction beard --amount 1 {_LATENT}",
        of_latent,
        (_GENERATE, _LABEL, _DIRECTION, _PROJECT),
    ),
)

# Commands that go on from what they have made before, for the walk over what is read.
REPEATED = (
    Command("train cyclegan --steps 3", of_training, ("train cyclegan",)),
    Command(_GENERATE, of_latent, (f"generate drawn-portrait --seeds 0-{SEEDS - 2} --device cpu",)),
    *(
        Command(line, world, (line,))
        for line, world in (
            ("scrape --source folder --input photos --domain new", of_data),
            ("crop --align box", of_data),
            ("dedup", of_data),
            ("pairs --size 32", of_data),
            (_SUSPECTS, of_many),
            ("train cyclegan", of_training),
        )
    ),
    *(
        Command(line, of_training, ("train cyclegan", line))
        for line in (
            "translate me.png --run processed/runs/cyclegan --no-align --device cpu",
            "evaluate --device cpu",
            "stats --html",
        )
    ),
)
