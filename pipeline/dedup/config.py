"""What makes two crops copies of one picture, or of one person, and which copy is the best: the section dedup."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from curate.pipeline.core.config import Measure, Section, Share


class Dedup(Section, frozen=True, kw_only=True):
    """Finding copies of one picture, and photos of one person."""

    radius: Annotated[int, Meta(ge=0, le=32)] = 8  # bits of 64 in which copies may differ
    likeness: Share = 0.92  # of their thumbnails, see docs/guide/dedup.md; 0: the hash alone decides
    min_contrast: Measure = 2.0  # levels of luma; of flatter pictures only equal ones are copies
    variants: tuple[Literal["flip", "rot90"], ...] = ()  # mirrored, turned by 90, 180 or 270 degrees: copies, too
    # What makes one copy the best, first things first. A stated licence leads: a picture without one is of no use.
    keep: tuple[Literal["license", "face_px", "sharpness", "padding"], ...] = (
        "license",
        "face_px",
        "sharpness",
        "padding",
    )
    against: tuple[str, ...] = ()  # other data sets, by their manifests folder: what they keep is refused here
    identity: Annotated[float, Meta(gt=0.0, le=2.0)] | None = None  # distance of faces of one person; None: not asked
