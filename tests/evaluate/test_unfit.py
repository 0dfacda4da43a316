"""Pairs that nothing may be judged by, and the arithmetic that figures are made in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from components.core.errors import InputError, PhotoError
from components.core.files import sha256_of_bytes
from components.core.images import png_bytes
from components.core.records import Checkpoint, Pair, PairSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.measure import measure, read_pair
from components.evaluate.run import run
from components.evaluate.tables import terminal_table
from components.evaluate.unfit import contrast, counted, left_out_words, why_left_out
from components.metrics import METRICS as ALL_METRICS
from components.metrics import of_frames
from components.metrics.sizes import need_one_fit, too_small
from components.nets.precision import ieee_float32, place_of

METRICS = ("psnr_rgb",)
RNG = np.random.default_rng(0)
COLOUR = np.broadcast_to(np.array([200, 30, 60], np.uint8), (96, 120, 3)).copy()
GRAIN = np.clip(RNG.normal(12, 3, (96, 120, 3)), 0, 255).astype(np.uint8)
SKY = np.clip(np.linspace(90, 140, 96)[:, None, None] + np.zeros((96, 120, 3)), 0, 255).astype(np.uint8)
STARS = np.zeros((96, 120, 3), np.uint8)
STARS[RNG.integers(0, 96, 60), RNG.integers(0, 120, 60)] = 255
DEEP = (GRAIN.astype(np.uint16) * 257).copy()


@pytest.mark.parametrize(
    "photo", [np.zeros_like(COLOUR), COLOUR, GRAIN, DEEP], ids=["black", "one colour", "grain", "16 bit"]
)
def test_a_picture_of_nothing_is_blank_whatever_its_noise(photo: np.ndarray) -> None:
    assert (why_left_out(photo) or "").startswith("blank: its target varies by ")


@pytest.mark.parametrize(
    "photo", [SKY, STARS, np.tile(SKY[:, :1], (1, 3, 1))], ids=["sky", "stars", "narrow"]
)
def test_a_picture_of_little_is_not(photo: np.ndarray) -> None:
    assert why_left_out(photo, {"psnr_rgb": 31.0}, {"psnr_rgb": 29.0}) is None


def test_a_metric_at_its_end_leaves_the_pair_out() -> None:
    reason = why_left_out(SKY, {"psnr_rgb": 34.0, "ssim_gauss11_rgb": 1.0}, {"psnr_rgb": 100.0})
    assert reason == "saturated: psnr_rgb is 100.00 dB, the most that is kept"


def test_contrast_is_that_of_the_channel_that_shows_most() -> None:
    red = np.zeros((16, 32, 3), np.uint8)
    red[:, 16:, 0] = 200
    assert contrast(red) == pytest.approx(100.0)


def with_blank(pairset: PairSet, folder: Path, input: np.ndarray, target: np.ndarray) -> PairSet:
    """The same pairs with one more, of another group."""
    files = {"blank-input.png": png_bytes(input), "blank-target.png": png_bytes(target)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = [sha256_of_bytes(data) for data in files.values()]
    row = pairset.pairs()[0].model_copy(
        update={
            "height": target.shape[0],
            "width": target.shape[1],
            "id": "blank-00",
            "photo": "blank",
            "input": "blank-input.png",
            "target": "blank-target.png",
            "input_sha256": digests[0],
            "target_sha256": digests[1],
            "group": "a black frame",
        }
    )
    rows: tuple[Pair, ...] = tuple(sorted((*pairset.pairs(), row), key=lambda row: row.id))
    counts = {**pairset.counts, "test": pairset.counts["test"] + 1}
    table = PairSet.write_table(folder, rows)
    return pairset.model_copy(update={"counts": counts, "table_sha256": table}).save(folder)


def test_a_blank_photo_changes_no_mean_and_is_counted_with_its_reason(
    make_pairs: Callable[..., PairSet], untrained: Checkpoint, tmp_path: Path
) -> None:
    plain = make_pairs("plain")
    before = run(EvaluateConfig(metrics=METRICS), plain, untrained, out=tmp_path / "before")
    noisy = np.clip(COLOUR.astype(int) + RNG.integers(-9, 10, COLOUR.shape), 0, 255).astype(np.uint8)
    pairs = with_blank(make_pairs("more"), tmp_path / "more", noisy, COLOUR)
    after = run(EvaluateConfig(metrics=METRICS), pairs, untrained, out=tmp_path / "after")
    assert after.restored == before.restored
    assert after.do_nothing == before.do_nothing
    blank = next(score for score in after.scores() if score.pair == "blank-00")
    assert (blank.group, str(blank.left_out)[:6]) == ("a black frame", "blank:")
    words = "1 of 10 pairs are left out of the means and of judging: 1 blank"
    assert left_out_words(after.scores()) == words
    assert words in terminal_table(after)
    assert words in (tmp_path / "after" / "report.html").read_text()
    assert words not in (tmp_path / "before" / "report.html").read_text()
    assert len(counted(after.scores())) == 9


WINDOWS = {
    "psnr_rgb": 1,
    "ssim_gauss11_rgb": 11,
    "lpips_alex": 31,
    "psnr_y_crop4": 9,
    "ssim_y_crop4": 19,
    "rmse_shrunk4_rgb": 4,
    "nss_of_set": 192,
}


@pytest.mark.parametrize("name", [name for name in ALL_METRICS if name not in of_frames(ALL_METRICS)])
def test_a_metric_has_a_value_from_its_smallest_size_on_and_none_below(name: str) -> None:
    metric, side = ALL_METRICS[name], WINDOWS[name]
    assert metric.smallest_px == side
    other = max(40, side)
    assert too_small((other, side), (name,)) is None
    assert (
        too_small((side - 1, other), (name,))
        == f"too small: {other} × {side - 1} px, {name} needs {side} px a side"
    )
    if metric.missing() is not None:
        return  # its weights are not here; what it needs is the architecture's
    photo = torch.rand(1, 3, side, side + 3, generator=torch.Generator().manual_seed(1))
    sharp = (255 * photo[0].permute(1, 2, 0).numpy()).astype(np.uint8)
    function = metric.function if metric.fit is None else metric.fit([sharp])
    function(photo, photo.flip(3))
    if side > 1:
        with pytest.raises(InputError, match=f"at least {side} px"):
            function(photo[:, :, 1:], photo[:, :, 1:])


@pytest.mark.parametrize("side", [1, 9, 18])
def test_a_photo_below_a_metrics_window_is_left_out_with_its_reason(
    side: int, make_pairs: Callable[..., PairSet], untrained: Checkpoint, tmp_path: Path
) -> None:
    config = EvaluateConfig(metrics=("psnr_rgb", "ssim_gauss11_rgb", "psnr_y_crop4", "ssim_y_crop4"))
    before = run(config, make_pairs("plain"), untrained, out=tmp_path / "before")
    tiny = RNG.integers(0, 256, (side, 60, 3), np.uint8)
    pairs = with_blank(make_pairs("more"), tmp_path / "more", tiny, tiny)
    after = run(config, pairs, untrained, out=tmp_path / "after")
    row = next(score for score in after.scores() if score.pair == "blank-00")
    assert row.left_out == f"too small: 60 × {side} px, ssim_y_crop4 needs 19 px a side"
    assert set(row.restored) == {name for name in config.metrics if WINDOWS[name] <= side}
    assert (after.restored, after.do_nothing) == (before.restored, before.do_nothing)
    assert "1 of 10 pairs are left out of the means and of judging: 1 too small" in terminal_table(after)


def test_where_every_pair_is_too_small_the_metric_and_the_remedy_are_named() -> None:
    sizes = [(10, 60), (60, 8)]
    need_one_fit([*sizes, (11, 11)], ("ssim_gauss11_rgb",), "evaluate.metrics")
    with pytest.raises(PhotoError, match=r"none of the 2 pairs .*60 × 10 px, ssim.* 11 px.*evaluate.metrics"):
        need_one_fit(sizes, ("ssim_gauss11_rgb",), "evaluate.metrics")


def test_a_pair_that_is_its_own_target_is_left_out(
    make_pairs: Callable[..., PairSet], tmp_path: Path
) -> None:
    plain = make_pairs("plain")
    _, target = read_pair(plain, plain.pairs()[0])
    pairs = with_blank(plain, tmp_path / "plain", target, target)
    reasons = [score.left_out for score in measure(lambda photo: photo, pairs, METRICS) if score.left_out]
    assert reasons == ["saturated: psnr_rgb is 100.00 dB, the most that is kept"]


def test_a_report_names_device_and_precision(pairset: PairSet, untrained: Checkpoint, tmp_path: Path) -> None:
    report = run(EvaluateConfig(metrics=METRICS), pairset, untrained, out=tmp_path / "report")
    assert report.measured_on == place_of(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    assert report.measured_on is not None
    assert report.measured_on.endswith("IEEE float32")
    other = report.model_copy(update={"measured_on": "NVIDIA H100, IEEE float32"})
    assert other.digest != report.digest, "it is part of what the report is"


@pytest.fixture
def tf32() -> Iterator[None]:
    """TF32 switched on, as torch has it for convolutions by default."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_a_net_is_measured_without_tf32_and_the_settings_come_back(pairset: PairSet, tf32: None) -> None:
    seen = []

    def restore(photo: np.ndarray) -> np.ndarray:
        seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        return photo

    measure(restore, pairset, METRICS)
    assert set(seen) == {(False, False)}
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (True, True)


def test_half_precision_around_it_does_not_reach_a_measured_net() -> None:
    layer, photo = torch.nn.Linear(4, 4), torch.ones(1, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(photo).dtype == torch.bfloat16
        with ieee_float32():
            assert layer(photo).dtype == torch.float32


def test_page_and_table_say_over_how_many_groups(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    report = run(EvaluateConfig(metrics=METRICS), pairset, untrained, out=tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "The pairs are of 3 independent groups" in page
    assert "With fewer than 8 the gate never replaces a champion by itself." in page
    assert "; 3 independent groups" in terminal_table(report)


def test_rows_carry_the_group_of_their_pair(pairset: PairSet) -> None:
    rows = {score.pair: score.counts_as for score in measure(lambda photo: photo, pairset, METRICS)}
    assert rows == {pair.id: pair.id.split("-")[0] for pair in pairset.pairs("test")}
