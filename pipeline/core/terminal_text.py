"""The one place that makes text safe for a terminal: titles, names, domains and addresses are strangers'.

What would move the cursor, colour, name the window or turn a line around is shown as its code, `\\x1b`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

# Control characters; what is never seen and turns, joins or hides what is (marks of direction, widths of zero, tags);
# halves of characters. Not the joiners U+200C and U+200D, without which Persian and emoji fall apart.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_BREAKS = str.maketrans({"\t": "\\t", "\n": "\\n"})


def visible(text: str) -> str:
    """`text` with whatever would steer a terminal as codes; line breaks and tabs stay."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def visible_line(text: str) -> str:
    """`text` as `visible` has it and on one line: line breaks and tabs are codes, too."""
    return visible(text).translate(_BREAKS)


def json_text(
    value: Any,
    *,
    ascii_only: bool = False,
    indent: int | None = None,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """`value` as JSON, exact for whoever parses it, in which nothing steers a terminal; one line without `indent`."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, sort_keys=sort_keys, default=default)
    return _STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text)


class VisibleStream:
    """A text stream of which `visible` is all that arrives, whoever writes: libraries' warnings and logs, too."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes `text`; returns its length as it was given."""
        self.stream.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes `lines` one by one."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def guard_streams() -> None:
    """Makes `sys.stdout` and `sys.stderr` a VisibleStream each, where they are not yet."""
    os.environ.setdefault("PYTHON_COLORS", "0")  # newer Pythons colour tracebacks, with codes that would be shown
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, VisibleStream):
            setattr(sys, name, VisibleStream(stream))


def unguarded(stream: Any) -> Any:
    """The stream behind a VisibleStream, for a bar that steers the terminal itself; any other as it is."""
    return stream.stream if isinstance(stream, VisibleStream) else stream
