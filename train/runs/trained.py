"""Networks that are ready to translate, and what they want to see: from a run's folder, or built from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from curate.pipeline.core.config import override
from curate.pipeline.core.errors import UsageError, one_line
from curate.train.data.transforms import to_float, to_values
from curate.train.engine import checkpoint
from curate.train.engine.contract import Recipe
from curate.train.recipes import RECIPES
from curate.train.runs.config import from_dict
from curate.train.runs.factory import build, check_bounds
from curate.train.runs.photo_networks import Floats, NetworkOutput, PhotoNetworks, PhotoRules
from curate.train.runs.stored import StoredCheckpoint, find_in_run


@dataclass(frozen=True, kw_only=True)
class Trained(PhotoNetworks):
    """A recipe with trained weights."""

    recipe: Recipe

    @property
    def system(self) -> str:
        """See PhotoNetworks."""
        return type(self.recipe).__name__

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = next(iter(self.recipe.state_dict().values())).device
        return device

    def painted(
        self, picture: Floats, direction: str, face: Floats | None = None, choice: Mapping[str, int] | None = None
    ) -> NetworkOutput:
        """See PhotoNetworks; what `recipe.render` makes."""
        seen, source = to_float(torch.from_numpy(picture)[None], self.device), direction[0]
        batch = {source: seen} | {key: torch.tensor([number]) for key, number in (choice or {}).items()}
        if (key := f"face_{source}") in self.keys:
            batch[key] = torch.zeros_like(seen[:, :1]) if face is None else torch.from_numpy(face).to(seen)[None, None]
        made = self.recipe.render(batch)
        mask, paint, attention = (made.get(f"{direction}_{part}") for part in ("mask", "paint", "attention"))
        return NetworkOutput(
            to_values(made[direction]),
            None if mask is None else mask[0, 0].float().cpu().numpy(),
            None if paint is None else to_values(paint),
            None if attention is None else to_values(attention),
        )


def load_run(path: Path, device: str = "auto", best: str | None = None) -> Trained:
    """The newest checkpoint of a run, the `best` by a metric, kid or kid_standin, or the one that RUN@WHICH names.

    Raises UsageError for a folder without a run, a run without a checkpoint, and a metric that it was not measured by.
    """
    return load_checkpoint(find_in_run(path, best or ""), device)


def load_checkpoint(stored: StoredCheckpoint, device: str = "auto") -> Trained:
    """The networks of a checkpoint. Raises UsageError for a file that is broken or doesn't fit its own config."""
    config_json = stored.config_json
    config = from_dict(config_json)
    check_bounds(config.recipe, config.model, str(stored.path))
    recipe = build(replace(config, run=override(config.run, "run", device=device)))
    photos = photo_rules(stored)
    model: Any = config.model
    return Trained(
        recipe=recipe,
        source=stored.source,
        step=checkpoint.load_weights(recipe, stored.path),
        side=config.data.size,
        domains=photos.domains,
        rules=photos.rules,
        directions=tuple(way for way in model.directions if {way[0], way[2]} <= photos.domains.keys()),
        keys=frozenset(RECIPES.resolve(config.recipe).keys(config.model)),
        width=photos.width,
        letterbox=photos.letterbox,
        any_size=model.any_size,
        files=(stored.path,),
        members=getattr(model, "members", 0),
    )


def photo_rules(stored: StoredCheckpoint) -> PhotoRules:
    """How the photos of the checkpoint's run were cut. Raises UsageError where its config does not say."""
    try:
        return PhotoRules.from_dict({**stored.config_json, **stored.config_json["data"]})
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{stored.path}: its run does not say how its photos were cut: {one_line(error)}", "train anew with --fresh"
        ) from None
