"""Every key of params.yaml with values that nobody means: it holds, or one line names the key and what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from curate.pipeline.core.config import SECTIONS, Params
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.terminal_text import visible
from curate.train.recipes import RECIPES, model_section
from curate.train.runs.config import DataConfig as Data
from curate.train.runs.config import RunConfig, read

NUMBERS = [math.nan, math.inf, -math.inf, 2**31, 2**40, 2**64, 10**400, 1e308, -(10**400)]
OTHERS: list[Any] = [-1, 0, -0.5, "text", "", "\x1b[2J", "a\nforged: 1", "x" * 100_000, True, None, [], {}, [1], ["a"]]
OTHERS += [{"a": 1}, {1: 2}, {"\x1b[2J": 1}, [[[[1]]]], {"a": {"a": {"a": []}}}, [None] * 1000]


def kinds() -> Iterator[tuple[str, type[msgspec.Struct], Callable[[Params], Any]]]:
    """Each section's dotted name, its class and the reader of it."""
    for name in SECTIONS:
        kind = SECTIONS.resolve(name)
        yield name, kind, lambda params, name=name, kind=kind: params.section(name, kind)
    for recipe in RECIPES:
        for group, kind in {"data": Data, "run": RunConfig, "model": model_section(recipe)}.items():
            yield f"train.{recipe}.{group}", kind, lambda params, recipe=recipe: read(params, recipe)


READERS = {name: (kind, reader) for name, kind, reader in kinds()}


def params(dotted: str, value: Any) -> Params:
    """A params.yaml that holds `value` at `dotted`, and nothing else."""
    for name in reversed(dotted.split(".")):
        value = {name: value}
    return Params(value, None)


@pytest.mark.parametrize("name", READERS)
def test_any_value_holds_or_is_one_line_that_names_its_key(name: str) -> None:
    kind, reader = READERS[name]
    for field in msgspec.structs.fields(kind):
        key = f"{name}.{field.encode_name}"
        for value in (*NUMBERS, *OTHERS):
            try:
                reader(params(key, value))
            except UsageError as error:
                assert field.encode_name in error.message, (key, value)
                assert len(visible(error.message)) < 600 and error.hint, (key, error.message)
            else:
                assert not any(value is number for number in NUMBERS), (key, value)


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_number_that_is_none_or_far_out_is_refused_wherever_it_stands(number: float) -> None:
    given = {"domains": {"\x1b[2J": {"size": 64, "min_score": [1, number]}}}
    with pytest.raises(UsageError, match=r"crop\.domains\..*\.min_score\[1\]: .*: expected a number from -2147483647"):
        Params({"crop": given}, None).section("crop", SECTIONS.resolve("crop"))
