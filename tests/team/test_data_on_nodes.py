"""Nodes that see neither the driver's folders nor each other's make a set of pairs and train on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from photosets import photoset_of
from safetensors.torch import load_file

from components.core.records import Checkpoint, PairSet
from components.services.content import MANIFEST, reader_of, shard_problems
from infra.team.stack import Stack

pytestmark = pytest.mark.services


def driver(home: Path, *words: str, away: tuple[str, ...] = ()) -> str:
    """A machine outside of the cluster, with a state folder of its own."""
    variables = {name: value for name, value in os.environ.items() if name not in away}
    variables |= {"REFOCUS_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("made_by_nodes.py")), *words],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_a_set_that_no_disk_has_is_made_trained_on_and_measured_as_files_are(
    stack: Stack, team_without_prefect: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photoset = photoset_of(tmp_path / "photos", sizes=((96, 80), (80, 120), (70, 70), (64, 90), (90, 64)))
    home, out = tmp_path / "driver", tmp_path / "out"
    driver(home, str(photoset.folder), str(out))
    pairs = PairSet.load(out / "pairs")
    assert [path.name for path in pairs.folder.rglob("*.png")] == ["examples.png"]
    assert (pairs.folder / MANIFEST).is_file()
    assert shard_problems(pairs) == []
    assert not list((home / "cache").rglob("shards-*")), "no picture came to the driver"
    for node in stack.nodes:
        kept = list((node.folder / "state" / "cache" / "entries").glob("shards-*"))
        assert kept, f"{node.name} trained from shards of its own"
    # The same on one machine, with as many workers, on the same pairs; two Rays at once want much memory.
    stack.stop(*stack.nodes)
    driver(home, str(photoset.folder), str(out), away=("RAY_ADDRESS", "MLFLOW_TRACKING_URI"))
    there, here = (load_file(out / name / Checkpoint.WEIGHTS) for name in ("checkpoint", "alone"))
    assert there.keys() == here.keys()
    assert all((there[name] == here[name]).all() for name in there)
    for pair in pairs.pairs("test"):
        assert reader_of(pairs).read(pair.input)
