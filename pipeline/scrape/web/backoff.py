"""How long to wait before asking again: full jitter between retries, and what a server asks for itself."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PATIENCE = 10  # failures in a row after which a host is left alone
LONGEST_BACKOFF = 60.0  # s
_AVAILABLE = "x-ratelimit-available-"
_PERIODS = {"sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}  # s
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may pass


def backoff(attempt: int, base: float, rng: random.Random) -> float:
    """Seconds before try `attempt` + 1 (the first is 0): uniform in [0, base * 2^attempt], never above a minute."""
    return rng.uniform(0.0, min(LONGEST_BACKOFF, base * 2.0**attempt))


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a refusing response asks to wait: Retry-After as a number or a date; None for none and for junk."""
    return _seconds(headers.get("Retry-After"), now)


def spent(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the quota that a response calls empty (X-RateLimit-Remaining: 0) is filled again, or None.

    Some have several quotas, each with a name: X-RateLimit-Available-NAME: 0 beside X-RateLimit-Limit-NAME: 20/min.
    """
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        empty = [name for name in headers if name.lower().startswith(_AVAILABLE) and headers[name].strip() == "0"]
        limits = (headers.get(f"X-RateLimit-Limit-{name[len(_AVAILABLE) :]}", "") for name in empty)
        waits = [_PERIODS.get(limit.rpartition("/")[2].strip().lower(), 0.0) for limit in limits]
        return max(waits, default=0.0) or None
    seconds = _seconds(headers.get("X-RateLimit-Reset"), now)
    if seconds is not None and seconds > 1_000_000_000:  # some send the time itself, as a Unix timestamp
        seconds = max(0.0, seconds - now.timestamp())
    return seconds


def _seconds(text: str | None, now: datetime) -> float | None:
    if text is None:
        return None
    try:
        return max(0.0, float(int(text)))
    except (ValueError, OverflowError):
        pass
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())
