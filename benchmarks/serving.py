"""What a served model does under load: `python benchmarks/serving.py [--seconds S] [--replicas N]
[--clients N] [--width PX --height PX]`.

The demo's net, untrained, is served by `refocus serve` in a process of its own (with --replicas inside Ray
Serve); clients ask without a pause for a noisy photo's restoration. Figures: requests a second, the median
and the 95th percentile of the seconds to an answer, how many were told to come again (503), and the most
memory (proportional set size, so that shared pages count once) of the service with all it started, at its
beginning and its end.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import psutil

from components import recipes
from components.core.encoding import encoded
from components.nets.restore import save_generator

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S = 900.0  # with replicas on a busy machine: each is a process that imports torch


class Load:
    """Clients that ask one after the other's answer, and what they saw."""

    def __init__(self, address: str, photo: bytes) -> None:
        self._address, self._photo = address, photo
        self.seconds: list[float] = []
        self.busy = self.failed = 0
        self._stop = threading.Event()

    def run(self, clients: int, seconds: float) -> None:
        """Ask for so long."""
        threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for each in threads:
            each.start()
        self._stop.wait(seconds)
        self._stop.set()
        for each in threads:
            each.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=300) as client:
            while not self._stop.is_set():
                begun = time.monotonic()
                answer = client.post(f"{self._address}/restore", content=self._photo)
                if answer.status_code == 200:
                    self.seconds.append(time.monotonic() - begun)
                elif answer.status_code == 503:
                    self.busy += 1
                    self._stop.wait(float(answer.headers.get("Retry-After", "1")))
                else:
                    self.failed += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--replicas", type=int, default=0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    arguments = parser.parse_args()
    noise = np.random.default_rng(0).integers(0, 256, (arguments.height, arguments.width, 3), np.uint8)
    photo = encoded("jpeg", noise)
    with tempfile.TemporaryDirectory() as folder:
        part = recipes.load("demo").train.generator
        save_generator(Path(folder), part, part.build(0).state_dict())
        service, address = _serve(folder, arguments.replicas)
        try:
            load = Load(address, photo)
            httpx.post(f"{address}/restore", content=photo, timeout=300).raise_for_status()
            first = _memory_mb(service)
            load.run(arguments.clients, arguments.seconds)
            last = _memory_mb(service)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(120)
    _report(arguments, load, first, last)


def _serve(folder: str, replicas: int) -> tuple[psutil.Popen, str]:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    words = ["serve", folder, "--port", str(port), "--device", "cpu"]
    words += ["--replicas", str(replicas)] if replicas else []
    service = psutil.Popen(
        [sys.executable, "-m", "components.console.cli", *words],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        },
        stdout=subprocess.DEVNULL,
    )
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and service.poll() is None:
        try:
            if httpx.get(f"{address}/healthz", timeout=5).status_code == 200:
                return service, address
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    ended = service.poll()
    if ended is not None:
        raise SystemExit(f"the service ended before it answered (exit {ended}); it says why above")
    service.kill()
    raise SystemExit(f"the service did not answer within {START_LIMIT_S:g} s")


def _memory_mb(service: psutil.Popen) -> float:
    """Of the process and all it started, in MB."""
    total = 0
    for process in [service, *service.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def _report(arguments: argparse.Namespace, load: Load, first: float, last: float) -> None:
    seconds = sorted(load.seconds)
    if len(seconds) < 2:
        raise SystemExit(f"{len(seconds)} restorations in {arguments.seconds:g} s: too few to tell")
    where = f"{arguments.replicas} replicas of Ray Serve" if arguments.replicas else "one process"
    print(f"{where}, {arguments.clients} clients, {arguments.width} × {arguments.height} px, one thread each")
    a_second = len(seconds) / arguments.seconds
    print(f"{len(seconds)} restorations in {arguments.seconds:g} s: {a_second:.2f} a second")
    p95 = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    print(f"p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s; 503: {load.busy}, others: {load.failed}")
    print(f"memory {first:.0f} MB after the first photo, {last:.0f} MB at the end")


if __name__ == "__main__":
    main()
