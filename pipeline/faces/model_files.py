"""Every model file that curate uses: where it comes from, what it must hash to, under which licence it stands.

A file is looked for in the folder CURATE_MODELS, then in the user's cache (XDG_CACHE_HOME, else ~/.cache), and fetched
into the cache the first time it is needed. Files that a Python package brings are used where they lie.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from curate.pipeline.core.errors import ModelError, UsageError, nearest
from curate.pipeline.core.files import atomic_write


@dataclass(frozen=True)
class Model:
    """One file: its name here, its file name, its origin and its terms."""

    name: str
    file: str
    sha256: str
    license: str
    year: int
    url: str  # of the file; of the project when a package brings it
    package: str | None = None  # the Python package that brings it
    folder: str = ""  # within the package


MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "anime-cascade",
            "lbpcascade_animeface.xml",
            "9376d30ac38db6bda2a68b88b3b76bbd7e6aa33af47f7f5c76bc88ca75f1ce30",
            "see the project: its README states no licence for the file",
            2011,
            "https://raw.githubusercontent.com/nagadomi/lbpcascade_animeface/master/lbpcascade_animeface.xml",
        ),
        Model(
            "landmarks-68",
            "shape_predictor_68_face_landmarks.dat",
            "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            "trained on iBUG 300-W, whose terms exclude commercial use",
            2014,
            "https://github.com/davisking/dlib-models",
            package="face_recognition_models",
            folder="models",
        ),
        Model(
            "mmod-face",
            "mmod_human_face_detector.dat",
            "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            "released into the public domain by its author",
            2016,
            "https://github.com/davisking/dlib-models",
            package="face_recognition_models",
            folder="models",
        ),
        Model(
            "face-embedding",
            "dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            "released into the public domain by its author",
            2017,
            "https://github.com/davisking/dlib-models",
            package="face_recognition_models",
            folder="models",
        ),
        Model(
            "yunet",
            "face_detection_yunet_2023mar.onnx",
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",  # as its Git LFS pointer states it
            "MIT",
            2023,
            "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        ),
    )
}


def path(name: str) -> Path:
    """The file of the model `name` on this machine; fetched, once, if it is not there.

    Raises UsageError for an unknown name and ModelError when the file can't be had or isn't the pinned one.
    """
    found = find(name)
    return found or _fetch(MODELS[name], _cache() / MODELS[name].file)


def find(name: str) -> Path | None:
    """The file of the model `name` if it is on this machine; nothing is fetched.

    Raises UsageError for an unknown name and ModelError when the file isn't the pinned one or its package is missing.
    """
    model = _known(name)
    if model.package:
        return _packaged(model, model.package)
    for folder in (*_given(), _cache()):
        if (found := folder / model.file).is_file():
            _check(model, found.read_bytes(), str(found), f"delete {found} and run the same command again")
            return found
    return None


@dataclass(frozen=True)
class Standing:
    """A model and the state of its file on this machine."""

    name: str
    state: str  # ok, missing, or wrong when the file is not the pinned one
    where: str  # the file; what to do when it is not there
    sha256: str  # the pinned one
    license: str
    year: int
    url: str


def standing(name: str) -> Standing:
    """Looks for the file of the model `name` and reads all of it to check it. Raises UsageError for an unknown name."""
    model = _known(name)
    state, where = "missing", "fetch it: curate models fetch"
    try:
        if found := find(name):
            state, where = "ok", str(found)
            if hashlib.sha256(found.read_bytes()).hexdigest() != model.sha256:
                state = "wrong"
    except ModelError as error:
        state, where = ("missing" if model.package else "wrong"), error.hint
    return Standing(name, state, where, model.sha256, model.license, model.year, model.url)


def _known(name: str) -> Model:
    if name not in MODELS:
        raise UsageError(f"there is no model '{name}'{nearest(name, MODELS)}", f"models: {', '.join(MODELS)}")
    return MODELS[name]


def _given() -> tuple[Path, ...]:
    folder = os.environ.get("CURATE_MODELS")
    return (Path(folder),) if folder else ()


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "curate"


def _packaged(model: Model, package: str) -> Path:
    # Looked up, not imported: importing that package needs pkg_resources, which setuptools has dropped.
    spec = importlib.util.find_spec(package)
    for base in (spec.submodule_search_locations or ()) if spec else ():
        if (found := Path(base) / model.folder / model.file).is_file():
            return found
    raise ModelError(f"{model.file}: the package {package} is missing", f"pip install {package}")


def _fetch(model: Model, target: Path) -> Path:
    by_hand = f"with a network, run it again; without one, put {model.file} into a folder and set CURATE_MODELS to it"
    try:
        answer = requests.get(model.url, timeout=(10, 60))
        answer.raise_for_status()
        data = answer.content
    except requests.RequestException as error:
        raise ModelError(f"{model.file}: cannot fetch it from {model.url}: {type(error).__name__}", by_hand) from error
    _check(model, data, model.url, by_hand)
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)
    return target


def _check(model: Model, data: bytes, where: str, hint: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise ModelError(f"{where}: not the file we know: sha256 {found[:12]}..., not {model.sha256[:12]}...", hint)
