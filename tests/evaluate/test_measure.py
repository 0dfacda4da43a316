"""Measuring a restorer: doing nothing gains nothing, the truth wins, bad output is told and not
hidden, altered files are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.core.baseline import do_nothing
from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_bytes
from components.core.images import png_bytes, to_float
from components.core.records import Pair, PairSet
from components.evaluate.measure import as_saved, measure, read_pair
from components.evaluate.summary import (
    by_blur_kind,
    by_severity,
    gain_of,
    ranked,
    seconds_per_megapixel,
    whole,
)
from components.metrics import METRICS

METRIC_NAMES = ("psnr_rgb", "ssim_gauss11_rgb")


def nothing(photo: np.ndarray) -> np.ndarray:
    return photo


def sharpened(photo: np.ndarray) -> np.ndarray:
    import cv2

    return photo * 1.6 - cv2.GaussianBlur(photo, (0, 0), 2.0) * 0.6


def cheat(pairset: PairSet):
    """A perfect restorer: it looks the answer up."""
    answers = {}
    for pair in pairset.pairs("test"):
        blurred, target = read_pair(pairset, pair)
        answers[to_float(blurred).tobytes()] = to_float(target)
    return lambda photo: answers[photo.tobytes()]


def deep_pair(folder: Path, blurred: np.ndarray, target: np.ndarray) -> PairSet:
    files = {"input": png_bytes(blurred), "target": png_bytes(target)}
    for name, content in files.items():
        (folder / f"{name}.png").write_bytes(content)
    row = Pair(
        id="deep",
        split="test",
        photo="deep",
        input="input.png",
        target="target.png",
        width=target.shape[1],
        height=target.shape[0],
        blur_kind="none",
        input_sha256=sha256_of_bytes(files["input"]),
        target_sha256=sha256_of_bytes(files["target"]),
        drawn={},
        severity=0,
        severity_class="mild",
        seed=0,
    )
    counts = {"train": 0, "val": 0, "test": 1}
    return PairSet(
        photoset="0" * 64,
        config_digest="1" * 64,
        counts=counts,
        table_sha256=PairSet.write_table(folder, (row,)),
    ).save(folder)


def test_doing_nothing_gains_exactly_nothing(pairset: PairSet) -> None:
    scores = measure(nothing, pairset, METRIC_NAMES)
    assert len(scores) == 9
    for score in scores:
        assert score.restored == score.do_nothing
        assert gain_of(score) == 0.0
        assert score.finite
        assert 0.0 <= score.output_min < score.output_max <= 1.0


def test_the_truth_scores_the_ceiling_on_every_photo(pairset: PairSet) -> None:
    for score in measure(cheat(pairset), pairset, METRIC_NAMES):
        assert score.restored == {"psnr_rgb": 100.0, "ssim_gauss11_rgb": 1.0}
        assert gain_of(score) > 50


def test_pairs_of_sixteen_bits_are_measured_in_sixteen(tmp_path: Path) -> None:
    # One level of 65535 off everywhere is 20 log10(65535) = 96.33 dB; rounded to 8 bit the two
    # would be the same.
    target = np.full((40, 50, 3), 30_000, np.uint16)
    pairs, seen = deep_pair(tmp_path, target + 1, target), []
    (score,) = measure(nothing, pairs, ("psnr_rgb",), see=lambda *photos: seen.extend(photos))
    assert score.restored["psnr_rgb"] == score.do_nothing["psnr_rgb"] == pytest.approx(96.33, abs=0.01)
    assert {photo.dtype for photo in seen} == {np.dtype(np.uint8)}
    (better,) = measure(lambda photo: photo - 1 / 65535, pairs, ("psnr_rgb",))
    assert better.restored["psnr_rgb"] == 100.0


def test_a_stronger_blur_is_farther_from_the_sharp_photo(pairset: PairSet) -> None:
    mild, medium, strong = by_severity(measure(nothing, pairset, METRIC_NAMES))
    for metric in METRIC_NAMES:
        assert mild.do_nothing[metric] > medium.do_nothing[metric] > strong.do_nothing[metric]


def test_values_are_those_of_the_saved_files_measured_by_hand(pairset: PairSet) -> None:
    scores = measure(nothing, pairset, ("psnr_rgb",))
    for pair, score in zip(pairset.pairs("test"), scores, strict=True):
        blurred, target = (photo.astype(float) for photo in read_pair(pairset, pair))
        by_hand = 10 * np.log10(255**2 / np.mean((blurred - target) ** 2))
        assert score.pair == pair.id
        assert score.do_nothing["psnr_rgb"] == pytest.approx(by_hand, abs=1e-5)
        assert score.megapixels == pytest.approx(120 * 96 / 1e6)


def test_groups_add_up_to_the_whole(pairset: PairSet) -> None:
    scores = measure(sharpened, pairset, METRIC_NAMES)
    total = whole(scores)
    assert [group.name for group in by_severity(scores)] == ["mild", "medium", "strong"]
    assert [group.name for group in by_blur_kind(scores)] == ["box", "wide_box"]
    for groups in (by_severity(scores), by_blur_kind(scores)):
        assert sum(group.count for group in groups) == total.count == 9
        assert sum(group.improved for group in groups) == total.improved
        for metric in METRIC_NAMES:
            weighted = sum(group.count * group.restored[metric] for group in groups) / 9
            assert weighted == pytest.approx(total.restored[metric])


def test_photos_are_ranked_from_most_gained_to_least(pairset: PairSet) -> None:
    gains = [gain_of(score) for score in ranked(measure(sharpened, pairset, METRIC_NAMES))]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 0


def test_everything_but_the_seconds_is_the_same_in_every_run(pairset: PairSet) -> None:
    first, second = (measure(sharpened, pairset, METRIC_NAMES) for _ in range(2))
    assert [score.model_dump(exclude={"seconds"}) for score in first] == [
        score.model_dump(exclude={"seconds"}) for score in second
    ]
    assert seconds_per_megapixel(first) > 0


def test_output_is_clipped_for_the_metrics_but_its_range_is_told(pairset: PairSet) -> None:
    scores = measure(lambda photo: photo * 3 - 1, pairset, METRIC_NAMES)
    assert min(score.output_min for score in scores) < -0.5
    assert max(score.output_max for score in scores) > 1.5
    assert all(score.finite for score in scores)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_output_that_is_no_number_is_flagged_and_counted_as_black(pairset: PairSet, bad: float) -> None:
    def broken(photo: np.ndarray) -> np.ndarray:
        spoiled = photo.copy()
        spoiled[:10] = bad
        return spoiled

    for score in measure(broken, pairset, METRIC_NAMES):
        assert not score.finite
        assert np.isfinite([*score.restored.values(), score.output_min, score.output_max]).all()
        assert gain_of(score) < 0


def test_output_of_nothing_but_nan_still_gives_a_row(pairset: PairSet) -> None:
    scores = measure(lambda photo: photo * np.nan, pairset, METRIC_NAMES)
    assert not any(score.finite for score in scores)
    assert {(score.output_min, score.output_max) for score in scores} == {(0.0, 0.0)}


def test_rounding_to_eight_bits_is_part_of_the_measurement() -> None:
    assert as_saved(np.array([[[-0.2, 0.4999, 1.2]]], np.float32)).tolist() == [[[0, 127, 255]]]


def test_an_altered_file_is_refused_by_name(pairset: PairSet) -> None:
    path = pairset.folder / pairset.pairs("test")[4].input
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(LineageError, match=path.name):
        measure(nothing, pairset, METRIC_NAMES)


def test_a_missing_file_is_refused_by_name(pairset: PairSet) -> None:
    path = pairset.folder / pairset.pairs("test")[8].target
    path.unlink()
    with pytest.raises(LineageError, match=path.name):
        measure(nothing, pairset, METRIC_NAMES)


def test_a_split_without_pairs_is_refused(pairset: PairSet) -> None:
    with pytest.raises(InputError, match="no val pairs"):
        measure(nothing, pairset, METRIC_NAMES, split="val")


def test_a_restorer_of_another_size_is_refused(pairset: PairSet) -> None:
    with pytest.raises(InputError, match=r"restored photo of pair .* 60 × 48 px, the sharp one 120 × 96 px"):
        measure(lambda photo: photo[::2, ::2], pairset, METRIC_NAMES)


def test_for_super_resolution_doing_nothing_is_the_bicubic_enlargement(make_pairs) -> None:
    pairs = make_pairs("small", scale=2)
    scores = measure(lambda photo: to_float(do_nothing(pairs, as_saved(photo))), pairs, METRIC_NAMES)
    assert {gain_of(score) for score in scores} == {0.0}
    assert all(score.megapixels == pytest.approx(120 * 96 / 1e6) for score in scores)


def test_for_a_translation_doing_nothing_is_the_mean_colour(make_pairs) -> None:
    pairs = make_pairs("negatives", mean_colour=(90, 100, 110))
    flat = np.full((96, 120, 3), np.array([90, 100, 110]) / 255, np.float32)
    assert {gain_of(score) for score in measure(lambda _: flat, pairs, METRIC_NAMES)} == {0.0}
    assert min(gain_of(score) for score in measure(lambda photo: 1 - photo, pairs, METRIC_NAMES)) > 5


def test_whoever_looks_on_is_shown_each_photo_once_as_saved(make_pairs) -> None:
    pairs, seen = make_pairs("small", scale=2), []
    measure(
        lambda photo: photo.repeat(2, 0).repeat(2, 1) * 3 - 1,
        pairs,
        ("psnr_rgb",),
        see=lambda *photos: seen.append(photos),
    )
    assert len(seen) == 9
    for pair, (restored, nothing, target) in zip(pairs.pairs("test"), seen, strict=True):
        input, truth = read_pair(pairs, pair)
        assert np.array_equal(restored, as_saved(to_float(input).repeat(2, 0).repeat(2, 1) * 3 - 1))
        assert np.array_equal(nothing, do_nothing(pairs, input))
        assert np.array_equal(target, truth)


def test_a_metric_without_its_weights_is_refused_before_any_photo_is_read(
    pairset: PairSet, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    from components.core.errors import WeightsError

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match="LPIPS needs"):
        measure(nothing, pairset, tuple(METRICS))
