"""`curate direction`: the directions along which generated pictures change, by labels or by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.train.latent import direction_files, directions, labels
from curate.train.latent.direction_files import SUFFIX, Direction
from curate.train.latent.directions import Floats
from curate.train.latent.face_measures import MEASURES
from curate.train.latent.latent_run import LatentRun
from curate.train.latent.picture_set import LABELS, PictureSet

Method = Literal["mean", "svm", "pca", "sefa"]
LABELLED: tuple[Method, ...] = ("mean", "svm")
FEWEST = 10  # pictures of a class from which a direction is looked for
NAMED_FROM = 0.3  # correlation with a measure from which a direction is called after it


@dataclass(frozen=True)
class Asked:
    """What is looked for."""

    method: Method
    label: str | None = None  # of mean and svm: a column, or COLUMN=VALUE
    count: int = 5  # of pca and sefa
    layers: str | None = None
    orthogonal_to: tuple[Direction, ...] = ()
    name: str | None = None  # what a labelled direction is called; after its label


def run(
    pictures: PictureSet, asked: Asked, out: Path, source: LatentRun | None = None, *, force: bool = False
) -> list[Direction]:
    """Finds what is asked for and writes a file for each into the folder `out`.

    sefa looks at the weights of `source`; the other methods need only the set. Raises UsageError for labels that are
    missing or part nothing, for classes of fewer than FEWEST pictures, and where other directions leave nothing.
    """
    num_ws = int(pictures.settings["num_ws"])
    first, last = layers = direction_files.parse_layers(asked.layers, num_ws)
    codes = pictures.codes()[:, first : last + 1].double().mean(1).numpy()
    others = [other.vector for other in asked.orthogonal_to]
    for other in asked.orthogonal_to:
        other.check(codes.shape[1], num_ws, str(pictures.folder))
    about: dict[str, Any] = {"method": asked.method, "run": pictures.settings.get("run"), "pictures": len(codes)}
    about["weights"] = pictures.settings.get("weights")
    if asked.orthogonal_to:
        about["orthogonal_to"] = [other.name for other in asked.orthogonal_to]
    measured = _measured(pictures)
    if asked.method in LABELLED:
        found = [_labelled(pictures, asked, codes, about)]
    else:
        found = _unlabelled(asked, codes, source, layers, others)
    made = []
    for name, vector, more in found:
        vector = directions.orthogonal_to(vector, others)
        related = _correlations(codes, vector, measured)
        if asked.method not in LABELLED:
            name, vector, related = _named(name, vector, related)
        said = {**about, **more, "correlations": related}
        made.append(Direction(name, vector, directions.spread(codes, vector), layers, said))
    targets = [out / f"{one.name}{ending}" for one in made for ending in (SUFFIX, ".json")]
    with OutputPlan(targets, [pictures.folder / LABELS], force=force) as plan:
        for one in made:
            direction_files.write(one, out, plan)
    return made


def _labelled(
    pictures: PictureSet, asked: Asked, codes: Floats, about: dict[str, Any]
) -> tuple[str, Floats, dict[str, Any]]:
    if asked.label is None:
        raise UsageError(f"--method {asked.method}: by which label?", "--label smile; pca and sefa want none")
    known, positive = labels.classes(pictures, asked.label)
    points, side = codes[known], positive[known]
    few = min(int(side.sum()), int((~side).sum()))
    if few < FEWEST:
        raise UsageError(
            f"--label {asked.label}: {int(side.sum())} pictures have it and {int((~side).sum())} have not",
            f"{FEWEST} of each are the least, hundreds are good: curate generate with more --seeds, curate label again",
        )
    about |= {"label": asked.label, "positive": int(side.sum()), "negative": int((~side).sum())}
    found = directions.separate(points, side) if asked.method == "svm" else directions.mean_separation(points, side)
    more: dict[str, Any] = {"held_out_accuracy": found.accuracy, "held_out": found.held_out}
    if asked.method == "svm":
        more["cost"] = found.cost
    name = asked.name or re.sub(r"[^\w.-]+", "-", asked.label).strip("-.") or "direction"
    return name, found.direction, more


def _unlabelled(
    asked: Asked, codes: Floats, source: LatentRun | None, layers: tuple[int, int], others: Sequence[Floats]
) -> list[tuple[str, Floats, dict[str, Any]]]:
    most = min(codes.shape[1] - len(others), len(codes) - 1)
    if not 0 < asked.count <= most:
        raise UsageError(f"--count {asked.count}: there are 1 to {most} directions here", "--count 5, say")
    if asked.method == "pca":
        vectors = directions.principal(codes, asked.count)
    else:
        assert source is not None, "sefa looks at the networks"
        vectors = directions.factorised(_style_weights(source, layers), asked.count)
    return [(f"{asked.method}{number}", vector, {}) for number, vector in enumerate(vectors, 1)]


def _style_weights(source: LatentRun, layers: tuple[int, int]) -> list[Floats]:
    """The weights by which each layer makes its styles from w, [channels, w_dim], of the layers in the range.

    Layer n is read by the n-th convolution and, of each block, the last w by its colours.
    """
    found: dict[int, list[Floats]] = {}
    convolution = 0
    for name, weight in source.generator.synthesis.state_dict().items():
        if not name.endswith("affine.weight"):
            continue
        is_colour = ".torgb." in name
        found.setdefault(convolution, []).append(weight.double().cpu().numpy())
        convolution += 0 if is_colour else 1
    return [weight for layer, several in found.items() if layers[0] <= layer <= layers[1] for weight in several]


def _measured(pictures: PictureSet) -> dict[str, Floats]:
    """The measures of the set by name; none where nobody measured it."""
    if not (pictures.folder / LABELS).is_file():
        return {}
    columns = labels.read(pictures)
    known = {name: labels.measure_column(name) for name in MEASURES}
    measures = {name: labels.as_measure(columns[column]) for name, column in known.items() if column in columns}
    return {name: values for name, values in measures.items() if values is not None}


def _correlations(codes: Floats, vector: Floats, measured: Mapping[str, Floats]) -> dict[str, float]:
    """With each measure, the strongest first; without those that say nothing."""
    if not measured:
        return {}
    table = np.column_stack(list(measured.values()))
    found = dict(zip(measured, directions.correlations(codes, vector, table).tolist(), strict=True))
    known = {name: value for name, value in found.items() if np.isfinite(value)}
    return dict(sorted(known.items(), key=lambda item: -abs(item[1])))


def _named(name: str, vector: Floats, related: dict[str, float]) -> tuple[str, Floats, dict[str, float]]:
    """A direction by what it changes most, turned so that there is more of it."""
    strongest = next(iter(related), None)
    if strongest is None or abs(related[strongest]) < NAMED_FROM:
        return name, vector, related
    sign = 1.0 if related[strongest] > 0 else -1.0
    return f"{name}-{strongest}", sign * vector, {key: sign * value for key, value in related.items()}


def parse_method(text: str) -> Method:
    """Raises UsageError for a word that is no method."""
    known: tuple[Method, ...] = ("mean", "svm", "pca", "sefa")
    for method in known:
        if text == method:
            return method
    raise UsageError(f"--method {text}: there are {', '.join(known)}", "svm and mean want a --label")
