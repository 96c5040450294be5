"""Networks of our own runs, taken like other projects' files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.engine import checkpoint
from curate.train.runs.config import from_dict
from curate.train.runs.stored import StoredCheckpoint, find
from curate.train.runs.trained import photo_rules
from curate.train.weights.format import ImportedNetworks
from curate.train.weights.unwrap import Rename


def find_own(paths: Sequence[Path]) -> StoredCheckpoint | None:
    """The one of our checkpoints that `paths` name. Raises UsageError where one is named beside other files."""
    owns = [own for path in paths if (own := find(path)) is not None]
    if owns and len(paths) > 1:
        raise UsageError(f"{owns[0].source}: a run's networks, which are a whole", "name it alone")
    return owns[0] if owns else None


def check_own(own: StoredCheckpoint, system: str | None, renames: Sequence[Rename]) -> None:
    """Raises UsageError for another `system`, and for renames, of which a run's names need none."""
    check_same(own.source, str(own.config_json["recipe"]), system)
    refuse_renames(own.source, renames)


def check_same(where: Path | str, name: str, system: str | None) -> None:
    """Raises UsageError where networks of `name` are asked for as those of another `system`."""
    if system not in (None, name):
        raise UsageError(f"{where}: holds networks of {name}, not of {system}", f"use --system {name}")


def refuse_renames(where: Path | str, renames: Sequence[Rename]) -> None:
    """Raises UsageError for a --map of names that are ours already."""
    if renames:
        raise UsageError(f"{where}: --map: its names are known as they are", "leave --map out")


def states(own: StoredCheckpoint) -> dict[str, dict[str, Tensor]]:
    """Every network of a checkpoint by the recipe's name of it, moving averages among them, without image pools."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in checkpoint.read(own.path)[1].items():
        network, _, rest = key.removeprefix("model/").partition(".")
        if key.startswith("model/") and rest and rest != "_extra_state":
            found.setdefault(network, {})[rest] = value
    return found


def average_of(role: str) -> str:
    """The name of the moving average of the generator `role`; "" for what is none."""
    if role == "generator":
        return "average"
    return f"average_{role.removeprefix('g_')}" if role.startswith("g_") else ""


def read_checkpoint(own: StoredCheckpoint, known: Sequence[str]) -> ImportedNetworks:
    """The `known` networks of a checkpoint, generators by their moving average, with which a run renders.

    Where the average is known beside its generator, as the authors of StyleGAN2 keep both, each is itself.
    """
    config = from_dict(own.config_json)
    header, parts = checkpoint.read_header(own.path), states(own)
    networks: dict[str, Mapping[str, Tensor]] = {role: parts[role] for role in known if role in parts}
    for role in known:
        if average_of(role) not in known and (state := parts.get(average_of(role))):
            networks[role] = {key.removeprefix("network."): value for key, value in state.items()}
    return ImportedNetworks(
        config.recipe,
        config.model,
        networks,
        config.data.size,
        step=int(header["step"]),
        photos=photo_rules(own),
    )
