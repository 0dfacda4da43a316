"""All that a GPU has to show, in at most six minutes on one card: make gpu, or python benchmarks/gpu.py
[--out gpu] [--minutes 6] [--rehearse].

What matters most comes first: the tests marked gpu; a 720p photo restored in fp32, tf32 and bf16; how many
images a second a loader gives; pairs rendered on the card; a step of each recipe at batch 1 and 16 as the
recipe stands; one compiled; then in other precisions and the other order of memory, the others compiled, and
the tests of compiled steps. A row has milliseconds, the most memory, and a step's operations. Writes
OUT/gpu.json after each row, OUT/gpu.md at the end and what pytest said into OUT/; what there was no time for
is named there. Everything it needs is in the tree; without a GPU it says so and ends with 2. --rehearse goes
the same way on a processor, by one recipe and small photos: whether all of it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arithmetic import operations
from stand_in import stand_ins_for
from train_step import ours

from components import recipes
from components.nets.restore import Restorer
from components.train.config import TrainConfig
from components.train.precision import CUBLAS, computing

RECIPES = ("deblurgan", "pix2pix", "srgan", "mobile", "demo")
BATCHES, RESTORED = (1, 16), "deblurgan"
ROOT = Path(__file__).parents[1]
TESTS_S, OTHERS_S = 150, 60  # of the six minutes, at most
PLAIN_S, COMPILED_S = 8, 60  # what a row of steps takes
OUTCOME = re.compile(r"^(tests/\S.*) (PASSED|FAILED|ERROR|SKIPPED)\b", re.MULTILINE)


class Card:
    """What is measured: a GPU, or the processor in a rehearsal."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.rehearsal = device, device.type == "cpu"
        self.name = (
            f"a rehearsal on a processor ({platform.machine()})"
            if self.rehearsal
            else torch.cuda.get_device_name(device)
        )

    def wait(self) -> None:
        """Until all that was launched is done."""
        if not self.rehearsal:
            torch.cuda.synchronize(self.device)

    def clear(self) -> None:
        """Give back what no row holds any more, and begin anew to look for the most memory."""
        gc.collect()  # a step's nets hold each other
        if not self.rehearsal:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_gb(self) -> float:
        """The most memory since then."""
        return 0.0 if self.rehearsal else round(torch.cuda.max_memory_allocated(self.device) / 1e9, 2)


class Figures:
    """What was found, and how much time is left."""

    def __init__(self, out: Path, minutes: float, card: Card) -> None:
        self.out, self.card, self._end = out, card, time.monotonic() + 60 * minutes
        self.rows: list[dict[str, Any]] = []
        self.left_out: list[str] = []

    def left_s(self) -> float:
        """Seconds until everything should be over."""
        return self._end - time.monotonic()

    def take(self, what: str, needs_s: float, measure: Callable[[], dict[str, Any]]) -> None:
        """Measure, unless time is short; what goes wrong is a finding too."""
        if self.left_s() < needs_s:
            self.left_out.append(what)
            return
        self.card.clear()
        began = time.monotonic()
        try:
            found = measure()
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        self.rows.append({"what": what, **found, "took_s": round(time.monotonic() - began, 1)})
        print(self.rows[-1], flush=True)
        self.write()

    def write(self) -> None:
        """The JSON file as far as it is known."""
        self.out.mkdir(parents=True, exist_ok=True)
        told = {"card": self.card.name, "torch": torch.__version__, "rows": self.rows}
        told["left_out"] = self.left_out
        (self.out / "gpu.json").write_text(json.dumps(told, indent=2) + "\n")

    def markdown(self) -> None:
        """The table for docs/figures.md."""
        lines = [f"{self.card.name}, torch {torch.__version__}", "", "| What | Found |", "|---|---|"]
        for row in self.rows:
            told = ", ".join(f"{name} {value}" for name, value in row.items() if name != "what")
            lines.append(f"| {row['what']} | {told} |")
        lines += ["", *(f"No time for: {what}." for what in self.left_out)]
        (self.out / "gpu.md").write_text("\n".join(lines) + "\n")


def main() -> int:
    """Tests and figures; gives the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--rehearse", action="store_true", help="on a processor: whether all of it runs")
    arguments = parser.parse_args()
    if not torch.cuda.is_available() and not arguments.rehearse:
        print(
            "make gpu: torch finds no GPU on this machine; `refocus doctor` tells whether there is one and"
            " what is missing",
            file=sys.stderr,
        )
        return 2
    card = Card(torch.device("cpu") if arguments.rehearse else torch.device("cuda", 0))
    figures = Figures(arguments.out, arguments.minutes, card)
    figures.write()
    figures.take("tests marked gpu", 20, partial(_tests, figures, "not compiled"))
    figures.take(f"{RESTORED}, 1280×720 restored", 10, partial(_restored, card))
    figures.take("images a second, decoded once", 20, partial(_input, figures))
    figures.take("pairs made in training", 20, partial(_rendered, figures))
    with tempfile.TemporaryDirectory() as folder:
        _all_steps(figures, Path(folder))
    if not card.rehearsal:
        figures.take("tests of compiled steps", COMPILED_S, partial(_tests, figures, "compiled"))
    figures.write()
    figures.markdown()
    failed = any("error" in row or row.get("failed") for row in figures.rows)
    return 1 if failed else 0


def _tests(figures: Figures, chosen: str) -> dict[str, Any]:
    """What became of the marked tests whose names fit; those that were not reached are no failures."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    files = [str(path.relative_to(ROOT)) for path in paths if "mark.gpu" in path.read_text(encoding="utf-8")]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-k", chosen, "-v", "-p", "no:cacheprovider"]
    told = figures.out / f"tests-{chosen.replace(' ', '-')}.txt"
    environment = os.environ | {CUBLAS: ":4096:8"}  # read at the first product, whichever test that is in
    status: int | str = "ran out of time"
    with told.open("w") as file, contextlib.suppress(subprocess.TimeoutExpired):
        status = subprocess.run(
            [*command, *files],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=min(TESTS_S, figures.left_s()),
            check=False,
        ).returncode
    found = OUTCOME.findall(told.read_text())
    counts = Counter(outcome.lower() for _, outcome in found)
    failed = [name for name, outcome in found if outcome in ("FAILED", "ERROR")]
    if status not in (0, 1, "ran out of time"):
        failed.append(f"pytest ended with {status}, see {told}")
    return {**counts, "status": status, "failed": failed}


def _all_steps(figures: Figures, folder: Path) -> None:
    """Rows of steps in the order in which they are wanted."""
    card = figures.card
    names, batches = (("mobile",), (1,)) if card.rehearsal else (RECIPES, BATCHES)
    each = [(name, batch) for batch in batches for name in names]
    configs = {name: recipes.load(name).train for name in names}
    weights = {name: stand_ins_for(config, folder) for name, config in configs.items()}

    def rows(name: str, batch: int, *, changed: bool) -> None:
        ways = _ways(configs[name]) if changed else {configs[name].precision: {}}
        for way, changes in ways.items():
            _steps(figures, name, configs[name].model_copy(update=changes), batch, way, weights[name])

    def compiled(name: str, batch: int) -> None:
        config = configs[name].model_copy(update={"compile": True})
        _steps(figures, name, config, batch, f"{config.precision} compiled", weights[name])

    for name, batch in each:
        rows(name, batch, changed=False)
    if not card.rehearsal:
        compiled(*each[0])
    for name, batch in each:
        rows(name, batch, changed=True)
    for name, batch in each[1:] if not card.rehearsal else ():
        compiled(name, batch)


def _ways(base: TrainConfig) -> dict[str, dict[str, Any]]:
    """What is changed of a recipe, by name."""
    other = "contiguous" if base.channels_last else "channels_last"
    ways: dict[str, dict[str, Any]] = {
        f"{base.precision} {other}": {"channels_last": not base.channels_last},
        "fp32": {"precision": "fp32"},
        "tf32": {"precision": "tf32"},
    }
    return {name: changes for name, changes in ways.items() if name != base.precision}


def _steps(
    figures: Figures, name: str, config: TrainConfig, batch: int, way: str, weights: Mapping[int, Path]
) -> None:
    card = figures.card
    phase = config.phases[-1].model_copy(
        update={"batch": batch} | ({"crop_px": 64} if card.rehearsal else {})
    )

    def measure() -> dict[str, Any]:
        with computing(config.precision, deterministic=False):
            step = ours(config, phase, card.device, weights)
            # A compiled step under another mode would be compiled anew, or not at all.
            counted = {} if config.compile else {"operations": operations(step)}
            return _timed(step, batch, card) | counted

    needs_s = COMPILED_S if config.compile else PLAIN_S
    figures.take(f"{name}, batch {batch}, {phase.crop_px} px, {way}", needs_s, measure)


def _timed(step: Callable[[int], object], images: int, card: Card) -> dict[str, Any]:
    most = 2 if card.rehearsal else 15
    for turn in range(3):
        step(turn)
    seconds: list[float] = []
    while len(seconds) < most and sum(seconds) < 4:
        card.wait()
        began = time.perf_counter()
        step(len(seconds) + 3)
        card.wait()
        seconds.append(time.perf_counter() - began)
    middle = statistics.median(seconds)
    return {
        "ms_a_step": round(1e3 * middle, 2),
        "images_a_second": round(images / middle, 1),
        "peak_gb": card.peak_gb(),
    }


def _restored(card: Card) -> dict[str, Any]:
    part = recipes.load(RESTORED).train.generator
    size = (32, 48) if card.rehearsal else (720, 1280)
    photo, found = np.random.default_rng(0).random((*size, 3), dtype=np.float32), {}
    for precision in ("fp32", "tf32", "bf16"):
        restorer = Restorer(part.build(0), part, device=str(card.device), tile_px=1280, precision=precision)
        for _ in range(2):
            restorer.restore(photo)
        began = time.perf_counter()
        for _ in range(3):
            restorer.restore(photo)
        found[f"{precision}_ms"] = round(1e3 * (time.perf_counter() - began) / 3, 1)
    return found | {"peak_gb": card.peak_gb()}


def _input(figures: Figures) -> dict[str, Any]:
    rounds = "1" if figures.card.rehearsal else "3"
    return _said(figures, "input.py", "--pairs", "8", "--rounds", rounds)


def _rendered(figures: Figures) -> dict[str, Any]:
    small = ("--crop", "64", "--batch", "2", "--rounds", "1", "--processes", "1")
    chosen = small if figures.card.rehearsal else ("--batch", "16", "--rounds", "3")
    return _said(figures, "on_the_fly.py", "--device", figures.card.device.type, *chosen)


def _said(figures: Figures, benchmark: str, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "benchmarks" / benchmark), *options]
    most = min(OTHERS_S, figures.left_s())
    done = subprocess.run(command, capture_output=True, text=True, timeout=most, check=False)
    if done.returncode:
        return {"error": done.stderr.strip()[-500:]}
    return {"said": " / ".join(line.strip() for line in done.stdout.splitlines())}


if __name__ == "__main__":
    sys.exit(main())
