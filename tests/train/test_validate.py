"""What a validation shows and counts: the given picture left, as many pairs as asked for, the
averaged generator in the middle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pairs import make_pairs
from small_training import CPU, NET, config

from components.core.baseline import enlarged
from components.core.images import read_rgb
from components.train.data import Data
from components.train.validate import validate

ENLARGING = {"kind": "srresnet", "width": 4, "blocks": 1}


@pytest.mark.parametrize(("task", "net"), [("restore", NET), ("translate", NET), ("enlarge", ENLARGING)])
def test_a_sheet_shows_what_was_given_what_was_made_and_what_was_wanted(
    task: str, net: dict[str, object], tmp_path: Path
) -> None:
    # Of a translation whose baseline is one flat colour the input is shown all the same.
    data = Data.of(make_pairs(tmp_path, task=task))
    made = config(generator=net)
    scores, sheet = validate(made, made.generator.build(0), data, CPU)
    pair = data.val[0]
    input, target = read_rgb(tmp_path / pair.input), read_rgb(tmp_path / pair.target)
    assert sheet is not None
    assert sheet.shape == (2 * 48, 3 * 48, 3)
    assert np.array_equal(sheet[:48, :48], enlarged(input, made.generator.scale))
    assert np.array_equal(sheet[:48, 96:], target)
    if task == "restore":
        assert np.array_equal(sheet[:48, 48:96], input), "an untrained residual net changes nothing"
        assert scores["validation/psnr_rgb_gain"] == pytest.approx(0, abs=1e-9)


def test_as_many_pairs_are_looked_at_as_asked_for(tmp_path: Path) -> None:
    data, made = Data.of(make_pairs(tmp_path)), config(validate_pairs=1)
    net, photos = made.generator.build(0), []
    net.register_forward_pre_hook(lambda layer, input: photos.append(input[0].detach().clone()))
    scores, sheet = validate(made, net, data, CPU)
    assert len(photos) == 1
    assert sheet is not None
    assert sheet.shape[0] == 48
    both, _ = validate(config(), net, data, CPU)
    assert both["validation/psnr_rgb"] != scores["validation/psnr_rgb"]
    assert len({bytes(photo.numpy().tobytes()) for photo in photos}) == 2
    assert torch.is_grad_enabled()
