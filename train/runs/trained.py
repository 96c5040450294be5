"""Networks that are ready to translate, and what they want to see: from a run's folder, or built from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from curate.pipeline.core.config import override, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.config import Letterbox
from curate.train.engine import checkpoint
from curate.train.engine.contract import Recipe
from curate.train.recipes import RECIPES
from curate.train.runs.config import from_dict
from curate.train.runs.factory import build
from curate.train.runs.run_dir import RunDir


@dataclass(frozen=True)
class Trained:
    """A recipe with trained weights. `domains`, `rules` and `directions` speak of "a" and "b"."""

    recipe: Recipe
    source: str  # where the weights come from
    step: int | None  # steps that they have seen; None where it is not recorded
    side: int | None  # px of the images that they want; None for any
    domains: Mapping[str, str]  # the names of a and b
    rules: Mapping[str, CropRules]  # how photos of a and b are cut
    directions: tuple[str, ...]  # a2b, b2a: those that have weights
    keys: frozenset[str]  # what the recipe's batches hold
    width: int | None = None  # px, of pairs; None: square
    letterbox: Letterbox = field(default_factory=Letterbox)  # what the pictures of pairs were boxed by

    @property
    def is_try_on(self) -> bool:
        """Whether these networks put articles on people, instead of going from one domain to another."""
        return "human" in self.keys

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = next(iter(self.recipe.state_dict().values())).device
        return device

    def check_direction(self, direction: str) -> None:
        """Raises UsageError for a direction that these weights do not go."""
        if self.is_try_on:
            raise UsageError(
                f"{self.source}: puts articles on people", "name one: --article shirt.jpg; in Python: article=shirt"
            )
        if direction not in self.directions:
            known = ", ".join(f"{d}: {self.domains[d[0]]} to {self.domains[d[2]]}" for d in self.directions)
            raise UsageError(f"--direction {direction}: not one of {self.source}'s", known or "it has none")


def load_run(path: Path, device: str = "auto", best: str | None = None) -> Trained:
    """The newest checkpoint of a run, or the `best` by a metric: kid, or kid_standin.

    Raises UsageError for a folder without a run, a run without a checkpoint, and a metric that it was not measured by.
    """
    run_dir = RunDir(path)
    config_json = run_dir.read()
    config = from_dict(config_json)
    weights = checkpoint.newest(run_dir.checkpoints) if best is None else _best_checkpoint(run_dir.best, best)
    if weights is None:
        raise UsageError(f"{path}: no checkpoint yet", f"train it: curate train {config.recipe}")
    recipe = build(replace(config, run=override(config.run, "run", device=device)))
    domains = config.data.domains
    return Trained(
        recipe=recipe,
        source=str(path),
        step=checkpoint.load_weights(recipe, weights),
        side=config.data.size,
        domains=domains,
        rules={key: _known_rules(config_json["crop"][key]) for key in domains},
        directions=tuple(f"{a}2{b}" for a in sorted(domains) for b in sorted(domains) if a != b),
        keys=frozenset(RECIPES.resolve(config.recipe).keys(config.model)),
        width=config.data.width,
        letterbox=parse(Letterbox, config_json.get("letterbox", {}), "letterbox"),
    )


def _best_checkpoint(folder: Path, metric: str) -> Path:
    """The networks of the step that was best by `metric`, which may leave out the feature net where there is one."""
    metrics = {path: path.stem.rpartition("-")[0] for path in sorted(folder.glob("*.safetensors"))}
    matching = {path: name for path, name in metrics.items() if metric in (name, name.partition("_")[0])}
    names = sorted(set(matching.values()))
    if len(names) != 1:
        known = ", ".join(names or sorted(set(metrics.values()))) or "none"
        raise UsageError(
            f"{folder}: {'more than one' if names else 'no'} best by '{metric}': there are {known}",
            "name one of them; runs are measured while run.measure_every is not 0, and keep run.keep_best of each",
        )
    return min(matching, key=lambda path: checkpoint.read(path)[0]["value"])


def _known_rules(plain: Mapping[str, Any]) -> CropRules:
    """The crop rules of a run, which may be older than this code: keys that are no more are left out."""
    return parse(CropRules, {key: plain[key] for key in CropRules.__struct_fields__ if key in plain}, "crop")
