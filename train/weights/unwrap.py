"""The networks in what a file holds, whatever they are wrapped in.

Projects save a bare state dict, several by name in one dict, a trainer's whole state with the networks somewhere in it,
or a module that has them as attributes: the same names behind another prefix. torch.compile, DataParallel and Lightning
put prefixes of their own before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from curate.pipeline.core.errors import UsageError, nearest
from curate.train.engine.safetensors_file import MOST_TENSORS
from curate.train.weights.format import State, StateDict

DEEPEST = 8  # parts of a prefix

WRAPPERS = ("_orig_mod", "module")  # of torch.compile and of DataParallel; they stand anywhere in a name

GENERIC = {
    *("state_dict", "model", "model_state_dict", "models", "net", "nets", "network", "networks", "params", "weights"),
    *("checkpoint", "ema", "params_ema", "model_ema", "ema_model", "shadow", "average", "state", "params_dict"),
    *("generator", "generator_ema", "gen", "g", "g_ema", "netg", "discriminator", "dis", "d", "netd"),
}
"""Parts of a prefix that don't say which network it is: the file's name may."""

BOOKKEEPING = ("n_averaged", "num_updates", "decay", "initted", "step", "global_step", "epoch")
"""Single numbers that averages and trainers keep beside the weights."""

AVERAGE = re.compile(r"(?i)(?<![a-z])_?(ema|averaged?|avg|shadow|swa)_?(?![a-z])")

Rename = tuple[str, str]


def parse_rename(text: str) -> Rename:
    """A `--map FROM=TO`. Raises UsageError."""
    old, equals, new = text.partition("=")
    if not equals or not (old or new):
        raise UsageError(f"--map {text}: no FROM=TO", "as in --map netG.=g_a2b. or --map encoder.=")
    return old, new


def unwrap(
    content: Mapping[Any, Any], path: Path, recognises: Callable[[State], bool], renames: Sequence[Rename] = ()
) -> list[StateDict]:
    """Every network in `content`, the file `path`, that `recognises` says yes to, its names without any prefix.

    Of a network and its moving average, the average. `renames` are applied to the beginnings of names first. Raises
    UsageError where nothing is a tensor, and for a rename that fits no name.
    """
    flat = _renamed(dict(_flat(content, path)), renames, path)
    if not flat:
        raise UsageError(f"{path}: holds no weights", f"keys: {', '.join(map(str, list(content)[:8])) or 'none'}")
    found = list(_networks(flat, "", recognises))
    return [_labelled(prefix, state, path) for prefix, state in _without_twins(found)]


def is_optimizer(content: Mapping[Any, Any]) -> bool:
    """Whether a file holds states of optimisers, by name or alone, and nothing else."""
    parts = [content] if "param_groups" in content else list(content.values())
    return bool(parts) and all(isinstance(part, Mapping) and "param_groups" in part for part in parts)


def whole(content: Mapping[Any, Any], path: Path) -> list[StateDict]:
    """All state dicts of a file in which nothing is recognised, as it has them."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in _flat(content, path):
        outer = next((str(key) for key, inner in content.items() if inner is not value and _within(name, key)), "")
        parts.setdefault(outer, {})[name[len(outer) + 1 :] if outer else name] = value
    return [StateDict(key or path.stem, f"{path}, {key}" if key else str(path), state) for key, state in parts.items()]


def _within(name: str, key: Any) -> bool:
    return name.startswith(f"{key}.")


def _flat(content: Any, path: Path) -> Iterator[tuple[str, Tensor]]:
    """Tensors by their whole name. Optimisers' states, and whatever is no tensor, are left out."""
    waiting, seen = [("", content, 0)], 0
    while waiting:
        prefix, value, depth = waiting.pop()
        seen += 1
        if seen > MOST_TENSORS:
            raise UsageError(f"{path}: broken: it holds more than {MOST_TENSORS:,} names", "fetch or make it again")
        if isinstance(value, Tensor) and prefix:
            yield prefix, value
        elif isinstance(value, Mapping | list | tuple) and depth < DEEPEST:
            entries = value.items() if isinstance(value, Mapping) else enumerate(value)
            if isinstance(value, Mapping) and ("param_groups" in value or "optim" in prefix.rpartition(".")[2].lower()):
                continue
            waiting += [(f"{prefix}.{key}" if prefix else str(key), leaf, depth + 1) for key, leaf in entries][::-1]


def _renamed(flat: dict[str, Tensor], renames: Sequence[Rename], path: Path) -> dict[str, Tensor]:
    for old, new in renames:
        if not any(name.startswith(old) for name in flat):
            starts = sorted({name[: len(old)] for name in flat})
            raise UsageError(
                f"{path}: --map {old}={new}: no name begins with {old}{nearest(old, starts)}",
                f"names: {', '.join(list(flat)[:3])}, ...; all of them: curate weights show {path}",
            )
        renamed = {new + name[len(old) :] if name.startswith(old) else name: value for name, value in flat.items()}
        if len(renamed) < len(flat):
            raise UsageError(f"{path}: --map {old}={new}: two weights get one name", "choose another TO")
        flat = renamed
    return flat


def _networks(state: Mapping[str, Tensor], prefix: str, recognises: Callable[[State], bool]) -> Iterator[Any]:
    clean = {_without_wrappers(name): value for name, value in state.items()}
    if len(clean) == len(state) and recognises(clean):
        yield prefix, {name: value for name, value in clean.items() if name not in BOOKKEEPING or value.ndim}
        return
    if len(re.findall(r"[./]", prefix)) >= DEEPEST:
        return
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        if part := re.match(r"[^./]+[./](?=.)", name):
            groups.setdefault(part[0], {})[name[part.end() :]] = value
    for part_name, group in groups.items():
        yield from _networks(group, prefix + part_name, recognises)


def _without_wrappers(name: str) -> str:
    return re.sub(rf"(?:(?<=^)|(?<=\.))(?:{'|'.join(WRAPPERS)})\.", "", name)


def _without_twins(found: list[tuple[str, State]]) -> list[tuple[str, State]]:
    """`found` without networks that stand beside their moving average."""
    averages = {prefix: AVERAGE.sub("", prefix).strip("._/") for prefix, _ in found if AVERAGE.search(prefix)}
    plain = [(prefix, state) for prefix, state in found if prefix not in averages]
    followed = set()
    for prefix, state in found:
        if prefix not in averages:
            continue
        alike = [other for other, theirs in plain if _shapes(theirs) == _shapes(state)]
        same = [other for other in alike if other.strip("._/") == averages[prefix]]
        followed |= set(same or alike if len(same or alike) == 1 else [])
    return [(prefix, state) for prefix, state in found if prefix not in followed]


def _shapes(state: State) -> dict[str, Any]:
    return {name: value.shape for name, value in state.items()}


def _labelled(prefix: str, state: State, path: Path) -> StateDict:
    parts = [part for part in re.split(r"[./]", prefix) if part]
    telling = [part for part in parts if part.lower() not in GENERIC and part not in WRAPPERS]
    label = telling[-1] if telling else path.stem
    return StateDict(label, f"{path}, {prefix.rstrip('./')}" if parts else str(path), state)
