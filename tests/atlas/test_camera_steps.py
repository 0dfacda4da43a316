"""The camera in the atlas: its steps in their order, what each did to one pair, and no picture of a
step that is off.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.atlas.camera import stages_of, steps_of
from components.atlas.draws import DRAWS, drawn_kinds, drawn_mix, noise_levels, shot_levels
from components.atlas.page import charts_of
from components.atlas.photo import Scene, scene_of
from components.console import commands
from components.optics.camera import Camera, Shot
from components.optics.sensor import SensorShot
from components.optics.sensor_noise import NoiseLevel
from components.synthesize.config import SynthesizeConfig

ROOT = Path(__file__).resolve().parents[2]
ALL = {"highlights": {}, "sensor": {}, "noise": {}, "jpeg": {}, "webp": {}}


def config(camera: dict[str, object], **settings: object) -> SynthesizeConfig:
    return SynthesizeConfig.model_validate({"blurs": [{"kind": "gaussian"}], "camera": camera, **settings})


def titles(settings: SynthesizeConfig, scene: Scene | None = None) -> list[str]:
    (kind,) = drawn_kinds(settings)
    return [stage.title for stage in stages_of(kind, scene or scene_of(settings, None, 32), settings.scale)]


def pixels(address: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(address.split(",")[1]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)


def test_every_step_that_is_on_is_named_in_its_order_with_its_settings() -> None:
    plain, steps = steps_of(Camera.model_validate(ALL | {"wear": {}}))
    assert [step.title for step in steps] == ["highlights", "wear", "sensor", "noise", "JPEG", "WebP"]
    assert [setting.name for setting in plain] == ["linear_light", "bits"]
    assert [setting.name for setting in steps[2].settings] == ["colours", "white_balance", "bayer"]
    plain, steps = steps_of(Camera())
    assert [step.title for step in steps] == ["noise", "JPEG"]
    assert {setting.name: setting.value for setting in plain} == {
        "linear_light": "true",
        "highlights": "off",
        "wear": "off",
        "sensor": "off",
        "webp": "off",
        "bits": "8",
    }


@pytest.mark.parametrize(
    ("camera", "wanted"),
    [
        (ALL | {"webp": None}, ["blurred", "highlights", "on the sensor", "developed", "JPEG"]),
        (ALL | {"jpeg": None}, ["blurred", "highlights", "on the sensor", "developed", "WebP"]),
        ({"wear": {}}, ["blurred", "worn", "noise", "JPEG"]),
        ({"sensor": {"bayer": None}}, ["blurred", "developed", "JPEG"]),
        ({}, ["blurred", "noise", "JPEG"]),
        ({"noise": None, "jpeg": None, "bits": 16, "highlights": {}}, ["blurred", "highlights"]),
        ({"noise": None, "jpeg": None}, []),
    ],
)
def test_pictures_follow_the_steps_that_are_on(camera: dict[str, object], wanted: list[str]) -> None:
    assert titles(config(camera)) == wanted


def test_the_last_picture_is_what_the_net_is_given_and_the_sensors_is_a_mosaic() -> None:
    settings = config(ALL | {"webp": None})
    scene, (kind,) = scene_of(settings, None, 32), drawn_kinds(settings)
    stages = stages_of(kind, scene, 1)
    assert all(len(stage.crops) == 2 for stage in stages)  # the photo has clipped clouds
    top, left, side = scene.crop
    given = kind.shown[1].plan.blurred(scene.light)
    assert np.array_equal(pixels(stages[-1].crops[0]), given[top : top + side, left : left + side])
    assert (np.count_nonzero(pixels(stages[2].crops[0]), axis=2) <= 1).all()
    # Where clipped light makes a difference, the second picture is the brighter one, and nowhere
    # the darker.
    before, after = (pixels(stage.crops[1]).astype(int) for stage in stages[:2])
    assert (after >= before).all()
    assert (after - before).mean() > 0.5


def test_a_grey_photo_has_no_mosaic(tmp_path: Path) -> None:
    photo = tmp_path / "grey.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 200, (160, 170), dtype=np.uint8))
    settings = config(ALL | {"webp": None})
    assert titles(settings, scene_of(settings, photo, 32)) == ["blurred", "highlights", "noise", "JPEG"]


def test_a_page_of_everything_names_and_shows_every_step(tmp_path: Path) -> None:
    text = (ROOT / "components/recipes/demo.yaml").read_text()
    start, end = text.index("  camera:"), text.index("  pairs_per_photo")
    recipe = tmp_path / "demo.yaml"
    recipe.write_text(
        text[:start]
        + "  camera: {highlights: {}, sensor: {}, noise: {gain: [1, 4]}, jpeg: {}, webp: {}}\n"
        + text[end:]
    )
    commands.run(["blur-atlas", str(recipe), "--out", str(tmp_path)])
    page = (tmp_path / "index.html").read_text()
    assert re.findall(r"<dt>(highlights|sensor|noise|JPEG|WebP)</dt>", page) == [
        "highlights",
        "sensor",
        "noise",
        "JPEG",
        "WebP",
    ]
    assert len(re.findall(r'alt="patch, on the sensor"', page)) == 2
    assert "WebP quality, median" in page
    assert len(page) < 2e6


def test_pictures_of_sixteen_bits_and_of_a_smaller_scale_are_shown_in_eight(tmp_path: Path) -> None:
    settings = config(
        {"noise": {}, "jpeg": None, "bits": 16, "sensor": {}, "highlights": {}}, downscale={"scale": 2}
    )
    scene, (kind,) = scene_of(settings, None, 64), drawn_kinds(settings)
    for stage in stages_of(kind, scene, 2):
        assert [pixels(crop).shape for crop in stage.crops] == [(70, 70, 3)] * 2


def test_what_is_drawn_for_the_camera_has_histograms() -> None:
    settings = config(ALL)
    charts = {chart.title: chart for chart in charts_of(settings, drawn_mix(settings))}
    assert list(charts) == ["Severity", "Extent", "Noise", "Highlights", "JPEG", "WebP"]
    codecs = charts["JPEG"].svg + charts["WebP"].svg
    assert sum(int(count) for count in re.findall(r": (\d+) of \d+</title>", codecs)) == DRAWS


def test_noise_through_a_sensor_is_measured_and_without_one_reckoned() -> None:
    noise = NoiseLevel(shot=4e-4, read=2e-5)
    plain = shot_levels(Shot(1, True, noise, None))
    assert plain == noise_levels(noise, linear=True)
    idle = SensorShot(None, (1.0, 1.0, 1.0), None)
    assert shot_levels(Shot(1, True, noise, None, sensor=idle)) == pytest.approx(plain, rel=0.05)
    # A gain of g on red and blue: shot noise by √g, read noise by g, so somewhere between; green
    # stays.
    louder = shot_levels(Shot(1, True, noise, None, sensor=SensorShot(None, (4.0, 1.0, 4.0), None)))
    assert plain * (2 * 2 + 1) / 3 * 0.97 < louder < plain * (2 * 4 + 1) / 3
