"""All that a GPU has to show, in at most six minutes on one card: make gpu, or python benchmarks/gpu.py
[--out gpu] [--minutes 6].

First the tests marked gpu, then figures: a step of each recipe at batch 1 and 16 as the recipe stands,
in fp32, tf32 and compiled; how many images a second a loader gives; a 720p photo restored in fp32 and
bf16; operations of a step. Writes OUT/gpu.json after each figure and OUT/gpu.md at the end; what there
was no time for is named there. Everything it needs is in the tree; without a GPU it says so and ends
with 2.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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
from components.train.precision import computing

RECIPES = ("deblurgan", "pix2pix", "srgan", "mobile", "demo")
ROOT = Path(__file__).parents[1]
TESTS_S = 150  # of the six minutes


class Figures:
    """What was found, and how much time is left."""

    def __init__(self, out: Path, minutes: float) -> None:
        self._out, self._end = out, time.monotonic() + 60 * minutes
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
        self._out.mkdir(parents=True, exist_ok=True)
        card = torch.cuda.get_device_name()
        told = {"card": card, "torch": torch.__version__, "rows": self.rows, "left_out": self.left_out}
        (self._out / "gpu.json").write_text(json.dumps(told, indent=2) + "\n")

    def markdown(self) -> None:
        """The table for docs/figures.md."""
        lines = [
            f"{torch.cuda.get_device_name()}, torch {torch.__version__}",
            "",
            "| What | Found |",
            "|---|---|",
        ]
        for row in self.rows:
            told = ", ".join(f"{name} {value}" for name, value in row.items() if name != "what")
            lines.append(f"| {row['what']} | {told} |")
        lines += ["", *(f"No time for: {what}." for what in self.left_out)]
        (self._out / "gpu.md").write_text("\n".join(lines) + "\n")


def main() -> int:
    """Tests and figures; gives the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--minutes", type=float, default=6.0)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print(
            "make gpu: torch finds no GPU on this machine; `refocus doctor` tells whether there is one and"
            " what is missing",
            file=sys.stderr,
        )
        return 2
    figures = Figures(arguments.out, arguments.minutes)
    figures.take("tests marked gpu", 20, _tests)
    with tempfile.TemporaryDirectory() as folder:
        for batch in (1, 16):
            for recipe in RECIPES:
                _steps(figures, recipe, batch, Path(folder))
    figures.take("deblurgan, 1280×720 restored", 15, _restored)
    figures.take("images a second, decoded once", 30, _input)
    figures.write()
    figures.markdown()
    failed = any("error" in row or row.get("failed") for row in figures.rows)
    return 1 if failed else 0


def _tests() -> dict[str, Any]:
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TESTS_S, check=False)
    last = done.stdout.strip().splitlines()[-1:]
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return {"said": " ".join(last), "failed": failures, "status": done.returncode}


def _steps(figures: Figures, recipe: str, batch: int, folder: Path) -> None:
    base = recipes.load(recipe).train
    phase = base.phases[-1].model_copy(update={"batch": batch})
    weights = stand_ins_for(base, folder)
    ways: dict[str, dict[str, Any]] = {base.precision: {}, "fp32": {"precision": "fp32"}}
    ways |= {
        "tf32": {"precision": "tf32"},
        f"{base.precision} channels_last": {"channels_last": True},
        f"{base.precision} compiled": {"compile": True},
    }
    for name, changes in ways.items():
        config = base.model_copy(update=changes)

        def measure(config: TrainConfig = config) -> dict[str, Any]:
            with computing(config.precision, deterministic=False):
                step = ours(config, phase, torch.device("cuda"), weights)
                return _timed(step, batch) | {"operations": operations(step)}

        needs_s = 40 if config.compile else 8
        figures.take(f"{recipe}, batch {batch}, {phase.crop_px} px, {name}", needs_s, measure)
        torch.cuda.empty_cache()


def _timed(step: Callable[[int], object], images: int) -> dict[str, Any]:
    for turn in range(3):
        step(turn)
    seconds: list[float] = []
    while len(seconds) < 15 and sum(seconds) < 4:
        torch.cuda.synchronize()
        began = time.perf_counter()
        step(len(seconds) + 3)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    middle = statistics.median(seconds)
    return {
        "ms_a_step": round(1e3 * middle, 2),
        "images_a_second": round(images / middle, 1),
        "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2),
    }


def _restored() -> dict[str, Any]:
    part = recipes.load("deblurgan").train.generator
    photo, found = np.random.default_rng(0).random((720, 1280, 3), dtype=np.float32), {}
    for precision in ("fp32", "tf32", "bf16"):
        restorer = Restorer(part.build(0), part, device="cuda", tile_px=1280, precision=precision)
        restorer.restore(photo)
        began = time.perf_counter()
        for _ in range(3):
            restorer.restore(photo)
        found[f"{precision}_ms"] = round(1e3 * (time.perf_counter() - began) / 3, 1)
    return found


def _input() -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "benchmarks/input.py"), "--pairs", "8", "--rounds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return {"said": " / ".join(line.strip() for line in done.stdout.splitlines())}


if __name__ == "__main__":
    sys.exit(main())
