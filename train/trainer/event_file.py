"""A file of events for TensorBoard, written at once: its own writer has a thread, which prints a disk's errors."""

from __future__ import annotations

import itertools
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

VERSION = "brain.Event:2"

_count = itertools.count()


class EventFile:
    """A new file in `folder`. What other files there say of steps after `after` is void, if that is not 0."""

    def __init__(self, folder: Path, after: int) -> None:
        """Makes the folder. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010}.{platform.node()}.{os.getpid()}.{next(_count)}"
        self._file = (folder / name).open("wb")
        self._records = RecordWriter(self._file)
        self._add(Event(file_version=VERSION))
        if after:
            self._add(Event(step=after + 1, session_log=SessionLog(status=SessionLog.START)))
        self._file.flush()

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds the numbers of `step`; TensorBoard sees them at once. Raises OSError."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._add(Event(step=step, summary=Summary(value=values)))
        self._file.flush()

    def close(self) -> None:
        """Raises OSError."""
        self._file.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
