"""How a request can fail: for good, with a reason of the images table's closed list, or for now."""

from __future__ import annotations


class FetchError(Exception):
    """A request that will not succeed in this run. `reason` belongs to the closed list of manifest.IMAGES.

    `wait`: seconds that the server asked for, if it did. `body`: how an API's refusal begins. `reached`: False where
    no request can have left this machine, as without a network.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        status: int | None = None,
        final_url: str | None = None,
        *,
        wait: float | None = None,
        body: bytes = b"",
        reached: bool = True,
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.final_url = final_url
        self.wait = wait
        self.body = body
        self.reached = reached


class TransientError(FetchError):
    """A failure that may pass."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        status: int | None = None,
        wait: float | None = None,
        body: bytes = b"",
        *,
        reached: bool = True,
    ) -> None:
        super().__init__(reason, detail, status, wait=wait, body=body, reached=reached)
