"""Files that hold something else than they should, each before the commands that read it: one line, and never a bug.

The line names the file and says what is wrong, and the one below it what to do; what can be made anew is made anew.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
import yaml

from curate.train.engine import checkpoint, safetensors_file
from tests.support.command import curate
from tests.support.tables import png, small_world
from tests.support.training import TINY

RUN = "processed/runs/cyclegan"
CONFIG, SCALARS = f"{RUN}/config.json", f"{RUN}/scalars.jsonl"
LAST = f"{RUN}/checkpoints/00000002.safetensors"
DEEP = "[" * 2000 + "]" * 2000
UNFOLDING = "crop:\n  size: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {key}: &{name} [{', '.join([f'*{last}'] * 10)}]\n"
    for key, name, last in zip(["faces", "align", "framing", "detector", "jobs", "one"], "bcdefg", "abcdef")
)
TRAINING = {"steps": 2, "tick": 2, "samples": 2, "features": "standin", "device": "cpu", "measure_every": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with every table, a run of two steps and three photos with what is said of them beside."""
    root = tmp_path_factory.mktemp("world")
    small_world(root, portraits=14)
    (root / "photos").mkdir()
    for number in range(3):
        (root / f"photos/{number}.png").write_bytes(png(500 + number, 300, 300))
        (root / f"photos/{number}.json").write_text(json.dumps({"title": f"photo {number}"}), "utf-8")
    params = {"engine": {"kind": "inline"}, "train": {"cyclegan": {**TINY, "run": TRAINING}}}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    for command in ("build", "pairs --size 32", "train cyclegan"):
        curate(*command.split(), "--root", root)
    return root


@pytest.fixture
def root(world: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, to be damaged."""
    copied = tmp_path / "root"
    shutil.copytree(world, copied)
    yield copied
    shutil.rmtree(copied)


class Damage(NamedTuple):
    """What a file is made to hold, in which command, and the words that are said of it; none: it goes on."""

    file: str
    content: Callable[[Path], None] | str | bytes
    command: str
    said: str = ""


def config(**keys: Any) -> Callable[[Path], None]:
    """A run's config.json with other values at dotted keys, which have __ for the dot."""

    def damage(path: Path) -> None:
        whole = json.loads(path.read_text("utf-8"))
        for key, value in keys.items():
            part = whole
            *groups, name = key.split("__")
            for group in groups:
                part = part[group]
            part[name] = value
        path.write_text(json.dumps(whole), "utf-8")

    return damage


def header(**keys: Any) -> Callable[[Path], None]:
    """A checkpoint whose checksums agree, with other values in its header; None takes one out."""

    def damage(path: Path) -> None:
        notes, tensors = safetensors_file.read(path)
        said = json.loads(notes[checkpoint.HEADER]) | keys
        said = {key: value for key, value in said.items() if value is not None}
        copies = {name: value.clone() for name, value in tensors.items()}
        safetensors_file.write(path, copies, {checkpoint.HEADER: json.dumps(said)})

    return damage


def settings(text: str) -> Callable[[Path], None]:
    """A table whose settings are `text`, as another program would leave them: without a digest."""

    def damage(path: Path) -> None:
        data = pq.read_table(path)
        notes = {key: value for key, value in data.schema.metadata.items() if key != b"curate.digest"}
        pq.write_table(data.replace_schema_metadata(notes | {b"curate.meta": text.encode()}), path)

    return damage


TRAIN, SHOW = "train cyclegan", "weights show processed/runs/cyclegan"
PHOTO = "translate photos/0.png --run processed/runs/cyclegan -o made.png"
LIST, SITE = "scrape --source urls", "scrape --source html --site site.yaml"
SCRAPE = "scrape --source folder --input photos --domain x"
PARAMS = [
    (f"crop: {DEEP}", "not valid YAML: more than 100 lists or objects within each other"),
    (UNFOLDING, "aliases that stand for more than 1,000,000 values"),
    ("crop: &a {size: *a}", "line 1: not valid YAML: an alias within what it stands for"),
    ("crop: {size: 2026-99-99}", "not valid YAML: a value that is none: month must be in 1..12"),
    ("crop: {size: " + "9" * 5000 + "}", "not valid YAML: a value that is none"),
    ("crop: {size: !!int x}", "not valid YAML: a value that is none"),
    ("crop: {1: 2}", "crop: {1: 2}: expected `str`"),
    ("1: {a: 2}", "there is no section '1'"),
    ('scrape: {queries: [{source: folder, input: "a\\0b", domain: x}]}', "text with a zero in it"),
    ('scrape: {queries: [{text: "\\ud800", domain: x}]}', "half of a character"),
    ('"\\e]0;x\\a": {}', "there is no section '\\x1b]0;x\\x07'"),
    ('crop: {"\\e[31m\\nforged": 1}', "crop.\\x1b[31m\n  forged: there is no such key"),
    ("crop: {detector: " + "x" * 100_000 + "}", "there is no detector 'xxx"),
    ("crop: {size: " + "x" * 100_000 + "}", "crop.size: 'xxx"),
    (b"\xff\xfe\x00", "not valid YAML"),
    ("crop: [1]", "crop: [1]: expected `object`"),
]
DAMAGES = [
    *(Damage("params.yaml", content, "crop", said) for content, said in PARAMS),
    *(Damage(CONFIG, text, command, said) for text, said in [
        (DEEP, "more than 100 lists or objects within each other"),
        ("[1]", "not a run's config"),
        (b"\xff\xfe\x00", "config.json: broken"),
        ('{"a": "\\ud800"}', "half of a character"),
    ] for command in (TRAIN, PHOTO)),
    Damage(CONFIG, config(recipe=7), PHOTO, "config.json: broken: not a run's config: Expected `str`, got `int`"),
    Damage(CONFIG, config(recipe=[1]), SHOW, "config.json: broken: not a run's config"),
    Damage(CONFIG, config(data=7), TRAIN, "config.json: broken: not a run's config"),
    Damage(CONFIG, config(data={}), PHOTO, "does not say how its photos were cut"),
    Damage(CONFIG, config(data__domains={"x" * 4000: "long"}), PHOTO, "does not say how its photos were cut: 'xxx"),
    Damage(CONFIG, config(run__batch="many"), TRAIN, "config.json: broken: not a run's config"),
    Damage(CONFIG, config(run={}), TRAIN, "config.json: broken: not a run's config"),
    Damage(CONFIG, config(model__width=10**12), PHOTO, "cyclegan"),
    Damage(CONFIG, config(crop={"a": 7}), PHOTO, "config.json: broken: not a run's config"),
    Damage(CONFIG, config(dataset=7), TRAIN, "config.json: broken: not a run's config"),
    Damage(CONFIG, config(changes=[7]), TRAIN, "config.json: broken: not a run's config"),
    *(Damage(LAST, header(**keys), PHOTO, "00000002.safetensors: not a checkpoint of curate") for keys in [
        {"format": None}, {"format": [1]}, {"step": "x"}, {"step": -1}, {"meter": 7}, {"config": 7}
    ]),
    Damage(LAST, header(format=99), TRAIN + " --steps 3", "checkpoint format 99, this curate reads 1"),
    *(Damage(SCALARS, f"{line}\n", TRAIN + " --steps 3") for line in (DEEP, '{"step": 1, "G": []}')),
    Damage(f"{RUN}/metrics.json", DEEP, TRAIN),
    *(Damage(f"{RUN}/.undo.json", text, TRAIN, ".undo.json: broken") for text in (DEEP, '{"moved": 7}')),
    *(Damage("photos/1.json", text, SCRAPE) for text in (DEEP, '{"title": "\\ud800"}')),
    Damage("raw/images/journal.jsonl", '{"event": "done", "key": "k", "count": -1}\n', SCRAPE, "jsonl:1: not a line"),
    *(Damage("l.json", text, f"{LIST} --input l.json --domain x --dry-run", "l.json: ") for text in (DEEP, "7")),
    *(Damage("site.yaml", text, f"{SITE} --query x --dry-run", said) for text, said in [
        (f"name: {DEEP}", "not valid YAML: more than 100 lists"), ("name: 2026-99-99", "month must be in"),
        ('name: "a\\0b"', "a zero in it"), ("[1]", "expected `object`"),
    ]),
    *(Damage("manifests/crops.parquet", settings(text), command, "crops.parquet: the settings noted in it are broken")
      for text, command in ((DEEP, "dedup"), ("[1]", "sort --by sharpness"), ("{", "dedup"))),
    Damage("manifests/crops.parquet", settings('{"section": {"domains": 7}}'), TRAIN + " --fresh", "holds no rules"),
    Damage("exported/.curate-export.json", DEEP, "export --to folders --out exported", "not empty, and no export"),
    Damage("manifests/review.jsonl", f"{DEEP}\n", "build"),
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: f"{one.file.rpartition('/')[2]} {one.command.split()[0]}")
def test_a_broken_value_is_one_line_or_made_anew(root: Path, damage: Damage) -> None:
    path = root / damage.file
    path.parent.mkdir(parents=True, exist_ok=True)
    if callable(damage.content):
        damage.content(path)
    else:
        path.write_bytes(damage.content.encode() if isinstance(damage.content, str) else damage.content)
    before = path.read_bytes()
    is_path = re.compile(r"processed/|photos|exported|\w+\.(png|json|yaml)").match
    words = [str(root / word) if is_path(word) else word for word in damage.command.split()]
    done = curate(*words, *(() if words[0] == "weights" else ("--root", root)), code=2 if damage.said else 0)
    assert "a bug of ours" not in done.stderr
    if damage.said:
        first, *rest = done.stderr.splitlines()
        assert damage.said in done.stderr
        assert len(first) < 400 + len(str(root)), "a line that somebody can read"
        assert rest and rest[-1].startswith("  "), "and what to do"
        assert path.read_bytes() == before, "nothing was lost"
