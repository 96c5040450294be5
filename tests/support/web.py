"""A page that runs in this process, and a browser to look at it."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from curate.pipeline.web import loopback
from curate.pipeline.web.page_guard import PageGuard

TOKEN = "a-token-of-the-tests"


@contextlib.contextmanager
def served(app: PageGuard) -> Iterator[str]:
    """The address of `app`, which was made with TOKEN, for as long as the context lasts."""
    listening = loopback.listen(0)
    running = uvicorn.Server(loopback.configuration(app))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not running.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the page does not start"
        time.sleep(0.005)
    try:
        yield loopback.address(listening, TOKEN)
    finally:
        running.should_exit = True
        thread.join()
        listening.close()


@contextlib.contextmanager
def browser(*, camera: bool = False) -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none, and fails if anything left this machine.

    With `camera` it has one, of moving shapes. It keeps no cookies beyond the context. Requests of pages that the test
    opens are answered by 127.0.0.1 alone.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make dev")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    outside: list[str] = []
    with sync_api.sync_playwright() as playwright:
        # Root, as whom containers run, may not use the sandbox.
        pretended = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] if camera else []
        arguments = ["--no-sandbox", "--disable-gpu", *pretended]
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        context = chromium.new_context()
        context.set_default_timeout(10_000)
        context.on("request", lambda request: _leaves(request.url) and outside.append(request.url))
        try:
            yield context
        finally:
            chromium.close()
    assert not outside, outside


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in {"data", "blob", "file"} and parts.hostname != "127.0.0.1"
