"""Classifier, memorisation, members and faces, each with an answer that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from curate.pipeline.faces import model_files
from curate.pipeline.faces.embedding import MODEL
from curate.train.comparison import classifier, faces, members, memorisation
from curate.train.comparison.rendering import Rendered
from curate.train.comparison.scores import Score
from curate.train.engine.contract import Batch
from curate.train.evaluation.features import extractor
from curate.train.evaluation.held_out import TranslationTask
from tests.support import drawn_people
from tests.support.training import RecordedProgress


def clouds(apart: float, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two kinds of features whose means are so many standard deviations apart, in one of 20 directions."""
    rng = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, count, 20, generator=rng)
    return first, second + apart * torch.eye(20)[3]


def test_the_classifier_is_as_right_as_anybody_can_be() -> None:
    """Of two normal kinds 2 deviations apart nobody tells more than 84 % rightly; of two that are one, half."""
    for apart, best in ((2.0, 0.841), (0.0, 0.5)):
        judge = classifier.train(*clouds(apart, 600, seed=1))
        first, second = clouds(apart, 3000, seed=2)
        right = torch.cat([~judge.is_second(first), judge.is_second(second)]).double().mean().item()
        assert right == pytest.approx(best, abs=0.025)


def test_few_images_of_one_kind_count_as_much_as_many_of_the_other() -> None:
    first, second = clouds(3.0, 400, seed=3)
    judge = classifier.train(first, second[:20])
    assert judge.is_second(clouds(3.0, 500, seed=4)[1]).double().mean() > 0.8


def test_copies_are_found_mirrored_ones_too() -> None:
    rng = torch.Generator().manual_seed(1)
    training, unseen, new = (torch.randn(30, 16, generator=rng) for _ in range(3))
    made, mirrored = new.clone(), torch.randn(30, 16, generator=rng) + 9
    made[4], mirrored[5] = training[7], training[8]
    far = torch.full_like(unseen, 99.0)
    found = memorisation.nearest(torch.stack([made, mirrored]), torch.stack([unseen, far]), training)
    assert found.ratio.argsort()[:2].sort().values.tolist() == [4, 5]
    assert found.index[[4, 5]].tolist() == [7, 8]
    assert found.ratio[[4, 5]].tolist() == [0.0, 0.0]
    assert found.score(50).value == pytest.approx(1.0, abs=0.15), "all others are as far as unseen pictures"


class Painters(torch.nn.Module):
    """Member n paints all in its own grey, the same in every style."""

    def render(self, batch: Batch) -> Batch:
        return {"a2b": torch.zeros_like(batch["a"]) + batch["member"].float().view(-1, 1, 1, 1) / 4}


class Council:
    members = 3


def grey_task(count: int = 5) -> TranslationTask:
    images = torch.zeros(count, 3, 32, 32)
    return TranslationTask(
        "a2b", "a", "a2b", "b2a", count, "greys", "", lambda i, j: {"a": images[i:j]}, [str(n) for n in range(count)]
    )


def test_members_differ_and_styles_do_not() -> None:
    net = extractor.load("standin")
    greys = torch.stack([torch.full((3, 32, 32), n / 4) for n in range(3)])
    apart = torch.pdist(net(greys).double()).mean().item()
    real = net(torch.stack([torch.zeros(3, 32, 32), torch.full((3, 32, 32), 1.0)]))
    usual = torch.pdist(real.double()).item()
    recipe: Any = Painters()
    found = members.measure(recipe, Council(), grey_task(), net, real, 20)
    assert isinstance(found["members"], Score)
    assert isinstance(found["styles"], Score)
    assert found["members"].value == pytest.approx(apart / usual, rel=1e-5)
    assert found["styles"].value == 0.0
    assert found["members"].images == 5
    assert members.measure(recipe, object(), grey_task(), net, real, 20)["members"] == members.ONE_PICTURE


def test_the_same_faces_are_kept_and_others_are_not() -> None:
    before = np.zeros((3, 128), np.float32)
    before[0, 0], before[1, 1] = 3.0, 4.0  # 5, 3 and 4 apart
    after = before.copy()
    after[0, 7], after[1, 7] = 0.5, 1.0
    found = faces.scores(before, after, 50)
    assert found["face_distance"].value == pytest.approx(0.5)
    assert found["face_distance"].reference == pytest.approx(4.0)
    assert found["face_kept"].value == pytest.approx(2 / 3)
    assert found["face_kept"].reference == 0.0


def rendered(sources: torch.Tensor, made: torch.Tensor, points: torch.Tensor | None) -> Rendered:
    names = [str(n) for n in range(len(sources))]
    task = TranslationTask("a2b", "a", "a2b", "b2a", len(sources), "", "", lambda i, j: {}, names, landmarks=points)
    return Rendered(task, sources, made, None, None, None, None, None)


def test_dlib_sees_an_untouched_face_as_the_same_and_says_why_it_sees_none() -> None:
    blank = torch.zeros(3, 64, 64, 3, dtype=torch.uint8)
    unknown = torch.full((3, 68, 2), torch.nan)
    assert faces.measure(rendered(blank, blank, None), 20, RecordedProgress()) == faces.NO_LANDMARKS
    assert faces.measure(rendered(blank, blank, unknown), 20, RecordedProgress()) == faces.NO_LANDMARKS
    if model_files.standing(MODEL).state != "ok":
        pytest.skip("dlib's face recognition network is not installed")
    people = torch.stack([torch.from_numpy(drawn_people.photo(seed)[:256, 22:278].copy()) for seed in range(2)])
    turn = torch.linspace(0, 6.28, 68)
    points = (torch.stack([turn.cos(), turn.sin()], 1) * 40 + 128).expand(2, 68, 2)
    same = faces.measure(rendered(people, people, points), 20, RecordedProgress())
    swapped = faces.measure(rendered(people, people.flip(0), points), 20, RecordedProgress())
    assert isinstance(same, dict)
    assert isinstance(swapped, dict)
    assert same["face_distance"].value == 0.0
    assert same["face_kept"].value == 1.0
    assert swapped["face_distance"].value == pytest.approx(same["face_distance"].reference, abs=1e-5)
