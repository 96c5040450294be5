"""Generators as ONNX files, one for each direction and member of a council: for `curate translate --onnx`, and for any
other runtime of ONNX. CAGAN's and StyleGAN2's, which `--onnx` does not run: train/weights/onnx_generators.py.

    a2b.onnx    b2a.onnx    a2b-member-0.onnx    a2b-member-1.onnx

Inputs are `image` [N, 3, side, side] in [-1, 1]; of networks that look at faces `face` [N, 1, side, side] in [0, 1]; of
councils `z` [N, style]. Outputs are `translated`; of networks with a mask `mask` [N, 1, side, side] in [0, 1] and
`paint`, of which translated = mask paint + (1 - mask) image; of those that tell where they looked `attention`. N is
free.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.outputs import OutputPlan, files_of
from curate.pipeline.core.progress import SILENT, Progress
from curate.train.engine.rng import generator
from curate.train.recipes.stylegan2.recipe import StyleGAN2
from curate.train.runs.onnx_facts import PARTS, STYLES, OnnxFacts
from curate.train.runs.trained import Trained
from curate.train.weights.onnx_generators import MappingHalf, Swap, SynthesisHalf, smooth_pictures

OPSET = 18  # which every release of onnxruntime since 1.15 computes
CHECKED = 8  # inputs on which each file is compared with torch
TOLERANCE = 0.25  # of 255 levels: how far any px may be off


def write(
    trained: Trained, out: Path, *, sources: Iterable[Path] = (), force: bool = False, progress: Progress = SILENT
) -> list[Path]:
    """Writes the files of the generators of `trained` into the folder `out`; returns their paths.

    Each is compared with torch on 8 inputs before it is written. Raises UsageError for networks without a generator,
    and like OutputPlan; CurateError for a file that computes something else.
    """
    made = {out / f"{name}.onnx": (network, facts) for name, network, facts in _networks(trained)}
    if not made:
        raise UsageError(f"{trained.source}: no generator that goes from one domain to another", "name another run")
    with OutputPlan(made, files_of(sources), force=force) as plan, progress.task("onnx", len(made)) as task:
        for path, (network, facts) in made.items():
            data = exported(network, facts)
            with plan.write(path) as temporary:
                temporary.write_bytes(data)
            task.advance()
    return list(made)


def _networks(trained: Trained) -> Iterator[tuple[str, Exportable, OnnxFacts]]:
    """The generators of `trained` by the names of their files, and what is told of each."""
    recipe: Any = trained.recipe
    side = trained.side or 256
    if trained.is_try_on:
        yield "swap", Swap(recipe, side, trained.width or side), OnnxFacts.of(trained, "", side)
        return
    if isinstance(recipe, StyleGAN2):
        network = recipe.average.network
        for name, half in (("mapping", MappingHalf(network)), ("synthesis", SynthesisHalf(network))):
            yield name, half, OnnxFacts.of(trained, "", side)
        return
    face = bool(getattr(recipe.config, "face_branch", False))  # others have the key for their losses alone
    for way in trained.directions:
        for member in range(max(1, trained.members)):
            one = OneWay(recipe, way, side, member=member if trained.members else None, face=face)
            styles = [row.tolist() for row in one.styles()]
            name = f"{way}-member-{member}" if trained.members else way
            yield name, one, OnnxFacts.of(trained, way, side, styles)


def exported(network: Exportable, facts: OnnxFacts) -> bytes:
    """`network` as a checked ONNX file that says `facts` of itself."""
    module = network.cpu().eval()
    inputs = module.examples(2)
    with torch.no_grad(), _quietly():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(network.parts),
            dynamic_shapes=tuple({0: "batch"} for _ in inputs),
            custom_translation_table=TRANSLATIONS,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props.update(facts.as_metadata())
        data: bytes = program.model_proto.SerializeToString()
    check(network, data, facts.source)
    return data


class OneWay(nn.Module):
    """A recipe's generator of one direction, as a function of tensors alone."""

    def __init__(self, recipe: Any, way: str, side: int, *, member: int | None, face: bool) -> None:
        super().__init__()
        self.recipe, self.way, self.side, self.member, self.face = recipe, way, side, member, face
        with torch.no_grad():
            made = self._made(*self.examples(1).values())
        self.parts = tuple(part for part in PARTS if part in made)  # what comes out: found by trying

    def forward(self, image: Tensor, more: Tensor | None = None) -> tuple[Tensor, ...]:
        """Its `parts`, in that order; `more` is the face, or z."""
        made = self._made(image, more)
        return tuple(made[part] for part in self.parts)

    def examples(self, count: int) -> dict[str, Tensor]:
        """Inputs by name: `count` smooth pictures, each with a face and a style of its own where they are wanted."""
        image = smooth_pictures("image", count, self.side, self.side)
        inputs = {"image": image}
        if self.face:
            inputs["face"] = image[:, :1].abs()
        if self.member is not None:
            inputs["z"] = self.styles()[:count]
        return inputs

    def styles(self) -> Tensor:
        """z of the first styles by their numbers, [STYLES, style]; none of networks without."""
        if self.member is None:
            return torch.zeros(0, 0)
        rows: Tensor = torch.stack(
            [torch.randn(self.recipe.config.style, generator=generator("style", n)) for n in range(STYLES)]
        )
        return rows

    def _made(self, image: Tensor, more: Tensor | None = None) -> dict[str, Tensor]:
        if self.member is not None:
            return dict(zip(PARTS, self.recipe.painted_by(self.member, image, more)[:3]))
        batch = {self.way[0]: image} | ({f"face_{self.way[0]}": more} if more is not None else {})
        made = self.recipe.render(batch)
        return {"translated": made[self.way]} | {
            part: made[name] for part in PARTS if (name := f"{self.way}_{part}") in made
        }


Exportable = OneWay | Swap | MappingHalf | SynthesisHalf


def check(network: Exportable, data: bytes, source: str) -> None:
    """Raises CurateError where the ONNX file `data` computes something else than `network`, on CHECKED inputs at once
    and on the first alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for count in (CHECKED, 1):
        inputs = {name: value[:count] for name, value in network.examples(CHECKED).items()}
        with torch.no_grad():
            wanted = network(*inputs.values())
        got = session.run(list(network.parts), {name: value.numpy() for name, value in inputs.items()})
        shares = {part: ours.numpy() for part, ours in zip(network.parts, wanted, strict=True) if part == "mask"}
        for part, ours, theirs in zip(network.parts, wanted, got, strict=True):
            share = shares.get("mask", 1.0) if part == "paint" else 1.0  # under no mask any paint will do
            off = float((np.abs(ours.numpy() - theirs) * share).max()) * 127.5
            if not off <= TOLERANCE:
                raise CurateError(
                    f"{source}: ONNX gives another {part}, by {off:.3g} of 255 levels",
                    "report it, with the versions of torch and onnxruntime",
                )


def _attention(query: Any, key: Any, value: Any, *_: Any, scale: float | None = None, **__: Any) -> Any:
    """Scaled dot-product attention without a mask, for maps of places [N, places, channels], which torch's own
    translation does not take."""
    from onnxscript import opset18 as op

    factor = scale if scale is not None else 1 / math.sqrt(query.shape[-1])
    likeness = op.MatMul(query, op.Transpose(key, perm=[0, 2, 1]))
    return op.MatMul(op.Softmax(op.Mul(likeness, op.Constant(value_float=float(factor))), axis=-1), value)


def _median(x: Any, dim: int, keepdim: bool = False) -> Any:
    """The lower median along `dim` and where it lies, for which torch has no translation."""
    from onnxscript import opset18

    op: Any = opset18

    count = op.Shape(x, start=dim, end=dim + 1)
    values, places = op.TopK(x, count, axis=dim, largest=0)
    middle = op.Div(op.Sub(count, op.Constant(value_ints=[1])), op.Constant(value_ints=[2]))
    found = [op.Gather(each, middle, axis=dim) for each in (values, places)]
    axis = op.Constant(value_ints=[dim])
    return tuple(found if keepdim else (op.Squeeze(each, axis) for each in found))


TRANSLATIONS: dict[Any, Any] = {
    torch.ops.aten.scaled_dot_product_attention.default: _attention,
    torch.ops.aten.median.dim: _median,
}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's own talk, which says nothing to a person who exports."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
