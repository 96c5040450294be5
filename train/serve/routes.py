"""What the page asks for: what is offered, a photo translated, the file to keep. Nothing is written to the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from curate.pipeline.core.errors import UsageError
from curate.pipeline.web.application import application
from curate.pipeline.web.page_guard import PageGuard
from curate.train.serve import translation
from curate.train.serve.translation import MEDIA_TYPES, MOST_BYTES, MOST_PIXELS, Kind, Wish
from curate.train.serve.turnstile import CrowdedError, Turnstile
from curate.train.serve.ways import Ways

_SCRIPTS = "serve asking camera results".split()
FILES = dict.fromkeys(("index.html", "serve.css", *(f"{script}.js" for script in _SCRIPTS)), "curate.train.serve.page")

Samples = Mapping[str, bytes]  # JPEG by name
Number = Annotated[int, Query(ge=0, le=999_999_999)]


def page(ways: Ways, token: str, samples: Samples | None = None, turnstile: Turnstile | None = None) -> PageGuard:
    """The page of `ways`; with `samples`, drawn pictures to try them on, it says that it is a demo."""
    router = _routes(ways, samples or {}, turnstile or Turnstile())
    return application(router, FILES, token=token, body_limit=MOST_BYTES, camera=True)


def _routes(ways: Ways, samples: Samples, turnstile: Turnstile) -> APIRouter:
    router = APIRouter()

    @router.get("/start")
    def start() -> dict[str, Any]:
        limits = {"bytes": MOST_BYTES, "megapixels": MOST_PIXELS // 10**6}
        return {"ways": [asdict(way) for way in ways.all], "samples": list(samples), "limits": limits}

    @router.get("/sample/{name}")
    def sample(name: str) -> Response:
        if name not in samples:
            raise UsageError(f"no sample '{name}'", "load the page again")
        return Response(samples[name], media_type="image/jpeg")

    @router.post("/translate")
    async def translate(request: Request, wish: Annotated[Wish, Depends(_wish)]) -> Response:
        data = await request.body()

        def answer() -> Response:
            made = translation.translated(ways, data, wish)
            return JSONResponse(translation.to_look_at(ways, wish, made))

        return await run_in_threadpool(_in_turn, turnstile, answer)

    @router.post("/picture/{kind}")
    async def picture(request: Request, kind: Kind, wish: Annotated[Wish, Depends(_wish)]) -> Response:
        data = await request.body()

        def answer() -> Response:
            made = translation.translated(ways, data, wish)
            return Response(translation.to_keep(ways, wish, made, kind), media_type=MEDIA_TYPES[kind])

        return await run_in_threadpool(_in_turn, turnstile, answer)

    return router


def _wish(
    way: Number,
    member: Number = 0,
    style: Number = 0,
    *,
    whole: bool = False,
    every: bool = False,
    article: Number = 0,
) -> Wish:
    return Wish(way, member, style, whole, every, article)


def _in_turn(turnstile: Turnstile, answer: Callable[[], Response]) -> Response:
    """What `answer` gives when it is its turn; 429 where too many wait."""
    try:
        with turnstile.turn():
            return answer()
    except CrowdedError as error:
        told = {"error": str(error), "hint": "try again in a moment"}
        return JSONResponse(told, 429, headers={"Retry-After": "10"})
    except MemoryError:
        return JSONResponse({"error": "not enough memory for this photo", "hint": "make it smaller"}, 413)
