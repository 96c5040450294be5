"""Upright, frontal drawn faces: nagadomi's lbpcascade_animeface."""

from __future__ import annotations

from pipeline import models
from pipeline.detectors import Detector
from pipeline.detectors.cascade import Cascade
from pipeline.rules import CropRules

_SMALLEST = 24  # px: the cascade's own window


def load(rules: CropRules) -> Detector:
    """The cascade with the settings of `rules`; its file is fetched the first time. Raises ModelError without it."""
    return Cascade(models.path("anime-cascade"), rules, _SMALLEST)
