"""A few more images are the work of those few: counted, stage by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core import config
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.faces import alignment
from curate.pipeline.imaging import codec, warp
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from tests.support import scale

INLINE = Engine(kind="inline")
COUNTED = {
    "decoded": (codec, "decode"),
    "written": (codec, "encode_png"),
    "thumbnails": (warp, "thumbnail"),
    "looked at": (alignment.Aligner, "find_in"),
}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts what costs time, by name."""
    counts: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*args, **options)

        return call

    for name, (place, function) in COUNTED.items():
        monkeypatch.setattr(place, function, counted(name, getattr(place, function)))
    return counts


def stages(root: Path, counts: Counter[str]) -> dict[str, dict[str, int]]:
    """Runs every stage; what each one did."""
    did = {}
    section = config.load(root)
    for name, run in {
        "crop": lambda: crop.run(section.section("crop", Crop), root, engine=INLINE),
        "dedup": lambda: dedup.run(Dedup(), root, engine=INLINE),
        "pairs": lambda: pairs.run(section.section("pairs", Pairs), root, engine=INLINE),
        "build": lambda: build.run(Build(), root),
        "report": lambda: report.run(Stats(), root),
    }.items():
        counts.clear()
        run()
        did[name] = dict(counts)
    return did


@pytest.mark.slow
@pytest.mark.parametrize(("count", "above"), [(200, 10**6), (100, 0)], ids=["files", "shards"])
def test_what_is_new_is_all_the_work(tmp_path: Path, count: int, above: int, work: Counter[str]) -> None:
    scale.world(tmp_path, count, above=above)
    first = stages(tmp_path, work)
    worn = 2 * count // 25  # pictures of products
    assert first["crop"] == dict.fromkeys(("decoded", "looked at", "written"), count - worn)
    assert first["dedup"] == {"decoded": count - worn}
    assert first["pairs"] == dict.fromkeys(("decoded", "looked at", "written"), worn)
    assert first["build"] == {}
    shards = {path: path.read_bytes() for path in tmp_path.rglob("*.tar")}

    assert stages(tmp_path, work) == {"crop": {}, "dedup": {}, "pairs": {}, "build": {}, "report": {}}

    scale.world(tmp_path, count + 4, above=above)  # two faces and the two pictures of a product
    again = stages(tmp_path, work)
    assert again["crop"] == {"decoded": 2, "looked at": 2, "written": 2}
    assert again["dedup"] == {"decoded": 2}
    assert again["pairs"] == {"decoded": 2, "looked at": 2, "written": 2}
    assert again["build"] == {}
    assert again["report"].get("thumbnails", 0) <= 12 < first["report"]["thumbnails"]
    assert {path: path.read_bytes() for path in shards} == shards
