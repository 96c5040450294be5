"""Whether it is still the same person: dlib's face embeddings of a photo before and after."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.pipeline.core.progress import Progress
from curate.pipeline.faces import model_files
from curate.pipeline.faces.embedding import MODEL, WIDTH, FaceNet
from curate.train.comparison.rendering import Rendered
from curate.train.comparison.scores import LEAST, Score, mean

SAME = 0.6  # distance up to which dlib's authors take two faces for one person's
NO_LANDMARKS = "no landmarks tell where the faces are"


def measure(rendered: Rendered, resamples: int, progress: Progress) -> dict[str, Score] | str:
    """face_distance, and face_kept: the share of faces nearer than SAME to their own; or why there are none.

    A made picture's face is looked for where the source's is: one that moved or fell apart is far from it. Beside the
    numbers stand those of two of the sources: two people, or two photos of one.
    """
    points = rendered.task.landmarks
    if points is None:
        return NO_LANDMARKS
    there = np.flatnonzero(np.isfinite(points.numpy()).all((1, 2)))
    if len(there) < LEAST:
        return NO_LANDMARKS
    if model_files.standing(MODEL).state != "ok":
        return "dlib's face recognition network is not there: curate models"
    net, before, after = FaceNet(), [], []
    with progress.task("faces", len(there)) as task:
        for index in there.tolist():
            landmarks = points[index].double().numpy()
            before.append(net(rendered.sources[index].numpy(), landmarks))
            after.append(net(rendered.made[index].numpy(), landmarks))
            task.advance()
    return scores(np.stack(before), np.stack(after), resamples)


def scores(before: NDArray[np.float32], after: NDArray[np.float32], resamples: int) -> dict[str, Score]:
    """The two numbers of embeddings [N, 128] of the same photos, N at least LEAST."""
    assert before.shape == after.shape == (len(before), WIDTH)
    apart = torch.from_numpy(np.linalg.norm(before - after, axis=1))
    strangers: Tensor = torch.pdist(torch.from_numpy(before))
    return {
        "face_distance": mean(apart, resamples, strangers.mean().item()),
        "face_kept": mean((apart <= SAME).double(), resamples, (strangers <= SAME).double().mean().item()),
    }
