"""What the page tells of an item: numbers and names, of which some are strangers' words."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.pipeline.pages.templates import shown, web_address
from curate.pipeline.review.review_items import ReviewItems
from curate.pipeline.review.session import ReviewSession

_SHOWN = {
    "crops": "doubt suspect score unrest face_px eye_px face_sharpness upscale padding skin".split(),
    "pairs": "agreement others worn_at border aspect hair".split(),
}


def of_item(session: ReviewSession, kind: str, name: str) -> dict[str, Any]:
    """All that the page shows of the item `name`. Raises UsageError for one that there is not."""
    own = session.items(kind)
    place = session.place(own, name)
    row = own.table.slice(place, 1).to_pylist()[0]
    decision = session.decision(own, place)
    vote = own.votes.get(name)
    return {
        "id": name,
        "domain": own.domains[place],
        "reason": own.reasons[place],
        "state": str(session.states(kind)[place]) or "-",
        "decision": decision
        and {key: getattr(decision, key) for key in ("decision", "reason", "domain", "by", "when")},
        "numbers": _numbers(own, kind, place),
        "voted": vote["voted"] if vote and vote["score"] > 0.5 else None,
        "copies": int((own.clusters == own.clusters[place]).sum()) - 1,
        "photos": [_photo(own, image) for image in own.images[place] if image],
        "faces": row.get("faces"),
        "box": row.get("box"),
        "landmarks": row.get("landmarks"),
        "product": shown(row.get("group_id")),
        "text": shown(row.get("article_text")),
    }


def _numbers(own: ReviewItems, kind: str, place: int) -> dict[str, float]:
    """What was measured, by name, to four digits."""
    found = {key: float(own.values(key)[place]) for key in _SHOWN[kind] if key in own.keys}
    return {key: float(f"{value:.4g}") for key, value in found.items() if np.isfinite(value)}


def _photo(own: ReviewItems, image: str) -> dict[str, Any]:
    """What scrape knows of a photo; its page only where a browser may follow the address."""
    known = own.photos.get(image, {})
    told = {name: shown(known.get(name)) for name in ("title", "license", "creator", "width", "height")}
    return {
        "image": image,
        "there": bool(known.get("path")),
        "page": web_address(known.get("page_url")),
        **told,
    }
