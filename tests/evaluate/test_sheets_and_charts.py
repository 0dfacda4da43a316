"""Which photo a sheet shows, which region it magnifies, and what the report's charts show."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from components.core.baseline import words_for
from components.core.records import PhotoScore
from components.evaluate.charts import SIZE_PX, Chart, gain_by_severity, gain_by_start, gains_in_order
from components.evaluate.sheets import amplified_error, draw_sheet, picked, where_farthest
from components.evaluate.summary import ranked

DEBLURRING = words_for("deblurring", "input")


def scored(pair: str, gain: float, severity: float = 2.0) -> PhotoScore:
    return PhotoScore(
        pair=pair,
        blur_kind="box",
        severity=severity,
        severity_class="medium",
        restored={"psnr_rgb": 20.0 + gain},
        do_nothing={"psnr_rgb": 20.0},
        output_min=0.0,
        output_max=1.0,
        finite=True,
        seconds=0.1,
        megapixels=0.1,
    )


def test_sheets_show_the_best_the_median_and_the_worst_photo() -> None:
    scores = [scored("b", 1.0), scored("a", -2.0), scored("d", 3.0), scored("e", 0.5), scored("c", 0.7)]
    shown = picked(scores, ("best", "median", "worst"))
    assert {name: score.pair for name, score in shown.items()} == {"best": "d", "median": "c", "worst": "a"}


def test_one_photo_is_best_median_and_worst_at_once() -> None:
    assert {score.pair for score in picked([scored("a", 1.0)], ("best", "median", "worst")).values()} == {"a"}


def test_the_magnified_region_is_where_input_and_target_differ_most() -> None:
    target = np.full((300, 400, 3), 100, np.uint8)
    input = target.copy()
    input[200:232, 300:332] = 160
    top, left = where_farthest(input, target, 64)
    assert top <= 200 <= 232 <= top + 64
    assert left <= 300 <= 332 <= left + 64


def test_the_error_is_amplified_and_cut_at_white() -> None:
    target = np.array([[[100, 100, 100]]], np.uint8)
    restored = np.array([[[110, 90, 200]]], np.uint8)
    assert amplified_error(restored, target, 4.0).tolist() == [[[40, 40, 255]]]


@pytest.mark.parametrize("size", [(40, 60), (96, 1500), (1200, 300), (900, 1300)])
def test_photos_of_any_shape_fit_their_panels(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    sheet = draw_sheet("best of 1", scored("a", 1.0), DEBLURRING, input=photo, restored=photo, target=photo)
    assert sheet.shape[1] == 4 * (384 + 12) + 12
    assert sheet.shape[0] <= 66 + 26 + 2 * (384 + 12)


def test_captions_keep_within_their_panel_however_many_metrics_there_are() -> None:
    photo = np.zeros((60, 60, 3), np.uint8)
    few = scored("a", 1.0)
    values = {"psnr_rgb": 20.0} | dict.fromkeys(
        ("ssim_gauss11_rgb", "psnr_y_crop4", "ssim_y_crop4", "lpips_alex"), 11.1111
    )
    many = few.model_copy(update={"restored": values, "do_nothing": values})
    sheets = [
        draw_sheet("best of 1", score, DEBLURRING, input=photo, restored=photo, target=photo)
        for score in (few, many)
    ]
    line = [sheet[66:92] for sheet in sheets]
    for left in (12 + 384, 12 + 2 * 384 + 12):  # the gaps behind the first two panels
        assert (line[1][:, left : left + 12] == 255).all()
    assert np.array_equal(line[0][:, 12 + 2 * 396 :], line[1][:, 12 + 2 * 396 :])
    assert (line[1] < 128).sum() > (line[0] < 128).sum()


def marks(chart: Chart) -> list[ElementTree.Element]:
    """What has words, in order."""
    root = ElementTree.fromstring(chart.svg)
    return [each for each in root.iter() if each.find("title") is not None]


def box(bar: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right and foot of a bar, px."""
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", bar.attrib["d"])]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


@pytest.mark.parametrize("gains", [[0.0], [1.0], [-1.0], [0.0, 0.0], [2.0, -3.0, 0.1], [80.0, 1e-4]])
def test_every_photo_has_its_mark_inside_each_chart(gains: list[float]) -> None:
    scores = [scored(f"p{place}", gain, severity=float(place)) for place, gain in enumerate(gains)]
    order, (width, height) = [score.pair for score in ranked(scores)], SIZE_PX
    bars = marks(gains_in_order(scores))
    assert [bar.findtext("title", "").split(":")[0] for bar in bars] == order
    for left, top, right, foot in map(box, bars):
        assert 0 <= left <= right <= width
        assert 0 <= top <= foot <= height
    for chart in (gain_by_severity(scores), gain_by_start(scores, "bicubic")):
        dots = marks(chart)
        assert [dot.findtext("title", "").split(":")[0] for dot in dots] == order
        assert all(0 <= float(dot.attrib["x"]) <= width for dot in dots)
        assert all(0 <= float(dot.attrib["y"]) <= height for dot in dots)


def test_bars_rise_for_a_gain_and_fall_for_a_loss() -> None:
    better, worse = marks(gains_in_order([scored("a", 2.0), scored("b", -1.0)]))
    assert ["--good" in better.attrib["style"], "--bad" in worse.attrib["style"]] == [True, True]
    (_, top, _, zero), (_, below, _, foot) = box(better), box(worse)
    assert below == pytest.approx(zero)
    assert zero - top == pytest.approx(2 * (foot - below), abs=0.05)


def test_dots_have_the_colour_of_their_class_and_words_for_the_pointer() -> None:
    (dot,) = marks(gain_by_severity([scored("a", 2.0, severity=3.0)]))
    assert "fill: var(--medium)" in dot.attrib["style"]
    assert dot.findtext("title") == "a: +2.00 dB, box, medium, 3.0 px"
