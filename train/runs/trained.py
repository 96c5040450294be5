"""Networks that are ready to translate, and what they want to see: from a run's folder, or built from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from curate.pipeline.core.config import as_dict, override, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.config import Letterbox
from curate.train.engine import checkpoint
from curate.train.engine.contract import Recipe
from curate.train.recipes import RECIPES
from curate.train.runs.config import from_dict
from curate.train.runs.factory import build, check_bounds
from curate.train.runs.stored import StoredCheckpoint, find_in_run


@dataclass(frozen=True)
class PhotoRules:
    """How the photos that networks were trained on were cut, so that new ones are cut alike."""

    domains: Mapping[str, str]  # the names of a and b
    rules: Mapping[str, CropRules]  # how photos of a and b are cut
    width: int | None = None  # px, of pairs; None: square
    letterbox: Letterbox = field(default_factory=Letterbox)  # what the pictures of pairs were boxed by

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; `from_dict` reads them."""
        rules = {key: as_dict(own) for key, own in self.rules.items()}
        return {
            "domains": dict(self.domains),
            "crop": rules,
            "width": self.width,
            "letterbox": as_dict(self.letterbox),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> PhotoRules:
        """Of values as a run's config.json has them. Raises UsageError, KeyError or TypeError for others."""
        domains = {str(key): str(name) for key, name in plain["domains"].items()}
        return cls(
            domains,
            {key: _known_rules(plain["crop"][key]) for key in domains},
            plain.get("width"),
            parse(Letterbox, plain.get("letterbox", {}), "letterbox"),
        )


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
    any_size: bool = True  # whether they take photos of other sizes than `side`, too
    files: tuple[Path, ...] = ()  # that the weights were read from
    members: int = 0  # of a council, of which a person chooses, as among styles; 0: of networks without

    @property
    def is_try_on(self) -> bool:
        """Whether these networks put articles on people, instead of going from one domain to another."""
        return "human" in self.keys

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = next(iter(self.recipe.state_dict().values())).device
        return device

    @property
    def usual_direction(self) -> str:
        """The one way that there is, or of two ways a2b."""
        return self.directions[0] if self.directions else "a2b"

    def check_direction(self, direction: str) -> None:
        """Raises UsageError for a direction that these weights do not go."""
        if self.is_try_on:
            raise UsageError(
                f"{self.source}: puts articles on people", "name one: --article shirt.jpg; in Python: article=shirt"
            )
        if "b" not in self.keys:
            raise UsageError(
                f"{self.source}: makes pictures of noise, and translates none", f"curate generate {self.source}"
            )
        if direction not in self.directions:
            known = ", ".join(f"{d}: {self.domains[d[0]]} to {self.domains[d[2]]}" for d in self.directions)
            raise UsageError(f"--direction {direction}: not one of {self.source}'s", known or "it has none")

    def check_size(self, size: int | Literal["photo"]) -> None:
        """Raises UsageError for a size, or the photo's own, that these weights do not take."""
        if self.is_try_on:
            raise UsageError(f"--size {size}: {self.source} gives whole photos at their own size", "leave it out")
        if not self.any_size and size != self.side:
            raise UsageError(f"{self.source}: takes images of {self.side} px alone", f"leave --size {size} out")
        if isinstance(size, int) and not (size % 4 == 0 and 16 <= size <= 1024):  # as data.size
            raise UsageError(f"--size {size}: not a multiple of 4 from 16 to 1024", "--size 256, say")


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
    photos = photo_rules(config_json)
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


def photo_rules(config_json: Mapping[str, Any]) -> PhotoRules:
    """How the photos of the run of `config_json` were cut."""
    return PhotoRules.from_dict({**config_json, **config_json["data"]})


def _known_rules(plain: Mapping[str, Any]) -> CropRules:
    """The crop rules of a run, which may be older than this code: keys that are no more are left out."""
    return parse(CropRules, {key: plain[key] for key in CropRules.__struct_fields__ if key in plain}, "crop")
