"""What can go wrong, as exit codes and next steps.

Every error that a person can mend is a CurateError: one line that says what is wrong and where, and one that says
what to type next. Anything else that reaches the door is our own bug.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

LONGEST = 100  # characters of a name or a value in a message


class CurateError(Exception):
    """A mistake or a refusal that a person can act on.

    `message` says what is wrong and where; `hint` is the next command or edit. `code` is the process's exit code.
    """

    code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(CurateError):
    """A wrong flag, name, parameter or file: nothing was done."""


class TableError(CurateError):
    """A manifest that is missing, unreadable, invalid or of another schema version."""


class ModelError(CurateError):
    """A model file that is missing, can't be fetched, or isn't the pinned one."""


class DetectorLostError(CurateError):
    """What looks for faces died of a picture, or took too long; it is there again for the next one."""


class AuthError(CurateError):
    """A source wants a key, or refuses the one it was given."""

    code = 3


class QuotaError(CurateError):
    """A source's quota is used up; the work so far is saved and the same command goes on later."""

    code = 4


class BlockedError(CurateError):
    """The site does not want us: a challenge page, robots rules over everything, a refusal."""

    code = 5


class YieldError(CurateError):
    """Fewer images were accepted than `want` asked for."""

    code = 6


EXIT_BUG = 1
EXIT_INTERRUPTED = 130


class InterruptionError(CurateError):
    """Ctrl-C, where there is more to say than that the same command goes on."""

    code = EXIT_INTERRUPTED


def clipped(text: str) -> str:
    """The first LONGEST characters of what stands in a message."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def one_line(error: BaseException) -> str:
    """What a library says, on one line that somebody can read."""
    return clipped(" ".join(str(error).split()))


def nearest(name: str, known: Iterable[str]) -> str:
    """'; did you mean X?' for the closest of `known` to `name`, or an empty string."""
    import difflib  # for mistakes alone

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
