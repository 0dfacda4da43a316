"""What a command needs not, it does not wait for: torch, MLflow and Prefect take seconds to import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundled import bundled_into

ROOT = Path(__file__).resolve().parents[2]
ASKED = """
import sys
from components.console.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print("MODULES", code, *sorted(sys.modules))
"""
HEAVY = {"torch", "ray", "prefect", "dvc", "matplotlib", "skimage", "scipy.stats"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The least that counts as a clone, with our recipes and one that has a wrong value."""
    folder = bundled_into(tmp_path) / "components" / "recipes"
    demo = (folder / "demo.yaml").read_text().replace("\nname: demo\n", "\nname: wrong\n")
    (folder / "wrong.yaml").write_text(demo.replace("\nevaluate:", "\nevaluat:"))
    (tmp_path / "dvc.yaml").write_text("vars:\n  - recipes: [demo, wrong]\nstages: {}\n")
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def modules_of(words: list[str], checkout: Path, wanted: int) -> set[str]:
    """The modules that a command imported."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED, *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    _, code, *names = done.stdout.splitlines()[-1].split()
    assert int(code) == wanted, done.stderr
    return set(names)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["recipes"], 0),
        (["run", "demo", "--dry-run"], 0),
        (["run", "wrong", "--dry-run"], 2),
        (["run", "wrong"], 2),
        (["run", "wrong", "--no-prefect"], 2),
        (["run", "nobodys"], 2),
        (["ingest", "wrong"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_a_recipe_alone_decides_is_told_without_a_heavy_library(
    words: list[str], wanted: int, checkout: Path
) -> None:
    assert not modules_of(words, checkout, wanted) & (HEAVY | {"mlflow"})


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["lineage", "demo@champion"], 8),
        (["promote", "demo"], 8),
        (["promote", "nobodys"], 2),
        (["rollback", "demo", "--reason", "none"], 8),
        (["doctor"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_the_registry_alone_decides_is_told_without_torch(
    words: list[str], wanted: int, checkout: Path
) -> None:
    assert not modules_of(words, checkout, wanted) & HEAVY
