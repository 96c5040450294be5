"""The drawn world that stands in for the web: portraits, anime faces and garments with ground truth, as a real site."""

from __future__ import annotations

from pipeline.demo.items import Item, Picture
from pipeline.demo.server import Request, Served, serve
from pipeline.demo.truth import Truth
from pipeline.demo.world import HOST, World

__all__ = ["HOST", "Item", "Picture", "Request", "Served", "Truth", "World", "serve"]
