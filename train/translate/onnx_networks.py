"""Generators in ONNX files, computed by onnxruntime: photos are translated without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.pipeline.core.errors import UsageError
from curate.train.runs.onnx_facts import PARTS, OnnxFacts
from curate.train.runs.photo_networks import Floats, NetworkOutput, PhotoNetworks


@dataclass(frozen=True, kw_only=True)
class OnnxNetworks(PhotoNetworks):
    """The generator of one direction."""

    session: Any  # onnxruntime.InferenceSession
    facts: OnnxFacts

    @property
    def system(self) -> str:
        """See PhotoNetworks."""
        return self.facts.system

    def painted(
        self, picture: Floats, direction: str, face: Floats | None = None, choice: Mapping[str, int] | None = None
    ) -> NetworkOutput:
        """See PhotoNetworks. Raises UsageError for a style that the file does not know."""
        inputs = {"image": np.moveaxis(picture / np.float32(127.5) - 1, 2, 0)[None]}
        wanted = {one.name for one in self.session.get_inputs()}
        if "face" in wanted:
            inputs["face"] = (np.zeros(picture.shape[:2], np.float32) if face is None else face)[None, None]
        if "z" in wanted:
            inputs["z"] = self._style((choice or {}).get("style", 0))
        names = [one.name for one in self.session.get_outputs()]
        made = dict(zip(names, self.session.run(names, inputs), strict=True))
        parts = {part: _values(made[part]) for part in PARTS if part in made and part != "mask"}
        mask = made["mask"][0, 0] if "mask" in made else None
        return NetworkOutput(parts["translated"], mask, parts.get("paint"), parts.get("attention"))

    def _style(self, number: int) -> Floats:
        known = self.facts.styles
        if number >= len(known):
            raise UsageError(f"style {number}: {self.source} knows 0 to {len(known) - 1}", "name one of them")
        return np.array([known[number]], np.float32)


def load(path: Path) -> OnnxNetworks:
    """The networks in `path`, ready for photos. Raises UsageError for a file that is none of curate's."""
    import onnxruntime

    if not path.is_file():
        raise UsageError(f"{path}: no such file", "make one: curate weights export RUN --layout onnx -o FOLDER")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many kinds, which have no class in common
        raise UsageError(f"{path}: no ONNX file that can be computed: {error}", "export it again") from error
    facts = OnnxFacts.from_metadata(session.get_modelmeta().custom_metadata_map, str(path))
    if not facts.direction:
        raise UsageError(
            f"{path}: a generator of {facts.system}, for other runtimes: curate translates photos by the run itself",
            f"curate translate photo.jpg --article shirt.jpg --run {facts.source}"
            if facts.system == "CAGAN"
            else f"curate generate {facts.source}, then curate project and curate edit",
        )
    source = facts.direction[0]
    wanted = {one.name for one in session.get_inputs()}
    return OnnxNetworks(
        session=session,
        facts=facts,
        source=str(path),
        step=facts.step,
        side=facts.side,
        domains=facts.photos.domains,
        rules=facts.photos.rules,
        directions=(facts.direction,),
        keys=frozenset({"a", "b"} | ({f"face_{source}"} if "face" in wanted else set())),
        any_size=False,
        files=(path,),
        members=1 if "z" in wanted else 0,
    )


def _values(picture: Floats) -> Floats:
    """[1, 3, h, w] in [-1, 1] as [h, w, 3] in 0..255."""
    return np.moveaxis((picture[0] + 1) * np.float32(127.5), 0, 2)
