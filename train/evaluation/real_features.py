"""Features of real images, which stay as they are from one measurement to the next: computed once, kept on disk."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import SILENT, Progress
from curate.train.data.cache import CACHE, map_array
from curate.train.evaluation.features.extractor import FeatureNet
from curate.train.evaluation.held_out import TranslationTask

BATCH = 8  # images at once


def load(task: TranslationTask, net: FeatureNet, root: Path, progress: Progress = SILENT) -> Tensor:
    """What `net` sees in the task's sources, float32 [N, d].

    Kept in `root`/processed/cache, where those of the same label, but of other images or weights, make room for them.
    Raises CurateError where nothing can be written there.
    """
    label, content = (hashlib.sha256(text.encode()).hexdigest() for text in (task.label, task.digest))
    kind = f"features-{net.name}-{label[:8]}"
    path = root / CACHE / f"{kind}-{content[:8]}{net.digest[:8]}.npy"
    try:
        return torch.from_numpy(np.array(map_array(path, (task.count, None), np.dtype(np.float32))))
    except FileNotFoundError:
        pass
    except (ValueError, EOFError):
        progress.note(f"{path}: broken; its features are computed anew")
    for stale in path.parent.glob(f"{kind}-*"):
        stale.unlink(missing_ok=True)
    parts = []
    with progress.task(f"{net.name}: {task.label}", task.count) as running:
        for start in range(0, task.count, BATCH):
            parts.append(net(task.sources(start, min(start + BATCH, task.count))))
            running.advance(len(parts[-1]))
    features = torch.cat(parts)
    whole = io.BytesIO()
    np.save(whole, features.numpy(), allow_pickle=False)  # to memory: written to a full disk, it names no cause
    with atomic_write(path) as temporary:
        temporary.write_bytes(whole.getvalue())
    return features
