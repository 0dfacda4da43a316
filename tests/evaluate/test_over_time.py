"""Metrics of neighbouring frames, by hand and over a set of clips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from components.core.errors import RefocusError
from components.core.files import sha256_of_bytes
from components.core.images import png_bytes, to_float
from components.core.levels import Pixels
from components.core.records import Pair, PairSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.measure import measure
from components.evaluate.over_time import OverTime, in_order_of_time
from components.metrics import METRICS, of_frames, tof_dis, warping_error_dis
from components.metrics.sizes import too_small
from components.register.config import RegisterConfig

NAMES = ("psnr_rgb", "warping_error_dis", "tof_dis")
COUNT = 4


def frame(number: int) -> Pixels:
    """A view of 64 × 48 px that moves 2 px a frame over something smooth."""
    coarse = np.random.default_rng(0).integers(0, 256, (8, 24, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (192, 48), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(scene[:, 2 * number : 2 * number + 64])


def dimmed(number: int) -> Pixels:
    """An input that flickers: every second frame is darker."""
    return (frame(number) * (0.85 if number % 2 else 0.95)).astype(np.uint8)


def pairset(folder: Path, *, alone: bool = False) -> PairSet:
    rows = []
    for number in range(COUNT):
        name = f"{(number * 7) % COUNT}-{number}"  # in no order of time
        files = {}
        for kind, picture in (("input", dimmed(number)), ("target", frame(number))):
            data = png_bytes(picture)
            files[kind] = f"test/{kind}/{name}.png"
            (folder / files[kind]).parent.mkdir(parents=True, exist_ok=True)
            (folder / files[kind]).write_bytes(data)
            files[f"{kind}_sha256"] = sha256_of_bytes(data)
        told = {} if alone and number == 3 else {"clip": "c", "frame": number}
        rows.append(
            Pair.model_validate(
                {
                    "id": name,
                    "split": "test",
                    "photo": name,
                    "group": "c",
                    "width": 64,
                    "height": 48,
                    "blur_kind": "imported",
                    "drawn": {},
                    "severity": 1.0,
                    "severity_class": "mild",
                    "seed": 0,
                    **files,
                    **told,
                }
            )
        )
    table = tuple(sorted(rows, key=lambda row: row.id))
    told = {"photoset": "0" * 64, "config_digest": "0" * 64, "counts": {"test": COUNT}}
    return PairSet.model_validate({"table_sha256": PairSet.write_table(folder, table), **told}).save(folder)


def test_a_still_video_has_neither_error_and_a_flicker_has_its_size() -> None:
    still = frame(0)
    assert warping_error_dis(still, still, still, still) == 0
    assert tof_dis(still, still, still, still) == 0
    grey = np.full((48, 64, 3), 100, np.uint8)
    assert warping_error_dis(grey, grey + 10, still, still) == pytest.approx(10, abs=1e-3)


def test_a_sharp_video_that_moves_is_consistent_and_one_that_stands_while_it_moves_is_not() -> None:
    moving = warping_error_dis(frame(0), frame(1), frame(0), frame(1))
    stuck = warping_error_dis(frame(0), frame(0), frame(0), frame(1))
    assert moving < 0.2 * stuck
    assert tof_dis(frame(0), frame(1), frame(0), frame(1)) == 0
    # The scene moves by 2 px a frame; what stands still is 2 px off.
    assert tof_dis(frame(0), frame(0), frame(0), frame(1)) == pytest.approx(2.0, abs=0.5)


def test_every_frame_has_its_value_the_first_beside_the_second(tmp_path: Path) -> None:
    pairs = pairset(tmp_path)
    scores = {score.pair: score for score in measure(lambda photo: photo, pairs, NAMES)}
    assert list(scores) == sorted(scores)
    rows = in_order_of_time(pairs.pairs("test"))
    assert [row.frame for row in rows] == list(range(COUNT))
    for row in rows:
        number, beside = row.frame or 0, (row.frame or 0) - 1 if row.frame else 1
        wanted = warping_error_dis(dimmed(beside), dimmed(number), frame(beside), frame(number))
        score = scores[row.id]
        assert score.restored["warping_error_dis"] == score.do_nothing["warping_error_dis"] == wanted
        assert list(score.restored) == list(NAMES)
        assert score.left_out is None


def test_a_restorer_without_flicker_gains_over_one_that_does_nothing(tmp_path: Path) -> None:
    pairs = pairset(tmp_path)
    sharp = {to_float(dimmed(number)).tobytes(): to_float(frame(number)) for number in range(COUNT)}
    for score in measure(lambda photo: sharp[photo.tobytes()] + 1e-2, pairs, NAMES):
        metric = METRICS["warping_error_dis"]
        assert metric.gain(score.restored[metric.name], score.do_nothing[metric.name]) > 0


def test_a_frame_without_a_neighbour_is_left_out_with_its_reason(tmp_path: Path) -> None:
    rows = measure(lambda photo: photo, pairset(tmp_path, alone=True), NAMES)
    told = [str(score.left_out) for score in rows if score.left_out is not None]
    assert told == ["alone: warping_error_dis compares neighbouring frames, and it has none"]


def test_a_window_is_read_around_each_measured_frame(tmp_path: Path) -> None:
    pairs, seen = pairset(tmp_path), []

    def middle(window: np.ndarray) -> np.ndarray:
        seen.append(window)
        return window[:, :, 3:6]

    scores = measure(middle, pairs, ("psnr_rgb", "tof_dis"), window=3)
    assert all(score.restored == score.do_nothing for score in scores)
    first = np.concatenate([to_float(dimmed(number)) for number in (1, 0, 1)], axis=2)
    assert any(np.array_equal(window, first) for window in seen)


def test_frames_of_two_clips_are_not_compared() -> None:
    over_time, row = OverTime(("tof_dis",)), None
    for clip, number in (("a", 0), ("b", 1), ("b", 3)):
        row = Pair.model_validate(
            {
                **dict.fromkeys(("photo", "input", "target", "input_sha256", "target_sha256"), "x"),
                **{"id": f"{clip}{number}", "split": "test", "width": 64, "height": 48, "clip": clip},
                **{"frame": number, "blur_kind": "imported", "drawn": {}, "severity": 1.0, "seed": 0},
                "severity_class": "mild",
            }
        )
        over_time.see(row, frame(number), frame(number), frame(number))
    assert over_time.values == {}


@pytest.mark.parametrize("name", of_frames(METRICS))
def test_a_metric_of_frames_has_a_value_from_its_smallest_size_on(name: str) -> None:
    metric = METRICS[name]
    assert too_small((31, 40), (name,)) is not None
    assert metric.over_time is not None
    side = metric.smallest_px
    shown = [np.ascontiguousarray(frame(number)[:side, :side]) for number in range(2)]
    assert np.isfinite(metric.over_time(*shown, *shown))


def test_a_gate_may_rest_on_time() -> None:
    told = {"name": "x", "gate": {"primary": "tof_dis"}}
    assert RegisterConfig.model_validate(told).gate.primary == "tof_dis"
    assert "tof_dis" in EvaluateConfig(metrics=("psnr_rgb", "tof_dis")).metrics
    with pytest.raises((RefocusError, ValidationError), match="tof"):
        EvaluateConfig(metrics=("psnr_rgb", "tof"))
