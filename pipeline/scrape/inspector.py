"""Examining bytes from strangers in a process of its own, which may die without taking the run along.

Regular JPEGs, nearly all there are, and what is no image at all are judged here: one library reads the former, after
their structure was walked through.
Every other decoder (PNG, WebP, GIF, TIFF, AVIF, HEIC, odd JPEGs, colour profiles) works in the other process.
"""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from curate.pipeline.imaging import codec
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.outcome import Outcome, examine

LONGEST = 60.0  # s for one image, start of the process included
_HOME = str(Path(__file__).parents[3])  # where the package `curate` stands


class Inspector:
    """Judges bytes under `limits`. Used as a context manager; the process is made when it is first needed."""

    def __init__(self, limits: Scrape, hashed: bool = False) -> None:
        """`hashed`: good pictures are decoded for their perceptual hashes, too."""
        self._limits = limits
        self._hashed = hashed
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._end()

    def examine(self, data: bytes) -> Outcome:
        """What `data` are; decode_failed if that kills the decoder, or takes it more than a minute."""
        header = codec.plain_jpeg(data)
        if header is not None or codec.sniff(data[:32]) is None or len(data) > self._limits.max_bytes:
            return examine(data, self._limits, header, self._hashed)
        with self._lock:
            process = self._process or self._start()
            try:
                assert process.stdin is not None and process.stdout is not None, "both are pipes"
                _write(process.stdin, data)  # all of it is read before anything is decoded
                if not select.select([process.stdout], [], [], LONGEST)[0]:
                    raise TimeoutError
                return msgspec.msgpack.decode(_read(process.stdout), type=Outcome)
            except (OSError, EOFError):
                self._end()
                digest = hashlib.sha256(data).hexdigest()
                return Outcome("decode_failed", "its decoder died", sha256=digest, bytes=len(data))

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "curate.pipeline.scrape.inspector"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._process.stdin is not None, "it is a pipe"
        _write(self._process.stdin, msgspec.json.encode((self._limits, self._hashed)))
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _write(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(8, "big"))
    stream.write(data)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes:
    """One message. Raises EOFError when the other side is gone."""
    length = stream.read(8)
    data = stream.read(int.from_bytes(length, "big")) if len(length) == 8 else b""
    if len(length) < 8 or len(data) < int.from_bytes(length, "big"):
        raise EOFError
    return data


def _serve() -> None:
    """The other process: limits first, then images, until its stdin ends, which it does when the run dies."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between two answers
    try:
        limits, hashed = msgspec.json.decode(_read(sys.stdin.buffer), type=tuple[Scrape, bool])
        while True:
            _write(answers, msgspec.msgpack.encode(examine(_read(sys.stdin.buffer), limits, hashed=hashed)))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


if __name__ == "__main__":
    _serve()
