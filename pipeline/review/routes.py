"""What the review page asks for: views, facts, pictures, decisions. Strangers' bytes are decoded, never passed on."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import BaseModel, Field

from curate.pipeline.imaging import codec
from curate.pipeline.review import item_facts, pictures
from curate.pipeline.review.placer import FacePlacer
from curate.pipeline.review.session import ReviewQuery, ReviewSession
from curate.pipeline.web.application import application
from curate.pipeline.web.page_guard import PageGuard

_AT_ONCE = 50_000  # items of one decision
_FACTS = 200  # items of one question for facts
_KEPT = "private, max-age=31536000, immutable"  # a crop_id or an image_id never stands for other px
_HERE = "curate.pipeline.review.page"
_SCRIPTS = "review asking dialogs filters grid pace placing shown".split()
FILES = dict.fromkeys(("index.html", "review.css", *(f"{script}.js" for script in _SCRIPTS)), _HERE)

Numbers = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Body(min_length=4, max_length=6)]
Id = Annotated[str, Field(min_length=1, max_length=200)]


class Judgement(BaseModel):
    """What the page decides on some items at once."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=_AT_ONCE)]
    decision: Literal["keep", "reject", "move"]
    reason: Annotated[str, Field(max_length=200)] = ""
    domain: Annotated[str, Field(max_length=200)] = ""


def page(session: ReviewSession, reasons: Mapping[str, Sequence[str]], token: str) -> PageGuard:
    """The review page of `session`; `reasons` to reject by, by kind."""
    return application(_routes(session, reasons), FILES, token=token)


def _routes(session: ReviewSession, reasons: Mapping[str, Sequence[str]]) -> APIRouter:
    router, placer = APIRouter(), FacePlacer(session)

    @router.get("/start")
    def start() -> dict[str, Any]:
        kinds = {kind: session.counts(kind) | {"why": reasons[kind]} for kind in session.kinds}
        return {"by": session.by, "kinds": kinds}

    @router.get("/view")
    def view(query: Annotated[ReviewQuery, Depends()]) -> Response:
        ids, states = session.view(query)
        # Encoded here: FastAPI looks at each of a hundred thousand ids in turn.
        return Response(msgspec.json.encode({"ids": ids, "states": states}), media_type="application/json")

    @router.get("/facts/{kind}")
    def facts_(kind: str, ids: Annotated[list[str], Query(max_length=_FACTS)]) -> list[dict[str, Any]]:
        return [item_facts.of_item(session, kind, name) for name in ids]

    @router.get("/picture/{kind}/{name}/{part}")
    def picture(kind: str, name: str, part: Literal["crop", "article", "human"]) -> Response:
        return _png(pictures.picture(session, kind, name, part))

    @router.get("/photo/{image}")
    def photo(image: str) -> Response:
        found = pictures.photo(session, image)
        return Response(codec.encode_jpeg(found, 90), media_type="image/jpeg", headers={"Cache-Control": _KEPT})

    @router.post("/decide/{kind}")
    def decide(kind: str, given: Judgement) -> dict[str, Any]:
        changed = session.decide(kind, given.ids, given.decision, reason=given.reason, domain=given.domain)
        return {"states": changed}

    @router.post("/undo/{kind}")
    def undo(kind: str) -> dict[str, Any]:
        taken, changed = session.undo(kind)
        return {"states": changed, "count": taken}

    @router.get("/prepare/{name}", status_code=204)
    def prepare(name: str) -> None:
        placer.prepare(name)

    @router.post("/cut/{name}")
    def cut(name: str, numbers: Numbers) -> dict[str, str]:
        found = placer.cut(name, numbers)
        picture = base64.b64encode(codec.encode_png(found.image)).decode("ascii")
        return {"picture": f"data:image/png;base64,{picture}", "reason": found.reason}

    @router.post("/place/{name}")
    def place(name: str, numbers: Numbers) -> dict[str, Any]:
        return {"states": placer.place(name, numbers)}

    return router


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png", headers={"Cache-Control": _KEPT})
