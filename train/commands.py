"""The commands of the training half. Each body imports torch's modules, so that starting costs nothing."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds every training command to `app`."""
