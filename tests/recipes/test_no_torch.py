"""A recipe is read without torch, whose import takes longer than everything else that is known before
a run starts.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from bundled import RECIPES

from components import recipes

READ = """
import sys
from components import recipes
for name in sys.argv[1:]:
    recipes.load(name)
print(sorted({module.split(".")[0] for module in sys.modules} & {"torch", "torchvision", "torchmetrics"}))
"""


@pytest.fixture(scope="module")
def imported() -> str:
    """What a fresh process has imported of torch and its kin once it has read every recipe."""
    return subprocess.run(
        [sys.executable, "-c", READ, *RECIPES],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout.strip()


def test_every_recipe_is_read_without_torch(imported: str) -> None:
    assert imported == "[]"


def test_what_is_read_can_be_built() -> None:
    train = recipes.load("demo").train
    assert sum(weights.numel() for weights in train.generator.build(seed=0).parameters()) > 0
    assert [part.build(seed=0) for part in train.discriminators] != []
