"""Downloading: against img2dataset on one loopback server, and 100,000 addresses on 1,000 hosts.

CURATE_IMG2DATASET names its command, from an environment of its own; without it only ours is measured. The server is
nginx where there is one. Every client is a process of its own, measured with its children from start to end.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.tables import manifest
from tests.support import ROOT

IMAGES = 2000
WORKERS = 3  # a server without latency needs no more at once
HOSTS = int(os.environ.get("CURATE_BENCH_HOSTS", "1000"))
PER_HOST = int(os.environ.get("CURATE_BENCH_PER_HOST", "100"))
DELAY = float(os.environ.get("CURATE_BENCH_DELAY", "2.0"))  # s between two requests to one host

CURATE = """
import sys
from pathlib import Path
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
root, site, name, delay, workers = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
dial = {f"h{n}.test": ("127.0.0.1", int(site.rpartition(":")[2])) for n in range(int(sys.argv[6]))}
section = Scrape(
    contact="me@example.org", delay=delay, per_host=workers, workers=workers, min_side=1,
    queries=(Query(source="urls", input=name),),
)
scrape.run(section, root, allow=(site,), dial=dial)
"""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """HOST:PORT of a static server over `folder`, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if nginx := shutil.which("nginx"):
        config = folder.parent / "nginx.conf"
        config.write_text(
            f"user root; daemon off; pid {folder.parent}/nginx.pid; error_log stderr crit; worker_processes 1;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ access_log off; sendfile on; keepalive_requests 1000000; types {{ image/jpeg jpg; }}\n"
            f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
        )
        command = [nginx, "-e", "stderr", "-c", str(config)]
        folder.parent.chmod(0o755)
    else:
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def measured(*command: str) -> dict[str, float]:
    """Wall and CPU seconds of `command` with its children, and the peak of their memory together in MiB."""
    peak, done = 0.0, threading.Event()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, sum(_resident(pid) for pid in _family(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    done.set()
    watcher.join()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, errors.decode()[-2000:]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "peak_mib": round(peak)}


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _resident(pid: int) -> float:
    """Proportional where the kernel tells, so that what forked processes share counts once."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def jpegs(folder: Path) -> int:
    """IMAGES pictures of about 111 kB each, 1024x768, drawn once per hundred; returns their bytes."""
    folder.mkdir()
    draw, total = np.random.default_rng(0), 0
    grain = draw.normal(0, 9, (768, 1024, 1))
    drawings = []
    for _ in range(100):
        coarse = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((1024, 768), Image.Resampling.BILINEAR), np.float32)
        buffer = io.BytesIO()
        picture = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
        picture.save(buffer, "JPEG", quality=int(draw.integers(61, 73)))
        drawings.append(buffer.getvalue())
    for n in range(IMAGES):
        body = drawings[n % 100]
        comment = b"\xff\xfe" + (10).to_bytes(2, "big") + f"{n:08}".encode()
        (folder / f"{n}.jpg").write_bytes(body[:2] + comment + body[2:])
        total += len(body) + len(comment)
    return total


def ours(root: Path, site: str, urls: list[str], delay: float, workers: int, hosts: int) -> dict[str, Any]:
    root.mkdir()
    (root / "list.txt").write_text("\n".join(urls))
    row = measured(sys.executable, "-c", CURATE, str(root), site, "list.txt", str(delay), str(workers), str(hosts))
    accepted = manifest.summarize(manifest.IMAGES, manifest.read(manifest.IMAGES, root)).accepted
    return {"client": "curate", **row, "accepted": accepted}


def report(*results: dict[str, Any]) -> None:
    for row in results:
        row["images_per_s"] = round(row["accepted"] / row["wall_s"], 1)
        row["cpu_s_per_1000"] = round(1000 * row["cpu_s"] / row["accepted"], 2)
        sys.stdout.write(json.dumps(row) + "\n")


@pytest.mark.bench
def test_against_img2dataset(tmp_path: Path) -> None:
    total = jpegs(tmp_path / "www")
    sys.stdout.write(f"\nmean {total / IMAGES / 1000:.1f} kB\n")
    with served(tmp_path / "www") as site:
        urls = [f"http://{site}/{n}.jpg" for n in range(IMAGES)]
        results = [ours(tmp_path / "ours", site, urls, 0.0, WORKERS, 0)]
        assert results[0]["accepted"] == IMAGES
        if other := os.environ.get("CURATE_IMG2DATASET"):
            (tmp_path / "urls.txt").write_text("\n".join(urls))
            for processes, threads in ((1, 16), (2, 32)):
                out = tmp_path / f"theirs-{processes}"
                row = measured(
                    other,
                    f"--url_list={tmp_path / 'urls.txt'}",
                    f"--output_folder={out}",
                    f"--processes_count={processes}",
                    f"--thread_count={threads}",
                    "--number_sample_per_shard=1000",
                    "--resize_mode=no",
                    "--disable_all_reencoding=True",
                    "--output_format=files",
                )
                name = f"img2dataset {processes}x{threads}"
                results.append({"client": name, **row, "accepted": len(list(out.rglob("*.jpg")))})
            results.append(ours(tmp_path / "again", site, urls, 0.0, WORKERS, 0))
    report(*results)


@pytest.mark.bench
def test_one_host(tmp_path: Path) -> None:
    """A list of one host: as long as politeness takes, from the first picture on."""
    www = tmp_path / "www"
    www.mkdir()
    for n in range(PER_HOST):
        Image.new("RGB", (8, 8), (n % 256, n // 256, 7)).save(www / f"{n}.png")
    with served(www) as site:
        row = ours(tmp_path / "root", site, [f"http://{site}/{n}.png" for n in range(PER_HOST)], 0.2, 8, 0)
    report(row | {"least_s": 0.2 * (PER_HOST - 1)})


@pytest.mark.bench
def test_many_hosts(tmp_path: Path) -> None:
    """HOSTS x PER_HOST small pictures, each host asked every DELAY seconds: as long as that takes, in level memory."""
    www = tmp_path / "www"
    www.mkdir()
    for n in range(PER_HOST):
        Image.new("RGB", (8, 8), (n % 256, n // 256, 7)).save(www / f"{n}.png")
    with served(www) as site:
        for per_host in (PER_HOST // 4, PER_HOST):
            urls = [f"http://h{h}.test/{n}.png?{h}" for n in range(per_host) for h in range(HOSTS)]
            row = ours(tmp_path / f"root-{per_host}", site, urls, DELAY, 64, HOSTS)
            row |= {"accepted": len(urls), "hosts": HOSTS, "per_host": per_host, "least_s": DELAY * (per_host + 1)}
            report(row)
