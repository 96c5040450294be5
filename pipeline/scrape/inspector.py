"""Examining bytes from strangers in a process of its own, which may die without taking the run along.

Regular JPEGs, nearly all there are, and what is no image at all are judged here: one library reads the former, after
their structure was walked through.
Every other decoder (PNG, WebP, GIF, TIFF, AVIF, HEIC, odd JPEGs, colour profiles) works in the other process.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from curate.pipeline.core import helper_process
from curate.pipeline.core.helper_process import HelperLateError, HelperLostError, HelperProcess
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.deadline import deadline
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.outcome import Outcome, examine

LONGEST = 60.0  # s for one image, start of the process included; what it costs the processor has a deadline of its own


class Inspector:
    """Judges bytes under `limits`. Used as a context manager; the process is made when it is first needed."""

    def __init__(self, limits: Scrape, hashed: bool = False) -> None:
        """`hashed`: good pictures are decoded for their perceptual hashes, too."""
        self._limits = limits
        self._hashed = hashed
        self._lock = threading.Lock()
        self._helper = HelperProcess(__name__, msgspec.json.encode((limits, hashed)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._helper.end()

    def examine(self, data: bytes) -> Outcome:
        """What `data` are; decode_failed if that kills the decoder, or takes it too long."""
        header = codec.plain_jpeg(data)
        if header is not None or codec.sniff(data[:32]) is None or len(data) > self._limits.max_bytes:
            return examine(data, self._limits, header, self._hashed)
        with self._lock:
            try:
                return msgspec.msgpack.decode(self._helper.ask(data, LONGEST), type=Outcome)
            except HelperLostError as error:
                what = "took too long" if isinstance(error, HelperLateError) else "died"
                digest = hashlib.sha256(data).hexdigest()
                return Outcome("decode_failed", f"its decoder {what}", sha256=digest, bytes=len(data))


def _begin(greeting: bytes) -> Callable[[bytes], bytes]:
    """The other process: limits first, then images."""
    limits, hashed = msgspec.json.decode(greeting, type=tuple[Scrape, bool])

    def answer(data: bytes) -> bytes:
        with deadline():
            return msgspec.msgpack.encode(examine(data, limits, hashed=hashed))

    return answer


if __name__ == "__main__":
    helper_process.serve(_begin)
