"""Weights that are damaged, lie about their size, or would do harm: one line each, no memory spent."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import resource
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.engine import safetensors_file
from curate.train.weights import exchange, files
from tests.support.foreign_weights import cyclegan, ugatit, ugatit_content

pytestmark = pytest.mark.usefixtures("little_memory")

GENERATOR = dict(cyclegan()["net_G_A"].state_dict())
JUDGE = dict(cyclegan()["net_D_A"].state_dict())
FIRST = "model.1.weight"
HUGE = 1 << 45  # bytes


def refused(path: Path, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        exchange.read(path)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    with contextlib.suppress(CurateError):
        exchange.show(path)  # lists it, or refuses it in its turn


def quantised(value: Tensor) -> Tensor:
    return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)


STRANGE = {
    "sparse": (lambda value: value.to_sparse(), "is sparse_coo, not dense"),
    "complex": (lambda value: value.to(torch.complex64), r"complex numbers \(complex64\)"),
    "quantised": (quantised, r"quantised \(qint8\)"),
    "meta": (lambda value: value.to("meta"), "a shape and no values"),
    "repeated": (lambda value: torch.zeros(1).expand(1 << 20, 3, 1 << 10, 7), "claims to be .* GiB"),
    "whole numbers": (lambda value: value.to(torch.int8), r"not of floating-point numbers: model\.1\.weight \(int8\)"),
    "NaN": (lambda value: torch.full_like(value, float("nan")), r"not finite .*: model\.1\.weight"),
    "infinite": (lambda value: value.half() * float("inf"), r"not finite .*: model\.1\.weight"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("change", "message"), STRANGE.values(), ids=STRANGE)
def test_tensors_that_are_no_weights_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    torch.save({**GENERATOR, FIRST: change(GENERATOR[FIRST])}, tmp_path / "net.pth")
    refused(tmp_path / "net.pth", message)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_weights_of_another_precision_come_in(tmp_path: Path, kind: torch.dtype) -> None:
    torch.save({key: value.to(kind) for key, value in GENERATOR.items()}, tmp_path / "net.pth")
    recipe = exchange.build(exchange.read(tmp_path / "net.pth"))
    assert recipe.state_dict()[f"g_a2b.{FIRST}"].dtype == torch.float32


def npy(shape: tuple[int, ...], data: bytes = b"", kind: str = "<f4") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + data


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        npy((3 * HUGE,)),
        npy((1 << 62, 1 << 62)),
        npy((4, 4), b"\0" * 63),
        npy((4, 4), b"\0" * 65),
        npy((2,), b"\0" * 8, "|V4"),
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_an_array_that_lies_about_its_size_is_broken(tmp_path: Path, content: bytes) -> None:
    refused(archive(tmp_path / "gen.npz", {"c0/W.npy": content}), r"gen\.npz: broken, or not a file of weights: .+")


@pytest.mark.parametrize("names", [["c0/W.npy"], ["archive/data.pkl", "archive/version", "archive/data/0"]])
def test_an_archive_that_unpacks_to_very_much_is_refused(tmp_path: Path, names: list[str]) -> None:
    bomb = archive(tmp_path / "bomb.pth", dict.fromkeys(names, b"\0" * (70 << 20)))
    refused(bomb, r"bomb\.pth: refused: its [\d,]+ bytes claim to unpack to 0\.[12] GiB")


def test_names_that_ask_for_a_million_layers_build_none(tmp_path: Path) -> None:
    torch.save({**JUDGE, "model.3000000.weight": torch.ones(1, 2)}, tmp_path / "latest_net_D_A.pth")
    refused(tmp_path / "latest_net_D_A.pth", "missing|asks for discriminator_layers|not known")
    torch.save({**JUDGE, "model.300000.weight": torch.ones(1, 2)}, tmp_path / "latest_net_D_A.pth")
    refused(tmp_path / "latest_net_D_A.pth", "asks for discriminator_layers 99,999: at most 8")
    blocks = {f"model.{place}.conv_block.1.weight": torch.ones(1, 1) for place in range(10, 5000)}
    safetensors_file.write(tmp_path / "net.safetensors", {**GENERATOR, **blocks})
    refused(tmp_path / "net.safetensors", "asks for blocks 4,990: at most 256")
    content = ugatit_content(ugatit())
    content["disGA"]["model.90000.weight_orig"] = torch.ones(1, 1)
    torch.save(content, tmp_path / "x_params_0000001.pt")
    refused(tmp_path / "x_params_0000001.pt", "asks for global_layers 30,002|have|has global layers")


def test_widths_beyond_any_network_build_none(tmp_path: Path) -> None:
    torch.save({**GENERATOR, FIRST: torch.zeros(1).expand(1 << 22, 3, 7, 7)}, tmp_path / "net.pth")
    refused(tmp_path / "net.pth", "claims to be|asks for width")
    torch.save({**GENERATOR, FIRST: torch.zeros(5000, 3, 1, 1)}, tmp_path / "net.pth")
    refused(tmp_path / "net.pth", "asks for width 5,000: at most 2,048")


class Bytes:
    """A pickle of very many zeros, as a function that weights_only lets through would make them."""

    def __reduce__(self) -> object:
        return bytearray, (HUGE,)


def test_a_pickle_that_asks_for_memory_gets_none(tmp_path: Path) -> None:
    torch.save({**GENERATOR, "x": Bytes()}, tmp_path / "net.pth")
    refused(tmp_path / "net.pth", "broken, or not a file of weights|refused")


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    refused(tmp_path / "empty.pth", "it is empty")
    (tmp_path / "folder.pth").mkdir()
    refused(tmp_path / "folder.pth", "no file of weights in this folder")
    (tmp_path / "link.pth").symlink_to(tmp_path / "nothing")
    refused(tmp_path / "link.pth", "No such file")
    header = b'{"x":'
    (tmp_path / "net.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    refused(tmp_path / "net.safetensors", "broken")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(GENERATOR, tmp_path / "net.pth")

    def closed(path: Path, *rest: Any, **more: Any) -> None:  # root's tests may read everything
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(CurateError, match=r"net\.pth: cannot read: Permission denied"):
        exchange.read(tmp_path / "net.pth")


@pytest.mark.parametrize("suffix", [".pth", ".npz"])
def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path, suffix: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.write({"x": torch.rand(9000)}, tmp_path / "x", suffix)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    small = {key: value for key, value in GENERATOR.items() if key.endswith("bias")}
    if kind == "npz":
        np.savez(buffer, **{key: value.numpy() for key, value in small.items()})
    else:
        torch.save(small, buffer, _use_new_zipfile_serialization=kind == "zip")
    return buffer.getvalue()


WHOLE = {kind: _bytes(kind) for kind in ("zip", "legacy", "npz")}


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(list(WHOLE)), st.floats(0, 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_any_damage_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: float, damage: bytes, cut: bool
) -> None:
    whole = WHOLE[kind]
    at = int(place * len(whole))
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(whole[:at] + (b"" if cut else damage + whole[at + len(damage) :]))
    try:
        exchange.read(path)
    except CurateError as error:
        assert "\n" not in error.message
