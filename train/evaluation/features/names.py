"""What feature nets are called, and what can be said of them without loading torch."""

from __future__ import annotations

LITE0, STAND_IN = "lite0", "standin"  # as run.features names them
LITE0_FILE = "efficientnet-lite0"  # among the model files
LITE0_SIDE = 128  # px; trained at 224, where it costs three times as much and tells two sets apart no better
