"""params.yaml is read strictly: what is wrong is named by key, value and nearest legal name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from curate.pipeline.build.config import Build
from curate.pipeline.core.config import SECTIONS, Section, as_dict, load, override, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.crop.config import Crop
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.scrape.config import Scrape


def write(root: Path, text: str) -> Path:
    (root / "params.yaml").write_text(text, "utf-8")
    return root


def refusal(root: Path, text: str, name: str, kind: type[Section]) -> str:
    with pytest.raises(UsageError) as told:
        load(write(root, text)).section(name, kind)
    assert told.value.code == 2
    return told.value.message


@pytest.mark.parametrize("name", SECTIONS)
def test_without_a_file_the_defaults_serve(name: str, tmp_path: Path) -> None:
    assert load(tmp_path).section(name, SECTIONS.resolve(name)) == SECTIONS.resolve(name)()


@pytest.mark.parametrize("text", ["", "# only words\n", "crop:\n", "crop: {}\n"])
def test_a_silent_file_means_defaults(text: str, tmp_path: Path) -> None:
    assert load(write(tmp_path, text)).section("crop", Crop) == Crop()


def test_values_arrive(tmp_path: Path) -> None:
    params = load(write(tmp_path, "crop: {size: 128, brightness: [10, 240]}\nbuild: {val: 0.2}\n"))
    crop = params.section("crop", Crop)
    assert (crop.size, crop.brightness, crop.align) == (128, (10.0, 240.0), "auto")
    assert params.section("build", Build).val == 0.2


def test_japanese_stays_as_it_was_typed(tmp_path: Path) -> None:
    params = load(write(tmp_path, "scrape: {queries: [{query: ロングヘア, domain: long}]}\n"))
    assert params.section("scrape", Scrape).queries[0].query == "ロングヘア"


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("crop: {sise: 3}", "crop", ["crop.sise", "no such key", "did you mean 'size'"]),
        ("crop: {size: big}", "crop", ["crop.size", "'big'", "int"]),
        ("crop: {size: 8}", "crop", ["crop.size", "8", ">= 32"]),
        ("crop: {align: fhq}", "crop", ["crop.align", "'fhq'"]),
        ("scrape: {queries: [{}, {sauce: x}]}", "scrape", ["scrape.queries[1].sauce", "did you mean 'source'"]),
        ("scrape: {queries: [{want: 0}]}", "scrape", ["scrape.queries[0].want", "0", ">= 1"]),
        ("scrape: {demo: {sead: 1}}", "scrape", ["scrape.demo.sead", "did you mean 'seed'"]),
        ("scrape: [1, 2]", "scrape", ["scrape", "object", "array"]),
        ("pairs: {background: [1, 2]}", "pairs", ["pairs.background"]),
        ("build: {val: 1e-1}", "build", ["build.val", "'1e-1'", "write 1.0e-1"]),
        ("build: {val: 5E2}", "build", ["build.val", "write 5.0e+2"]),
    ],
)
def test_a_mistake_is_named(text: str, name: str, words: list[str], tmp_path: Path) -> None:
    message = refusal(tmp_path, text, name, SECTIONS.resolve(name))
    assert "params.yaml" in message
    for word in words:
        assert word in message


def test_what_is_advised_for_a_number_is_read_as_one() -> None:
    assert yaml.safe_load("1.0e-1") == 0.1
    assert yaml.safe_load("5.0e+2") == 500.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop: [", ["params.yaml, line", "not valid YAML"]),
        ("- crop\n- build\n", ["list, not sections"]),
        ("corp: {}\n", ["no section 'corp'", "did you mean 'crop'"]),
        ("1: {}\n", ["no section '1'"]),
    ],
)
def test_a_file_that_is_not_params(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        load(write(tmp_path, text))
    for word in words:
        assert word in told.value.message


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes("crop: {detector: 髪}".encode("cp932"))
    with pytest.raises(UsageError, match="not valid YAML"):
        load(tmp_path)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(UsageError, match="cannot read"):
        load(tmp_path)


def test_flags_override_and_are_checked(tmp_path: Path) -> None:
    section = override(Crop(size=128), "crop", size=None, detector="anime")
    assert (section.size, section.detector) == (128, "anime")
    assert override(section, "crop", size=None) is section
    with pytest.raises(UsageError, match=r"crop \(from the command line\)\.size: 3"):
        override(section, "crop", size=3)


def test_a_domain_overrides_the_section() -> None:
    crop = Crop(size=128, domains={"anime": {"detector": "anime", "rotate": 45}})
    assert (crop.rules("anime").detector, crop.rules("anime").size) == ("anime", 128)
    assert crop.rules("long").detector == "haar"
    with pytest.raises(UsageError, match=r"crop\.domains\.anime\.sise: .*did you mean 'size'"):
        Crop(domains={"anime": {"sise": 3}}).rules("anime")


class Preset(Section, frozen=True, kw_only=True):
    """A section one of whose keys brings others along."""

    FOLLOWS: ClassVar[Mapping[str, Any]] = {"preset": {"hair": {"ema": 0.999, "width": 32}}}

    preset: str = "paper"
    ema: float = 0.0
    width: int = 64


def test_a_key_brings_its_defaults_and_what_is_written_goes_first() -> None:
    assert parse(Preset, {}, "x") == Preset()
    assert parse(Preset, {"preset": "hair"}, "x") == Preset(preset="hair", ema=0.999, width=32)
    assert parse(Preset, {"preset": "hair", "width": 8}, "x").width == 8


def test_a_flag_takes_back_what_followed_from_the_old_value() -> None:
    hair = parse(Preset, {"preset": "hair", "width": 8}, "x")
    assert override(hair, "x", preset="paper") == Preset(preset="paper", width=8)


@pytest.mark.parametrize("kind", [SECTIONS.resolve(name) for name in SECTIONS])
def test_a_section_survives_its_own_dict(kind: type[Section]) -> None:
    section = kind()
    assert parse(kind, as_dict(section), "x") == section


def test_sections_can_not_be_changed() -> None:
    section: Any = Pairs()
    with pytest.raises(AttributeError):
        section.size = 3
