"""Killed before a change to the disk and taken again, every step of a run ends as if it had never been."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STEPS = ("ingest", "synthesize", "train", "evaluate", "register", "promote")


@pytest.mark.services
def test_a_step_that_was_killed_ends_as_the_undisturbed_one() -> None:
    """Points spread over each step; all of them are `python benchmarks/kill_sweep.py`'s."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "kill_sweep.py"), "--points", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = re.findall(r"^(\w+) +(\d+) points, (\d+) not as undisturbed$", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tuple(step for step, *_ in lines) == STEPS
    assert all(int(points) == 2 and wrong == "0" for _, points, wrong in lines)
