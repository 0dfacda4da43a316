"""What a validation shows and counts: the input left, as many pairs as asked for, the
averaged generator in the middle.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pairs import make_pairs
from small_training import CPU, NET, config

from components.core.baseline import enlarged
from components.core.errors import LineageError, PhotoError
from components.core.images import read_rgb
from components.train.data import Data, groups_first
from components.train.fitting import refuse_unvalidated
from components.train.validate import validate

ENLARGING = {"kind": "srresnet", "width": 4, "blocks": 1}


@pytest.mark.parametrize(("task", "net"), [("restore", NET), ("translate", NET), ("enlarge", ENLARGING)])
def test_a_sheet_shows_what_was_given_what_was_made_and_what_was_wanted(
    task: str, net: dict[str, object], tmp_path: Path
) -> None:
    # Of a translation whose baseline is one flat colour the input is shown all the same.
    data = Data.of(make_pairs(tmp_path, task=task))
    made = config(generator=net)
    scores, sheet, _ = validate(made, made.generator.build(0), data, CPU)
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
    scores, sheet, _ = validate(made, net, data, CPU)
    assert len(photos) == 1
    assert sheet is not None
    assert sheet.shape[0] == 48
    both, *_ = validate(config(), net, data, CPU)
    assert both["validation/psnr_rgb"] != scores["validation/psnr_rgb"]
    assert len({bytes(photo.numpy().tobytes()) for photo in photos}) == 2
    assert torch.is_grad_enabled()


def test_one_pair_of_each_photo_comes_before_second_ones(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path).pairs("val")
    many = tuple(
        pairs[0].model_copy(update={"id": f"{photo}-{blur}", "photo": photo, "group": group})
        for photo, group in (("a", None), ("b", None), ("c", "clip"), ("d", "clip"))
        for blur in range(3)
    )
    order = [pair.id for pair in groups_first(many)]
    assert order[:6] == ["a-0", "b-0", "c-0", "a-1", "b-1", "c-1"]
    assert sorted(order) == sorted(pair.id for pair in many)


def test_values_come_by_group_for_the_choice_between_two_validations(tmp_path: Path) -> None:
    data, made = Data.of(make_pairs(tmp_path)), config()
    scores, _, by_group = validate(made, made.generator.build(0), data, CPU)
    assert [len(values) for values in by_group.values()] == [2] * len(made.validate_metrics)
    assert sum(by_group["psnr_rgb"]) / 2 == pytest.approx(scores["validation/psnr_rgb"])
    one = tuple(pair.model_copy(update={"group": "scene"}) for pair in data.val)
    _, _, together = validate(made, made.generator.build(0), replace(data, val=one), CPU)
    assert together["psnr_rgb"] == pytest.approx((scores["validation/psnr_rgb"],))


def test_photos_that_are_validated_and_tested_on_are_refused(tmp_path: Path) -> None:
    data = Data.of(make_pairs(tmp_path))
    shared = tuple(pair.model_copy(update={"group": "test0"}) for pair in data.val)
    with pytest.raises(LineageError, match="1 groups of photos stand in val and in test, such as test0"):
        refuse_unvalidated(replace(data, val=shared), config())


@pytest.mark.parametrize("metric", ["psnr_y_crop4", "ssim_y_crop4"])
def test_a_photo_below_a_metrics_window_is_not_validated_on(metric: str, tmp_path: Path) -> None:
    data, made = (
        Data.of(make_pairs(tmp_path, task="enlarge")),
        config(generator=ENLARGING, validate_metrics=("psnr_rgb", metric)),
    )
    row = make_pairs(tmp_path / "small", size_px=8, task="enlarge").pairs("val")[0]
    places = {name: f"small/{getattr(row, name)}" for name in ("input", "target")}
    small = row.model_copy(update={"id": "small", **places})
    net = made.generator.build(0)
    assert (
        validate(made, net, replace(data, val=(small, *data.val)), CPU)[0]
        == validate(made, net, data, CPU)[0]
    )
    with pytest.raises(PhotoError, match=rf"none of the 1 pairs .*{metric} needs .*train.validate_metrics"):
        validate(made, net, replace(data, val=(small,)), CPU)
