"""How a request can fail: for good, with a reason of the images table's closed list, or for now."""

from __future__ import annotations


class FetchError(Exception):
    """A request that will not succeed in this run. `reason` belongs to the closed list of manifest.IMAGES."""

    def __init__(self, reason: str, detail: str = "", status: int | None = None, final_url: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.final_url = final_url


class TransientError(FetchError):
    """A failure that may pass. `wait`: seconds that the server asked for, if it did."""

    def __init__(self, reason: str, detail: str = "", status: int | None = None, wait: float | None = None) -> None:
        super().__init__(reason, detail, status)
        self.wait = wait
