"""JSON and YAML of strangers: a value, or one error with one line; never a bug, and never long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.core.documents import DEEPEST, DocumentError, from_json, from_yaml

UNFOLDING = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{'abcdefghijkl'[n + 1]}: &{'abcdefghijkl'[n + 1]} [{', '.join(['*' + 'abcdefghijkl'[n]] * 10)}]\n"
    for n in range(11)
)
MERGING = "a: &a {x: 1}\n" + "".join(
    f"{'abcdefghijkl'[n + 1]}: &{'abcdefghijkl'[n + 1]} {{<<: [{', '.join(['*' + 'abcdefghijkl'[n]] * 10)}]}}\n"
    for n in range(11)
)
YAML = {
    "deep": ("[" * 300 + "]" * 300, "lists or objects within each other"),
    "aliases": (UNFOLDING, "aliases that stand for more than 1,000,000 values"),
    "merged": (MERGING, "aliases that stand for more than 1,000,000 values"),
    "of itself": ("a: &a [*a]", "an alias within what it stands for"),
    "half a character": (r'a: "\ud800"', "half of a character"),
    "zero": (r'a: "b\0c"', "a zero in it"),
    "zero in a key": (r'"b\0c": 1', "a zero in it"),
    "no day": ("a: 2026-99-99", "month must be in"),
    "digits": ("a: " + "9" * 5000, "limit"),
    "tag": ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
    "no number": ("a: !!int x", "a value that is none"),
    "no moment": ("a: !!timestamp x", "a value that is none"),
    "unhashable": ("{[1]: 2}", "unhashable"),
    "two": ("a: 1\n---\nb: 2", "another document"),
    "open": ("a: [", "expected"),
    "escape": ("a: \x1b[31m", "unacceptable character"),
}


@pytest.mark.parametrize("name", YAML)
def test_yaml_that_is_none_or_not_sane_is_one_line(name: str) -> None:
    text, words = YAML[name]
    with pytest.raises(DocumentError) as told:
        from_yaml(text)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_yaml_errors_tell_the_line() -> None:
    with pytest.raises(DocumentError) as told:
        from_yaml("a: 1\nb: [\n\n")
    assert told.value.line == 4


def test_plain_yaml_is_read_aliases_too() -> None:
    assert from_yaml("a: &a [1, 2.5, yes]\nb: *a\nc: {d: ü}") == {
        "a": [1, 2.5, True],
        "b": [1, 2.5, True],
        "c": {"d": "ü"},
    }
    assert from_yaml("") is None
    assert from_yaml("[" * DEEPEST + "]" * DEEPEST)


JSON: list[str | bytes] = [
    *("", "[", "[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 101 + "1" + "}" * 101),
    *(r'["\ud800"]', r'["\u0000"]', "9" * 5000, b"\xff\xfe\xff", "{'a': 1}", r'{"\uDFFF": 1}'),
]


@pytest.mark.parametrize("text", JSON)
def test_json_that_is_none_or_not_sane_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        from_json(text)


def test_plain_json_is_read() -> None:
    assert from_json(r'{"a": ["\ud83d\ude00", "\\ud800", null]}') == {"a": ["\U0001f600", r"\ud800", None]}
    assert from_json(b'{"\xc3\xbc": 1}') == {"ü": 1}
    assert from_json("[" * DEEPEST + "]" * DEEPEST)


WORDS = ["<<", "- ", ": ", "&a ", "*a", "!!set", "!!int ", "0x", "é", "~"]
PIECES = st.sampled_from([*"[]{}:,-?!&*#|>%@'\"\n \0", *WORDS])


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join))
def test_whatever_is_written_is_a_value_or_one_error(text: str) -> None:
    for reader in (from_json, from_yaml):
        try:
            reader(text)
        except ValueError:
            continue
