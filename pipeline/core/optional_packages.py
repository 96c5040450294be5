"""What only some uses need: which of the distribution's extras brings a package, and how one gets it."""

from __future__ import annotations

from curate.pipeline.core.errors import UsageError

DISTRIBUTION = "curate-gan"  # `curate` on the package index is another project's

PACKAGES = {  # module -> extra
    "torch": "train",
    "torchvision": "train",
    "safetensors": "train",
    "tensorboard": "tensorboard",
    "h5py": "keras",
    "av": "video",
    "pillow_heif": "heic",
    "c2pa": "c2pa",
    "cryptography": "c2pa",
    "dvc": "dvc",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "fastapi": "web",
    "starlette": "web",
    "uvicorn": "web",
    "pydantic": "web",
    "ray": "ray",
}


def how_to_install(module: str) -> str:
    """The command that brings `module`, one of PACKAGES."""
    return f'pip install "{DISTRIBUTION}[{PACKAGES[module]}]"'


def missing(error: ImportError) -> UsageError | None:
    """What to tell a person of a failed import; None when it was no module of an extra that is missing."""
    module = (error.name or "").partition(".")[0]
    if module not in PACKAGES:
        return None
    clone = "; in a clone: make install" if PACKAGES[module] == "train" else ""
    what = "training and translating need" if PACKAGES[module] == "train" else "this needs"
    return UsageError(f"{what} {module}, which is not installed", f"{how_to_install(module)}{clone}")
