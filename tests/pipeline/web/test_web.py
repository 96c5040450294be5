"""A page on this machine answers its own page, and nobody else."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from fastapi import APIRouter, Request

from curate.pipeline.core.errors import UsageError
from curate.pipeline.web import loopback
from curate.pipeline.web.application import application
from curate.pipeline.web.page_guard import is_here
from tests.support.web import TOKEN, served

LIMIT = 1000  # bytes


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/value")
    def value() -> dict[str, str]:
        return {"value": "secret"}

    @router.post("/length")
    async def length(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.post("/whole")
    def whole(number: int) -> dict[str, int]:
        return {"number": number}

    @router.post("/mistake")
    def mistake() -> None:
        raise UsageError("no such crop: <b>", "give another")

    return router


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with served(application(routes(), {}, token=TOKEN, body_limit=LIMIT)) as address:
        yield address


def origin(address: str) -> dict[str, str]:
    return {"Origin": f"http://{urlsplit(address).netloc}"}


def test_the_page_reads_and_writes(page: str) -> None:
    assert requests.get(f"{page}value").json() == {"value": "secret"}
    assert requests.post(f"{page}length", b"12345", headers=origin(page)).json() == {"length": 5}
    styles = requests.get(f"{page}base.css")
    assert styles.headers["Content-Type"].startswith("text/css") and "body" in styles.text
    assert "--ground" in requests.get(f"{page}palette.css").text


@pytest.mark.parametrize("path", ["", "value", "wrong/value", f"{TOKEN}x/value", f"x/{TOKEN}/value", f"{TOKEN}value"])
def test_without_the_token_nothing_is_told(page: str, path: str) -> None:
    answer = requests.get(f"http://{urlsplit(page).netloc}/{path}")
    assert answer.status_code == 403 and "secret" not in answer.text and TOKEN not in answer.text


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test:80", "evil.test@127.0.0.1", "192.168.0.2", ""])
def test_a_name_that_was_rebound_to_this_machine_is_refused(page: str, host: str) -> None:
    answer = requests.get(f"{page}value", headers={"Host": host})
    assert answer.status_code in {400, 403} and "secret" not in answer.text


def test_this_machine_has_few_names() -> None:
    assert all(map(is_here, ["127.0.0.1", "127.0.0.1:8765", "localhost:9", "[::1]:80", "LOCALHOST"]))
    assert not any(map(is_here, ["", "[", "a b", "localhost.evil.test", "127.0.0.1/x", "x@localhost", "0.0.0.0"]))


@pytest.mark.parametrize("foreign", ["http://evil.test", "null", "http://127.0.0.1:1", "https://127.0.0.1", None])
def test_another_page_changes_nothing(page: str, foreign: str | None) -> None:
    answer = requests.post(f"{page}length", b"1", headers={"Origin": foreign} if foreign else {})
    assert answer.status_code == 403 and answer.json()["error"] == "only the page itself may change anything"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_a_limit_whatever_it_says_of_its_length(page: str, chunked: bool) -> None:
    def sent(count: int) -> requests.Response:
        data = iter([b"x" * (count // 2), b"x" * (count - count // 2)]) if chunked else b"x" * count
        return requests.post(f"{page}length", data, headers=origin(page))

    assert sent(LIMIT).json() == {"length": LIMIT}
    assert sent(LIMIT + 1).status_code == 413
    assert sent(50_000 * LIMIT).json()["error"] == "more than 1,000 bytes"


def test_every_answer_forbids_what_the_page_does_not_need(page: str) -> None:
    for address in (f"{page}value", f"{page}nowhere", f"http://{urlsplit(page).netloc}/"):
        headers = requests.get(address).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store" and headers["Permissions-Policy"].startswith("camera=(),")
        assert "Access-Control-Allow-Origin" not in headers and "server" not in headers


def test_the_documentation_of_routes_is_not_served(page: str) -> None:
    assert {requests.get(page + path).status_code for path in ("docs", "redoc", "openapi.json")} == {404}


def test_mistakes_come_with_what_to_do(page: str) -> None:
    answer = requests.post(f"{page}mistake", headers=origin(page))
    assert answer.status_code == 400 and answer.json() == {"error": "no such crop: <b>", "hint": "give another"}
    answer = requests.post(f"{page}whole?number=ten", headers=origin(page))
    assert answer.status_code == 422 and answer.json()["error"].startswith("malformed request: query.number:")


def test_a_port_that_is_taken_is_named_and_the_next_one_is_tried() -> None:
    with loopback.listen(0) as first:
        taken = first.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {taken} is taken"):
            loopback.listen(taken)
    with loopback.listen() as one, loopback.listen() as other:
        assert one.getsockname()[0] == "127.0.0.1"
        assert one.getsockname()[1] != other.getsockname()[1]


def test_small_answers_do_not_wait_for_the_client() -> None:
    """asyncio turns Nagle's algorithm off on sockets that are named TCP alone."""
    with loopback.listen(0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


SERVES = """
import os
from fastapi import APIRouter
from curate.pipeline.web import application, loopback
app = application.application(APIRouter(), {}, token="t")
socket = loopback.listen(0)
def ready():
    print(loopback.address(socket, "t"), flush=True)
    if EARLY: os.kill(os.getpid(), NUMBER)
loopback.run(app, socket, ready)
"""


@pytest.mark.parametrize("early", [False, True], ids=["at work", "before it answers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupting_it_is_its_usual_end(number: int, early: bool) -> None:
    code = SERVES.replace("EARLY", str(early)).replace("NUMBER", f"{number:d}")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        address = process.stdout.readline().decode().strip()
        if not early:
            assert requests.get(f"{address}base.css").ok
            process.send_signal(number)
        assert process.wait(60) == 0 and process.stderr.read() == b""
