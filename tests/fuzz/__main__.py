"""The readers of strangers' bytes under Atheris: python -m tests.fuzz [TARGET ...] [--seconds N].

What the tests draw by hypothesis is drawn here from the fuzzer's bytes, so that it learns by which damage new lines of
curate are reached. Each target runs in a process of its own; what makes one fail is kept below `.fuzz`, where the next
run begins with it. Then it belongs among what the tests of that reader have found.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given

TARGETS = ("images", "lists", "pages", "weights")
KEPT = Path(".fuzz")  # inputs by which something new was reached, by target
LARGEST = 4096  # bytes that a damaged file is drawn from
SEEDS = 30
SLOWEST, MOST = 60, 4096  # s and MB that one input may take


def target(name: str, folder: Path) -> Callable[[bytes], object]:
    """What the fuzzer calls with its bytes; readers find their files in `folder`."""
    from tests.pipeline.imaging import test_codec_fuzz as images
    from tests.pipeline.scrape import test_fuzz as sites

    if name == "images":
        drawn = given(images.mutated(images.CORPUS))(images.check)
    elif name == "lists":
        drawn = given(sites.damaged(sites.LISTS))(lambda one: sites.read_list(folder, one[0].name, one[1]))
    elif name == "pages":
        drawn = given(sites.damaged(sites.PAGES), sites.content_types)(
            lambda one, kind: sites.read_page(folder, one[1], kind)
        )
    else:
        from tests.train.weights import test_weights_fuzz as weights

        drawn = given(weights.damaged())(lambda one: weights.check(folder, *one))
    found: Callable[[bytes], object] = drawn.hypothesis.fuzz_one_input
    return found


def fuzz(name: str, seconds: int) -> None:
    """Tries `name` for `seconds`; the process ends with it: 0, or another code where something failed."""
    try:
        import atheris
    except ImportError:
        sys.exit("Atheris is not here, which is built for Linux on x86-64 and Python before 3.14: make fuzz")
    with atheris.instrument_imports(include=["curate"]):
        import curate.pipeline.imaging.codec
        import curate.pipeline.scrape.sources.html
        import curate.pipeline.scrape.sources.urls

        if name == "weights":
            import curate.train.weights.exchange  # noqa: F401
    kept = KEPT / name
    kept.mkdir(parents=True, exist_ok=True)
    for seed in range(SEEDS):  # a short input draws no damage at all, and by itself none grows long
        (kept / f"seed-{seed}").write_bytes(random.Random(seed).randbytes(LARGEST // 8))
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MOST}", f"-max_len={LARGEST}"]
    with tempfile.TemporaryDirectory() as folder:
        atheris.Setup([sys.argv[0], str(kept), *limits, f"-artifact_prefix={KEPT}/{name}-"], target(name, Path(folder)))
        atheris.Fuzz()


def main() -> int:
    """Runs the targets that are named, one after the other; how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)  # in this very process
    given_ = parser.parse_args()
    if given_.alone:
        fuzz(given_.targets[0], given_.seconds)
    failed = 0
    for name in given_.targets:
        words = [sys.executable, "-m", "tests.fuzz", name, "--alone", "--seconds", str(given_.seconds)]
        failed += subprocess.run(words, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
