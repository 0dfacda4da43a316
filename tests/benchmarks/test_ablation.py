"""The ablation's harness: arms differ in the camera alone, a shifted photo is found again, a
finished training is not repeated.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import ablation
from ablation_report import Run, crops, report
from real_sets import KNOWN_DB, ScoredPair, best_shift, read, refuse_other_protocol

from components.core.images import write_png
from components.core.seeds import stream
from components.optics.degradation import plans


def photo(*keys: str | int, side: int = 160) -> np.ndarray:
    return stream("photo", *keys).integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_arms_of_a_seed_draw_the_same_blurs_and_differ_in_light_and_noise() -> None:
    made = {arm: plans(ablation.synthesis(arm, 3).degradation, list(range(40))) for arm in ablation.ARMS}
    for arm, drawn in made.items():
        assert [plan.effect.drawn for plan in drawn] == [plan.effect.drawn for plan in made["a"]]
        assert all(plan.drawn["jpeg_quality"] is None for plan in drawn), arm
    assert [
        (plan.shot.linear_light, plan.shot.noise is None) for plan in (made[arm][0] for arm in "abc")
    ] == [(False, True), (True, True), (True, False)]
    assert len({ablation.synthesis("a", seed).identity for seed in (1, 2, 3)}) == 3


def test_the_mix_has_the_severity_of_the_real_sets() -> None:
    # Of 400 draws the tenth percentile spreads by 0.1.
    severities = [
        plan.effect.severity_px for plan in plans(ablation.synthesis("b", 1).degradation, list(range(1600)))
    ]
    low, middle, high = np.percentile(severities, [10, 50, 90])
    assert 1.5 < low < 2.5
    assert 3.5 < middle < 5
    assert 7 < high < 9.5


def test_a_shifted_photo_is_found_again() -> None:
    sharp = photo("sharp")
    inner, nearest = best_shift(np.roll(sharp, (5, -7), axis=(0, 1)), sharp)
    assert inner.shape == (120, 120, 3)
    assert np.array_equal(inner, nearest)
    assert np.array_equal(nearest, sharp[15:135, 27:147])
    further = best_shift(np.roll(sharp, (13, 0), axis=(0, 1)), sharp)
    assert not np.array_equal(*further)


def test_another_score_of_doing_nothing_than_the_known_one_stops_the_run() -> None:
    pair = ScoredPair("gopro", "campus", photo("blurred"), photo("sharp"))
    assert KNOWN_DB["gopro/campus"] == 22.8665
    with pytest.raises(SystemExit, match=r"doing nothing scores .* its notes say 22\.8665"):
        refuse_other_protocol([pair])
    refuse_other_protocol([ScoredPair("own", "photo", pair.input, pair.target)])


def test_the_report_counts_gains_and_steps_seed_by_seed() -> None:
    # Arm a gains 1 and 3 dB over 20: +2 ± √2. Arm b is 0.5 dB above a with each seed: a step
    # without spread.
    scores = {("a", 1): 21.0, ("a", 2): 23.0, ("b", 1): 21.5, ("b", 2): 23.5}
    runs = [Run(arm, seed, 60.0, {"gopro/x": (psnr, 0.5)}) for (arm, seed), psnr in scores.items()]
    text = report("head", {"a": "first", "b": "second"}, runs, {"gopro/x": (20.0, 0.25)})
    assert "| a: first | 22.00 ± 1.41 | +2.00 ± 1.41 |  | 0.5000 ± 0.0000 | +0.2500 ± 0.0000 |" in text
    assert "| b: second | 22.50 ± 1.41 | +2.50 ± 1.41 | +0.50 ± 0.00 |" in text
    assert "| gopro/x | 20.00 | 22.00 ± 1.41 | 22.50 ± 1.41 |" in text


def test_the_figure_shows_a_row_a_photo_and_a_column_an_arm(tmp_path: Path) -> None:
    pair = ScoredPair("own", "photo", photo("blurred"), photo("sharp"))
    crops(tmp_path / "crops.png", [(pair, [photo("a"), photo("b")])], ["a: first", "b: second"])
    height, width = read(tmp_path / "crops.png").shape[:2]
    assert 3.5 < width / height < 4  # four cells in one row, with room for their heads


def test_a_finished_training_is_read_back_and_a_changed_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for folder, count in {"bsds500/train": 2, "bsds500/val": 3}.items():
        (data / folder).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(photo(folder, number)).save(data / folder / f"{number}.jpg")
    for folder, name in (("gopro_pairs", "a"), ("levin09_part", "im9")):
        write_png(data / folder / "sharp" / f"{name}.png", photo(folder, 1))
        write_png(data / folder / "blur" / f"{name}.png", photo(folder, 2))
    monkeypatch.setattr(ablation, "VAL_PHOTOS", 1)
    monkeypatch.setattr(ablation, "PAIRS_PER_PHOTO", 1)
    monkeypatch.setattr(ablation, "crops", lambda path, made, names: path.write_text(f"{len(made)} {names}"))

    def run(images: int) -> float:
        monkeypatch.setattr(
            sys,
            "argv",
            [
                "ablation.py",
                "--data",
                str(data),
                "--out",
                str(out),
                "--images",
                str(images),
                "--seeds",
                "1",
                "--arms",
                "b",
            ],
        )
        ablation.main()
        return (out / "nets" / "b-1" / "generator.safetensors").stat().st_mtime_ns

    first = run(8)
    kept = json.loads((out / "results.json").read_text())
    assert set(kept["b 1"]["scores"]) == {
        "gopro/a",
        "levin/im9",
        "levin_srgb/im9",
        "synthetic/1",
        "synthetic/2",
    }
    assert run(8) == first
    assert (out / "crops.png").read_text() == "3 ['b: linear light']"
    assert run(16) > first
