"""The drawn world that stands in for the web: portraits, anime faces and garments with ground truth, as a real site."""

from __future__ import annotations

from curate.pipeline.demo.items import DemoPicture, Page
from curate.pipeline.demo.server import Request, Served, serve
from curate.pipeline.demo.truth import Truth
from curate.pipeline.demo.world import HOST, DrawnWorld

__all__ = ["HOST", "DemoPicture", "DrawnWorld", "Page", "Request", "Served", "Truth", "serve"]
