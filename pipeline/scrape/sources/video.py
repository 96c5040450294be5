"""Films and clips of the user's own: still frames at scene changes, or at a rate. They are read, never changed.

What is the same as a frame that was taken before is dropped while reading, in whichever file: of openings and endings
that repeat in every episode, the first is kept.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.core.config import NonNegative, Section, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.optional_packages import how_to_install
from curate.pipeline.hashing import phash
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, local_paths
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.sources.facts import Facts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

FACTS = Facts(
    terms="own",
    what="frames of one's own films and clips, at scene changes or at a rate; asks nobody",
    example="curate scrape --source video --input FILM --domain anime   (extra: video)",
    keywords=False,
)


class VideoSettings(Section, frozen=True, kw_only=True):
    """What is worth a picture: what scrape.sources.video may set."""

    scene: float = 0.08  # mean difference in brightness from the last picture, 0..1, that is another scene
    settle: float = 0.005  # the same between two frames, up to which the picture rests
    wait: float = 0.5  # s after which its frame is taken even if it does not
    same: NonNegative = 4  # bits of 64 in which frames may differ and be the same
    flat: float = 4.0  # standard deviation of brightness, 0..255, below which a frame shows nothing


_NAMED_SO = frozenset(".mp4 .mkv .webm .avi .mov .m4v .mpg .mpeg .ts .m2ts .mts .vob .ogv .wmv .flv .3gp .m2v".split())
_SMALL = (32, 18)  # px, the brightness that scenes are compared by


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The frames of the film at `query.input`, or of every film below it, in the order of their paths and times.

    A frame each `query.every` seconds, or else one for each scene.
    """
    try:
        import av
    except ImportError:
        raise UsageError("films are read with PyAV, which is not installed", how_to_install("av")) from None
    if query.input is None:
        raise UsageError("the video source needs a film or a folder", "name one with: --source video --input PATH")
    top = Path(query.input)
    settings = parse(VideoSettings, dict(pages.settings), "scrape.sources.video")
    known = _Known(settings)
    for path in _films(top, pages.note):
        name = local_paths.spelled(path.name if path == top else path.relative_to(top).as_posix())
        try:
            with av.open(str(path)) as film:
                yield from _taken(film, path, name, query.every, settings, known)
        except (av.FFmpegError, OSError, ValueError, IndexError) as error:
            pages.note(f"video: {name}: cannot be read to its end: {error}")
    if known.dropped:
        pages.note(f"video: {known.dropped} frames were the same as others, or showed nothing")


def _films(top: Path, note: Callable[[str], None]) -> Iterator[Path]:
    if top.is_file():
        yield top
        return
    if not top.is_dir():
        raise UsageError(f"{local_paths.spelled(top)}: there is no such film or folder", "name one with: --input PATH")
    yield from (path for path in local_paths.files(top, note) if path.suffix.lower() in _NAMED_SO)


class _Known:
    """The frames that were taken, in every file so far, by their perceptual hashes."""

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        self._hashes: NDArray[np.uint64] = np.zeros(1024, np.uint64)
        self._count = 0
        self.dropped = 0

    def is_new(self, rgb: NDArray[np.uint8]) -> bool:
        """Whether the frame shows something that none before did; it is known from now on."""
        found = np.uint64(phash.phash(rgb))
        near = phash.distance(self._hashes[: self._count], found) <= self._settings.same
        if float(rgb.mean(axis=2).std()) < self._settings.flat or near.any():
            self.dropped += 1
            return False
        if self._count == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[self._count] = found
        self._count += 1
        return True


def _taken(
    film: InputContainer, path: Path, name: str, every: float | None, settings: VideoSettings, known: _Known
) -> Iterator[Candidate]:
    """The frames of one film that are worth a picture."""
    pick = _AtRate(every) if every is not None else _AtScenes(settings)
    for number, frame in enumerate(_frames(film)):
        time = float(frame.time) if frame.time is not None else 0.0
        if not pick(frame, time):
            continue
        rgb = _upright(film, frame)
        if known.is_new(rgb):
            yield Candidate(
                address=f"{name}#t={time:.3f}",
                data=_png(rgb),
                file_name=name,
                title=local_paths.words(path.stem),
                extra={"timestamp": round(time, 3), "frame": number},
            )


def _frames(film: InputContainer) -> Iterator[VideoFrame]:
    """Every frame, woven fields parted where there are any."""
    stream = film.streams.video[0]
    stream.thread_type = "AUTO"
    graph: Any = None
    for frame in film.decode(stream):
        if graph is None:
            if not frame.interlaced_frame:
                yield frame
                continue
            graph = _deinterlacer(stream)  # from the first woven frame on, because it looks at neighbours
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _deinterlacer(stream: Any) -> Any:
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(template=stream, time_base=stream.time_base)
    weave = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(weave)
    weave.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Any) -> Iterator[VideoFrame]:
    import av

    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


class _AtRate:
    """One frame each so many seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = 0.0

    def __call__(self, frame: VideoFrame, time: float) -> bool:
        if time + 1e-6 < self._next:
            return False
        self._next = (time // self._every + 1) * self._every
        return True


class _AtScenes:
    """A frame whenever the film shows something else than in the last one: after cuts, dissolves and long pans.

    It is taken as soon as the picture has come to rest, so that it is neither torn nor half dissolved.
    """

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        self._last: NDArray[np.float32] | None = None
        self._taken: NDArray[np.float32] | None = None
        self._since: float | None = None  # s, when the film left the picture that was taken

    def __call__(self, frame: VideoFrame, time: float) -> bool:
        small = frame.reformat(*_SMALL, format="gray").to_ndarray().astype(np.float32) / 255.0
        moved, apart = _between(small, self._last, 0.0), _between(small, self._taken, 1.0)
        self._last = small
        if apart < self._settings.scene:
            self._since = None
            return False
        self._since = time if self._since is None else self._since
        if moved > self._settings.settle and time - self._since < self._settings.wait:
            return False
        self._taken, self._since = small, None
        return True


def _between(small: NDArray[np.float32], other: NDArray[np.float32] | None, unknown: float) -> float:
    """The mean difference in brightness, 0..1; `unknown` where there is no other picture."""
    return unknown if other is None else float(np.abs(small - other).mean())


def _upright(film: InputContainer, frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame as it is meant to be seen, uint8 RGB [height, width, 3]: with square pixels, and turned."""
    aspect = film.streams.video[0].sample_aspect_ratio or Fraction(1)
    width = max(1, round(frame.width * aspect))
    rgb = frame.reformat(width=width, height=frame.height, format="rgb24").to_ndarray()
    quarters = round(int(getattr(frame, "rotation", 0) or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarters))


def _png(rgb: NDArray[np.uint8]) -> bytes:
    """Lossless, the same bytes for the same frame."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
