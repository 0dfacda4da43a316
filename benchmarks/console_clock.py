"""What the user waits for: commands of the console by the clock on the wall, and what the run said
itself.

    python benchmarks/console_clock.py             # about three minutes on a quiet machine

In a clone with the tests' recipe `tiny`, run once to its champion; then each command three times,
the median of each figure. `wall` is from start to end of the process; `processor` is user and
system time, with that of all its children: on a busy machine it says more. `told` is what the last
line says.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
WRONG = ("run", "wrong", "--no-prefect")
COMMANDS: dict[str, tuple[str, ...]] = {
    "nothing to do": ("run", "tiny", "--no-prefect"),
    "nothing to do, Prefect": ("run", "tiny"),
    "a wrong value, told": WRONG,
    "a wrong value, Prefect": WRONG[:2],
    "lineage": ("lineage", "tiny@champion"),
    "promote, settled": ("promote", "tiny", "1"),
    "help": ("--help",),
    "recipes": ("recipes",),
    "run --dry-run": ("run", "tiny", "--dry-run"),
    "doctor": ("doctor",),
}


def measured(words: Sequence[str], root: Path, environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds, and the seconds that the command told (nan if none)."""
    command = [sys.executable, "-m", "components.console.cli", *words]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == (2 if "wrong" in words else 0), done.stderr
    told = re.findall(r"\(([0-9.]+) s\)$", done.stdout.strip())
    processor_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall_s, processor_s, float(told[-1]) if told else float("nan")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="how often each command runs")
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE / "tests" / "flows"))
    from tiny_clone import TINY, clone_into

    with tempfile.TemporaryDirectory() as folder:
        clone = clone_into(Path(folder).resolve())
        clone.refocus("run", "tiny", "--no-prefect")
        recipe = clone.root / "components" / "recipes" / "wrong.yaml"
        graph = clone.root / "dvc.yaml"
        plain = graph.read_text()
        print(f"{'':<24}{'wall s':>10}{'processor s':>14}{'told s':>10}   median of {arguments.times}")
        for name, words in COMMANDS.items():
            if "wrong" in words:
                recipe.write_text(TINY.replace("name: tiny", "name: wrong", 1).replace("ema: 0.9", "ema: 9"))
                graph.write_text(plain.replace("recipes: [", "recipes: [wrong, "))
            found = [measured(words, clone.root, clone.environment) for _ in range(arguments.times)]
            recipe.unlink(missing_ok=True)
            graph.write_text(plain)
            wall_s, processor_s, told_s = (statistics.median(column) for column in zip(*found, strict=True))
            told = "" if told_s != told_s else f"{told_s:.1f}"
            print(f"{name:<24}{wall_s:>10.1f}{processor_s:>14.1f}{told:>10}", flush=True)
        print(subprocess.run(["uptime"], capture_output=True, text=True, check=False).stdout.strip())


if __name__ == "__main__":
    main()
