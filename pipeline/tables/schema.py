"""What each table of curate is: the only place where column names are declared.

A refused row stays, with `status` rejected and a `reason` from the table's closed list; an accepted row has the
reason ok. Code asks for these through curate.pipeline.tables.manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

ACCEPTED, REJECTED, OK = "accepted", "rejected", "ok"
POINTS = 68  # of a face, in the columns landmarks: dlib's, in the order of Sagonas et al. (iBUG 300-W, 2013)
COLOURS = 8 * 8 * 3  # bytes of a grid of mean colours, in the columns article_colours and human_colours of pairs
PHOTOS = "raw/images"  # the folder of what was received

_UTC = pa.timestamp("us", tz="UTC")


def _needed(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


@dataclass(frozen=True)
class Table:
    """What one manifest is: its name, its version, its columns, what sorts and identifies its rows, who writes it."""

    name: str
    version: int
    key: str
    schema: pa.Schema
    made_by: str
    reasons: frozenset[str] = field(default_factory=frozenset)
    paths: Mapping[str, str] = field(default_factory=dict, hash=False)  # columns of pictures: the folder they lie below
    ids: tuple[str, ...] = ()  # columns of ids, of which names of files are made
    folder: str = "manifests"  # what a stage keeps for itself stands below processed/
    pictures: str = ""  # the folder of its own pictures

    def path(self, root: Path) -> Path:
        """Where the table stands below `root`."""
        return root / self.folder / f"{self.name}.parquet"


IMAGES = Table(
    "images",
    2,
    "candidate_id",
    pa.schema(
        [
            _needed("candidate_id", pa.string()),  # hash of source, domain and address: one row per candidate seen
            pa.field("image_id", pa.string()),  # sha256 of the received bytes; null when nothing was received
            pa.field("path", pa.string()),  # the bytes as received, below raw/images
            _needed("domain", pa.string()),  # what its images stand for: long, short, ...
            _needed("source", pa.string()),  # that found it, as in curate sources
            pa.field("query", pa.string()),  # as a person typed it
            pa.field("image_url", pa.string()),  # as the source gives it
            pa.field("file", pa.string()),  # of one's own: its path below --input; bytes that are no text as %XX
            pa.field("final_url", pa.string()),  # after redirects
            pa.field("page_url", pa.string()),  # where a person sees it
            pa.field("title", pa.string()),  # as the source has it
            pa.field("creator", pa.string()),  # as the source has it: who is to be credited
            _needed("license", pa.string()),  # a code; "unknown": none is stated, "other": not understood
            pa.field("license_url", pa.string()),  # the licence's text
            pa.field("role", pa.string()),  # article, human, ... for the pictures of one product
            pa.field("group_id", pa.string()),  # shared by the pictures of one product
            pa.field("variant", pa.string()),  # of the product, where its page shows several: its colour, mostly
            _needed("rank", pa.int64()),  # order of discovery within the domain
            pa.field("width", pa.int32()),  # px, after EXIF rotation
            pa.field("height", pa.int32()),  # px
            pa.field("bytes", pa.int64()),  # received
            pa.field("retrieved_at", _UTC),  # UTC
            pa.field("etag", pa.string()),  # of the answer, for --refresh
            pa.field("last_modified", pa.string()),  # of the answer, for --refresh
            pa.field("http_status", pa.int32()),  # of the answer
            pa.field("extra", pa.string()),  # JSON object: what else the source said
            _needed("status", pa.string()),  # accepted or rejected
            _needed("reason", pa.string()),  # ok, or why it was rejected
        ]
    ),
    "curate scrape",
    frozenset(
        "ok duplicate robots_denied robots_unreachable optout_header optout_meta optout_signal ssrf_blocked too_large "
        "no_contact too_slow not_image unsupported animated decode_failed bomb too_small http_4xx http_5xx network "
        "quota license license_unclear host_off incomplete excluded other_host placeholder bad_url".split()
    ),
    {"path": PHOTOS},
    ("candidate_id", "image_id"),
)

CROPS = Table(
    "crops",
    5,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),  # hash of image, face and the rules it was cut by
            _needed("image_id", pa.string()),  # of images: sha256 of the raw image
            _needed("source_path", pa.string()),  # the raw image
            _needed("domain", pa.string()),  # of the image
            _needed("license", pa.string()),  # of the image
            _needed("detector", pa.string()),  # or several: haar+hog; person: somebody placed the face
            _needed("align", pa.string()),  # auto is resolved: ffhq, anime, box or none
            _needed("framing", pa.string()),  # face, ffhq, head, bust or person
            _needed("faces", pa.int32()),  # faces found in the image
            _needed("face_index", pa.int32()),  # by falling score; -1 for an image without one
            pa.field("box", pa.list_(pa.float32(), 4)),  # x, y, width, height in raw px
            pa.field("score", pa.float32()),  # the first detector's that sees the face, on its own scale
            pa.field("scores", pa.list_(pa.float32())),  # of each detector; null for one that does not see the face
            pa.field("agreement", pa.float32()),  # least overlap of the detectors' boxes, 0..1; null for one detector
            pa.field("angle", pa.float32()),  # degrees by which the photo was turned to find the face
            pa.field("landmarks", pa.list_(pa.float32())),  # 68 x (x, y) in raw px, flat
            pa.field("left_eye", pa.list_(pa.float32(), 4)),  # of a drawn face, as seen: x, y, width, height in raw px
            pa.field("right_eye", pa.list_(pa.float32(), 4)),  # the same
            pa.field("mouth", pa.list_(pa.float32(), 4)),  # the same
            pa.field("nose", pa.list_(pa.float32(), 2)),  # the same: x, y in raw px
            pa.field("chin", pa.list_(pa.float32(), 2)),  # the same: its lowest point
            pa.field("hair_colour", pa.string()),  # of a drawn face: sRGB, #rrggbb
            pa.field("eye_colour", pa.string()),  # the same; null of closed eyes
            pa.field("skin_colour", pa.string()),  # the same
            pa.field("hair_share", pa.float32()),  # of the person's px above the shoulders; null where not asked for
            pa.field("roll", pa.float32()),  # degrees by which the eye line falls to the right, in the raw image
            pa.field("unrest", pa.float32()),  # landmarks' way when the box moves, in eye distances; null: not asked
            pa.field("second_score", pa.float32()),  # hog's on the box, -1 unseen, null: unrest is low; the mesh's own
            pa.field("eye_px", pa.float32()),  # between the eyes, raw px
            pa.field("eye_share", pa.float32()),  # the same in sides of the box
            pa.field("mouth_drop", pa.float32()),  # mouth below the eye line, in eye distances
            pa.field("offset", pa.float32()),  # middle of the features from the middle of the box, in its sides
            pa.field("asymmetry", pa.float32()),  # left half from the mirrored right one, in eye distances
            pa.field("shape_error", pa.float32()),  # from the mean face, in eye distances
            pa.field("quad_share", pa.float32()),  # area of FFHQ's square in areas of the box
            pa.field("roll_left", pa.float32()),  # degrees between the eye line and FFHQ's square
            pa.field("skin", pa.float32()),  # share of the box's middle with skin's colour; null for monochromes
            pa.field("skin_rim", pa.float32()),  # the same along the border of the box
            pa.field("affine", pa.list_(pa.float64(), 6)),  # 2x3, row-major: raw px -> crop px
            pa.field("face_px", pa.float32()),  # side of the detector's box in raw px
            pa.field("upscale", pa.float32()),  # crop px per raw px
            pa.field("padding", pa.float32()),  # share of the crop outside the raw image
            pa.field("sharpness", pa.float32()),  # variance of the Laplacian of the crop's luma at 128 px
            pa.field("face_sharpness", pa.float32()),  # the same within the face: its landmarks' hull, or its box
            pa.field("brightness", pa.float32()),  # mean luma of the crop, 0..255
            pa.field("clipped", pa.float32()),  # share of the crop that is black or white
            pa.field("colourfulness", pa.float32()),  # Hasler and Suesstrunk; 0 for greys
            pa.field("hue", pa.float32()),  # degrees, 0 red, 120 green: mean of the crop's hues, weighted by chroma
            pa.field("chroma_rest", pa.float32()),  # chroma, 0..255, that luma does not explain; low when tinted
            pa.field("outlines", pa.float32()),  # share of the crop on hard edges; high in drawings
            pa.field("is_grey", pa.bool_()),  # whether the photo is monochrome
            pa.field("path", pa.string()),  # the crop, below processed/crops
            _needed("status", pa.string()),  # accepted or rejected
            _needed("reason", pa.string()),  # ok, or why it was rejected
        ]
    ),
    "curate crop",
    frozenset(
        "ok no_face many_faces not_largest low_score disagreement implausible not_skin too_small eyes_too_close "
        "upscaled padding blurry too_dark too_bright clipped grey tinted drawing decode_failed bomb missing_file "
        "changed worker_died no_model review".split()
    ),
    {"source_path": PHOTOS, "path": "processed/crops"},
    ("crop_id", "image_id"),
    pictures="processed/crops",
)

DEDUP = Table(
    "dedup",
    2,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),  # of crops
            _needed("domain", pa.string()),  # of the crop
            _needed("phash", pa.uint64()),  # 64-bit DCT hash, bit for bit imagehash's phash
            pa.field("contrast", pa.float32()),  # of the luma that phash sees, in levels of 255; low: phash is noise
            pa.field("thumb", pa.binary(176)),  # 12x12 luma, 4x4 red and 4x4 blue chroma, row by row, uint8
            _needed("cluster_id", pa.string()),  # the crop_id that stands for the cluster
            pa.field("duplicate_of", pa.string()),  # the crop_id that is kept instead
            pa.field("against", pa.string()),  # the other data set that duplicate_of is in; null for this one
            pa.field("identity_id", pa.string()),  # the crop_id that stands for the person; null where not looked at
            _needed("status", pa.string()),  # accepted or rejected
            _needed("reason", pa.string()),  # ok, or why it was rejected
        ]
    ),
    "curate dedup",
    frozenset("ok duplicate known".split()),
    ids=("crop_id", "cluster_id", "duplicate_of", "identity_id"),
)

FINGERPRINTS = Table(
    "marks",
    1,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),  # of crops
            _needed("phash", pa.uint64()),  # as in dedup
            _needed("variants", pa.list_(pa.uint64())),  # phash of the crop mirrored and turned, as far as asked for
            _needed("contrast", pa.float32()),  # as in dedup
            _needed("thumb", pa.binary(176)),  # as in dedup
            pa.field("copies", pa.list_(pa.int32())),  # rows after this one that are its copies; null: not looked for
        ]
    ),
    "curate dedup",
    ids=("crop_id",),
    folder="processed/dedup",
)

EMBEDDINGS = Table(
    "embeddings",
    1,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),  # of crops
            pa.field("embedding", pa.list_(pa.float32(), 128)),  # dlib's, of one face; null where no face can be found
        ]
    ),
    "curate dedup",
    ids=("crop_id",),
    folder="processed/dedup",
)

DATASET = Table(
    "dataset",
    2,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),  # of crops
            _needed("path", pa.string()),  # the crop, below processed/crops
            _needed("source_path", pa.string()),  # the raw image
            _needed("domain", pa.string()),  # of the crop
            _needed("split", pa.string()),  # train, val or test
            _needed("cluster_id", pa.string()),  # of dedup: copies of one picture share it
            _needed("license", pa.string()),  # of the image
            pa.field("landmarks", pa.list_(pa.float32())),  # 68 x (x, y) in crop px, flat
            _needed("status", pa.string()),  # rejected: does not train
            _needed("reason", pa.string()),  # ok, review or select
        ]
    ),
    "curate build",
    frozenset("ok review select".split()),
    {"path": CROPS.pictures, "source_path": PHOTOS},
    ("crop_id", "cluster_id"),
)

PAIRS = Table(
    "pairs",
    3,
    "pair_id",
    pa.schema(
        [
            _needed("pair_id", pa.string()),  # hash of product, pictures and settings
            _needed("group_id", pa.string()),  # the product
            pa.field("variant", pa.string()),  # of the product, as in images: both pictures show it
            _needed("domain", pa.string()),  # of the product
            pa.field("article_image_id", pa.string()),  # of images; null where there is none
            pa.field("human_image_id", pa.string()),  # of images; null where there is none
            pa.field("article_path", pa.string()),  # letterboxed, below processed/pairs
            pa.field("human_path", pa.string()),  # letterboxed, below processed/pairs
            pa.field("article_affine", pa.list_(pa.float64(), 6)),  # 2x3, row-major: raw px -> letterboxed px
            pa.field("human_affine", pa.list_(pa.float64(), 6)),  # 2x3, row-major: raw px -> letterboxed px
            pa.field("article_phash", pa.uint64()),  # 64-bit DCT hash of the letterboxed article
            pa.field("article_colours", pa.binary()),  # mean RGB of the cells of an 8x8 grid, row by row
            pa.field("human_phash", pa.uint64()),  # the same of the letterboxed person
            pa.field("human_colours", pa.binary()),  # the same
            pa.field("article_text", pa.string()),  # what the page says of the product and of this picture
            pa.field("human_text", pa.string()),  # the same of the person's picture
            pa.field("article_faces", pa.int32()),  # in the article's picture; null where nobody looked
            pa.field("human_faces", pa.int32()),  # in the person's picture; null where nobody looked
            pa.field("article_shown", pa.float32()),  # share of the article's picture that shows something
            pa.field("human_shown", pa.float32()),  # share of the person's picture that shows something
            pa.field("border", pa.float32()),  # share of the article's outermost px near their median colour
            pa.field("aspect", pa.float32()),  # height over width of what the article's picture shows
            pa.field("agreement", pa.float32()),  # share of the article's px whose colour the torso shows, too
            pa.field("others", pa.float32()),  # share of the torso: not the article's colours, skin or ground
            pa.field("worn_at", pa.float32()),  # where the article's colours lie: face heights below the chin
            pa.field("hair", pa.float32()),  # share of the head in hair's one colour; 0: a face, null: no head
            pa.field("duplicate_of", pa.string()),  # the pair_id that is kept instead
            _needed("cluster_id", pa.string()),  # products whose articles are copies of each other share one
            _needed("split", pa.string()),  # train, val or test
            _needed("license", pa.string()),  # of both pictures, joined by + where they differ
            _needed("status", pa.string()),  # accepted or rejected
            _needed("reason", pa.string()),  # ok, or why it was rejected
        ]
    ),
    "curate pairs",
    frozenset(
        "ok duplicate review no_article no_human decode_failed missing_file changed worker_died excluded "
        "blank_article blank_human article_person no_face back_view busy_article aspect colours_differ no_garment "
        "other_clothes worn_at".split()
    ),
    {"article_path": "processed/pairs", "human_path": "processed/pairs"},
    ("pair_id", "article_image_id", "human_image_id", "duplicate_of"),
    pictures="processed/pairs",
)

TABLES: Mapping[str, Table] = {t.name: t for t in (IMAGES, CROPS, DEDUP, DATASET, PAIRS)}
