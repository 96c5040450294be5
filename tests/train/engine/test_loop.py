"""The loop's promises, held against a recipe of one weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import CurateError
from curate.train.engine.checkpoint import CheckpointManager
from curate.train.engine.contract import Batch, Clock, Update
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.precision import Precision

Step = Callable[["One"], Iterator[Update]]


class One(nn.Module):
    """One weight, one optimiser; `body` is its step."""

    def __init__(self, body: Step, lr: float = 0.1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.other = nn.Parameter(torch.tensor(5.0))
        self.optimizers = {"G": torch.optim.SGD([self.weight], lr)}
        self.body = body

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        return self.body(self)

    def schedule(self, clock: Clock) -> float:
        return 1.0 - clock.progress

    def render(self, batch: Batch) -> Batch:
        return batch


def no_batch(step: int) -> Batch:
    return {}


def silent(clock: Clock, scalars: Mapping[str, float]) -> None: ...


def square(recipe: One) -> Iterator[Update]:
    yield Update("G", {"square": recipe.weight**2})


def test_the_learning_rate_is_the_initial_one_times_the_schedule() -> None:
    rates: list[float] = []

    def body(recipe: One) -> Iterator[Update]:
        yield Update("G", {"x": recipe.weight})
        rates.append(recipe.optimizers["G"].param_groups[0]["lr"])

    recipe = One(body)
    train(recipe, no_batch, LoopConfig(4), silent)
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025])
    assert recipe.weight.item() == pytest.approx(2.0 - sum(rates))


def test_an_update_has_stepped_when_the_generator_goes_on() -> None:
    seen: list[float] = []

    def body(recipe: One) -> Iterator[Update]:
        seen.append(recipe.weight.item())
        yield Update("G", {"x": recipe.weight})
        seen.append(recipe.weight.item())

    train(One(body), no_batch, LoopConfig(1), silent)
    assert seen == pytest.approx([2.0, 1.9])


def test_losses_are_summed_and_other_parameters_get_no_gradient() -> None:
    def body(recipe: One) -> Iterator[Update]:
        yield Update("G", {"x": recipe.weight, "y": 2 * recipe.weight * recipe.other})

    recipe = One(body)
    train(recipe, no_batch, LoopConfig(1), silent)
    assert recipe.weight.item() == pytest.approx(2.0 - 0.1 * 11.0)
    assert recipe.other.grad is None


def test_ticks_have_the_mean_of_each_loss_since_the_last() -> None:
    values = iter([1.0, 3.0, 5.0, 7.0, 9.0])
    steps = iter(range(5))

    def body(recipe: One) -> Iterator[Update]:
        losses = {"always": recipe.weight * 0 + next(values)}
        if next(steps) % 2 == 0:
            losses["lazy"] = recipe.weight * 0 + 4.0
        yield Update("G", losses)

    ticks: list[tuple[int, Mapping[str, float]]] = []
    train(One(body), no_batch, LoopConfig(5, tick=2), lambda clock, scalars: ticks.append((clock.step, scalars)))
    assert ticks == [
        (2, {"G/always": 2.0, "G/lazy": 4.0}),
        (4, {"G/always": 6.0, "G/lazy": 4.0}),
        (5, {"G/always": 9.0, "G/lazy": 4.0}),
    ]


def test_random_numbers_depend_on_seed_and_step_alone() -> None:
    def drawn(loop_config: LoopConfig, before: int) -> list[float]:
        numbers: list[float] = []

        def body(recipe: One) -> Iterator[Update]:
            numbers.append(torch.rand(()).item())
            yield Update("G", {"x": recipe.weight})

        torch.manual_seed(before)
        train(One(body), no_batch, loop_config, silent)
        return numbers

    first = drawn(LoopConfig(3, seed=1), before=0)
    assert first == drawn(LoopConfig(3, seed=1), before=99)
    assert len(set(first)) == 3
    assert first != drawn(LoopConfig(3, seed=2), before=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_recipe_step_and_loss_and_moves_nothing(value: float) -> None:
    turns = iter([1.0, value])

    def body(recipe: One) -> Iterator[Update]:
        yield Update("G", {"fine": recipe.weight, "bad": recipe.weight * next(turns)})

    recipe = One(body)
    with pytest.raises(CurateError, match=r"One, step 2: the loss bad is (nan|inf)"):
        train(recipe, no_batch, LoopConfig(5), silent)
    assert recipe.weight.item() == pytest.approx(2.0 - 0.2)


def test_broken_weights_are_never_saved(tmp_path: Any) -> None:
    def body(recipe: One) -> Iterator[Update]:
        yield Update("G", {"root": torch.sqrt(recipe.weight - 2.0)})  # 0, but its slope is infinite

    with pytest.raises(CurateError, match="step 1: weight is no longer finite"):
        train(One(body), no_batch, LoopConfig(1, checkpoints=CheckpointManager(tmp_path)), silent)
    assert not list(tmp_path.iterdir())


def held_no_grad(recipe: One) -> Iterator[Update]:
    loss = recipe.weight**2
    with torch.no_grad():
        yield Update("G", {"x": loss})


def held_autocast(recipe: One) -> Iterator[Update]:
    with torch.autocast("cpu", torch.bfloat16):
        yield Update("G", {"x": recipe.weight**2})


def held_no_autocast(recipe: One) -> Iterator[Update]:
    with torch.autocast("cpu", enabled=False):
        yield Update("G", {"x": recipe.weight**2})


@pytest.mark.parametrize(
    ("body", "precision"), [(held_no_grad, "fp32"), (held_autocast, "fp32"), (held_no_autocast, "bf16")]
)
def test_nothing_may_be_held_across_a_yield(body: Step, precision: Any) -> None:
    with pytest.raises(RuntimeError, match=r"One\.step holds a no_grad or autocast block across a yield"):
        train(One(body), no_batch, LoopConfig(1, precision=Precision(precision)), silent)
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")


def test_bf16_computes_networks_in_bf16_and_the_optimiser_in_fp32() -> None:
    seen: list[torch.dtype] = []

    def body(recipe: One) -> Iterator[Update]:
        product: Tensor = recipe.weight.expand(2, 2) @ torch.ones(2, 2)
        seen.append(product.dtype)
        yield Update("G", {"x": product.mean()})
        seen.append((recipe.weight.expand(2, 2) @ torch.ones(2, 2)).dtype)

    recipe = One(body)
    train(recipe, no_batch, LoopConfig(1, precision=Precision("bf16")), silent)
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert recipe.weight.dtype == torch.float32


def test_stop_saves_where_it_is_and_the_same_call_goes_on(tmp_path: Any) -> None:
    checkpoints = CheckpointManager(tmp_path)
    asked = iter([False, False, True])
    with pytest.raises(KeyboardInterrupt):
        train(One(square), no_batch, LoopConfig(9, checkpoints=checkpoints, stop=lambda: next(asked)), silent)
    assert [path.name for path in tmp_path.iterdir()] == ["00000003.safetensors"]
    steps: list[int] = []
    recipe = One(square)
    train(recipe, lambda step: steps.append(step) or {}, LoopConfig(9, checkpoints=checkpoints), silent)  # type: ignore[func-returns-value]
    assert steps == [3, 4, 5, 6, 7, 8]
    whole = One(square)
    train(whole, no_batch, LoopConfig(9), silent)
    assert torch.equal(recipe.weight, whole.weight)


def test_a_finished_run_does_nothing_and_more_steps_go_on(tmp_path: Any) -> None:
    checkpoints, steps = CheckpointManager(tmp_path), []

    def counted(step: int) -> Batch:
        steps.append(step)
        return {}

    for total in (3, 3, 5):
        train(One(square), counted, LoopConfig(total, checkpoints=checkpoints), silent)
    assert steps == [0, 1, 2, 3, 4]
