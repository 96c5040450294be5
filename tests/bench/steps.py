"""One training step, ours or a reference's own, in a process of its own: time, memory, waiting. JSON on stdout.

    python -m tests.bench.steps '{"recipe": "ugatit", "whose": "ours", "precision": "bf16"}'

The references are checkouts that are at hand: CURATE_CYCLEGAN, of junyanz/pytorch-CycleGAN-and-pix2pix or of
taesungp/contrastive-unpaired-translation, CURATE_UGATIT, of znxlwm/UGATIT-pytorch, and CURATE_COUNCIL, of
Onr/Council-GAN.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import resource
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from curate.train.data.config import DataConfig
from curate.train.data.unpaired import Domain, UnpairedBatches
from curate.train.engine import memory
from curate.train.engine.contract import Batch
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.precision import Precision
from curate.train.engine.rng import BatchSlice
from curate.train.recipes import RECIPES
from tests.bench.parity import council, shared

WARM = 1  # the first step makes the moments and fills the pools of memory
STEPS = int(os.environ.get("CURATE_STEPS", "3"))
IMAGES = 64  # per domain
Run = Callable[[int, Callable[[int], Batch]], None]  # that many steps on these batches


def measured(ask: Mapping[str, Any]) -> dict[str, Any]:
    """What one kind of step costs."""
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    side, batch = ask.get("side", 256), ask.get("batch", 1)
    real = batches(side, batch, device)
    still = real(0)
    run: Run = (ours if ask["whose"] == "ours" else REFERENCES[ask["recipe"]])({**ask, "side": side}, device)
    run(WARM, real)
    gc.collect()
    seconds, cpu = timed(lambda: run(STEPS, real))
    row = {**ask, "side": side, "batch": batch, "device": str(device), "ms_per_step": round(1000 * seconds / STEPS, 1)}
    row |= {"images_per_second": round(batch * STEPS / seconds, 2), "cpu_s_per_step": round(cpu / STEPS, 2)}
    row["peak_gb"] = round(peak(gpu), 2)
    if ask["whose"] == "ours":
        constant, constant_cpu = timed(lambda: run(STEPS, lambda step: still))
        waited = (seconds - constant, seconds) if gpu else (cpu - constant_cpu, cpu)
        alone, _ = timed(lambda: [real(step) for step in range(STEPS)])
        row["data_ms"] = round(1000 * alone / STEPS, 2)  # on its own; on a GPU it runs ahead of the device
        row["waits_for_data"] = round(max(0.0, waited[0] / waited[1]), 4)
    if gpu:
        row["share_of_bf16_peak"] = round(flops(run, still) / (seconds / STEPS) / bf16_peak(device), 4)
    return row


def batches(side: int, batch: int, device: torch.device) -> UnpairedBatches:
    """Random crops through the real path: enlarged, cut, mirrored."""
    draws, shape = torch.Generator().manual_seed(0), (IMAGES, side, side, 3)
    pixels = torch.randint(256, (2, *shape), dtype=torch.uint8, generator=draws)
    a, b = (Domain(name, pictures, "", torch.empty(0)) for name, pictures in zip("ab", pixels, strict=True))
    return UnpairedBatches(a, b, DataConfig(size=side), batch=batch, seed=0, device=device, batch_slice=BatchSlice())


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def peak(gpu: bool) -> float:
    if gpu:
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def flops(run: Run, batch: Batch) -> float:
    with FlopCounterMode(display=False) as counter:
        run(1, lambda step: batch)
    return counter.get_total_flops()


def bf16_peak(device: torch.device) -> float:
    """FLOP/s of a large matrix product here."""
    a = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    seconds, _ = timed(lambda: [a @ a for _ in range(20)])
    return 20 * 2 * 8192**3 / seconds


def ours(ask: Mapping[str, Any], device: torch.device) -> Run:
    memory.keep_freed_blocks()
    kind = RECIPES.resolve(ask["recipe"])
    keys = {"light": True} if ask["recipe"] == "ugatit" else {}  # as the reference here
    keys |= {"council_start": 0} if ask["recipe"] == "council" else {"size": ask["side"]}
    recipe = kind(kind.Config(**keys)).to(device)
    given = {key: ask[key] for key in ("tf32", "channels_last", "compile") if key in ask}
    loop_keys = {
        "precision": Precision(ask.get("precision", "fp32"), **{"tf32": device.type == "cuda", **given}),
        "accumulate": ask.get("accumulate", 1),
    }

    def run(steps: int, source: Callable[[int], Batch]) -> None:
        train(recipe, source, LoopConfig(steps, **loop_keys), lambda clock, scalars: None)  # type: ignore[arg-type]

    return run


def official_cyclegan(ask: Mapping[str, Any], device: torch.device) -> Run:
    """The reference's own model class and its own optimize_parameters."""
    sys.path.insert(0, os.environ["CURATE_CYCLEGAN"])
    quiet, sys.stdout = sys.stdout, sys.stderr
    from models.cycle_gan_model import CycleGANModel  # type: ignore[import-not-found]

    model = CycleGANModel(
        Namespace(
            gpu_ids=[device.index or 0] if device.type == "cuda" else [], device=device, isTrain=True, amp=False,
            checkpoints_dir="", name="", preprocess="resize_and_crop", direction="AtoB",
            input_nc=3, output_nc=3, ngf=64, ndf=64, netG="resnet_9blocks", netD="basic", n_layers_D=3,
            norm="instance", normG="instance", normD="instance", no_dropout=True, init_type="normal", init_gain=0.02,
            no_antialias=True, no_antialias_up=True, pool_size=50, gan_mode="lsgan", lr=2e-4, beta1=0.5,
            lambda_A=10.0, lambda_B=10.0, lambda_identity=0.5,
        )
    )  # fmt: skip
    sys.stdout = quiet

    def run(steps: int, source: Callable[[int], Batch]) -> None:
        for step in range(steps):
            batch = source(step)
            model.set_input({"A": batch["a"], "B": batch["b"], "A_paths": [], "B_paths": []})
            with autocast(ask, device):
                model.optimize_parameters()

    return run


def official_ugatit(ask: Mapping[str, Any], device: torch.device) -> Run:
    """The reference's own networks, in the order of its own step, which stands in the middle of its training loop."""
    sys.path.insert(0, os.environ["CURATE_UGATIT"])
    import networks  # type: ignore[import-not-found]

    made = {"input_nc": 3, "output_nc": 3, "ngf": 64, "n_blocks": 4, "img_size": ask["side"], "light": True}
    forth, back = (networks.ResnetGenerator(**made).to(device) for _ in range(2))
    judges = [[networks.Discriminator(3, 64, layers).to(device) for layers in (7, 5)] for _ in range(2)]
    keys = {"lr": 1e-4, "betas": (0.5, 0.999), "weight_decay": 1e-4}
    g = torch.optim.Adam([*forth.parameters(), *back.parameters()], **keys)
    every = (judge.parameters() for pair in judges for judge in pair)
    d = torch.optim.Adam(itertools.chain(*every), **keys)
    clip = networks.RhoClipper(0, 1)
    square, cross, apart = nn.MSELoss(), nn.BCEWithLogitsLoss(), nn.L1Loss()

    def seen_as(logits: Tensor, loss: nn.Module, target: float) -> Tensor:
        value: Tensor = loss(logits, torch.full_like(logits, target))
        return value

    def judged(pair: list[nn.Module], images: Tensor, target: float) -> Tensor:
        terms = [seen_as(logits, square, target) for judge in pair for logits in judge(images)[:2]]
        return torch.stack(terms).sum()

    def run(steps: int, source: Callable[[int], Batch]) -> None:
        for step in range(steps):
            batch = source(step)
            a, b = batch["a"], batch["b"]
            with autocast(ask, device):
                d.zero_grad()
                fake_b, fake_a = forth(a)[0], back(b)[0]  # with their graphs, which it leaves attached
                loss = judged(judges[0], a, 1.0) + judged(judges[0], fake_a, 0.0)
                loss = loss + judged(judges[1], b, 1.0) + judged(judges[1], fake_b, 0.0)
            loss.backward()
            d.step()
            with autocast(ask, device):
                g.zero_grad()
                (fake_b, cam_b, _), (fake_a, cam_a, _) = forth(a), back(b)  # once more
                (again_a, _, _), (again_b, _, _) = back(fake_b), forth(fake_a)
                (same_a, same_cam_a, _), (same_b, same_cam_b, _) = back(a), forth(b)
                loss = judged(judges[0], fake_a, 1.0) + judged(judges[1], fake_b, 1.0)
                loss = loss + 10 * (apart(again_a, a) + apart(again_b, b) + apart(same_a, a) + apart(same_b, b))
                cams = [seen_as(cam, cross, 1.0) for cam in (cam_a, cam_b)]
                cams += [seen_as(cam, cross, 0.0) for cam in (same_cam_a, same_cam_b)]
                loss = loss + 1000 * torch.stack(cams).sum()
            loss.backward()
            g.step()
            forth.apply(clip)
            back.apply(clip)

    return run


def official_council(ask: Mapping[str, Any], device: torch.device) -> Run:
    """The authors' own trainer with four members, its updates as their train.py calls them, the council at work."""
    here = council.on_a_cpu if device.type == "cpu" else nullcontext
    with here():
        trainer = council.LARGE.trainer(shared.reference("CURATE_COUNCIL", "trainer_council")).to(device)

    def run(steps: int, source: Callable[[int], Batch]) -> None:
        with here():
            for step in range(steps):
                batch, config = source(step), trainer.told | {"iteration": council.START + step}
                for update in (trainer.dis_update, trainer.dis_council_update, trainer.gen_update):
                    update(batch["a"], batch["b"], config)
                trainer.update_learning_rate()

    return run


def autocast(ask: Mapping[str, Any], device: torch.device) -> Any:
    half = ask.get("precision") == "bf16"
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()


REFERENCES = {"cyclegan": official_cyclegan, "ugatit": official_ugatit, "council": official_council}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(json.loads(sys.argv[1]))) + "\n")
