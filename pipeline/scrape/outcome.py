"""What fetching and inspecting one candidate gave."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

from curate.pipeline.imaging import codec
from curate.pipeline.imaging.jpeg import Jpeg
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.web import contact
from curate.pipeline.scrape.web.host_budget import SILENCE
from curate.pipeline.scrape.web.url import server_of


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The facts about one image's bytes, or the reason why there are none. `reason` as in manifest.IMAGES."""

    reason: str
    detail: str | None = None  # for people; never in a table, it differs from run to run
    sha256: str | None = None
    path: str | None = None  # of the stored bytes, below the root
    bytes: int | None = None
    width: int | None = None  # px, upright
    height: int | None = None
    mode: str | None = None  # Pillow's name of the pixel layout
    mime: str | None = None  # as the server claimed
    image_url: str | None = None  # the one that gave it, where it is not the candidate's first
    final_url: str | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    retrieved_at: datetime | None = None
    checked_at: datetime | None = (
        None  # when the server last said that these are still its bytes, or that they are gone
    )
    gone: bool = False  # the server has it no more; our bytes stay
    animated: bool = False  # its first frame is the picture
    format: str | None = None  # of an unsupported picture, by name
    advice: str | None = None  # what to do with it
    flat: bool = False  # one colour all over
    phash: int | None = None  # where something was forgotten that it may be like; never in the journal
    tried_at: datetime | None = None  # when a host of it did not answer, or sent us away
    own: str | None = None  # what the host of its own address did, where that is another reason

    @property
    def of_own(self) -> str:
        """What it says of the host of its own address."""
        return self.own or self.reason

    @property
    def young(self) -> bool:
        """Whether what it says of its host is less than a day old."""
        return self.tried_at is not None and datetime.now(UTC) - self.tried_at < DAY


GIVEN_UP = Outcome("host_off")  # of a picture that nobody was asked for

# Reasons after which a picture's other addresses are not asked.
FINAL = frozenset("ok optout_header optout_meta optout_signal no_contact excluded quota host_off".split())
# Reasons that another day, or another run, may not give again.
PASSING = frozenset(
    "network http_4xx http_5xx too_slow robots_denied robots_unreachable quota host_off no_contact".split()
)
UNANSWERED = SILENCE | {"robots_unreachable"}  # a host that may be dead
RESTING = UNANSWERED | {"host_off"}  # or one that is given up
DAY = timedelta(days=1)  # after which a host that was given up, or that others led to in vain, is asked again
_FLAT_BYTES, _FLAT_SHARE = 2048, 0.05  # bytes at most of a flat picture: these, and these for each px
_FLAT_LEVELS = 8  # of 255: a JPEG's own noise
# Reasons by a limit whose measure is not known afterwards.
UNMEASURED = frozenset("too_large bomb".split())


def examine(data: bytes, limits: Scrape, header: Jpeg | None = None, hashed: bool = False) -> Outcome:
    """What `data` are: ok only for a whole picture within `limits`. `header` as for codec.verify.

    `hashed`: a good one is decoded for its perceptual hash, too.
    """
    digest = hashlib.sha256(data).hexdigest()
    try:
        codec.supported(data)  # before its size, as no other limit helps
        if len(data) > limits.max_bytes:
            return Outcome("too_large", sha256=digest, bytes=len(data))
        first = limits.animated == "first"
        info = codec.verify(data, max_pixels=limits.max_pixels, header=header, animated=first)
        phash = _phash(data, limits) if hashed else None
        flat = _is_flat(data, info, limits)
    except codec.ImageError as error:
        return Outcome(
            error.reason, str(error), sha256=digest, bytes=len(data), format=error.format, advice=error.advice
        )
    small = min(info.width, info.height) < limits.min_side
    return Outcome(
        "too_small" if small else "ok",
        sha256=digest,
        bytes=len(data),
        width=info.width,
        height=info.height,
        mode=info.mode,
        animated=info.animated,
        flat=flat,
        phash=phash,
    )


def _is_flat(data: bytes, info: codec.Info, limits: Scrape) -> bool:
    """Whether a picture has one colour all over. Only one that takes few bytes for its size is decoded to see."""
    if len(data) > _FLAT_BYTES + info.width * info.height * _FLAT_SHARE:
        return False
    rgb = codec.decode(data, max_pixels=limits.max_pixels)
    return int((rgb.max(axis=(0, 1)).astype(int) - rgb.min(axis=(0, 1))).max()) <= _FLAT_LEVELS


def _phash(data: bytes, limits: Scrape) -> int:
    from curate.pipeline.hashing.phash import phash  # with scipy, which few runs need

    return phash(codec.decode(data, max_pixels=limits.max_pixels))


def extension(data: bytes) -> str:
    """The file name extension that the bytes deserve."""
    kind = codec.sniff(data[:32])
    assert kind is not None, "only pictures are stored"
    return kind.value


def left_alone(outcome: Outcome, address: str) -> bool:
    """Whether the picture at `address` waits for another day: its host is given up, or one that it led to is silent."""
    if outcome.reason in UNANSWERED and outcome.final_url is not None:
        return server_of(outcome.final_url) != server_of(address)
    return outcome.reason == "host_off"


def holds(outcome: Outcome, limits: Scrape, same_run: bool, address: str) -> bool:
    """Whether an outcome of the past is what a fetch of `address` under `limits` would give.

    `same_run`: it belongs to the very search that is going on again, so what failed then has failed now.
    """
    if left_alone(outcome, address):
        return same_run and outcome.young
    if outcome.reason == "no_contact":
        return not contact.usable(limits.contact)
    if outcome.reason in PASSING | UNMEASURED:
        return same_run
    if outcome.reason == "unsupported" and outcome.format in {None, "HEIC"}:  # its plugin may have come since
        return same_run or not codec.reads_heic()
    if (outcome.animated or outcome.reason == "animated") and outcome.animated != (limits.animated == "first"):
        return False
    if outcome.width is None or outcome.height is None or outcome.bytes is None:
        return True
    small = min(outcome.width, outcome.height) < limits.min_side
    large = outcome.bytes > limits.max_bytes or outcome.width * outcome.height > limits.max_pixels
    return not large and outcome.reason in ({"too_small"} if small else {"ok", "placeholder"})
