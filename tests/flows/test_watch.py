"""When the watcher tells of photos: once for each set, when it has settled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# A process of its own: Prefect warns at import, and warnings are errors here.
WALK = """
import json, sys
from components.ingest.listing import Listing
from flows.watch import Seen, after
seen, told = Seen(), []
for at, digest, last_run in json.loads(sys.argv[1]):
    seen, tell = after(seen, Listing(digest, 1), float(at), 60.0, last_run)
    told += [[at, digest]] if tell else []
print(json.dumps(told))
"""
ROOT = Path(__file__).resolve().parents[2]


def told(*looks: tuple[int, str, str], folder: Path) -> list[list[object]]:
    """Of looks (second, digest of the photos, digest that the last run saw) those that were told of."""
    done = subprocess.run(
        [sys.executable, "-c", WALK, json.dumps(looks)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[object]] = json.loads(done.stdout)
    return found


def test_a_set_is_told_of_once_when_it_has_settled_and_no_run_saw_it(tmp_path: Path) -> None:
    burst = [(0, "a", ""), (30, "b", ""), (60, "c", ""), (90, "c", ""), (120, "c", ""), (180, "c", "")]
    after_a_run = [(240, "c", "c"), (400, "c", "c")]
    more = [(460, "d", "c"), (490, "e", "c"), (560, "e", "c"), (700, "e", "c")]
    back_again = [(760, "c", "c"), (900, "c", "c")]
    found = told(*burst, *after_a_run, *more, *back_again, folder=tmp_path)
    assert found == [[120, "c"], [560, "e"]]


def test_a_clock_that_was_set_back_or_jumped_ahead_keeps_no_set_from_being_told_of(tmp_path: Path) -> None:
    years_ahead = [(10**9, "a", ""), (100, "a", ""), (130, "a", ""), (170, "a", "")]
    jumped_ahead = [(200, "b", "a"), (10**9, "b", "a"), (300, "b", "a")]
    found = told(*years_ahead, *jumped_ahead, folder=tmp_path)
    assert found == [[170, "a"], [10**9, "b"]]
