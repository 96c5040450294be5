"""The journal of a scrape: one line per event, appended after the fact is on disk, and the only memory there is.

Tables are derived from it. It remembers every search with its settings, each candidate with what became of it, and
which searches came to their end. A torn last line is cut off. Kept in memory are only digests and file offsets.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import msgspec

from curate.pipeline.core.errors import CurateError, one_line
from curate.pipeline.core.files import atomic_write, disk_error, reading, writing
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.digest_map import DigestMap
from curate.pipeline.scrape.outcome import Outcome
from curate.pipeline.scrape.places import Places
from curate.pipeline.scrape.raw_store import HINT
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.tables import json_lines


class Begin(msgspec.Struct, frozen=True, tag="begin", tag_field="event"):
    """A search starts, or goes on. `search` names it whatever its settings, `key` with them."""

    search: str
    key: str
    query: Query
    refresh: bool = False  # what it found before comes first


class CandidateSeen(msgspec.Struct, frozen=True, tag="seen", tag_field="event", omit_defaults=True):
    """The candidate at place `index` of a search, and what became of it; null when it was not asked for."""

    key: str
    index: Annotated[int, msgspec.Meta(ge=0)]
    candidate: Candidate
    outcome: Outcome | None
    stamp: str | None = None  # a digest of a local file's path, size and times


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="event"):
    """A search came to its end after `count` candidates."""

    key: str
    count: Annotated[int, msgspec.Meta(ge=0)]


class Forget(msgspec.Struct, frozen=True, tag="forget", tag_field="event"):
    """Something that must never be fetched again: the digest of a URL, a sha256 or a creator's name."""

    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class Avoid(msgspec.Struct, frozen=True, tag="avoid", tag_field="event"):
    """The perceptual hash of a picture that was forgotten, so that its near copies are known."""

    phash: int


Line = Begin | CandidateSeen | Done | Forget | Avoid


class Past(NamedTuple):
    """A candidate's outcome in the journal, the search that it was met in, and whether this very run noted it."""

    key: str
    outcome: Outcome
    fresh: bool


class Journal:
    """The journal at `path`, open for reading and appending. Used as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decode = msgspec.json.Decoder(Line).decode
        self._lock = threading.Lock()
        self._outcomes = DigestMap()
        self._places: dict[str, Places] = {}
        self._begun: dict[str, list[Begin]] = {}  # by search
        self._counts: dict[str, int] = {}  # of finished keys
        self._forgotten: set[bytes] = set()
        self._avoided: set[int] = set()
        self._former: dict[str, int] = {}  # candidates of the last whole walk, of keys that are refreshed
        self._refused: OSError | None = None
        with writing(path, HINT):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        with reading(path):
            self._end = self._opened = self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:  # a line that is being written is finished first
            os.close(self._file)
            self._file = -1

    def begin(self, line: Begin) -> None:
        """Notes that a search starts or goes on."""
        if not any(known.key == line.key for known in self._begun.get(line.search, [])):
            self._append(line)

    def reopen(self, line: Begin) -> None:
        """Notes that a finished search is gone through from its beginning."""
        if line.key in self._counts:
            self._append(line)

    def seen(self, line: CandidateSeen) -> None:
        """Notes what became of a candidate; may be called from any thread. No file's path is noted, nor bytes."""
        if line.candidate.file is not None or line.candidate.data is not None:
            line = msgspec.structs.replace(line, candidate=replace(line.candidate, file=None, data=None))
        if not self._holds(line):
            self._append(line)

    def done(self, key: str, count: int) -> None:
        """Notes that a search is finished."""
        if self._counts.get(key) != count:
            self._append(Done(key, count))

    def past(self, address: str) -> Past | None:
        """The last known outcome of an image's URL, a local file's sha256 or its stamp, in whichever search."""
        at = self._outcomes.get(_digest(address))
        if at is None:
            return None
        line = self._read(at)
        assert isinstance(line, CandidateSeen) and line.outcome is not None, "the index points at outcomes only"
        return Past(line.key, line.outcome, at >= self._opened)

    def forget(self, names: Iterable[str]) -> None:
        """Notes names that must never be fetched again, by their digests alone."""
        for digest in dict.fromkeys(_digest(name) for name in names):
            if digest not in self._forgotten:
                self._append(Forget(digest.hex()))

    def forgotten(self, *names: str | None) -> bool:
        """Whether one of `names` (URLs, a sha256, a creator) was forgotten."""
        return bool(self._forgotten) and any(_digest(name) in self._forgotten for name in names if name)

    def avoid(self, phashes: Iterable[int]) -> None:
        """Notes pictures whose near copies must not be stored again."""
        for phash in sorted(set(phashes) - self._avoided):
            self._append(Avoid(phash))

    @property
    def avoided(self) -> frozenset[int]:
        """The perceptual hashes of what was forgotten."""
        return frozenset(self._avoided)

    def purge(self) -> None:
        """Rewrites the journal without the lines about what was forgotten. It must not be used afterwards."""
        with atomic_write(self._path) as temporary, temporary.open("wb") as kept:
            for text in self._texts():
                line = self._decode(text)
                if not isinstance(line, CandidateSeen) or not self._about_forgotten(line):
                    kept.write(text)

    def _about_forgotten(self, line: CandidateSeen) -> bool:
        one, got = line.candidate, line.outcome
        names = (got.sha256, got.image_url) if got else ()
        return self.forgotten(one.address, one.image_url, one.page_url, one.creator, *names)

    def count(self, key: str) -> int | None:
        """How many candidates the finished search `key` had; None while it is not finished."""
        return self._counts.get(key)

    def candidates(self, key: str) -> Iterator[Candidate]:
        """The candidates of a finished search in order, or those of the walk before, while it is refreshed."""
        count = self._counts.get(key, self._former.get(key, 0))
        for at in self._places.get(key, Places()).between(0, count):
            line = self._read(at)
            assert isinstance(line, CandidateSeen), "the index points at candidates only"
            yield line.candidate

    def remaining(self, search: str, key: str, index: int) -> Iterator[Candidate]:
        """What an earlier walk of `key` noted from place `index` on, for a walk that could not get further.

        Where there was none, what `search` was last finished with under other settings.
        """
        places = self._places.get(key, Places())
        found = places.between(index)
        if not places and index == 0:
            finished = (line.key for line in reversed(self._begun.get(search, [])) if line.key in self._counts)
            former = next(finished, key)
            found = self._places.get(former, Places()).between(0, self._counts.get(former, 0))
        for at in found:
            if isinstance(line := self._read(at), CandidateSeen):
                yield line.candidate

    def find_outcome(self, key: str, index: int, address: str) -> Outcome | None:
        """What became of the candidate at `address`, found by the search `key` at place `index` or, if some before it
        were forgotten, later."""
        for at in self._places.get(key, Places()).between(index):
            if isinstance(line := self._read(at), CandidateSeen) and line.candidate.address == address:
                return line.outcome
        return None

    def searches(self) -> Iterator[Begin]:
        """Every search ever begun, in order of their beginnings, as it was last finished."""
        for begun in self._begun.values():
            yield next((line for line in reversed(begun) if line.key in self._counts), begun[-1])

    def _load(self) -> int:
        """Reads the whole journal into the index, cuts a torn last line, and returns the file's size."""
        at = 0
        for number, text in enumerate(self._texts(), 1):
            try:
                json_lines.check(text)
                self._index(self._decode(text), at)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                raise CurateError(
                    f"{self._path}:{number}: not a line of a journal: {one_line(error)}",
                    "restore the file, or move it away: the images are then fetched anew",
                ) from None
            at += len(text)
        with writing(self._path, HINT):
            os.ftruncate(self._file, at)
        return at

    def _texts(self) -> Iterator[bytes]:
        """Every whole line."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            for text in file:
                if not text.endswith(b"\n"):
                    return
                yield text

    def _index(self, line: Line, at: int) -> None:
        if isinstance(line, Forget):
            self._forgotten.add(bytes.fromhex(line.digest))
        elif isinstance(line, Avoid):
            self._avoided.add(line.phash)
        elif isinstance(line, Begin):
            self._begun.setdefault(line.search, []).append(line)
            count = self._counts.pop(line.key, None)
            if line.refresh and count is not None:
                self._former[line.key] = count
        elif isinstance(line, Done):
            self._counts[line.key] = line.count
            self._former.pop(line.key, None)
        else:
            self._places.setdefault(line.key, Places())[line.index] = at
            if line.outcome is not None:
                for name in (line.candidate.image_url or line.outcome.sha256, line.stamp):
                    if name:
                        self._outcomes[_digest(name)] = at

    def _holds(self, line: CandidateSeen) -> bool:
        """Whether the last thing noted at the line's place is the line itself."""
        at = self._places.get(line.key, Places())[line.index]
        return at is not None and self._read(at) == line

    def _append(self, line: Line) -> None:
        text = json_lines.sealed(line) + b"\n"
        with self._lock:
            if self._file < 0:
                return  # an interrupted run's last fetches come too late
            if self._refused is not None:  # a line after a torn one would break both
                raise disk_error(self._path, self._refused, HINT)
            try:
                if os.write(self._file, text) != len(text):
                    raise OSError(28, "no space left on device")
            except OSError as error:
                with contextlib.suppress(OSError):  # else it ends torn: the next run cuts that off
                    os.ftruncate(self._file, self._end)
                self._refused = error
                raise disk_error(self._path, error, HINT) from error
            self._index(line, self._end)
            self._end += len(text)

    def _read(self, at: int) -> Line:
        text = b""
        while not text.endswith(b"\n"):
            text = os.pread(self._file, max(4096, 2 * len(text)), at)
            if (end := text.find(b"\n")) >= 0:
                text = text[: end + 1]
        return self._decode(text)


def _digest(address: str) -> bytes:
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).digest()[:16]
