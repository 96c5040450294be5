"""How many requests a day an API has had from us: its daily quota outlives a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from curate.pipeline.core.files import NOT_THERE, atomic_write, reading
from curate.pipeline.scrape.web.fetch_errors import FetchError


class DailyQuota:
    """The counts in the file at `path`, by host; a day is a day of UTC."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def spend(self, host: str, daily: int | None, now: datetime) -> None:
        """Counts one request to `host`. Raises FetchError quota when `daily` have been sent today."""
        if daily is None:
            return
        today = now.astimezone(UTC).date()
        days = self._read()
        day, count = days.get(host, ("", 0))
        count = count if day == today.isoformat() else 0
        if count >= daily:
            midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC)
            raise FetchError("quota", f"{daily} requests were sent today", wait=(midnight - now).total_seconds())
        days[host] = (today.isoformat(), count + 1)
        self._write(days)

    def give_back(self, host: str) -> None:
        """Takes back the last request to `host`, which never left this machine."""
        days = self._read()
        if host in days:
            day, count = days[host]
            days[host] = (day, max(0, count - 1))
            self._write(days)

    def _write(self, days: dict[str, tuple[str, int]]) -> None:
        with atomic_write(self._path) as temporary:
            temporary.write_bytes(msgspec.json.encode(days))

    def _read(self) -> dict[str, tuple[str, int]]:
        try:
            with reading(self._path):
                return msgspec.json.decode(self._path.read_bytes(), type=dict[str, tuple[str, int]])
        except (*NOT_THERE, msgspec.DecodeError):
            return {}
