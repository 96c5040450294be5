"""Fine-tuning: networks that begin with another run's weights, or another project's, and layers that are frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError, nearest
from curate.train.engine.contract import Recipe
from curate.train.weights import exchange
from curate.train.weights.format import StateDict, fitted
from curate.train.weights.own import find_own, states
from curate.train.weights.shipped import located

States = Mapping[str, Mapping[str, Tensor]]


def load_initial(recipe: Recipe, name: str, path: Path) -> list[str]:
    """Gives the networks of `recipe`, which is called `name`, the weights in `path`, and says which got which.

    `path` is what `weights.exchange.read` takes: a run, RUN@WHICH, a file of one, or another project's weights. A
    network that is in `path` must fit as a whole; one that is not keeps its first weights, but for a moving average,
    which follows its generator. Image pools and the state of optimisers begin anew. Raises UsageError for another
    recipe's file, for names and shapes that don't fit, and where nothing fits at all.
    """
    module: Any = recipe
    children: dict[str, nn.Module] = dict(module.named_children())
    parts = {key: part for key, part in children.items() if list(part.parameters())}
    given = _states(path, name)
    report = []
    for key, part in parts.items():
        state = given.get(key) or _generator_of_average(key, given)
        if state is None:
            report.append(f"{key}: not in {path}, keeps its first weights")
            continue
        named = StateDict(key, f"{path}, {key}", state)
        part.load_state_dict(fitted(named, part, str, f"by train.{name}.model"))
        report.append(f"{key}: {len(state)} tensors from {path}")
    if not given.keys() & parts.keys():
        raise UsageError(
            f"{path}: holds {', '.join(given) or 'nothing'}, and {name} has {', '.join(parts)}",
            f"see what is in it: curate weights show {path}",
        )
    return [*report, *(f"{key}: not used" for key, state in given.items() if key not in parts and state)]


def freeze(recipe: Recipe, patterns: Iterable[str]) -> list[str]:
    """Freezes the parameters that the `patterns` name, as run.freeze has them, and returns their names.

    A pattern is a name of a parameter or of a part that has some, with the wildcards * ? [0-9]: d_a, d_*.model.0,
    g_*.bias. Freezing the first layers of the discriminators is FreezeD: Mo et al., Freeze the Discriminator: a Simple
    Baseline for Fine-Tuning GANs (2020). Raises UsageError for a pattern that names nothing, with the nearest name,
    and where an optimiser would have nothing left.
    """
    module: Any = recipe
    names = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    frozen: dict[str, None] = {}
    for pattern in patterns:
        matched = [name for name in names if any(fnmatchcase(part, pattern) for part in _with_parents(name))]
        if not matched:
            known = list(dict.fromkeys(part for name in names for part in _with_parents(name)))
            parts = ", ".join(part for part in known if "." not in part)
            raise UsageError(
                f"run.freeze: {pattern}: names no layer{nearest(pattern, known)}",
                f"parts: {parts}; and below: {', '.join(known[1:4])}, ...",
            )
        frozen |= dict.fromkeys(matched)
    for name in frozen:
        names[name].requires_grad_(False)
    for key, optimizer in recipe.optimizers.items():
        if not any(p.requires_grad for group in optimizer.param_groups for p in group["params"]):
            raise UsageError(f"run.freeze: nothing is left for {key} to train", "leave some of its layers free")
    return list(frozen)


def _with_parents(name: str) -> list[str]:
    """d, d.model, d.model.0, d.model.0.weight."""
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words) + 1)]


def _generator_of_average(key: str, states: States) -> Mapping[str, Tensor] | None:
    """For a moving average that is not there, the generator that it follows."""
    if not key.startswith("average"):
        return None
    generator = states.get(key.replace("average", "g")) or states.get("generator")
    return {f"network.{name}": value for name, value in generator.items()} if generator else None


def _states(path: Path, name: str) -> States:
    """Tensors by network and name. Raises UsageError for another recipe's."""
    (path,) = located([path])
    own = find_own([path])
    if own is None and not path.exists():
        raise UsageError(f"{path}: there is nothing to begin with", "--from takes a run's folder or a file of weights")
    networks: States
    if own is not None:
        system, networks = str(own.config_json["recipe"]), states(own)
    else:
        imported = exchange.read(path)
        system, networks = imported.system, imported.networks
    if system != name:
        raise UsageError(f"{path}: holds networks of {system}, not of {name}", f"train that: curate train {system}")
    return networks
