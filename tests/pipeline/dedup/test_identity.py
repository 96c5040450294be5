"""People are told apart: by the rule on drawn numbers, and by dlib on photos of two men."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.dedup import identity
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.dedup.identity import Embeddings, people
from curate.pipeline.tables import manifest
from curate.pipeline.tables.arrow import replace_column
from tests.support.tables import image_row

INLINE = Engine(kind="inline")


def drawn(persons: int, photos: int, seed: int, spread: float = 0.02) -> Embeddings:
    """`photos` of each of `persons`, mixed."""
    rng = np.random.default_rng(seed)
    faces = np.repeat(rng.normal(0, 0.06, (persons, 128)), photos, axis=0)
    return (faces + rng.normal(0, spread, faces.shape))[rng.permutation(len(faces))].astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_those_of_average_linkage(seed: int) -> None:
    """scipy's linkage of squared distances, average, is the mean square: ours without its root."""
    faces = drawn(40, 3, seed, spread=0.03)
    for distance in (0.3, 0.6, 0.8):
        linked = hierarchy.linkage(pdist(faces, "sqeuclidean"), "average")
        theirs = hierarchy.fcluster(linked, distance**2, "distance")
        ours = people(faces, distance)
        assert (ours <= np.arange(len(ours))).all()
        assert (ours[ours] == ours).all()
        np.testing.assert_array_equal(ours[:, None] == ours, theirs[:, None] == theirs)


def test_a_chain_of_faces_is_not_one_person() -> None:
    line = np.zeros((30, 128), np.float32)
    line[:, 0] = np.arange(30) * 0.4
    found = people(line, 0.6)
    assert np.bincount(found).max() == 2
    assert people(line[:0], 0.6).tolist() == []


def scraped(root: Path, photos: list[Path]) -> None:
    """A project whose images are `photos`, cropped."""
    rows = [image_row(root, photo.read_bytes(), "men", rank) for rank, photo in enumerate(photos)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)
    crop.run(Crop(), root, engine=INLINE)


def test_one_person_stays_on_one_side(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = data / "face_recognition_tests"
    names = ["obama", "obama2", "obama3", "biden"]
    scraped(tmp_path, [folder / f"{name}.jpg" for name in names])
    pictures = manifest.read(manifest.IMAGES, tmp_path)
    shown = {path: names[rank] for path, rank in zip(*(pictures[c].to_pylist() for c in ("path", "rank")), strict=True)}
    calls = []
    embed = identity.Embedder.__call__
    monkeypatch.setattr(
        identity.Embedder, "__call__", lambda self, faces: calls.append(len(faces)) or embed(self, faces)
    )
    dedup.run(Dedup(identity=0.6), tmp_path, engine=INLINE)
    table = manifest.read(manifest.DEDUP, tmp_path)
    sources = manifest.read(manifest.CROPS, tmp_path)
    of = dict(zip(sources["crop_id"].to_pylist(), sources["source_path"].to_pylist(), strict=True))
    persons: dict[str, set[str]] = {}
    for name, person in zip(table["crop_id"].to_pylist(), table["identity_id"].to_pylist(), strict=True):
        persons.setdefault(person, set()).add(shown[of[name]])
    assert sorted(map(sorted, persons.values())) == [["biden"], ["obama", "obama2", "obama3"]]
    assert table["duplicate_of"].null_count == 4
    for salt in "abcdef":
        build.run(Build(val=0.25, test=0.25, salt=salt), tmp_path)
        built = manifest.read(manifest.DATASET, tmp_path)
        where = zip(built["source_path"].to_pylist(), built["split"].to_pylist(), strict=True)
        assert len({split for path, split in where if shown[path] != "biden"}) == 1
    assert sum(calls) == 4
    dedup.run(Dedup(identity=0.55), tmp_path, engine=INLINE)
    assert sum(calls) == 4, "embeddings are kept"
    kept, made_by = manifest.read(manifest.EMBEDDINGS, tmp_path), manifest.meta(manifest.EMBEDDINGS, tmp_path)
    lost = replace_column(
        kept, "embedding", pa.array([None, *kept["embedding"].to_pylist()[1:]], kept["embedding"].type)
    )
    manifest.write(manifest.EMBEDDINGS, lost, tmp_path, made_by)
    dedup.run(Dedup(identity=0.6), tmp_path, engine=INLINE)
    assert sum(calls) == 5, "what is not there is made again"
    dedup.run(Dedup(), tmp_path, engine=INLINE)
    assert manifest.read(manifest.DEDUP, tmp_path)["identity_id"].null_count == 4
