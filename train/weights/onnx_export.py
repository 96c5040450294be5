"""Generators as ONNX files, one for each direction and member of a council: for `curate translate --onnx`, and for any
other runtime of ONNX.

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
from curate.train.runs.onnx_facts import PARTS, STYLES, OnnxFacts
from curate.train.runs.trained import Trained

OPSET = 18  # which every release of onnxruntime since 1.15 computes
CHECKED = 8  # pictures on which each file is compared with torch
TOLERANCE = 0.25  # of 255 levels: how far any px may be off


def write(
    trained: Trained, out: Path, *, sources: Iterable[Path] = (), force: bool = False, progress: Progress = SILENT
) -> list[Path]:
    """Writes a file for each direction and member of `trained` into the folder `out`; returns their paths.

    Each is compared with torch on 8 pictures before it is written. Raises UsageError for networks that translate no
    pictures of one size, and like OutputPlan; CurateError for a file that computes something else.
    """
    if trained.is_try_on or not trained.directions:
        raise UsageError(
            f"{trained.source}: no generator that goes from one domain to another",
            "as ONNX there are those of cyclegan, ugatit and council",
        )
    side = trained.side or 256
    ways = [(way, member) for way in trained.directions for member in range(max(1, trained.members))]
    made = {out / f"{way}{f'-member-{member}' * bool(trained.members)}.onnx": (way, member) for way, member in ways}
    with OutputPlan(made, files_of(sources), force=force) as plan, progress.task("onnx", len(made)) as task:
        for path, (way, member) in made.items():
            data = exported(trained, way, member, side)
            with plan.write(path) as temporary:
                temporary.write_bytes(data)
            task.advance()
    return list(made)


def exported(trained: Trained, way: str, member: int, side: int) -> bytes:
    """The generator of `trained` that goes `way`, for pictures of `side` px, as a checked ONNX file."""
    recipe: Any = trained.recipe
    face = bool(getattr(recipe.config, "face_branch", False))  # others have the key for their losses alone
    network = OneWay(recipe, way, member=member if trained.members else None, face=face).cpu().eval()
    inputs = network.pictures(side, 2)
    with torch.no_grad(), _quietly():
        parts = network.names(inputs)
        program = torch.onnx.export(
            network,
            tuple(inputs.values()),
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=parts,
            dynamic_shapes=tuple({0: "batch"} for _ in inputs),
            custom_translation_table=TRANSLATIONS,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        facts = OnnxFacts.of(trained, way, side, [row.tolist() for row in network.styles()])
        program.model.metadata_props.update(facts.as_metadata())
        data: bytes = program.model_proto.SerializeToString()
    check(network, data, side, trained.source)
    return data


class OneWay(nn.Module):
    """A recipe's generator of one direction, as a function of tensors alone."""

    def __init__(self, recipe: Any, way: str, *, member: int | None, face: bool) -> None:
        super().__init__()
        self.recipe, self.way, self.member, self.face = recipe, way, member, face
        self.parts: tuple[str, ...] = ()

    def forward(self, image: Tensor, more: Tensor | None = None) -> tuple[Tensor, ...]:
        """The parts that `names` has found, in that order; `more` is the face, or z."""
        made = self._made(image, more)
        return tuple(made[part] for part in self.parts)

    def names(self, inputs: dict[str, Tensor]) -> list[str]:
        """What comes out, of PARTS: found by trying."""
        made = self._made(*inputs.values())
        self.parts = tuple(part for part in PARTS if part in made)
        return list(self.parts)

    def pictures(self, side: int, count: int) -> dict[str, Tensor]:
        """`count` smooth pictures of `side` px, each with a face and a style of its own where they are wanted."""
        rng = generator("onnx", side)
        coarse = torch.rand(count, 3, 9, 9, generator=rng) * 2 - 1
        image = nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=True).clamp(-1, 1)
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


def check(network: OneWay, data: bytes, side: int, source: str) -> None:
    """Raises CurateError where the ONNX file `data` computes something else than `network`, on CHECKED pictures at once
    and on the first alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for count in (CHECKED, 1):
        inputs = {name: value[:count] for name, value in network.pictures(side, CHECKED).items()}
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


TRANSLATIONS: dict[Any, Any] = {torch.ops.aten.scaled_dot_product_attention.default: _attention}


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
