"""What a run may say about how its networks are run; params.yaml is read by it without loading torch."""

from __future__ import annotations

from typing import Literal

PrecisionName = Literal["fp32", "bf16"]
Compile = Literal["none", "default", "graphs"]
