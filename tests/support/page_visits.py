"""Who goes to a page of curate's: waits for its address, does what a person would do there, and ends it with Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import requests

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+/")
POINTS = [40.0, 45.0, 56.0, 45.0, 48.0, 60.0]  # x, y of two eyes and a mouth, in a photo of 96 px


class Visitor:
    """Visits the page of this process, in a thread; `code` is 2 once the page has told of an error."""

    def __init__(self, visit: Callable[[str], None], said: Path) -> None:
        """`said` is where the address is written."""
        self.code = 0
        threading.Thread(target=self._go, args=(visit, said), daemon=True).start()

    def _go(self, visit: Callable[[str], None], said: Path) -> None:
        while not (found := _ADDRESS.search(said.read_text("utf-8"))):
            time.sleep(0.01)
        try:
            visit(found[0])
        except requests.HTTPError as error:
            self.code = 2
            told = error.response.json() if error.response.status_code == 400 else {}
            text = "curate: {error}\n  {hint}\n".format(**told) if told else traceback.format_exc()
            sys.stderr.write(text)
        finally:
            os.kill(os.getpid(), signal.SIGINT)


def _sent(address: str, data: object = None) -> dict[str, object]:
    """The page's answer. Raises HTTPError for one that is an error."""
    here = "/".join(address.split("/")[:3])
    answer = requests.post(address, json=data, headers={"Origin": here}, timeout=20)
    answer.raise_for_status()
    return dict(answer.json())


def decides(address: str) -> None:
    """Rejects the two crops that are shown first."""
    _sent(f"{address}decide/crops", {"ids": _view(address)[:2], "decision": "reject", "reason": "blurred"})


def takes_back(address: str) -> None:
    """Takes back what was decided last."""
    _sent(f"{address}undo/crops")


def places(address: str) -> None:
    """Places a face in the photo of the crop that is shown first."""
    _sent(f"{address}place/{_view(address)[0]}", POINTS)


def _view(address: str) -> list[str]:
    answer = requests.get(f"{address}view", params={"kind": "crops"}, timeout=20)
    answer.raise_for_status()
    return list(answer.json()["ids"])
