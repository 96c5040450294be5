"""One file per layout; LAYOUTS is their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from curate.pipeline.core.registry import Registry
from curate.pipeline.export.export_set import ExportItem

LAYOUTS = Registry(
    "layout",
    {
        "folders": "curate.pipeline.export.layouts.folders:Folders",
        "webdataset": "curate.pipeline.export.layouts.webdataset:WebDataset",
        "stylegan-zip": "curate.pipeline.export.layouts.stylegan:StyleGan",
        "huggingface": "curate.pipeline.export.layouts.huggingface:HuggingFace",
        "viton-hd": "curate.pipeline.export.layouts.viton:VitonHd",
    },
)
OF_PAIRS = frozenset({"viton-hd"})  # layouts that hold nothing but pairs


class Layout(Protocol):
    """How a set stands in a folder: made of an ExportSet and the section. Raises UsageError if it does not fit."""

    names: Sequence[str]  # everything that it makes directly below the folder

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """Writes what is not there yet, each file whole or not at all; yields every item with its name below `out`."""
