"""One pass over a GPU: its tests, what steps cost, and a real training at 256 px. Under eight minutes.

    python -m tests.gpu.check OUT [--seconds 150] [--size 256] [--count 300]

OUT gets report.json (each part's result and seconds), the run's scalars, and sample pictures. Each part has a time of
its own and is ended when it is over, so that a slow one costs no other. Runs on a CPU, too, to try the script itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.gpu.portraits import LENGTHS, write_dataset

ROOT = Path(__file__).parents[2]
TESTS = ("tests/gpu", "tests/train/engine/test_precision.py")
STEPS: tuple[Mapping[str, Any], ...] = tuple(
    {"recipe": recipe, "whose": "ours", **mode}
    for recipe in ("cyclegan", "ugatit")
    for mode in (
        {},
        {"precision": "bf16", "channels_last": True},
        {"precision": "bf16", "channels_last": True, "compile": "graphs"},
        {"batch": 8, "precision": "bf16", "channels_last": True},
    )
)
TESTS_S, STEPS_S, STEP_S = 120, 110, 40  # limits, seconds: all tests; all kinds of steps; one kind


def ended(command: Sequence[str], seconds: float, end: int = signal.SIGKILL, **options: Any) -> tuple[int, str]:
    """Exit code and what was printed, of a command that gets the signal `end` after `seconds`."""
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=-1, stderr=subprocess.STDOUT, **options) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(end)
            said, _ = process.communicate()
        return process.returncode, said


def gpu_tests() -> dict[str, Any]:
    code, said = ended([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS], TESTS_S)
    return {"exit": code, "said": said.splitlines()[-15:]}


def steps() -> list[dict[str, Any]]:
    """A row for each kind of step, as tests/bench/steps.py prints it, while there is time."""
    rows, over = [], time.monotonic() + STEPS_S
    for ask in STEPS:
        if time.monotonic() + STEP_S > over:
            rows.append({**ask, "not run": "out of time"})
            continue
        code, said = ended([sys.executable, "-m", "tests.bench.steps", json.dumps(ask)], STEP_S)
        rows.append(json.loads(said.splitlines()[-1]) if code == 0 else {**ask, "exit": code, "said": said[-500:]})
    return rows


def training(out: Path, seconds: float, size: int, count: int) -> dict[str, Any]:
    """CycleGAN with its options for hair on drawn portraits, for `seconds`; its last samples and scalars to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        began = time.monotonic()
        write_dataset(root, count=count, size=size)
        drawing = time.monotonic() - began
        command = [sys.executable, "-m", "curate", "train", "cyclegan", "--root", str(root), "--a", LENGTHS[0]]
        command += ["--b", LENGTHS[1], "--size", str(size), "--steps", "1000000", "--precision", "bf16"]
        for value in ("channels_last=true", "sample_every=200", "checkpoint_every=1000", "measure_every=0", "tick=20"):
            command += ["--set", f"run.{value}"]
        code, said = ended(command, seconds, signal.SIGINT)
        run = root / "processed/runs/cyclegan"
        for name in ("scalars.jsonl", "metrics.json", "samples/latest.png"):
            if (run / name).is_file():
                shutil.copy(run / name, out / Path(name).name)
        lines = [json.loads(line) for line in (out / "scalars.jsonl").read_text("utf-8").splitlines()]
        last = max((line["step"] for line in lines), default=0)
        return {
            "exit": code,  # 130: ended by us, saved
            "drawing_s": round(drawing, 1),
            "steps": last,
            "images_per_second": round(last / max(seconds, 1e-9), 2),  # of each domain; start and samples included
            "said": said.splitlines()[-6:],
        }


def main() -> None:
    """Runs the parts one after the other and writes the report after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=150, help="how long the training goes")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=300, help="portraits for each length of hair")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    gpu = torch.cuda.is_available()
    report: dict[str, Any] = {"torch": torch.__version__, "device": torch.cuda.get_device_name() if gpu else "cpu"}
    parts: dict[str, Callable[[], Any]] = {
        "tests": gpu_tests,
        "steps": steps,
        "training": lambda: training(given.out, given.seconds, given.size, given.count),
    }
    for name, part in parts.items():
        began = time.monotonic()
        report[name] = part()
        report[f"{name}_s"] = round(time.monotonic() - began, 1)
        (given.out / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        sys.stdout.write(json.dumps({name: report[name], "seconds": report[f"{name}_s"]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
