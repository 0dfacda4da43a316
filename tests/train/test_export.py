"""What a training hands on: the averaged generator of its end, or of its best validation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pairs import make_pairs
from safetensors.torch import load_file
from small_training import config

from components.core.records import Checkpoint
from components.train import run
from components.train.loop import Outcome
from components.train.training_state import write_state


@pytest.mark.parametrize("best", [None, {"value": 30.0, "images_seen": 8}], ids=["last", "best"])
def test_the_averaged_generator_is_kept_at_the_end_or_at_its_best(
    best: dict[str, object] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.tracking, "find_training", lambda key: None)
    settings = config()
    shapes = settings.generator.build(0).state_dict()
    present, average, at_best = (
        {name: torch.full_like(tensor, value) for name, tensor in shapes.items()} for value in (1.0, 2.0, 3.0)
    )
    kept = None if best is None else best | {"weights": at_best}
    progress = {"best": kept, "stopped_early": ["joint"], "rollbacks": 2}
    state = write_state(
        {"progress": progress, "step": {"generator": present, "average": average, "further": []}}
    )
    made = run._export(
        settings,
        make_pairs(tmp_path / "pairs"),
        "k" * 64,
        "0" * 64,
        Outcome(20, None),
        state,
        tmp_path / "out",
    )
    found = load_file(tmp_path / "out" / Checkpoint.WEIGHTS)
    assert all(torch.equal(found[name], (average if best is None else at_best)[name]) for name in shapes)
    assert made.images_seen == (20 if best is None else 8)
    assert (made.about["phases_stopped_early"], made.about["rollbacks"]) == (["joint"], 2)
    assert made.verify() == made
