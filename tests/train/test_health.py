"""Each sign of ill health on cases made to have it, and on healthy ones that must not; who watches,
and how long before it is said.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.filters
import torch
from pydantic import ValidationError

from components.nets.generators import ResNet
from components.train.adversarial import WGANGP, CrossEntropy, RelativisticAverage, Wasserstein
from components.train.config import Health, Rollback
from components.train.health.of_pictures import PictureHealth, health_of_pictures
from components.train.health.of_terms import health_of_terms
from components.train.health.watch import THRESHOLDS, Watch

Picture = np.ndarray
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "brick", "grass", "camera")
NATURAL = pytest.mark.parametrize("name", PHOTOS)


def photo(name: str) -> Picture:
    """A real photo's corner, of a size of its own."""
    pixels = getattr(skimage.data, name)()[:320, :448]
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def rounded(values: Picture) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blurred(pixels: Picture, sigma: float = 2.0) -> Picture:
    return rounded(skimage.filters.gaussian(pixels, sigma, channel_axis=2, preserve_range=True))


def grid(pixels: Picture, period: int, levels: float) -> Picture:
    """Waves of ± levels down and across."""
    down, across = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    waves = np.cos(2 * np.pi * down / period) + np.cos(2 * np.pi * across / period)
    return rounded(pixels + levels * waves[..., None])


def checkerboard(restored: Picture, target: Picture) -> float:
    return health_of_pictures([restored], [target])["health/checkerboard"]


def test_untouched_photos_of_many_sizes_are_healthy() -> None:
    photos = [photo(name) for name in PHOTOS]
    assert len({pixels.shape for pixels in photos}) > 1
    values = health_of_pictures(photos, photos)
    assert values["health/diversity"] == pytest.approx(1.0)
    assert values["health/checkerboard"] == pytest.approx(1.0)
    assert values["health/colour_shift_levels"] == 0
    assert Watch(Health(readings=1)).look(values) == ()


def test_one_picture_for_every_photo_has_no_diversity() -> None:
    target = [photo(name)[:256, :256] for name in PHOTOS]
    assert health_of_pictures([target[0]] * len(target), target)["health/diversity"] == pytest.approx(
        0.0, abs=1e-4
    )


def test_photos_pulled_half_way_to_their_mean_have_half_the_diversity() -> None:
    target = [photo(name)[:256, :256] for name in PHOTOS]
    mean = np.mean(target, axis=0)
    assert health_of_pictures([rounded((pixels + mean) / 2) for pixels in target], target)[
        "health/diversity"
    ] == pytest.approx(0.5, abs=0.01)


def test_diversity_needs_two_photos_that_differ() -> None:
    one = photo("coffee")
    assert "health/diversity" not in health_of_pictures([one], [one])
    assert "health/diversity" not in health_of_pictures([one, blurred(one)], [one, one])
    assert health_of_pictures([], []) == {}


def test_a_cast_is_measured_in_levels_of_each_channel() -> None:
    target = [np.clip(photo(name), 10, 240) for name in PHOTOS]
    values = health_of_pictures([rounded(pixels + np.array([6.0, -2.0, -4.0])) for pixels in target], target)
    assert [
        values[f"health/shift_{channel}_levels"] for channel in ("red", "green", "blue")
    ] == pytest.approx([6, -2, -4])
    assert values["health/colour_shift_levels"] == pytest.approx(6)


def test_casts_that_cancel_over_the_photos_are_no_shift() -> None:
    target = [np.clip(photo("coffee"), 10, 240)] * 2
    assert health_of_pictures([target[0] + 5, target[1] - 5], target)[
        "health/colour_shift_levels"
    ] == pytest.approx(0)


@NATURAL
def test_blur_and_noise_are_no_checkerboard(name: str) -> None:
    target, draw = photo(name), np.random.default_rng(5)
    for restored in (
        blurred(target),
        blurred(target, 5.0),
        *(rounded(target + draw.normal(0, sigma, target.shape)) for sigma in (5, 20)),
    ):
        assert 0.5 < checkerboard(restored, target) < 1.5


@NATURAL
@pytest.mark.parametrize("period", [2, 4])
def test_a_grid_on_a_smooth_photo_is_a_checkerboard(name: str, period: int) -> None:
    # ±3 levels are plain to see in a sky.
    target = photo(name)
    assert checkerboard(grid(blurred(target), period, 3.0), target) > Health().checkerboard  # type: ignore[operator]
    assert checkerboard(grid(blurred(target), period, 0.2), target) < 2.5


@pytest.mark.parametrize("period", [3, 8, 16])
def test_other_periods_are_no_checkerboard(period: int) -> None:
    target = photo("coffee")
    assert checkerboard(grid(target, period, 3.0), target) == pytest.approx(1.0, abs=0.3)


def test_a_grid_that_the_target_has_too_is_its_own() -> None:
    target = grid(photo("coffee"), 2, 3.0)
    assert checkerboard(target, target) == pytest.approx(1.0)


def test_a_grid_of_opposite_colours_is_seen() -> None:
    target = photo("coffee")
    smooth = blurred(target)
    red, blue = grid(smooth, 2, 3.0)[..., :1], grid(smooth, 2, -3.0)[..., 2:]
    assert checkerboard(np.concatenate([red, smooth[..., 1:2], blue], axis=2), target) > 10


@pytest.mark.parametrize(("upsampling", "low", "high"), [("transposed", 10, 1000), ("bilinear", 0, 1.5)])
def test_untrained_nets_show_how_they_enlarge(upsampling: str, low: float, high: float) -> None:
    net = ResNet(width=8, blocks=1, dropout=0.0, upsampling=upsampling, head="direct").build(seed=0).eval()  # type: ignore[arg-type]
    target = photo("coffee")[:256, :256]
    with torch.no_grad():
        restored = (
            net(torch.from_numpy(target.copy()).permute(2, 0, 1)[None] / 127.5 - 1)[0]
            .permute(1, 2, 0)
            .numpy()
        )
    assert low < checkerboard(rounded((restored + 1) * 127.5), target) < high


def test_pictures_too_small_for_a_tile_have_no_checkerboard() -> None:
    small = photo("coffee")[:63, :100]
    assert "health/checkerboard" not in health_of_pictures([small], [small])
    assert health_of_pictures([small, photo("rocket")], [small, photo("rocket")])[
        "health/checkerboard"
    ] == pytest.approx(1.0)


def test_the_sums_of_workers_add_up_to_those_of_one() -> None:
    target = [photo(name) for name in PHOTOS]
    restored = [blurred(pixels) for pixels in target]
    workers = [PictureHealth() for _ in range(3)]
    for place, (ours, truth) in enumerate(zip(restored, target, strict=True)):
        workers[place % 2].add(ours, truth)  # the third has none
    total = torch.stack([worker.sums() for worker in workers]).sum(0)
    assert total.dtype == torch.float64
    assert PictureHealth.values(total) == pytest.approx(health_of_pictures(restored, target))


STEP = {
    "discriminator_0/accuracy_real": 1.0,
    "discriminator_0/accuracy_restored": 0.8,
    "discriminator_1/accuracy_real": 0.6,
    "discriminator_1/accuracy_restored": 0.4,
    "discriminator_0/gradient_norm": 2.0,
    "discriminator_1/gradient_norm": 7.0,
    "generator/gradient_norm": 3.0,
    "generator/l1": 0.1,
    "generator/l1_weighted": 10.0,
    "generator/adversarial_0": -4.0,
    "generator/adversarial_0_weighted": -4.0,
    "generator/adversarial_1_weighted": 6.0,
    "generator/total": 12.0,
}


def test_indicators_of_a_step_by_hand() -> None:
    assert health_of_terms(STEP) == pytest.approx(
        {"health/discriminator_accuracy": 0.7, "health/gradient_norm": 7.0, "health/adversarial_share": 0.5}
    )


def test_without_discriminators_there_is_only_the_gradient() -> None:
    terms = {"generator/gradient_norm": 3.0, "generator/l1_weighted": 10.0, "generator/total": 10.0}
    assert health_of_terms(terms) == {"health/gradient_norm": 3.0}
    assert health_of_terms({}) == {}


def test_a_gradient_that_is_not_a_number_is_not_hidden_by_one_that_is() -> None:
    assert math.isnan(
        health_of_terms({"a/gradient_norm": 3.0, "b/gradient_norm": math.nan})["health/gradient_norm"]
    )


BEYOND = {
    "discriminator_wins": ("health/discriminator_accuracy", 0.99, 0.9),
    "discriminator_lost": ("health/discriminator_accuracy", 0.0, 0.5),
    "gradient_norm": ("health/gradient_norm", 2e5, 10.0),
    "adversarial_share": ("health/adversarial_share", 0.99, 0.5),
    "diversity": ("health/diversity", 0.05, 0.9),
    "colour_shift_levels": ("health/colour_shift_levels", 12.0, 1.0),
    "checkerboard": ("health/checkerboard", 30.0, 1.2),
}


def test_every_indicator_has_a_case() -> None:
    assert set(BEYOND) == set(THRESHOLDS) == set(Health.model_fields) - {"readings"}


@pytest.mark.parametrize("name", BEYOND)
def test_a_limit_crossed_often_enough_is_said_once_until_it_recovers(name: str) -> None:
    value, ill, well = BEYOND[name]
    watch = Watch(Health(readings=3))
    said = [
        [complaint.name for complaint in watch.look({value: number})]
        for number in (ill, ill, well, ill, ill, ill, ill, ill, well, ill, ill, ill)
    ]
    assert said == [[], [], [], [], [], [name], [], [], [], [], [], [name]]


@pytest.mark.parametrize("name", BEYOND)
def test_a_complaint_says_value_limit_and_remedy(name: str) -> None:
    value, ill, _ = BEYOND[name]
    (complaint,) = Watch(Health(readings=1)).look({value: ill})
    limit = getattr(Health(), name)
    assert (complaint.value, complaint.limit) == (ill, limit)
    assert complaint.words.startswith(f"{name} {ill:.3g} ")
    assert f"limit {limit:g}" in complaint.words
    assert any(verb in complaint.words for verb in (": lower", ": raise", ": add", ": replace"))


@pytest.mark.parametrize("name", BEYOND)
def test_a_limit_of_null_is_never_crossed(name: str) -> None:
    value, ill, _ = BEYOND[name]
    assert Watch(Health(readings=1, **{name: None})).look({value: ill}) == ()


@pytest.mark.parametrize(
    "name", [name for name in BEYOND if name not in ("discriminator_wins", "discriminator_lost")]
)
def test_not_a_number_is_beyond_every_limit(name: str) -> None:
    assert [complaint.name for complaint in Watch(Health(readings=1)).look({BEYOND[name][0]: math.nan})] == [
        name
    ]


def test_readings_without_the_value_neither_count_nor_forgive() -> None:
    # Validations come between many readings of the step.
    watch, ill, step = Watch(Health(readings=3)), {"health/diversity": 0.0}, {"health/gradient_norm": 1.0}
    assert [len(watch.look(values)) for values in (ill, step, step, ill, step, ill)] == [0, 0, 0, 0, 0, 1]


def test_a_resumed_watch_complains_as_one_that_never_stopped() -> None:
    readings = [{value: ill} for value, ill, _ in BEYOND.values()] * 4
    whole = Watch(Health(readings=3))
    expected = [whole.look(values) for values in readings]
    for stop in range(len(readings)):
        before, after = Watch(Health(readings=3)), Watch(Health(readings=3))
        said = [before.look(values) for values in readings[:stop]]
        after.load_state(json.loads(json.dumps(before.state())))
        assert said + [after.look(values) for values in readings[stop:]] == expected


def test_a_critic_may_be_sure_of_every_photo() -> None:
    sure, wrong = {"health/discriminator_accuracy": 1.0}, {"health/discriminator_accuracy": 0.0}
    assert Watch(Health(readings=1), critic=True).look(sure) == ()
    assert [complaint.name for complaint in Watch(Health(readings=1), critic=True).look(wrong)] == [
        "discriminator_lost"
    ]
    assert [part.critic for part in (WGANGP(), Wasserstein(), CrossEntropy(), RelativisticAverage())] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"discriminator_wins": 0.5},
        {"discriminator_lost": 0.5},
        {"diversity": 1.0},
        {"checkerboard": 1.0},
        {"colour_shift_levels": 0},
        {"readings": 0},
    ],
    ids=str,
)
def test_limits_that_every_training_crosses_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Health(**fields)  # type: ignore[arg-type]


def test_a_rollback_is_on_known_signs_only() -> None:
    assert Rollback(on=("discriminator_lost", "diversity")).on == ("discriminator_lost", "diversity")
    with pytest.raises(ValidationError, match="discriminator_wins"):
        Rollback(on=("discriminator_won",))  # type: ignore[arg-type]


def test_a_rollback_that_raises_the_rate_is_refused() -> None:
    with pytest.raises(ValidationError, match="factor"):
        Rollback(factor=1.5)


GOPRO = Path(__file__).parents[2].parent / "shared" / "data" / "gopro_pairs"


@pytest.mark.skipif(not GOPRO.is_dir(), reason="the shared GoPro pairs are not on this machine")
def test_real_blurred_photos_are_healthy_but_for_their_blur() -> None:
    from components.core.images import read_rgb

    names = sorted(path.name for path in (GOPRO / "sharp").glob("*.png"))
    assert names
    blurry, target = ([read_rgb(GOPRO / side / name) for name in names] for side in ("blur", "sharp"))
    assert Watch(Health(readings=1)).look(health_of_pictures(blurry, target)) == ()
