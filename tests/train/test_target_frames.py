"""Several frames of a clip restored and held against their targets at once, and a discriminator that sees
them in a row.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clips import blurred, make_clips, sharp
from small_training import CPU
from video_workers import training

from components.core.records import PairSet
from components.nets.discriminators import TemporalPatchGAN
from components.nets.modules.discriminator_view import discriminator_view
from components.train.data import PairDataset
from components.train.step import GanStep
from components.train.step.frames import frame_by_frame

PLAIN = {"flip": 0.0}


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_clips(tmp_path_factory.mktemp("clips"), clips={"train": {"one": 6}, "val": {"two": 3}})


def data_of(pairset: PairSet, **augment: float) -> PairDataset:
    part = training("all frames", augment=PLAIN | augment)
    return PairDataset(pairset.folder, pairset.pairs("train"), part, 48)


def pictures(tensor: torch.Tensor) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [frame.permute(1, 2, 0).numpy() for frame in tensor.split(3)]


def number_of(picture: np.ndarray) -> int:  # type: ignore[type-arg]
    return next(number for number in range(6) if np.array_equal(picture, sharp("one", number)))


def test_a_sample_has_the_targets_of_successive_frames_in_a_window_as_much_wider(pairset: PairSet) -> None:
    data, seen = data_of(pairset), set()
    for position in range(6):
        input, target = data["generator", position]
        first, middle, last = (number_of(each) for each in pictures(target))
        assert (first, last) == (abs(middle - 1), 5 - abs(4 - middle))  # mirrored at both ends
        numbers = [5 - abs(5 - abs(place)) for place in range(middle - 2, middle + 3)]
        assert all(
            np.array_equal(shown, blurred(sharp("one", number)))
            for shown, number in zip(pictures(input), numbers, strict=True)
        )
        seen.add(middle)
    assert seen == set(range(6))


def test_time_runs_backwards_for_frames_and_targets_together(pairset: PairSet) -> None:
    plain, turned = data_of(pairset), data_of(pairset, reverse_time=1.0)
    for position in range(6):
        (one, target), (other, changed) = (data["generator", position] for data in (plain, turned))
        assert torch.equal(other, torch.cat(one.split(3)[::-1]))
        assert torch.equal(changed, torch.cat(target.split(3)[::-1]))


def test_each_frame_stands_in_its_own_window_beside_its_own_target() -> None:
    input = torch.arange(2 * 15).float().reshape(2, 15, 1, 1)
    target = torch.arange(2 * 9).float().reshape(2, 9, 1, 1)
    windows, targets = frame_by_frame((input, target), 3)
    for frame in range(3):
        for image in range(2):
            assert torch.equal(windows[2 * frame + image], input[image, 3 * frame : 3 * frame + 9])
            assert torch.equal(targets[2 * frame + image], target[image, 3 * frame : 3 * frame + 3])
    assert all(
        one is other for one, other in zip(frame_by_frame((input, target), 1), (input, target), strict=True)
    )


def test_a_discriminator_of_restored_neighbours_sees_three_frames_of_one_clip() -> None:
    photos = torch.arange(10).float().reshape(10, 1, 1, 1).expand(10, 3, 2, 2)  # five frames of two clips
    seen = discriminator_view(TemporalPatchGAN(neighbours="restored"), photos, photos, 5)
    assert [[int(row[place, 0, 0]) for place in (0, 3, 6)] for row in seen] == [
        [first, first + 2, first + 4] for first in range(6)
    ]


def step_and_batch(pairset: PairSet) -> tuple[GanStep, tuple[torch.Tensor, torch.Tensor]]:
    part = training("all frames")
    data = data_of(pairset)
    samples = [data["generator", position] for position in range(2)]
    batch = tuple(torch.stack(each).float() / 127.5 - 1 for each in zip(*samples, strict=True))
    return GanStep(part, CPU, {}), frame_by_frame((batch[0], batch[1]), 3)


def test_each_of_three_restored_frames_gets_a_gradient_from_the_discriminator(pairset: PairSet) -> None:
    step, (windows, _) = step_and_batch(pairset)
    torch.nn.init.normal_(step.generator.body.head.weight, std=0.1)  # type: ignore[union-attr]
    restored = step.restored(windows)
    restored.retain_grad()
    step.restoring.discriminators.logits(0, restored, windows).mean().backward()
    assert restored.grad is not None
    assert all(frame.abs().max() > 0 for frame in restored.grad)
    first = next(iter(step.generator.parameters()))
    assert first.grad is not None
    assert first.grad.abs().max() > 0


@pytest.mark.parametrize("neighbours", ["input", "restored"])
def test_it_learns_from_what_it_is_shown_of_the_generator(pairset: PairSet, neighbours: str) -> None:
    seen = TemporalPatchGAN(layers=1, width=4, neighbours=neighbours)  # type: ignore[arg-type]
    step = GanStep(training("all frames", discriminators=[seen.model_dump()]), CPU, {})
    _, (windows, targets) = step_and_batch(pairset)
    group, restored = step.restoring.discriminators, targets.flip(3)
    both = group.of_both(0, (windows, targets), (windows, restored))
    for logits, photo in zip(both, (targets, restored), strict=True):
        torch.testing.assert_close(logits, group.logits(0, photo, windows))
        alone = group.nets[0](photo.repeat(1, 3, 1, 1))
        assert logits.shape != alone.shape or not torch.allclose(logits, alone)


def test_settings_without_it_are_written_as_they_always_were() -> None:
    assert "target_frames" not in training("video_3d").model_dump()
    assert "neighbours" not in TemporalPatchGAN().model_dump()
