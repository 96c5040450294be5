"""Pictures in tar shards, and the one way to the bytes of a picture by its row's path, in a shard or not.

A shard is a plain tar file in WebDataset's layout (one member, KEY.png, per sample), named after its content, with
nothing in it that depends on when or where it was made. The path of a picture in it says where its bytes lie,
"FOLDER/SHARD.tar/OFFSET+BYTES/KEY.png", so that reading one costs one seek: there is no index to load, to keep or to
lose. A shard never changes once it stands, except that a picture can be taken out (`remove`), which moves no other.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from curate.pipeline.core.confined_path import inside, refuse_link_out
from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import NOT_THERE, REMOTE, atomic_write, files_below, reading
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.codec import RGB

_BLOCK = 512  # bytes, of a tar file
_END = bytes(2 * _BLOCK)
_PLACE = re.compile(r"(?P<shard>.+\.tar)/(?P<offset>[0-9]{1,15})\+(?P<size>[0-9]{1,15})/(?P<name>[^/]+)")


class Place(NamedTuple):
    """Where a picture lies in a shard."""

    shard: str  # relative path of the tar file
    offset: int  # bytes, of the picture's first
    size: int  # bytes
    name: str  # of the member

    @property
    def path(self) -> str:
        """As tables have it."""
        return f"{self.shard}/{self.offset}+{self.size}/{self.name}"


def place(path: str) -> Place | None:
    """The place that `path` names; None for the path of a file."""
    found = _PLACE.fullmatch(path)
    return Place(found["shard"], int(found["offset"]), int(found["size"]), found["name"]) if found else None


def file(path: str) -> str:
    """The file that holds the picture at `path`: its shard, or itself."""
    found = place(path)
    return found.shard if found else path


def read(root: Path, path: str) -> bytes:
    """The bytes of the picture at `path` below `root`, in a shard or not.

    What is missing below raw/ is looked for at the address in CURATE_RAW (s3://bucket/raw, or any other that fsspec
    knows), if that is set. Raises FileNotFoundError when there is no such file, or when its shard holds it no longer,
    other OSErrors, and ConfinementError for a path that leads out of `root`.
    """
    found = place(path)
    if found is None:
        return _file(root, path)
    with inside(root, found.shard).open("rb", buffering=0) as stream:
        held = _BLOCK <= found.offset <= os.fstat(stream.fileno()).st_size - found.size
        header, data = b"", b""
        if held:  # a table may claim terabytes
            stream.seek(found.offset - _BLOCK)
            header, data = stream.read(_BLOCK), stream.read(found.size)
    if not held or header != _header(found.name, found.size) or len(data) != found.size:
        raise FileNotFoundError(2, "not in this shard any more", str(root / path))
    return data


class ChangedPhotoError(Exception):
    """A photo that has other bytes than were received: a bit has flipped, or somebody has edited it."""


def read_photo(root: Path, path: str, image_id: str) -> bytes:
    """What `read` returns, of the photo that is called `image_id` after the SHA-256 of its bytes.

    Raises ChangedPhotoError for other bytes than these, and what `read` raises.
    """
    data = read(root, path)
    if hashlib.sha256(data).hexdigest() != image_id:
        raise ChangedPhotoError(path)
    return data


def _file(root: Path, path: str) -> bytes:
    try:
        return inside(root, path).read_bytes()
    except FileNotFoundError:
        if (base := os.environ.get(REMOTE)) and path.startswith("raw/"):
            import fsspec

            files, top = fsspec.url_to_fs(base)
            data: bytes = files.cat_file(f"{top.rstrip('/')}/{path.removeprefix('raw/')}")
            return data
        raise


def load_bytes(root: Path, path: str, made_by: str) -> bytes:
    """What `read` returns. Raises CurateError, which names the command that made the picture, when it is not there."""
    try:
        with reading(root / path):
            return read(root, path)
    except NOT_THERE as error:
        raise CurateError(f"{root / path}: {error.strerror or 'not there'}", f"make it again: {made_by}") from error


def load_picture(root: Path, path: str, made_by: str) -> RGB:
    """The picture at `path` below `root`, uint8 [H, W, 3]; `made_by` is the command that made it.

    Raises CurateError, which names that command, for one that is missing or can't be decoded.
    """
    with _readable(root / path, made_by):
        return codec.decode(load_bytes(root, path, made_by))


def load_png(root: Path, path: str, made_by: str) -> bytes:
    """The picture at `path` below `root` as PNG, byte for byte as it lies there if it is one.

    Raises what `load_picture` raises; the pixels of a PNG that is whole are not looked at.
    """
    data = load_bytes(root, path, made_by)
    with _readable(root / path, made_by):
        if codec.sniff(data[:32]) is not codec.Format.PNG:
            return codec.encode_png(codec.decode(data))
        codec.verify_png(data)
        return data


@contextmanager
def _readable(path: Path, made_by: str) -> Iterator[None]:
    try:
        yield
    except codec.ImageError as error:
        raise CurateError(f"{path}: unreadable: {error}", f"delete it and make it again: {made_by}") from error


def stands(root: Path, path: str) -> bool:
    """Whether the picture at `path` below `root` is there, by the size of its file alone."""
    found = place(path)
    try:
        size = (root / (found.shard if found else path)).stat().st_size
    except OSError:
        return False
    return size >= found.offset + found.size + len(_END) if found else size > 0


def stamp(root: Path, path: str) -> str:
    """Changes when the picture at `path` may have changed. Raises FileNotFoundError when its file is not there."""
    found = place(path)
    stat = (root / (found.shard if found else path)).stat()
    return f"{found.offset if found else stat.st_size} {stat.st_mtime_ns}"


def pack(root: Path, folder: str, pictures: Iterable[tuple[str, bytes]]) -> list[str]:
    """Writes `pictures`, each a member's name and its bytes, into one shard in `folder`; returns their paths in order.

    Equal pictures in equal order give an equal shard of an equal name, whoever packs them and when. It takes its place
    whole or not at all. Raises CurateError for a disk that refuses.
    """
    digest = hashlib.sha256()
    places: list[tuple[int, int, str]] = []
    unnamed = inside(root, folder) / "shard.tmp"
    with atomic_write(unnamed) as temporary, temporary.open("wb") as stream:
        for name, data in pictures:
            places.append((stream.tell() + _BLOCK, len(data), name))
            whole = _header(name, len(data)) + data + bytes(-len(data) % _BLOCK)
            digest.update(whole)
            stream.write(whole)
        stream.write(_END)
    shard = f"{folder}/{digest.hexdigest()[:16]}.tar"
    unnamed.replace(root / shard)
    return [Place(shard, *each).path for each in places]


def remove(root: Path, folder: str, names: Set[str]) -> int:
    """Takes the members called `names` out of every shard in and below `folder`; returns how many there were.

    Where one lay, a comment of its length stays (the global header of pax, which readers pass over), so that the paths
    of all others still hold. Raises CurateError for a disk that refuses, and for a link that leads out of `root`.
    """
    count = 0
    refuse_link_out(root / folder, root)
    for path in [path for path in files_below(root / folder) if path.suffix == ".tar"]:
        members = list(_members(path))
        if gone := [member for member in members if member.name in names]:
            end = max((m.offset + m.size for m in members if m.name not in names), default=0)
            with atomic_write(path) as temporary:
                shutil.copyfile(path, temporary)
                with temporary.open("r+b") as stream:
                    for member in gone:
                        stream.seek(member.offset - _BLOCK)
                        stream.write(_header("pax_global_header", member.size, tarfile.XGLTYPE))
                        stream.write(f"{member.size} comment=".encode().ljust(member.size - 1, b"-") + b"\n")
                    stream.truncate(end + -end % _BLOCK)
                    stream.seek(0, os.SEEK_END)
                    stream.write(_END)
            count += len(gone)
    return count


def _members(path: Path) -> Iterator[Place]:
    """What lies in the shard at `path`, in order. Raises CurateError where it is not whole."""
    with path.open("rb") as stream:
        end, offset = os.fstat(stream.fileno()).st_size, _BLOCK
        while (header := stream.read(_BLOCK)) not in {b"", _END[:_BLOCK]}:
            try:
                member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            except tarfile.TarError as error:
                raise _not_whole(path, str(error)) from None
            if not 0 <= member.size <= end - offset:
                raise _not_whole(path, f"a member of {member.size} bytes")
            if member.isreg():
                yield Place(str(path), offset, member.size, member.name)
            offset += member.size + -member.size % _BLOCK + _BLOCK
            stream.seek(offset - _BLOCK)


def _not_whole(path: Path, why: str) -> CurateError:
    return CurateError(
        f"{path}: not a whole shard: {why}", "delete it, then: curate crop && curate dedup && curate build"
    )


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)  # no owner, and modified in 1970
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)
