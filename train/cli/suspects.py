"""The command that finds what lies in the wrong domain; in the training half for the sake of one net."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError, nearest
from curate.train.evaluation.features.names import LITE0, LITE0_FILE, LITE0_SIDE

if TYPE_CHECKING:
    from curate.pipeline.review.crop_features import CropNet, CropPicture
    from curate.pipeline.review.neighbours import Features
    from curate.pipeline.review.suspect_decisions import What
    from curate.train.evaluation.features.extractor import FeatureNet

NETS = (LITE0, "dlib", "pixels")

Which = typer.Option(metavar="WHICH", help="As on the sheet: 3, 1-9 or 1-9,12; or crop_ids.")


def suspects(
    context: Context,
    features: Annotated[str | None, typer.Option(help="lite0, dlib or pixels; the first that is there.")] = None,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", metavar="NAME", help="Repeatable; all without it.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Crops on the sheet; without it, all that look wrong.")] = None,
    move: Annotated[str | None, Which] = None,
    reject: Annotated[str | None, Which] = None,
    keep: Annotated[str | None, Which] = None,
    to: Annotated[str | None, typer.Option(metavar="DOMAIN", help="Where --move moves to; else as it looks.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was moved, rejected and kept so.")] = False,
) -> None:
    """Show crops that look as if they were in the wrong domain; move, reject or keep them by their numbers."""
    from curate.pipeline.review import suspect_decisions
    from curate.pipeline.review import suspects as finding

    given: dict[What, str | None] = {"move": move, "reject": reject, "keep": keep}
    wishes: dict[What, str] = {what: text for what, text in given.items() if text is not None}
    looks = {"--features": features, "--domain": domain, "--top": top}
    idle = [option for option, value in looks.items() if value] if wishes or undo else []
    idle += ["--to"] if to and not move else []
    if idle or (undo and wishes):
        raise UsageError(f"{', '.join(idle) or '--undo'}: no effect on this", "look first, then decide, or undo")
    if undo:
        count = suspect_decisions.undo(context.root)
        context.console.result({"undone": count}, f"{count} decisions taken back\nnext: curate build")
        return
    if wishes:
        done = suspect_decisions.decide(context.root, wishes, to)
        told = ", ".join(f"{count} {_DONE[what]}" for what, count in done.items())
        context.console.result(done, f"{told}\nnext: curate build   (to take it back: curate suspects --undo)")
        return
    context.note_stale("dedup")
    net = load(features)
    if features is None and net.name != LITE0:
        context.console.progress.note(f"note: {net.name} instead of {LITE0}, which is not there: see curate doctor")
    found = finding.run(net, context.root, domains=domain or (), top=top, progress=context.console.progress)
    context.console.result(found, finding.text(found))


_DONE: dict[What, str] = {"move": "moved", "reject": "rejected", "keep": "kept"}


def load(name: str | None) -> CropNet:
    """The net called `name`; None for lite0 where torch and its file are there, else dlib's, else plain pixels.

    Raises UsageError for another name and ModelError for one whose file is not there.
    """
    from curate.pipeline.faces import model_files
    from curate.pipeline.faces.embedding import MODEL
    from curate.pipeline.review.crop_features import LOCAL

    if name is None:
        there = {LITE0: bool(find_spec("torch")) and model_files.standing(LITE0_FILE).state == "ok"}
        there |= {"dlib": model_files.standing(MODEL).state == "ok", "pixels": True}
        name = next(one for one in NETS if there[one])
    if name not in NETS:
        raise UsageError(f"--features: there is no '{name}'{nearest(name, NETS)}", f"features: {', '.join(NETS)}")
    return Lite0Features() if name == LITE0 else LOCAL[name]()


class Lite0Features:
    """EfficientNet-Lite0 as `curate.pipeline.review` wants a net, loaded once it is asked for something new."""

    name = LITE0

    def __init__(self) -> None:
        from curate.pipeline.faces import model_files

        self.digest = hashlib.sha256(f"{model_files.MODELS[LITE0_FILE].sha256} {LITE0_SIDE}".encode()).hexdigest()

    def __call__(self, crops: Sequence[CropPicture]) -> Features:
        """Float32 [n, 1280]. Raises ModelError where the file of its weights is not there."""
        import torch

        from curate.train.data.transforms import resize, to_float

        images = [to_float(torch.from_numpy(crop.rgb)[None], self._net.device) for crop in crops]
        return self._net(torch.cat([resize(image, self._net.side) for image in images])).numpy()

    @cached_property
    def _net(self) -> FeatureNet:
        from curate.train.evaluation.features import extractor

        return extractor.load(LITE0)
