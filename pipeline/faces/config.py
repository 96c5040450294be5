"""What one domain's images are cut by: three kinds of settings, told apart by what has to be done again for them.

Settings of *looking* decide which faces are found: another value, another detection. Settings of *framing* decide
what a crop shows: another value, and crops are cut again from the faces that are known. The rest are *thresholds*: they
judge what was measured, so that another value costs nothing but the crops it newly accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from curate.pipeline.core.config import Measure, NonNegative, Positive, Section, Share, parse
from curate.pipeline.core.errors import UsageError

Degrees = Annotated[float, Meta(ge=-180.0, le=180.0)]
_BACKGROUND = "^(keep|white|blur|#[0-9a-fA-F]{6})$"
Range = tuple[float, float]  # the lowest and the highest that pass


class CropRules(Section, frozen=True, kw_only=True):
    """How faces are looked for, framed and judged."""

    # Looking
    detector: str = "haar"  # or hog, cnn, yunet, blaze, anime, animeface; haar+hog: both look, their boxes are matched
    landmarks: Literal["dlib68", "mesh"] = "dlib68"  # FFHQ's, whose terms bar commerce; mesh: free, and close
    cascade: Literal["alt2", "default"] = "alt2"  # haar: frontalface_alt2, or _default: more faces, and more false ones
    scale_factor: Annotated[float, Meta(gt=1.0, le=2.0)] = 1.15  # cascades: step between scales
    min_neighbors: NonNegative = 4  # cascades: overlapping hits that make a face
    upsample: Annotated[int, Meta(ge=0, le=3)] | None = None  # hog, cnn: doublings before looking; None: hog 1, cnn 0
    detect_side: Positive = 480  # px, longest side that detection looks at; it looks from afar, at half of it, too
    closer_look: bool = True  # where that shows no face: at twice detect_side, for half of min_share and any min_face
    min_share: Share = 0.05  # cascades: of the image's longer side; narrower faces are not looked for
    min_face: Positive = 40  # px in the raw image, side of the detector's box; a threshold, too
    rotations: tuple[Degrees, ...] = ()  # extra passes for heads that lean to the right by so much: [-30, 30]

    # Framing
    align: Literal["auto", "ffhq", "anime", "box", "none"] = "auto"  # auto: ffhq for people, else anime, or box
    framing: Literal["face", "ffhq", "head", "bust", "person"] = "ffhq"  # how much of the person the crop shows
    scale: Annotated[float, Meta(gt=0.0, le=10.0)] = 1.0  # zooms out from the framing
    shift_y: Annotated[float, Meta(ge=-5.0, le=5.0)] = 0.0  # moves it down, in its sides
    size: Annotated[int, Meta(ge=32, le=1024)] = 256  # px, side of the crop
    margin: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.25  # align box, anime: added on each side, in sides of the face
    rotate: Degrees = 0.0  # align box, anime: counter-clockwise
    background: Annotated[str, Meta(pattern=_BACKGROUND)] = "keep"  # of a person: keep, white, blur or "#rrggbb"
    hair_share: bool = False  # whether that column is measured, of photos of people; it costs 20 ms a face

    # Thresholds on the detection
    faces: Literal["largest", "all", "single"] = "largest"  # of each photo; single: none where there are several
    min_score: float | None = None  # of the first detector, on its own scale
    min_agreement: Share = 0.3  # several detectors: overlap of their boxes, intersection over union

    # Thresholds on the 68 landmarks
    max_unrest: Measure = 0.11  # how far they move when the box does, in eye distances: most false detections do
    min_second_score: float = 0.0  # of the box: dlib's HOG, asked where they move by 0.05 and more; mesh: its own
    max_roll: Annotated[float, Meta(ge=0.0, le=180.0)] = 45.0  # degrees that the head leans
    eye_share: Range = (0.25, 0.65)  # eye distance, in sides of the detector's box
    mouth_drop: Range = (0.5, 1.8)  # mouth below the eye line, in eye distances
    max_offset: Measure = 0.35  # middle of the features from that of the box, in its sides
    max_asymmetry: Measure = 0.7  # left half from the mirrored right one, in eye distances
    max_shape_error: Measure = 0.3  # from the mean face, in eye distances
    quad_share: Range = (0.0, 100.0)  # area of FFHQ's square in areas of the detector's box
    max_roll_left: Measure = 45.0  # degrees between eye line and crop, after alignment
    min_eye_px: Measure = 0.0  # px in the raw image, between the eyes

    # Thresholds on the colour in the detector's box; monochrome photos pass
    min_skin: Share = 0.2  # skin's colour in its middle half; faces in plain light have 0.6 and more
    min_skin_rim: Share = 0.1  # and along its border, where hair and background may be, 0.35

    # Thresholds on the crop
    max_upscale: Annotated[float, Meta(gt=0.0)] = 4.0  # crop px per raw px
    max_padding: Share = 0.5  # share of the crop that lies outside the raw image
    min_sharpness: Measure = 0.0  # variance of the Laplacian of the crop at 128 px
    brightness: Range = (0.0, 255.0)  # mean luma of the crop
    max_clipped: Share = 1.0  # share of the crop that is black or white
    min_colourfulness: Measure = 0.0  # Hasler and Suesstrunk; greys have 0, vivid photos more than 50
    reject_grey: bool = False  # monochrome photos
    min_chroma_rest: Measure = 0.0  # chroma that luma does not explain; tinted monochromes have less than 2
    max_outlines: Share = 1.0  # share of the crop on hard edges; photos stay below 0.065, most drawings above


LOOKING = (
    "detector landmarks cascade scale_factor min_neighbors upsample detect_side closer_look min_share min_face "
    "rotations".split()
)
FRAMING = "align framing scale shift_y size margin rotate background hair_share".split()


def domain_rules(section: Mapping[str, Any], domain: str) -> CropRules:
    """The rules for `domain` in a section crop as plain values: its keys, and what its `domains` override for this one.

    That is how crops.parquet's metadata keep the section; its other keys are no rules and are passed over. Raises
    UsageError for a bad value.
    """
    own = {key: section[key] for key in CropRules.__struct_fields__ if key in section}
    try:
        overridden = {**section.get("domains", {}).get(domain, {})}
    except (AttributeError, TypeError):
        raise UsageError(f"crop.domains.{domain}: holds no rules", "mend crop.domains and try again") from None
    return parse(CropRules, {**own, **overridden}, f"crop.domains.{domain}")


def looking(rules: CropRules) -> dict[str, Any]:
    """The settings of `rules` that decide which faces are found: while they stay, no image needs a second detection."""
    if rules.align == "none":
        return {"align": "none"}
    # Who wants the largest face alone looks from afar first, and from near only where that finds none.
    return {name: getattr(rules, name) for name in LOOKING} | {"first": rules.faces == "largest"}


def framing(rules: CropRules) -> dict[str, Any]:
    """The settings of `rules` that decide what a crop of a known face shows."""
    return {name: getattr(rules, name) for name in FRAMING}
