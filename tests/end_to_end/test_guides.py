"""The guides lead where they say: every command of a page, from `curate init` to the picture to share.

Commands are typed as they stand there. What a test cannot have of what readers have (days of a GPU, thousands of
pictures, the web) is in WALKS, and nowhere else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from curate.pipeline.demo.world import HOST
from curate.pipeline.imaging import codec
from tests.support import ROOT
from tests.support.command import curate
from tests.support.guide_reader import bring, openverse
from tests.support.http_server import Site, serving

WAITS = ("review", "serve")  # for a person; they have tests of their own, in a browser


@dataclass(frozen=True)
class Walk:
    """What is different here from what a reader of one guide has and types; all of it must be of use."""

    has: Mapping[str, int]  # pictures of the reader's own, of guide_reader.HAS: how many
    makes: Mapping[str, tuple[int, int] | None]  # the pictures to share: height, width; None for sheets
    params: Mapping[str, Any]  # laid over what `curate init` wrote
    site: Mapping[str, Any] = field(default_factory=dict)  # laid over site.yaml
    words: Mapping[str, str] = field(default_factory=dict)  # in the place of others
    flags: Mapping[str, str] = field(default_factory=dict)  # besides, for commands that begin so
    lacks: tuple[str, ...] = ()  # a command that names one of these is not typed


FOUND = 2  # by each query
FEW = {"engine": {"kind": "inline"}, "build": {"val": 0.2, "test": 0.3}}
RUN = {"steps": 2, "tick": 1, "batch": 2, "samples": 1, "sample_every": 2, "checkpoint_every": 2, "measure_every": 0}
RUN |= {"threads": 1, "device": "cpu", "features": "standin"}
TINY = {"width": 4, "discriminator_width": 4, "blocks": 1}
MEASURED = "--features standin --images 4"
WALKS = {
    "hair": Walk(
        has={"me.jpg": 1},
        makes={"me-short.png": (480, 480), "me-before-after.png": None},
        params={"scrape": {"delay": 0}, "train": {"cyclegan": {"data": {"size": 64}, "run": RUN, "model": TINY}}},
        words={"1500": "2"},
        flags={"train cyclegan --size 64": "--fresh", "evaluate": MEASURED, "suspects": "--features pixels"},
    ),
    "icon": Walk(
        has={"character.png": 1, "drawings/": 12, "icons/": 12},
        makes={"icon.png": (128, 128), "my-icon.png": (32, 32), "made/0.png": None},
        params={
            "train": {
                "ugatit": {"data": {"size": 32}, "run": RUN | {"measure_every": 2}, "model": TINY | {"light": True}}
            }
        },
        flags={"evaluate": MEASURED},
        lacks=("onnx/", "onnx/a2b.onnx"),  # ONNX: tests/train/weights/test_onnx_export.py
    ),
    "clothes": Walk(
        has={"anna.jpg": 1, "shirt.jpg": 1, "jumper.jpg": 1, "people/": 2, "articles/": 2},
        makes={"anna-in-shirt.png": (480, 360), "out.png": (480, 360), "tried-on/grid.png": None},
        params={
            "scrape": {"demo": {"seed": 3, "portraits": 1, "anime": 0, "icons": 0, "garments": 7}, "delay": 0},
            "pairs": {"val": 0.2, "test": 0.3},
            "train": {"cagan": {"data": {"size": 32}, "run": RUN, "model": {"variant": "modern", "width": 2}}},
        },
        site={
            "allowed_hosts": [HOST],
            "start": [f"http://{HOST}/garments?kw={{query}}&page={{page}}"],
            "delay": 0,
            "item": {
                "images": [
                    {"role": "article", "css": ".gallery img", "where": {"alt": "article alone"}, "pick": "first"},
                    {"role": "human", "css": ".gallery img", "where": {"alt": "worn by"}, "pick": "all", "max": 4},
                ]
            },
        },
        words={"1000": "2"},
        flags={"train cagan --size 128": "--fresh", "evaluate": MEASURED},
        lacks=("generator.npz",),
    ),
    "selfie2anime": Walk(
        has={"me.jpg": 1, "selfies/": 12, "anime/": 12},
        makes={"sheet.png": None, "me-anime.png": (480, 480)},
        params={
            "train": {
                "council": {"data": {"size": 32}, "run": RUN, "model": {"width": 4, "discriminator_width": 4}},
                "ugatit": {"data": {"size": 32}, "run": RUN, "model": TINY | {"light": True}},
                "cyclegan": {"data": {"size": 32}, "run": RUN, "model": TINY},
            }
        },
        words={"4500": "2"},
        flags={
            "train council --size 64": "--run processed/runs/small",
            "evaluate": MEASURED,
            "compare": MEASURED,
        },
        lacks=("council/",),
    ),
    "smile": Walk(
        has={"me.jpg": 1},
        makes={"edited/me-smile.png": None, "edited/seed0605-smile.png": None},
        params={
            "scrape": {"delay": 0, "min_side": 256},
            "train": {  # begins where two steps lead to faces
                "stylegan2": {
                    "data": {"size": 64},
                    "run": RUN | {"weights": str(ROOT / "train/weights/shipped/drawn-portrait.safetensors")},
                    "model": {"cfg": "small"},
                }
            },
        },
        words={"600-2599": "600-679", "50": "1"},
        flags={"project": "--steps 4 --tune-steps 2 --distance pixels", "generate drawn-portrait": "--force"},
    ),
}


def typed(page: str) -> Iterator[list[str]]:
    """The words of each command in a guide's blocks of shell, one after the other."""
    text = (ROOT / f"docs/guide/{page}.md").read_text("utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s#", line)[0].split("&&"):
                if words := shlex.split(part):
                    yield words


def walk(page: str, home: Path, site: Site) -> Path:
    """Types the commands of a guide in `home`; the folder of its project."""
    way, here, used = WALKS[page], home, set()
    bring({name: count for name, count in way.has.items() if not name.endswith("/")}, home)
    for command, *words in typed(page):
        line = " ".join(words)
        differs = {word for word in words if word in way.words or word in way.lacks}
        differs |= {begin for begin in way.flags if line.startswith(begin)}
        used |= differs
        words = [way.words.get(word, word).replace("~", str(home)) for word in words]
        if command == "cd":
            here = Path(words[0])
        elif command == "mkdir":
            assert words.pop(0) == "-p"
            for name in words:
                (here / name).mkdir(parents=True, exist_ok=True)
        elif words[0] not in WAITS and not differs & {*way.lacks}:
            assert command == "curate", command
            for begin in differs & way.flags.keys():
                words += shlex.split(way.flags[begin])
            words += ["--allow-net", site.host] if words[0] == "scrape" else []
            curate(*words, folder=here)
            if words[0] == "init":
                _furnish(way, Path(words[words.index("--root") + 1]), site)
    assert used == {*way.words, *way.flags, *way.lacks}, "WALKS says more than the guide"
    return here


def _furnish(way: Walk, root: Path, site: Site) -> None:
    """What the reader does after `curate init`: fills folders, and writes the settings, here those of WALKS."""
    bring(way.has, root)
    for name, over in (("params.yaml", _laid_over(FEW, way.params)), ("site.yaml", way.site)):
        if over:
            settings = _laid_over(yaml.safe_load((root / name).read_text("utf-8")), over)
            for query in settings.get("scrape", {}).get("queries", ()):
                if query["source"] == "openverse":
                    query["base_url"] = site.url("/openverse")
            (root / name).write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")


def _laid_over(under: Any, over: Any) -> Any:
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    return {**under, **{key: _laid_over(under.get(key), value) for key, value in over.items()}}


@pytest.mark.parametrize("page", WALKS)
def test_a_guide_leads_from_init_to_the_picture(page: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with serving() as site:
        openverse(site, each=FOUND)
        root = walk(page, tmp_path, site)
    assert (root / "processed/report/index.html").is_file()
    had = [codec.decode((root / name).read_bytes()) for name in WALKS[page].has if not name.endswith("/")]
    for name, shape in WALKS[page].makes.items():
        made = codec.decode(((root / name) if (root / name).exists() else tmp_path / name).read_bytes())
        assert made.std() > 5, name
        assert shape is None or made.shape[:2] == shape, name
        assert not any(np.array_equal(made, photo) for photo in had), f"{name} is the photo as it was"
