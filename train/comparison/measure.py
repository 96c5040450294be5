"""All that is measured of one way in which a run translates: numbers, and for what makes no sense the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from curate.pipeline.core.progress import Progress
from curate.train.comparison import classifier, faces, members, memorisation, scores
from curate.train.comparison.memorisation import Nearest
from curate.train.comparison.rendering import Rendered
from curate.train.comparison.scores import LEAST, Score
from curate.train.data.transforms import to_float
from curate.train.engine.contract import Recipe
from curate.train.evaluation import metrics, real_features
from curate.train.evaluation.evaluator import cut_out
from curate.train.evaluation.features.extractor import FeatureNet
from curate.train.evaluation.held_out import HeldOut
from curate.train.evaluation.real_features import BATCH
from curate.train.runs.config import TrainConfig

Scores = Mapping[str, Score | str]  # by name in CATALOGUE; or why it was not measured

NOT_TRANSLATED = "pictures made of noise have no photo that they come from"
ONE_WAY = "the networks go one way only"
NO_MASK = "the networks paint without a mask"
PAIRS = "pairs have no second domain"
ONE_DOMAIN = "there is one domain alone"
PAINTED_FEW = "too few pictures were painted in"


@dataclass(frozen=True)
class Measured:
    """The scores of a way, and the training picture nearest to each picture that it made."""

    scores: Scores
    nearest: Nearest


@dataclass(frozen=True)
class Measurer:
    """What measures the ways of one run. `training` has the tasks of `held_out`, of images that trained."""

    recipe: Recipe
    config: TrainConfig
    held_out: HeldOut
    training: HeldOut
    net: FeatureNet
    resamples: int
    root: Path
    progress: Progress

    def measure(self, rendered: Rendered) -> Measured:
        """Everything in CATALOGUE of `rendered`. Raises what reading the data does."""
        task = rendered.task
        made = self._features(rendered.images(), f"{task.name}")
        real = self._real(task.goal)
        found: dict[str, Score | str] = {}
        found |= self._distribution(rendered, made)
        found |= self._domain(rendered, made)
        found |= self._pixels(rendered)
        face = faces.measure(rendered, self.resamples, self.progress) if task.translates else NOT_TRANSLATED
        found |= dict.fromkeys(("face_distance", "face_kept"), face) if isinstance(face, str) else face
        if task.translates:
            found |= members.measure(self.recipe, self.config.model, task, self.net, real, self.resamples)
        else:
            found |= dict.fromkeys(("members", "styles"), NOT_TRANSLATED)
        nearest = self._nearest(rendered, made)
        found["nearest"] = nearest.score(self.resamples)
        return Measured(found, nearest)

    def _real(self, name: str) -> Tensor:
        return real_features.load(self.held_out.tasks[name], self.net, self.root, self.progress)

    def _trained(self, name: str) -> Tensor:
        return real_features.load(self.training.tasks[name], self.net, self.root, self.progress)

    def _features(self, images: Tensor, what: str) -> Tensor:
        """What the net sees in `images` [N, 3, H, W]: [N, d]."""
        parts = []
        with self.progress.task(f"{self.net.name}: {what}", len(images)) as running:
            for part in images.split(BATCH):
                parts.append(self.net(part))
                running.advance(len(part))
        return torch.cat(parts)

    def _distribution(self, rendered: Rendered, made: Tensor) -> Scores:
        """KID and FID, of what was painted where that is all that differs, and diversity."""
        task, real = rendered.task, self._real(rendered.task.goal)
        kid = fid = None
        if rendered.boxes is not None:
            sources, pictures = (to_float(images) for images in (rendered.sources, rendered.made))
            real, made = (self.net(cut_out(images, rendered.boxes)) for images in (sources, pictures))
        elif task.goal != task.name:
            idle = self._real(task.name)
            kid, fid = metrics.kid(real, idle)["kid"], metrics.fid(real, idle)["fid"]
        if len(made) < LEAST:
            return dict.fromkeys(("kid", "fid", "diversity"), PAINTED_FEW)
        return {
            "kid": scores.kid(real, made, self.resamples, kid),
            "fid": scores.fid(real, made, self.resamples, fid),
            "diversity": scores.diversity(real, made, self.resamples),
        }

    def _domain(self, rendered: Rendered, made: Tensor) -> Scores:
        """Whether translations are taken for the other domain, and how often who says so is right about photos."""
        task = rendered.task
        if task.goal == task.name:
            return dict.fromkeys(("flip_rate", "classifier_accuracy"), PAIRS if rendered.boxes else ONE_DOMAIN)
        judge = classifier.train(self._trained(task.name), self._trained(task.goal))
        idle, goal = judge.is_second(self._real(task.name)).double(), judge.is_second(self._real(task.goal)).double()
        guessing = max(len(idle), len(goal)) / (len(idle) + len(goal))
        return {
            "flip_rate": scores.mean(judge.is_second(made), self.resamples, idle.mean().item()),
            "classifier_accuracy": scores.mean(torch.cat([1.0 - idle, goal]), self.resamples, guessing),
        }

    def _pixels(self, rendered: Rendered) -> Scores:
        translates = rendered.task.translates
        measured = {
            "cycle_l1": (rendered.cycle, ONE_WAY if translates else NOT_TRANSLATED),
            "identity_l1": (rendered.identity, NOT_TRANSLATED),
            "mask_area": (rendered.mask, NO_MASK if translates else NOT_TRANSLATED),
        }
        return {
            name: why if values is None else scores.mean(values, self.resamples)
            for name, (values, why) in measured.items()
        }

    def _nearest(self, rendered: Rendered, made: Tensor) -> Nearest:
        task, name = rendered.task, rendered.task.name
        goal = self.held_out.tasks[task.goal]
        mirrored = self._features(rendered.images().flip(3), f"{name}, mirrored")
        unseen = self._features(goal.sources(0, goal.count).flip(3), f"{goal.label}, mirrored")
        return memorisation.nearest(
            torch.stack([made, mirrored]), torch.stack([self._real(task.goal), unseen]), self._trained(task.goal)
        )
