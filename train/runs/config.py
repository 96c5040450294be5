"""A run's config: the section train.NAME of params.yaml, in its groups `data`, `run` and the recipe's own `model`.

`read` and `recipe_sections` read it, `explain_recipe` says where each of its values comes from, and `from_dict` reads
what a run has kept of it in config.json. None of it loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from curate.pipeline.core.config import (
    Layer,
    NonNegative,
    Origin,
    Params,
    Positive,
    Section,
    as_dict,
    explain,
    override,
    parse,
)
from curate.pipeline.core.documents import from_yaml
from curate.pipeline.core.errors import UsageError, nearest
from curate.train.data.config import DataConfig
from curate.train.engine.config import Compile, PrecisionName
from curate.train.recipes import RECIPES, model_section

if TYPE_CHECKING:
    from curate.train.engine.precision import Precision


class RunConfig(Section, frozen=True, kw_only=True):
    """How a run goes; train.NAME.run in params.yaml."""

    steps: Positive | None = None  # in all; None: as many as `epochs` take
    epochs: Positive = 200  # times through the larger domain; CycleGAN (2017), section 4
    batch: Positive = 1  # images per domain, process and part of a step; CycleGAN (2017), section 4
    accumulate: Positive = 1  # parts of a step, one after the other: the gradients of as many times `batch` images
    seed: Annotated[int, Meta(ge=0)] = 0  # another seed, another run
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: cuda where there is one
    threads: NonNegative = 0  # of a CPU; 0: one per core. Fixed, sums are the same on every machine
    precision: PrecisionName = "fp32"  # bf16: networks under autocast, losses in fp32
    tf32: bool = True  # fp32 on a GPU: products by tensor cores, with 10 bits of mantissa; off for parity
    channels_last: bool = False  # channels innermost in memory, as tensor cores want them
    compile: Compile = "none"  # networks by torch.compile; graphs: replayed as CUDA graphs, too
    weights: str | None = None  # what the networks begin with: a run's folder, or a file of weights; --from
    freeze: tuple[str, ...] = ()  # layers that are held, as d_*.model.0; FreezeD (arXiv 2002.10964) holds D's first
    tick: Positive = 50  # steps between two lines of losses
    samples: NonNegative = 4  # held-out images per domain in a sample grid
    sample_every: Positive = 500  # steps, taken at the next tick
    checkpoint_every: Positive = 500  # steps
    keep_last: Positive = 2  # checkpoints
    keep_best: NonNegative = 1  # checkpoints per metric, without what only going on needs
    measure_every: NonNegative = 500  # steps to the first measurement; later ones are rarer. 0: never
    metrics: tuple[Literal["kid", "fid"], ...] = ("kid",)  # of the held-out images, by which networks are kept
    held_out: Annotated[int, Meta(ge=2, le=5000)] = 128  # images per domain that are measured, at the most
    features: str | None = None  # the metrics' net: lite0, standin or an Inception's file; None: lite0 if there

    def make_precision(self) -> Precision:
        """How the networks are run: the four keys from `precision` to `compile`."""
        from curate.train.engine.precision import Precision  # with torch, which reading params.yaml does without

        return Precision(self.precision, self.tf32, self.channels_last, self.compile)


# Keys of `run` that change what is learnt, beside batch * accumulate * processes; the others may change on the way.
IDENTITY = ("seed", "precision", "weights", "freeze")

# What changes what is learnt and may yet change on the way: from then on a run is not that of its config.json's values
# alone, which is why the change is recorded there.
CHANGEABLE = frozenset({"run.precision", "run.batch * accumulate * processes", "model.lr", "model.discriminator_lr"})


class ConfigGroups(Section, frozen=True, kw_only=True):
    """The keys of one train.NAME section; None where every line of a group is commented out."""

    data: Mapping[str, Any] | None = None
    run: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None

    def written(self, group: str) -> Mapping[str, Any]:
        """What is written down for `group`: data, run or model."""
        found: Mapping[str, Any] | None = getattr(self, group)
        return found or {}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a person can choose about a run."""

    recipe: str
    data: DataConfig
    run: RunConfig
    model: Section

    def as_dict(self) -> dict[str, Any]:
        """The config as plain values, for JSON."""
        groups = {"data": self.data, "run": self.run, "model": self.model}
        return {"recipe": self.recipe, **{name: as_dict(group) for name, group in groups.items()}}


def read(params: Params, recipe: str, flags: Mapping[str, Any] | None = None) -> TrainConfig:
    """The config of `recipe`: the file's, else the defaults, overridden by `flags` with dotted keys (run.steps).

    A flag of None was not given. Raises UsageError for an unknown recipe or key and for values out of range.
    """
    defaults, kinds = model_section(recipe).DEFAULTS, _kinds(recipe)
    where = f"train.{recipe}"
    params.section("train", _recipes())  # another recipe's name with a typo is an error, not silence
    groups = params.section(where, ConfigGroups)
    flags_by_group = _by_group(recipe, flags or {})
    plain: dict[str, Any] = {"recipe": recipe}
    for group, own_flags in flags_by_group.items():
        name = f"{where}.{group}"
        values = _merged(defaults.get(group, {}), groups.written(group), own_flags)
        plain[group] = as_dict(override(parse(kinds[group], values, name, params.path), name, **own_flags))
    return validate(from_dict(plain))


def branched(config_json: Mapping[str, Any], recipe: str, flags: Mapping[str, Any]) -> TrainConfig:
    """The config of a run that goes on from the one of `config_json`: that one's, overridden by `flags` alone.

    Raises UsageError as `read` does, for another recipe than the run's, and for what its state can't go on with.
    """
    if config_json["recipe"] != recipe:
        raise UsageError(
            f"--branch: that is a run of {config_json['recipe']}, not of {recipe}",
            f"go on with it by: curate train {config_json['recipe']} --branch",
        )
    old, groups = from_dict(config_json), _by_group(recipe, flags)
    for key in ("size", "width"):
        if groups["data"].get(key) not in (None, getattr(old.data, key)):
            raise UsageError(
                f"data.{key}: {getattr(old.data, key)} -> {groups['data'][key]}: a branch keeps the size of its images",
                "begin with the run's networks instead: --from RUN",
            )
    steps = None if flags.get("run.epochs") is not None else old.run.steps
    plain: dict[str, Any] = {"recipe": recipe}
    for group, section in (("data", old.data), ("run", old.run), ("model", old.model)):
        values = as_dict(section) | ({"steps": steps, "weights": None} if group == "run" else {})
        own = {key: value for key, value in groups[group].items() if value is not None}
        where = f"train.{recipe}.{group}"
        plain[group] = as_dict(override(parse(type(section), values, where), where, **own))
    return validate(from_dict(plain))


def _by_group(recipe: str, flags: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`flags`, by dotted keys, as those of data, run and model. Raises UsageError for a key that there is not."""
    where, kinds = f"train.{recipe}", _kinds(recipe)
    flags_by_group: dict[str, dict[str, Any]] = {name: {} for name in kinds}
    for key, value in flags.items():
        group, _, name = key.partition(".")
        if group not in kinds or not name:
            known = [f"{group}.{field}" for group, kind in kinds.items() for field in kind.__struct_fields__]
            today = kinds["model"].RENAMED.get(key, "").partition(",")[0]
            meant = [f"model.{today}"] if today else [full for full in known if full.endswith(f".{key}")]
            close = f"; did you mean '{meant[0]}'?" if meant else nearest(key, known)
            raise UsageError(f"{where}: there is no key '{key}'{close}", "write group.key, as in model.lr")
        flags_by_group[group][name] = value
    return flags_by_group


def recipe_sections(recipe: str, written: Mapping[str, Any]) -> dict[str, Section]:
    """data, run and model of `recipe`, where params.yaml has `written` below train.RECIPE, each by itself.

    Sizes that a run takes from its data are still None. Raises UsageError as `read` does.
    """
    defaults, where = model_section(recipe).DEFAULTS, f"train.{recipe}"
    groups = parse(ConfigGroups, written, where)
    return {
        group: parse(kind, _merged(defaults.get(group, {}), groups.written(group), {}), f"{where}.{group}")
        for group, kind in _kinds(recipe).items()
    }


def explain_recipe(params: Params, recipe: str, flags: Mapping[str, Any]) -> list[Origin]:
    """Every key of train.RECIPE as a run with these `flags` (dotted: run.steps) has it. Raises what `read` does.

    Sizes that a run takes from its data are shown as it will have them.
    """
    config = read(params, recipe, flags)
    groups = params.section(f"train.{recipe}", ConfigGroups)
    found: list[Origin] = []
    for group in ("data", "run", "model"):
        own_flags = {k.partition(".")[2]: v for k, v in flags.items() if k.startswith(f"{group}.") and v is not None}
        defaults = model_section(recipe).DEFAULTS.get(group, {})
        values = as_dict(getattr(config, group))  # a recipe's steps give way to epochs
        layers: list[Layer] = [
            (f"{recipe}'s default", {key: value for key, value in defaults.items() if values[key] == value}),
            (str(params.path or "params.yaml"), groups.written(group)),
            ("command line", own_flags),
        ]
        if group == "model" and getattr(config.model, "size", None) not in (
            None,
            groups.written(group).get("size"),
        ):
            layers.insert(0, (f"follows from train.{recipe}.data.size", {"size": None}))
        found += explain(getattr(config, group), f"train.{recipe}.{group}", layers)
    return found


def _kinds(recipe: str) -> dict[str, type[Section]]:
    """The classes of train.RECIPE.data, run and model."""
    return {"data": DataConfig, "run": RunConfig, "model": model_section(recipe)}


def _merged(defaults: Mapping[str, Any], written: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's `defaults` under what the file says; without their steps where the file or the flags say epochs."""
    merged = {key: value for key, value in defaults.items() if key != "steps" or "epochs" not in written}
    merged |= written
    if flags.get("epochs") is not None:
        merged.pop("steps", None)
    return merged


def _recipes() -> type[Section]:
    """The section `train`: a key for each recipe."""
    fields = [(name, Any, None) for name in RECIPES]
    made: Any = msgspec.defstruct("Train", fields, bases=(Section,), frozen=True, kw_only=True)
    kind: type[Section] = made
    return kind


def from_dict(plain: Mapping[str, Any]) -> TrainConfig:
    """The config that `TrainConfig.as_dict` made `plain` from. Raises UsageError for what no longer fits."""
    recipe = plain["recipe"]
    return TrainConfig(
        recipe,
        parse(DataConfig, plain["data"], f"train.{recipe}.data"),
        parse(RunConfig, plain["run"], f"train.{recipe}.run"),
        parse(model_section(recipe), plain["model"], f"train.{recipe}.model"),
    )


def validate(config: TrainConfig) -> TrainConfig:
    """`config`, if its values go together; a model.size that was left open is data.size. Raises UsageError."""
    if getattr(config.model, "size", config.data.size) is None:
        sized = override(config.model, f"train.{config.recipe}.model", size=config.data.size)
        config = replace(config, model=sized)
    if config.data.load_side < config.data.size:
        raise UsageError(
            f"train.{config.recipe}.data.load: {config.data.load} is less than size, {config.data.size}",
            "crops are enlarged to load and cut to size: leave load out, or make it size or more",
        )
    model: Any = config.model
    model.check_images(config.data.size, config.data.width or config.data.size)
    return config


def parse_assignment(text: str) -> tuple[str, Any]:
    """A `--set group.key=value` as key and value, the value read as YAML. Raises UsageError."""
    key, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError("no '='")
        return key.strip(), from_yaml(value)
    except ValueError as error:
        raise UsageError(f"--set {text}: {error}", "write group.key=value, as in --set model.lr=0.0001") from None
