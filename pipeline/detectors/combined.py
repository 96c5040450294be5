"""The detectors that rules ask for, put together: one or several that must agree, with their extra passes."""

from __future__ import annotations

from msgspec.structs import replace

from pipeline.detectors import DETECTORS, Detector, names
from pipeline.detectors.agreement import Agreement
from pipeline.detectors.closer import Closer
from pipeline.detectors.turned import Turned
from pipeline.rules import CropRules


def load(rules: CropRules) -> Detector:
    """What `rules` ask for, ready to run.

    Raises UsageError for an unknown name and ModelError for a model file that can't be had.
    """
    loaded = [_one(name, rules) for name in names(rules)]
    return loaded[0] if len(loaded) == 1 else Agreement(loaded)


def _one(name: str, rules: CropRules) -> Detector:
    make = DETECTORS.resolve(name)
    detector: Detector = make(rules)
    if rules.faces == "largest":
        detector = Closer(make(replace(rules, detect_side=max(rules.detect_side // 2, 1))), detector)
    return Turned(detector, rules) if rules.rotations else detector
