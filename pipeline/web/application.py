"""A page's application: its files, its routes, and errors that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import PurePath

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from curate.pipeline.core.errors import CurateError
from curate.pipeline.web.page_guard import PageGuard

BODY_LIMIT = 1 << 20  # bytes of one request, where a page takes no pictures
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}  # of the files of a page
_SHARED = {"palette.css": "curate.pipeline.pages", "base.css": "curate.pipeline.web"}


def application(
    router: APIRouter,
    files: Mapping[str, str],
    *,
    token: str,
    body_limit: int = BODY_LIMIT,
    camera: bool = False,
) -> PageGuard:
    """The page's routes and files below /TOKEN/, guarded.

    `files` are {name: package}: index.html answers the address itself, each of the others its name; palette.css and
    base.css, which every page shares, come along. What a route raises as a CurateError is answered with 400 and
    {"error", "hint"}. `body_limit` is in bytes; with `camera` the page may ask for it.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for name, package in (_SHARED | dict(files)).items():
        _serve(app, name, (resources.files(package) / name).read_bytes())
    app.include_router(router)
    app.add_exception_handler(CurateError, _told)
    app.add_exception_handler(RequestValidationError, _malformed)
    return PageGuard(app, token, body_limit=body_limit, camera=camera)


def _serve(app: FastAPI, name: str, content: bytes) -> None:
    kind = KINDS[PurePath(name).suffix]
    path = "/" if name == "index.html" else f"/{name}"

    async def file() -> Response:
        return Response(content, media_type=kind)

    app.add_api_route(path, file, methods=["GET"])


async def _told(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CurateError)
    return JSONResponse({"error": error.message, "hint": error.hint}, 400)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    """A request that the page never sends; what came with it is not said again."""
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return JSONResponse({"error": f"malformed request: {wrong}", "hint": "load the page again"}, 422)
