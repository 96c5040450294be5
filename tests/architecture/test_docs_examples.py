"""The examples of docs/internals/adding do what their pages say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.config import parse
from curate.pipeline.export import export_set
from curate.pipeline.export.config import Export
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.ffhq import eyes
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.scrape.config import Query
from curate.train.engine.loop import LoopConfig, train
from tests.support import ROOT, drawn_people
from tests.support.tables import small_world


def example(page: str, monkeypatch: pytest.MonkeyPatch, *names: str) -> Any:
    """The last module on the page docs/internals/adding/`page`.md; `names` are what its modules are called."""
    text = (ROOT / f"docs/internals/adding/{page}.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for name, code in zip(names or (f"example_{page}",), blocks, strict=True):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)  # where its annotations, and the next block's imports, look
        exec(compile(code, f"{page}.md", "exec"), module.__dict__)
    return module


class Museum:
    """Answers like the site of the example: two pages of items, one of which lacks its picture."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.words: dict[str, str] = {}
        self.asked: list[str] = []
        self.notes: list[str] = []

    def answer(self, url: str, *_: Any) -> Any:
        self.asked.append(url)
        page = len(self.asked)
        items = [{"id": 10 * page + n, "image": f"https://museum.example/{page}/{n}.jpg"} for n in range(3)]
        if page == 2:
            del items[1]["image"]
        return SimpleNamespace(body=json.dumps({"items": items if page < 3 else []}).encode())

    def space(self, host: str, delay: float) -> None:
        assert (host, delay) == ("api.museum.example", 1.0)

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_the_source_reads_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    web = Museum()
    found = list(example("source", monkeypatch).search(Query(source="museum", query="髪"), web))
    assert [candidate.address for candidate in found] == [f"museum {n}" for n in (10, 11, 12, 20, 22)]
    assert all(candidate.license == "cc0" for candidate in found)
    assert "q=%E9%AB%AA" in web.asked[0]
    assert len(web.notes) == 1  # the item that lacks its picture


def test_the_detector_finds_its_face(monkeypatch: pytest.MonkeyPatch) -> None:
    (face,) = example("detector", monkeypatch).load(CropRules())(np.zeros((40, 60, 3), np.uint8))
    assert face.box == Box(20.0, 10.0, 20.0, 20.0)


def test_the_landmarker_finds_the_drawn_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    places = drawn_people.person(3).places()
    found = example("landmarker", monkeypatch).load()(drawn_people.photo(3), Box(*places.face), 0.0)
    apart = np.hypot(*np.subtract(*places.eyes))
    for at, true in zip(eyes(found.points), places.eyes, strict=True):
        assert np.hypot(*(at - true)) < 0.12 * apart
    assert found.instability is not None


def test_the_layout_writes_every_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_world(tmp_path)
    build.run(Build(), tmp_path)
    items = export_set.read(tmp_path, (), pairs=False, size=None)
    out = tmp_path / "out"
    written = list(example("layout", monkeypatch).Listed(items, Export()).write(out))
    assert len(written) == sum(items.count(split) for split in items.splits) > 0
    assert all((out / place).is_file() for _, place in written)
    assert len((out / "list.tsv").read_text("utf-8").splitlines()) == len(written)


def test_the_model_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = "curate.train.recipes.plain"
    monkeypatch.setitem(sys.modules, plain, ModuleType(plain))
    module = example("model", monkeypatch, f"{plain}.config", f"{plain}.recipe")
    recipe = module.Plain(parse(module.PlainConfig, {"width": 4, "blocks": 1}, "model"))
    before = {name: value.clone() for name, value in recipe.named_parameters() if name.endswith("weight")}
    ticks: list[Any] = []

    def batches(step: int) -> dict[str, torch.Tensor]:
        return {key: torch.rand(2, 3, 32, 32) * 2 - 1 for key in recipe.keys(recipe.Config())}

    train(recipe, batches, LoopConfig(2, tick=1), lambda clock, scalars: ticks.append(scalars))
    assert len(ticks) == 2
    after = dict(recipe.named_parameters())
    assert not [name for name, value in before.items() if torch.equal(after[name], value)]
    made = recipe.render(batches(0))
    assert {name: image.shape for name, image in made.items()} == dict.fromkeys(("a2b", "b2a"), (2, 3, 32, 32))
