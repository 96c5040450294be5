"""Upright, frontal drawn faces: nagadomi's lbpcascade_animeface."""

from __future__ import annotations

from curate.pipeline.faces import model_files
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector
from curate.pipeline.faces.detectors.cascade import Cascade

_SMALLEST = 24  # px: the cascade's own window


def load(rules: CropRules) -> Detector:
    """The cascade with the settings of `rules`; its file is fetched the first time. Raises ModelError without it."""
    return Cascade(model_files.path("anime-cascade"), rules, _SMALLEST)
