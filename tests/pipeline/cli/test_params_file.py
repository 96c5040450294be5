"""The whole params.yaml: comments read from the classes, keys in their places, and nothing that means anything new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from curate.pipeline.cli import params_file, params_writer, presets
from curate.pipeline.cli.commented_yaml import overlaid, read, values
from curate.pipeline.core.config import SECTIONS, Section, as_dict, load, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.crop.config import Crop
from curate.pipeline.scrape.config import Query

NESTED = ("queries", "demo", "windows")  # commented out, they show one that could be there, not the default


class Inner(Section, frozen=True, kw_only=True):
    """A section in another one."""

    share: float = 0.5  # of the whole


class Base(Section, frozen=True, kw_only=True):
    """Keys that another class adds to.

    With a second paragraph.
    """

    first: int = 1  # issue #3, "quoted": 50 % of 日本語の説明
    second: Literal["soft", "hard"] = "soft"

    # What a group is about
    third: tuple[str, ...] = ("none", "all")  # None: nothing
    # Right above, and long: a comment that goes on and on, until it no longer fits beside the value of the key that it
    # explains.
    fourth: float = 1e-05


class Sample(Base, frozen=True, kw_only=True):
    """What is asked for."""

    fifth: str | None = None  # on a line of its own
    inner: Inner | None = None  # a section
    many: tuple[Inner, ...] = ()
    by_name: Mapping[str, Inner] = {}


def given(own: Mapping[str, Any]) -> list[str]:
    """The lines of a Sample that a preset sets to `own`."""
    tree = read(yaml.safe_dump(dict(own), sort_keys=False)) if own else read("other: 1").without("other")
    return list(params_writer._section(parse(Sample, own, "sample"), tree, "  "))


def uncommented(text: str) -> str:
    """`text` with every key set, but for those that hold sections."""
    kept = re.sub(rf"^ *#({'|'.join(NESTED)}):.*\n( *#  .*\n)*", "", text, flags=re.MULTILINE)
    kept = re.sub(r"^ *#- source: .*\n( *#  .*\n)*", "", kept, flags=re.MULTILINE)
    return re.sub(r"^( *)#(?=\w)", r"\1", kept, flags=re.MULTILINE)


def test_comments_are_read_beside_and_above_and_from_bases() -> None:
    assert params_file.field_comments(Sample) == {
        "first": 'issue #3, "quoted": 50 % of 日本語の説明',
        "second": "",
        "third": "None: nothing",
        "fourth": "Right above, and long: a comment that goes on and on, until it no longer fits beside the value of "
        "the key that it explains.",
        "fifth": "on a line of its own",
        "inner": "a section",
        "many": "",
        "by_name": "",
    }


def test_groups_have_headings() -> None:
    found = {name: (said.heading, said.group) for name, said in params_file.comments(Sample).items()}
    assert found["first"] == found["second"] == ("", 0)
    assert found["third"] == found["fourth"] == ("What a group is about", 1)
    assert found["fifth"] == found["by_name"] == ("", 2)
    assert params_file.comments(Crop)["max_unrest"].heading == "Thresholds on the 68 landmarks"


def test_sections_and_words_are_found_in_types() -> None:
    shapes = {name: (inner.kind, inner.shape) for name, inner in params_file.nested(Sample).items()}
    assert shapes == {"inner": (Inner, "one"), "many": (Inner, "list"), "by_name": (Inner, "mapping")}
    assert params_file.choices(Sample) == {"second": ("soft", "hard")}


def test_sections_are_in_order_with_what_is_in_them() -> None:
    names = list(params_file.sections())
    assert [name for name in names if name in SECTIONS] == list(SECTIONS)
    assert names[names.index("scrape") + 1 :][:2] == ["scrape.queries", "scrape.demo"]
    assert params_file.sections()["scrape.queries"] is Query


def test_every_key_is_explained() -> None:
    silent = {
        f"{name}.{key}"
        for name, kind in params_file.sections().items()
        if not name.startswith("train.")
        for key, comment in params_file.field_comments(kind).items()
        if not comment
    }
    assert not silent


def test_a_key_stands_with_its_value_and_its_comment() -> None:
    lines = given({"second": "hard"})
    assert lines[0] == '  #first: 1                         # issue #3, "quoted": 50 % of 日本語の説明'
    assert lines[1] == "  second: hard                      # soft|hard"
    assert lines[2:5] == [
        "",
        "  # --- What a group is about ---",
        "  #third: [none, all]               # null: nothing",
    ]
    assert lines[5].startswith("  #fourth: 1.0e-05                  # Right above, and long")
    assert all(line.startswith(" " * 36 + "# ") for line in lines[6:7])


def test_a_section_in_a_section_shows_its_keys() -> None:
    assert given({})[-8:] == [
        "  #fifth: null                      # on a line of its own",
        "  #inner:                           # a section",
        "  #  share: 0.5                     # of the whole",
        "  #many:",
        "  #  - share: 0.5                   # of the whole",
        "  #by_name:",
        "  #  name:",
        "  #    share: 0.5                   # of the whole",
    ]
    assert yaml.safe_load("\n".join(given({"inner": {"share": 0.25}}))) == {"inner": {"share": 0.25}}


def test_comments_of_the_preset_stay() -> None:
    own = (
        "# why, in two\n# lines\nfirst: 2  # 日本語: # and so on\n"
        "many:\n  # by hand\n  - share: 0.1  # little\n# at the end\n"
    )
    lines = list(params_writer._section(parse(Sample, yaml.safe_load(own), "sample"), read(own), "  "))
    assert lines[:4] == ["  # why, in two", "  # lines", "  # 日本語: # and so on", lines[3]]
    assert lines[3].startswith("  first: 2   ")
    assert "    # by hand" in lines
    assert "    - share: 0.1  # little" in lines
    assert lines[-1] == "  # at the end"


def test_one_file_is_laid_over_another() -> None:
    base = read("a: # first\n  b: 1 # one\n  c: [1, 2]\n  d: {e: 1}\nf: 1\n")
    own = read("a:\n  c: [3]\n  d: {g: 2}\nh: 3\n")
    both = overlaid(base, own)
    assert values(both) == {"a": {"b": 1, "c": [3], "d": {"g": 2}}, "f": 1, "h": 3}
    assert both.entries["a"].beside == "# first"


@pytest.mark.parametrize("name", presets.names())
def test_a_written_file_means_what_the_preset_does(name: str, tmp_path: Path) -> None:
    written, meant = yaml.safe_load(presets.text(name)), values(presets.tree(name))
    assert {key: value for key, value in written.items() if key in meant and key != "train"} == {
        key: value for key, value in meant.items() if key != "train"
    }
    assert not any(value for key, value in written.items() if key not in meant)
    for recipe, groups in written["train"].items():
        assert {key: value for key, value in groups.items() if value is not None} == (meant["train"][recipe] or {})
    assert written["train"].keys() == meant["train"].keys()
    presets.write(name, tmp_path)
    for section in SECTIONS:
        kind = SECTIONS.resolve(section)
        if section != "scrape":  # whose site files have found their places
            assert load(tmp_path).section(section, kind) == parse(kind, meant.get(section) or {}, section)


@pytest.mark.parametrize("name", presets.names())
def test_every_key_of_every_section_is_there(name: str) -> None:
    text = presets.text(name)
    trained = [f"train.{recipe}." for recipe in yaml.safe_load(text)["train"]]
    for section, kind in params_file.sections().items():
        if section.startswith("train.") and not section.startswith(tuple(trained)):
            assert section.split(".")[1] in text, "at least named"
            continue
        for key in kind.__struct_fields__:
            assert re.search(rf"^ *#? *(- )?{key}:|[{{ ]{key}:", text, re.MULTILINE), f"{section}.{key}"


@pytest.mark.parametrize("name", presets.names())
def test_what_is_commented_out_is_what_holds(name: str, tmp_path: Path) -> None:
    """Without the marks, the file is still strictly valid, and still means the same."""
    (tmp_path / "params.yaml").write_text(uncommented(presets.text(name)), "utf-8")
    full, meant = load(tmp_path), values(presets.tree(name))
    for section in SECTIONS:
        kind = SECTIONS.resolve(section)
        found = full.section(section, kind)
        assert found == parse(kind, meant.get(section) or {}, section)
        assert full.written(section).keys() >= as_dict(found).keys() - {*NESTED}
    for recipe, own in meant["train"].items():
        if recipe in params_file.recipes():
            made = params_file.recipe_sections(recipe, own or {})
            assert params_file.recipe_sections(recipe, full.written(f"train.{recipe}")) == made


@pytest.mark.parametrize("name", presets.names())
def test_no_line_is_too_long(name: str) -> None:
    assert max(map(len, presets.text(name).splitlines())) <= params_writer.WIDTH


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crop:\n  padding: 0.3\n", "crop.padding: there is no such key"),
        ("crops:\n  size: 128\n", "there is no section 'crops'; did you mean 'crop'"),
        ("crop:\n  size: huge\n", "crop.size: 'huge'"),
    ],
)
def test_a_key_that_is_gone_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        params_writer.render(read(text))
