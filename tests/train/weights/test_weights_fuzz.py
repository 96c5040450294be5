"""Damaged files of weights of every kind, archives repacked so that the damage is read: networks, or one line."""

from __future__ import annotations

import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from curate.pipeline.core.errors import CurateError
from curate.train.weights import exchange, hdf5
from tests.support.foreign_weights import cyclegan
from tests.support.mutations import mutated, mutated_archive

pytestmark = pytest.mark.usefixtures("little_memory")

SMALL = {key: value for key, value in cyclegan()["net_G_A"].state_dict().items() if key.endswith("bias")}


def of_torch(*, archive: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": SMALL, "epoch": 3}, buffer, _use_new_zipfile_serialization=archive)
    return buffer.getvalue()


def of_numpy() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{key: value.numpy() for key, value in SMALL.items()})
    return buffer.getvalue()


def of_keras(folder: Path) -> bytes:
    hdf5.write({"layer": {"kernel": np.ones((3, 3, 2, 4), np.float32)}}, folder / "keras.h5")
    return (folder / "keras.h5").read_bytes()


PLAIN = {
    "legacy.pth": [of_torch(archive=False)],
    "safe.safetensors": [save(SMALL, {"format": "pt", "curate": "{}", "curate_weights": '{"system": "cyclegan"}'})],
    "network.pkl": [pickle.dumps({"a": [1, 2.5, "x"], "b": {"c": b"yy"}}, protocol) for protocol in (0, 2, 4)],
}
ARCHIVES = {"zip.pth": [of_torch(archive=True)], "numpy.npz": [of_numpy()]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "I64", "BOOL", "F8_E4M3", "F4", "x"]),
        "shape": st.lists(st.sampled_from([0, 1, 2, 4, 2**31, 2**62, -1]), max_size=4),
        "data_offsets": st.tuples(st.integers(-1, 9), st.sampled_from([0, 4, 8, 16, 2**63])),
    }
)


@st.composite
def lying_headers(draw: st.DrawFn) -> bytes:
    """Files of safetensors whose header is JSON, and says what it likes."""
    header: dict[str, object] = draw(st.dictionaries(st.text(max_size=4), ENTRY | JSON, max_size=3))
    if draw(st.booleans()):
        keys = st.sampled_from(["curate", "curate_weights", "curate.crc32", "format"])
        notes = st.text(max_size=20) | JSON.map(json.dumps) | JSON
        header["__metadata__"] = draw(st.dictionaries(keys, notes, max_size=3))
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(draw(st.sampled_from([0, 4, 8, 16])))


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file's name and its bytes."""
    name = draw(st.sampled_from([*PLAIN, *ARCHIVES, "lies.safetensors"]))
    if name in PLAIN:
        return name, draw(mutated(PLAIN[name]))
    if name in ARCHIVES:
        return name, draw(mutated_archive(ARCHIVES[name]) | mutated(ARCHIVES[name]))
    return name, draw(lying_headers())


def check(folder: Path, name: str, content: bytes) -> None:
    """Every reader of weights: what it returns, or one line."""
    path = folder / name
    path.write_bytes(content)
    for read in (exchange.read, exchange.show):
        try:
            read(path)
        except CurateError as error:
            assert "\n" not in error.message
            assert error.hint


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_damaged_weights_are_weights_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, one: tuple[str, bytes]
) -> None:
    check(tmp_path_factory.getbasetemp(), *one)


@pytest.mark.deep
@settings(max_examples=20_000, deadline=None)
@given(damaged())
def test_twenty_thousand_damaged_weights(tmp_path_factory: pytest.TempPathFactory, one: tuple[str, bytes]) -> None:
    check(tmp_path_factory.getbasetemp(), *one)


@pytest.mark.deep
@settings(max_examples=3_000, deadline=None)
@given(data=st.data())
def test_three_thousand_damaged_files_of_keras(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    pytest.importorskip("h5py")
    folder = tmp_path_factory.getbasetemp()
    check(folder, "damaged.h5", data.draw(mutated([of_keras(folder)])))
