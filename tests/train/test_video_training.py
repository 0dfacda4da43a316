"""Training on clips: what a step is given, that it goes on as it would have, that its workers are one,
and that it learns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import video_workers
from clips import blurred, make_clips, sharp
from pairs import make_pairs
from small_training import CPU, KilledError, Memory, config, run, weights_of
from video_workers import training

from components.core.errors import InputError
from components.core.images import read_rgb
from components.core.records import PairSet
from components.train.augment import PairedAugment
from components.train.data import Data, PairDataset
from components.train.fitting import refuse_single_photos
from components.train.validate import validate

KINDS = pytest.mark.parametrize("kind", ["video_3d", "video_flow"])
PLAIN = {"flip": 0.0}


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_clips(tmp_path_factory.mktemp("clips"))


def whole_frames(pairset: PairSet, **augment: Any) -> PairDataset:
    part = training("video_flow", augment=PLAIN | augment)
    return PairDataset(pairset.folder, pairset.pairs("train"), part, 48)


def frames_of(tensor: torch.Tensor) -> list[np.ndarray[Any, Any]]:
    return [frame.permute(1, 2, 0).numpy() for frame in tensor.split(3)]


def test_a_sample_is_the_window_around_its_target_mirrored_at_both_ends(pairset: PairSet) -> None:
    data = whole_frames(pairset)
    seen = set()
    for position in range(9):
        input, target = data["generator", position]
        found = next(
            (clip, frame)
            for clip, count in (("one", 5), ("two", 4))
            for frame in range(count)
            if np.array_equal(frames_of(target)[0], sharp(clip, frame))
        )
        (clip, frame), last = found, {"one": 4, "two": 3}[found[0]]
        numbers = [abs(last - abs(last - place)) for place in range(frame - 2, frame + 3)]
        for shown, number in zip(frames_of(input), numbers, strict=True):
            assert np.array_equal(shown, blurred(sharp(clip, number)))
        seen.add(found)
    assert len(seen) == 9


def test_colours_are_swapped_inside_each_frame_and_alike_in_all(pairset: PairSet) -> None:
    plain, swapped = whole_frames(pairset), whole_frames(pairset, swap_channels=1.0)
    orders = set()
    for position in range(9):
        (one, target), (other, changed) = (data["generator", position] for data in (plain, swapped))
        order = next(
            order
            for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0])
            if torch.equal(target[order], changed)
        )
        for before, after in zip(one.split(3), other.split(3), strict=True):
            assert torch.equal(before[order], after)
        orders.add(tuple(order))
    assert len(orders) > 2


def test_time_runs_backwards_as_often_as_asked(pairset: PairSet) -> None:
    plain, reversed_ = whole_frames(pairset), whole_frames(pairset, reverse_time=0.5)
    backwards = 0
    for position in range(60):
        (one, target), (other, same) = (data["generator", position] for data in (plain, reversed_))
        assert torch.equal(target, same)
        turned = torch.cat(one.split(3)[::-1])
        assert torch.equal(other, one) or torch.equal(other, turned)
        backwards += int(torch.equal(other, turned) and not torch.equal(one, turned))
    assert 12 < backwards < 40


def test_a_photos_augmentation_is_drawn_as_it_was_before_there_was_time() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    told = config(augment={"flip": 0.5, "swap_channels": 1.0}).augment
    one, three = PairedAugment(told, 16), PairedAugment(told, 16, 1, 3)
    for position in range(8):
        alone = one(picture, picture, position)
        window = three.window([picture] * 3, [picture], position)
        assert np.array_equal(window[0], np.concatenate([alone[0]] * 3, axis=2))
        assert np.array_equal(window[1], alone[1])


@pytest.mark.parametrize("kind", video_workers.CASES)
def test_ten_steps_equal_five_plus_five(kind: str, pairset: PairSet) -> None:
    part = training(kind)
    whole, cut = Memory(), Memory(die_after=10)
    run(part, pairset, whole)
    with pytest.raises(KilledError):
        run(part, pairset, cut)
    again = Memory()
    again.states = cut.states[-1:]
    run(part, pairset, again)
    for one, other in zip(weights_of(whole.states[-1]), weights_of(again.states[-1]), strict=True):
        assert torch.equal(one, other)


def test_two_workers_train_on_clips_what_one_trains(
    pairset: PairSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    torch.multiprocessing.spawn(video_workers.work, (str(tmp_path), str(pairset.folder)), nprocs=2)
    both = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for kind in video_workers.CASES:
        alone = video_workers.weights_after(kind, pairset, CPU)
        for one, other, single in zip(both[0][kind], both[1][kind], alone, strict=True):
            assert torch.equal(one, other)
            torch.testing.assert_close(one, single, rtol=1e-3, atol=1e-5)


@KINDS
def test_a_net_of_video_learns_to_undo_a_fixed_blur(kind: str, pairset: PairSet) -> None:
    flow = [{"kind": "photometric"}] if kind == "video_flow" else []
    part = training(
        kind,
        generator=video_workers.NETS[kind] | {"width": 8, "fold": 1},
        discriminators=[],
        adversarial=None,
        history=None,
        ema=0.9,
        discriminator_updates=1,
        content=[{"kind": "l2"}, *flow],
        augment=PLAIN,
        generator_optimizer={"kind": "adam", "lr": 0.003, "beta1": 0.9},
        phases=[{"name": "content", "images": 400, "crop_px": 32, "batch": 4, "adversarial": False}],
        validate_every=400,
        log_every=50,
    )
    memory = Memory()
    run(part, pairset, memory)
    assert memory.values[400]["validation/psnr_rgb_gain"] > 1.0


def test_validation_restores_the_middle_of_a_window(pairset: PairSet) -> None:
    class Middle(torch.nn.Module):
        def forward(self, window: torch.Tensor) -> torch.Tensor:
            seen.append(window)
            return window[:, 6:9]

    seen: list[torch.Tensor] = []
    found = validate(training("video_flow"), Middle(), Data.of(pairset), CPU)
    assert found.scores["validation/psnr_rgb_gain"] == 0.0
    shown = {bytes(((window[0, 3:6] + 1) * 127.5).round().byte().numpy().tobytes()) for window in seen}
    known = {
        bytes(read_rgb(pairset.folder / pair.input).transpose(2, 0, 1).tobytes())
        for pair in pairset.pairs("val")
    }
    assert shown <= known
    assert len(seen) == 3


def test_single_photos_are_refused_for_a_net_of_video(tmp_path: Path, pairset: PairSet) -> None:
    with pytest.raises(
        InputError, match="video_3d is given 3 neighbouring frames, and the pairs are of single"
    ):
        refuse_single_photos(make_pairs(tmp_path), training("video_3d"))
    refuse_single_photos(pairset, training("video_3d"))
    refuse_single_photos(pairset, config())
