"""The section train.NAME.data: what a run trains on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from curate.pipeline.core.config import Positive, Section, Share


class Window(Section, frozen=True, kw_only=True):
    """How far the window onto an image may be shifted and zoomed; shares of its side. The defaults are no change."""

    right: tuple[float, float] = (0.0, 0.0)  # least and most
    down: tuple[float, float] = (0.0, 0.0)  # least and most
    least: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0  # the smallest window's side


class DataConfig(Section, frozen=True, kw_only=True):
    """What a run trains on; train.NAME.data in params.yaml."""

    domains: Mapping[str, str] = {}  # {a: long, b: short}; empty: the dataset's two, by name, or its one
    classes: tuple[str, ...] = ()  # domains that train as the classes of one set; model.labels is how many
    size: Annotated[int, Meta(ge=16, le=1024, multiple_of=4)] = 256  # px, side of what the networks see
    width: Annotated[int, Meta(ge=16, le=1024, multiple_of=4)] | None = None  # px, of pairs; None: square
    load: Positive | None = None  # px, side before the random crop; None: size * 286 / 256, but of two domains alone
    flip: Share = 0.5  # probability of a mirror image
    grey: Share = 0.0  # probability of an image without its colours, so that shapes count; of two domains alone
    windows: Mapping[Literal["a", "b"], Window] = {}  # instead of load and the random crop: shift and zoom
    candidates: Positive = 1  # other articles drawn for a pair, of which the one most unlike its own in colour is taken

    @property
    def load_side(self) -> int:
        """The side to which crops are resized before they are cut to `size`, px."""
        return self.load or round(self.size * 286 / 256)
