"""The section pairs: what makes an article and a person a pair."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from curate.pipeline.core.config import NonNegative, Share
from curate.pipeline.faces.config import Range
from curate.pipeline.imaging.config import Letterbox


class Pairs(Letterbox, frozen=True, kw_only=True):
    """Article/Human pairs from product pages."""

    article: str = "article"  # the role of the picture of the garment alone
    human: str = "human"  # the role of the picture of a person wearing it
    radius: Annotated[int, Meta(ge=0, le=32)] = 8  # bits of 64 in which copies of an article may differ
    colour: Annotated[float, Meta(ge=0.0, le=255.0)] = 8.0  # mean difference in colour of copies, 0..255
    family_radius: Annotated[int, Meta(ge=0, le=32)] | None = 4  # bits in which articles of one cut in other colours
    # differ; null: no shape makes a family
    faces: bool = True  # look for faces in both pictures; without, no_face and article_person refuse nothing
    val: Share = 0.1  # share of the products that validates
    test: Share = 0.1  # share that tests

    # Thresholds on the evidence, which stays in the table: other values measure nothing again
    exclude: tuple[str, ...] = ()  # words in what the page says, in any width and case: bottom only, back view
    front: tuple[str, ...] = ()  # words for a front view, which the page is believed: max_hair refuses none of these
    need_face: bool = False  # a person whose face is not seen may show the back
    max_hair: Share = 1.0  # share of the head in one colour of hair, where no face is found; back views have 0.9
    min_shown: Share = 0.005  # share of either picture that shows something: a blank one, or mere writing, does not
    max_article_faces: NonNegative | None = None  # 0: nobody in the article's picture
    min_border: Share = 0.0  # how plain the article's ground is
    aspect: Range = (0.0, 100.0)  # height over width of the article
    min_agreement: Share = 0.0  # share of the article whose colours the person wears; true pairs have 0.9
    max_others: Share = 1.0  # share of the torso in other colours than the article's, skin and ground
    worn_at: Range = (-10.0, 100.0)  # face heights below the chin; a top lies at 1.5, bottoms alone lower
