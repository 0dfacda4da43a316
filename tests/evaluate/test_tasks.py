"""The report of super-resolution and translation: their baselines, words, sheets, and metrics of
the whole set.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from untrained_checkpoints import checkpoint_of

from components.core.baseline import do_nothing
from components.core.images import read_rgb
from components.core.records import EvalReport, PairSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.measure import read_pair
from components.evaluate.report import render_html
from components.evaluate.run import run
from components.evaluate.tables import terminal_table
from components.metrics import METRICS, SET_METRICS, frechet_distance
from components.nets.generators import SRResNet, UNet
from components.register.gate import GatePolicy, Measured, decide

FIELD = EvaluateConfig(metrics=("psnr_rgb", "psnr_y_crop4", "ssim_y_crop4"))


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no_weights"))


def thumbnail(photo: np.ndarray) -> np.ndarray:
    """Twelve means of a photo's quarters: features that need no weights."""
    half = [side // 2 for side in photo.shape[:2]]
    return photo[: 2 * half[0], : 2 * half[1]].reshape(2, half[0], 2, half[1], 3).mean((1, 3)).ravel() / 255


@pytest.fixture
def whole_sets(monkeypatch: pytest.MonkeyPatch) -> EvaluateConfig:
    """FID and KID of thumbnails."""
    for name in ("fid_inception", "kid_inception"):
        monkeypatch.setitem(
            SET_METRICS, name, replace(SET_METRICS[name], features=thumbnail, missing=lambda: None)
        )
    return EvaluateConfig(set_metrics=("fid_inception", "kid_inception"))


@pytest.fixture
def enlarged(make_pairs, tmp_path: Path) -> EvalReport:
    pairs = make_pairs("small", scale=4, width=120, height=96)
    return run(
        FIELD,
        pairs,
        checkpoint_of(SRResNet(width=4, blocks=1), pairs, tmp_path / "net"),
        out=tmp_path / "report",
    )


@pytest.fixture
def negatives(make_pairs) -> PairSet:
    return make_pairs("negatives", mean_colour=(120, 110, 100))


@pytest.fixture
def translated(negatives: PairSet, whole_sets: EvaluateConfig, tmp_path: Path) -> EvalReport:
    return run(
        whole_sets,
        negatives,
        checkpoint_of(UNet(width=4, depth=1), negatives, tmp_path / "net"),
        out=tmp_path / "report",
    )


def test_super_resolution_is_measured_against_bicubic_by_the_fields_convention(
    enlarged: EvalReport, make_pairs
) -> None:
    pairs = make_pairs("small", scale=4)
    assert (enlarged.task, enlarged.baseline, enlarged.metrics) == (
        "super_resolution",
        "bicubic",
        FIELD.metrics,
    )
    for pair, score in zip(pairs.pairs("test"), enlarged.scores(), strict=True):
        input, target = read_pair(pairs, pair)
        off = do_nothing(pairs, input).astype(float) - target
        assert score.do_nothing["psnr_rgb"] == pytest.approx(
            10 * np.log10(255**2 / np.mean(off**2)), abs=1e-5
        )
        assert score.do_nothing["psnr_y_crop4"] != score.do_nothing["psnr_rgb"]


def test_super_resolutions_page_and_table_speak_of_bicubic(enlarged: EvalReport) -> None:
    page, table = (enlarged.folder / "report.html").read_text(), terminal_table(enlarged)
    for words in (
        "PSNR-Y bicubic",
        "than bicubic enlargements",
        "enlarged 4 times by bicubic",
        "Gain against what bicubic scores",
        "4 px cut at each border",
    ):
        assert words in page
    assert "PSNR-Y bicubic  PSNR-Y restored  PSNR-Y gain" in table
    for text in (page, table):
        assert "blurred" not in text
    assert "severity" not in page.split("<body>")[1]


def test_more_metrics_than_fit_stand_below_each_other(enlarged: EvalReport) -> None:
    names = ("psnr_rgb", "ssim_gauss11_rgb", "psnr_y_crop4", "ssim_y_crop4")
    scores = [
        score.model_copy(update={side: dict.fromkeys(names, 0.5) for side in ("restored", "do_nothing")})
        for score in enlarged.scores()
    ]
    folder = enlarged.folder
    wide = enlarged.model_copy(
        update={"metrics": names, "table_sha256": EvalReport.write_table(folder, tuple(scores))}
    ).save(folder)
    lines = terminal_table(wide).splitlines()
    assert lines[0].split() == ["pairs", "bicubic", "restored", "gain"]
    assert [line.split()[0] for line in lines[2:6]] == ["PSNR", "SSIM", "PSNR-Y", "SSIM-Y"]
    assert {len(line) for line in lines[:6]} == {len(lines[0])}
    assert len(lines[0]) < 80
    overview, pairs = render_html(wide, scores, {}).split("<h2>Metrics</h2>")[1].split("Every pair")
    assert re.findall(r'<td class="text">([^<]+)</td>', overview) == ["PSNR", "SSIM", "PSNR-Y", "SSIM-Y"]
    assert "<th>SSIM-Y bicubic</th>" not in overview
    assert "<th>SSIM-Y bicubic</th>" in pairs


def test_super_resolutions_sheet_shows_the_enlargement_at_the_left(enlarged: EvalReport, make_pairs) -> None:
    sheet = read_rgb(enlarged.folder / "sheets" / "best.png")
    best = max(enlarged.scores(), key=lambda score: score.restored["psnr_rgb"] - score.do_nothing["psnr_rgb"])
    pairs = make_pairs("small", scale=4)
    input = read_pair(pairs, next(pair for pair in pairs.pairs("test") if pair.id == best.pair))[0]
    panel = sheet[92 : 92 + 307, 12 : 12 + 384]  # 120 × 96 px fitted into 384
    assert np.abs(panel.mean((0, 1)) - do_nothing(pairs, input).mean((0, 1))).max() < 1.0


def test_a_checkpoint_of_another_scale_is_refused(make_pairs, tmp_path: Path) -> None:
    from components.core.errors import InputError

    pairs = make_pairs("small", scale=2)
    with pytest.raises(
        InputError,
        match=(
            r"restored photo of pair .* 240 × 192 px, the sharp one 120 × 96 px; is the checkpoint for"
            r" scale 2"
        ),
    ):
        run(
            FIELD,
            pairs,
            checkpoint_of(SRResNet(width=4, blocks=1), pairs, tmp_path / "net"),
            out=tmp_path / "report",
        )


def test_a_translation_is_measured_against_the_mean_colour(
    translated: EvalReport, negatives: PairSet
) -> None:
    for pair, score in zip(negatives.pairs("test"), translated.scores(), strict=True):
        off = read_pair(negatives, pair)[1] - np.array([120.0, 110.0, 100.0])
        assert score.do_nothing["psnr_rgb"] == pytest.approx(
            10 * np.log10(255**2 / np.mean(off**2)), abs=1e-5
        )


def test_a_translations_page_and_table_speak_of_input_and_target(translated: EvalReport) -> None:
    page, table = (translated.folder / "report.html").read_text(), terminal_table(translated)
    assert "Translated photos are" in page
    assert "from their targets than the mean colour" in page
    assert "PSNR mean colour  PSNR translated  PSNR gain" in table
    for text in (page, table):
        assert "blurred" not in text
        assert "restored" not in text.split("<h2>How it was measured")[0]


def test_a_translations_sheet_shows_the_input_and_not_the_flat_colour(translated: EvalReport) -> None:
    sheet = read_rgb(translated.folder / "sheets" / "median.png")
    left = sheet[92 : 92 + 300, 12 : 12 + 384].astype(float)
    assert left.std() > 20


def test_metrics_of_the_set_are_reported_with_their_weakness(
    translated: EvalReport, negatives: PairSet
) -> None:
    pairs = [read_pair(negatives, pair) for pair in negatives.pairs("test")]
    flat = np.array([120, 110, 100], np.uint8) + np.zeros((96, 120, 3), np.uint8)
    wanted = np.stack([thumbnail(target) for _, target in pairs])
    assert translated.set_do_nothing["fid_inception"] == pytest.approx(
        frechet_distance(np.stack([thumbnail(flat)] * 9), wanted)
    )
    # The untrained U-Net changes nothing, so what it "made" are the inputs.
    assert translated.set_restored["fid_inception"] == pytest.approx(
        frechet_distance(np.stack([thumbnail(input) for input, _ in pairs]), wanted)
    )
    page, table = (translated.folder / "report.html").read_text(), terminal_table(translated)
    for text in (page, table):
        assert "biased upward" in text
        assert "FID" in text
        assert "KID" in text
    assert "over 9 pairs" in table
    assert EvalReport.load(translated.folder) == translated


def test_no_gate_rests_on_metrics_of_the_set(translated: EvalReport) -> None:
    measured = Measured(scores=translated.scores(), seconds_per_megapixel=1.0)
    verdict = decide(GatePolicy(), measured, None, {name: metric.better for name, metric in METRICS.items()})
    assert not [check for check in verdict.checks if "inception" in check.name]


def test_without_weights_metrics_of_the_set_are_skipped_with_the_remedy(
    negatives: PairSet, tmp_path: Path
) -> None:
    config = EvaluateConfig(set_metrics=("fid_inception",), sheets=())
    report = run(
        config,
        negatives,
        checkpoint_of(UNet(width=4, depth=1), negatives, tmp_path / "net"),
        out=tmp_path / "report",
    )
    assert report.set_restored == report.set_do_nothing == {}
    assert "copy the file there" in report.skipped["fid_inception"]
    assert "FID skipped: FID and KID need the InceptionV3 weights" in terminal_table(report)
    assert "FID, skipped" in (report.folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("input", "words"),
    [
        ({"set_metrics": ["fid"]}, 'no metric of whole sets is called "fid"'),
        ({"set_metrics": ["psnr_rgb"]}, "no metric of whole sets"),
        ({"metrics": ["psnr_rgb", "kid_inception"]}, "name it in evaluate.set_metrics"),
        ({"set_metrics": ["kid_inception", "kid_inception"]}, "set_metrics names something twice"),
    ],
)
def test_a_wrong_setting_is_refused_in_words(input: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EvaluateConfig.model_validate(input)
