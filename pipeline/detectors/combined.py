"""The detectors that rules ask for, put together: one or several that must agree, with their extra passes."""

from __future__ import annotations

from pipeline.detectors import DETECTORS, Detector, names
from pipeline.detectors.agreement import Agreement
from pipeline.detectors.turned import Turned
from pipeline.rules import CropRules


def load(rules: CropRules) -> Detector:
    """What `rules` ask for, ready to run.

    Raises UsageError for an unknown name and ModelError for a model file that can't be had.
    """
    loaded: list[Detector] = [DETECTORS.resolve(name)(rules) for name in names(rules)]
    if rules.rotations:
        loaded = [Turned(detector, rules) for detector in loaded]
    return loaded[0] if len(loaded) == 1 else Agreement(loaded)
