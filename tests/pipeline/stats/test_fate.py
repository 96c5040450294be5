"""What became of a picture, as the report says it, and the commands that would change it: they can be typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.config import as_dict
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.criteria import crop_criteria, face_criteria
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import fate
from curate.pipeline.stats.thresholds import Thresholds
from curate.pipeline.tables import manifest
from tests.support.command import curate

CROP = {"crop_id": "c", "domain": "long", "reason": "ok", "unrest": 0.05, "face_px": 80.0}


@pytest.fixture
def limits(tmp_path: Path) -> Thresholds:
    """Of tables that were made with other thresholds than the defaults."""
    crop = as_dict(Crop(max_unrest=0.2, domains={"short": {"max_unrest": 0.3}}))
    manifest.write(manifest.CROPS, manifest.empty(manifest.CROPS), tmp_path, {"section": crop})
    pairs = as_dict(Pairs(min_agreement=0.6, worn_at=(0.5, 2.5)))
    manifest.write(manifest.PAIRS, manifest.empty(manifest.PAIRS), tmp_path, {"section": pairs})
    return Thresholds(tmp_path)


@pytest.mark.parametrize(
    ("row", "state", "because", "command"),
    [
        ({}, "in the set: train", "", "curate reject c"),
        (
            {"reason": "implausible", "unrest": 0.25},
            "refused: implausible",
            "unrest 0.25, above crop.max_unrest 0.2",
            "curate crop",
        ),
        (
            {"reason": "too_small", "face_px": 20.0},
            "refused: too_small",
            "face_px 20, below crop.min_face 40",
            "curate crop",
        ),
        ({"reason": "no_face"}, "refused: no_face", "the detector found no face", "curate review"),
        ({"reason": "decode_failed"}, "refused: decode_failed", "the file is damaged or cut short", ""),
        ({"reason": "review"}, "taken out by a person", "", "curate keep c"),
    ],
)
def test_a_crop_says_why_with_its_own_measure(
    limits: Thresholds, row: dict[str, Any], state: str, because: str, command: str
) -> None:
    held = {"reason": "ok", "split": "train"} if not row else None
    told = fate.of_crop(CROP | row, None, held, limits.of_crops("long"))
    assert (told.state, told.because) == (state, because)
    assert told.command.startswith(command) and bool(told.command) == bool(command)


def test_a_domain_is_judged_by_its_own_threshold(limits: Thresholds) -> None:
    row = CROP | {"reason": "implausible", "unrest": 0.35}
    assert "crop.max_unrest 0.3" in fate.of_crop(row, None, None, limits.of_crops("short")).because


def test_copies_and_selections_name_their_command(limits: Thresholds) -> None:
    copied = fate.of_crop(CROP, {"reason": "duplicate"}, None, [])
    assert copied.state == "given up as a copy" and copied.command.startswith("curate dedup")
    assert fate.of_crop(CROP, None, {"reason": "select", "split": "train"}, []).command == "curate select --undo"
    assert fate.of_crop(CROP, None, {"reason": "review", "split": "train"}, []).command.startswith("curate keep c")


def test_a_pair_is_kept_against_its_threshold_but_not_without_a_picture(limits: Thresholds) -> None:
    files = {"article_path": "a", "human_path": "h", "split": "test"}
    row = {"pair_id": "p", "reason": "colours_differ", "agreement": 0.4, **files}
    told = fate.of_pair(row, limits.of_pairs())
    assert told.because == "agreement 0.4, below pairs.min_agreement 0.6"
    assert told.command == "curate keep p && curate pairs"
    assert fate.of_pair(row | {"reason": "no_human", "human_path": None}, limits.of_pairs()).command == ""
    assert fate.of_pair(row | {"reason": "ok"}, limits.of_pairs()).state == "in the set: test"
    high = fate.of_pair(row | {"reason": "worn_at", "worn_at": 3.0}, limits.of_pairs())
    assert high.because == "worn_at 3, above pairs.worn_at 2.5"


@pytest.mark.parametrize("reason", sorted(manifest.IMAGES.reasons - {"ok"}))
def test_what_a_site_refuses_is_not_asked_for_again(reason: str) -> None:
    told = fate.of_candidate({"reason": reason})
    assert told.because
    if reason.startswith(("robots_denied", "optout")):
        assert not told.command


def test_every_threshold_of_crops_names_its_key() -> None:
    checks = [check for make in (face_criteria, crop_criteria) for check in make(CropRules())]
    assert {check.key for check in checks} <= set(CropRules.__struct_fields__)
    assert {check.column: check.key for check in checks}["face_px"] == "min_face"


def test_every_threshold_of_pairs_is_a_key_of_their_section(limits: Thresholds) -> None:
    found = {limit.key.partition(".")[2]: limit for limit in limits.of_pairs()}
    assert set(found) <= set(Pairs.__struct_fields__)
    assert {limit.reason for limit in found.values()} <= manifest.PAIRS.reasons
    assert {limit.column for limit in found.values()} <= set(manifest.PAIRS.schema.names)


def test_the_commands_can_be_typed(tmp_path: Path) -> None:
    """Each begins a command that there is, with options that it has."""
    told = [fate.of_candidate({"reason": reason}) for reason in manifest.IMAGES.reasons - {"ok"}]
    told += [fate.of_crop(CROP | {"reason": reason}, None, None, []) for reason in manifest.CROPS.reasons]
    commands = {part.strip() for one in told for part in one.command.split("&&") if part.strip()}
    named = {re.sub(r"=\w+|\"...\"| c\b", "", command) for command in commands}
    assert {command.split()[1] for command in named} == {"scrape", "crop", "dedup", "build", "keep", "reject", "review"}
    for command in named:
        name, *options = command.split()[1:]
        text = curate(name, "--help").stdout
        assert all(option in text for option in options), command
