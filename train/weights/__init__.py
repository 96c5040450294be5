"""Other projects' checkpoints, in and out, safely; one file per model."""
