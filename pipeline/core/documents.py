"""JSON and YAML that anybody may have written, as plain values: the one reader of each.

What the parsers take and the rest of curate cannot live with is refused here: lists in lists without end, aliases that
unfold to more than memory holds, half characters and zeros in text, numbers and dates that are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

DEEPEST = 100  # levels of lists and objects within each other
MOST = 1_000_000  # values of a YAML file, aliases unfolded


class DocumentError(ValueError):
    """Text that is not one document, or not a sane one: one line that says why. `line` counts from 1; 0: unknown."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(problem)
        self.line = line


def from_json(text: str | bytes) -> Any:
    """The value that `text` is, as dicts, lists and scalars. Raises ValueError."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise too_deep() from None
    spelled = text if isinstance(text, str) else text.decode("utf-8", "replace")
    _check(value, texts="\\u" in spelled)  # nothing else can spell what no text may have
    return value


def from_yaml(text: str) -> Any:
    """The value that `text` is; None for an empty one. Raises DocumentError."""
    import yaml

    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _unfolded(node, {}, 1)
        value = loader.construct_document(node)
        _check(value, texts=True)
        return value
    except DocumentError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise DocumentError(" ".join(str(problem).split()), mark.line + 1 if mark else 0) from None
    except RecursionError:
        raise too_deep() from None
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:  # PyYAML lets them through
        raise DocumentError(f"a value that is none: {error}".partition(";")[0]) from None
    finally:
        loader.dispose()


def too_deep(line: int = 0) -> DocumentError:
    """What to raise for a text that is nested without end."""
    return DocumentError(f"more than {DEEPEST} lists or objects within each other", line)


def _check(value: Any, *, texts: bool) -> None:
    for level in _levels(value):
        if texts:
            for one in level:
                _check_text(one)


def check_depth(value: Any) -> None:
    """Raises DocumentError for more than DEEPEST lists or objects within each other."""
    for _ in _levels(value):
        pass


def _levels(value: Any) -> Iterator[list[Any]]:
    """The values at each depth of `value`, so that no depth of it is a depth of calls. Raises DocumentError."""
    level = [value]
    for _ in range(DEEPEST + 1):
        yield level
        holders = [one for one in level if isinstance(one, dict | list | tuple | set)]
        if not holders:
            return
        level = [part for one in holders for part in _parts(one)]
    raise too_deep()


def _parts(holder: Any) -> Iterable[Any]:
    return chain(holder.keys(), holder.values()) if isinstance(holder, dict) else holder


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        return
    if "\0" in text:
        raise DocumentError("text with a zero in it (\\0)")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DocumentError("text with half of a character (a lone surrogate)") from None


def _unfolded(node: Any, known: dict[int, int], depth: int) -> int:
    """How many values `node` stands for, each alias counted as often as it is used. Raises DocumentError."""
    if depth > DEEPEST:
        raise too_deep(node.start_mark.line + 1)
    if id(node) in known:
        if not known[id(node)]:
            raise DocumentError("an alias within what it stands for", node.start_mark.line + 1)
        return known[id(node)]
    parts: list[Any] = []
    if isinstance(node.value, list):
        parts = [part for one in node.value for part in (one if isinstance(one, tuple) else (one,))]
    known[id(node)] = 0  # being counted
    known[id(node)] = 1 + sum(_unfolded(part, known, depth + 1) for part in parts)
    if known[id(node)] > MOST:
        raise DocumentError(f"aliases that stand for more than {MOST:,} values", node.start_mark.line + 1)
    return known[id(node)]
