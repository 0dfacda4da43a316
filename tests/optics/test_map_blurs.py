"""Blurs that take a photo's own mask or depth map: what moves, what is sharp, and how far the light
is spread.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from photos import photo
from pydantic import ValidationError

from components.core.images import linear_of
from components.core.seeds import stream
from components.optics.blurs import Defocus, ObjectMotion, map_of
from components.optics.blurs.compositing import kernel_of
from components.optics.blurs.depth_map_defocus import Focused, Unfocused
from components.optics.blurs.drawn_blur import Floats, Kernel, Map
from components.optics.blurs.object_motion import Moved

SHA256 = "0123456789abcdef" * 4
LIGHT = linear_of(photo(120, 160))
LEFT, RIGHT = (
    np.s_[20:-20, 20:60],
    np.s_[20:-20, 100:-20],
)  # of the two halves, far from where they meet and from the photo's borders


def halves(left: float, right: float) -> Map:
    values = np.full((120, 160), left, np.float32)
    values[:, 80:] = right
    return Map(values, SHA256)


def moved(**settings: object) -> Moved:
    return cast("Moved", ObjectMotion.model_validate({"mask": "given", **settings}).draw([stream(3)])[0])


def focused(depths: Map, **settings: object) -> Focused:
    return cast(
        "Unfocused", Defocus.model_validate({"depth": "given", **settings}).draw([stream(3)])[0]
    ).with_map(depths)


def test_a_mask_that_is_half_white_moves_that_half_alone() -> None:
    effect = moved(object_px=[18, 18], background_px=[0, 0]).with_map(halves(0, 1))
    blurred = effect.apply(LIGHT)
    assert np.abs(blurred[LEFT] - LIGHT[LEFT]).max() < 1e-6
    assert np.abs(blurred[RIGHT] - Kernel(kernel_of(effect.foreground_px)).apply(LIGHT)[RIGHT]).max() < 1e-5
    assert np.abs(blurred[RIGHT] - LIGHT[RIGHT]).max() > 0.05


def test_a_given_mask_keeps_the_drawn_motions_and_the_row_names_it() -> None:
    plain = moved(background_px=[4, 4])
    effect = plain.with_map(halves(0, 1))
    assert effect.drawn == {name: value for name, value in plain.drawn.items() if name != "shape"} | {
        "share": 0.5,
        "mask": SHA256[:16],
    }
    assert np.array_equal(effect.foreground_px, plain.foreground_px)
    assert effect.severity_px == plain.severity_px


@pytest.mark.parametrize("where", [0, 1])
def test_the_centre_moves_with_what_the_mask_has_there(where: int) -> None:
    effect = moved(background_px=[4, 4]).with_map(
        halves(1 - where, where)
    )  # the centre is the right half's first column
    assert np.array_equal(effect.psf, kernel_of((effect.background_px, effect.foreground_px)[where]))
    assert effect.severity_px == pytest.approx(Kernel(kernel_of(effect.foreground_px)).severity_px)


@pytest.mark.parametrize(
    ("focus", "sharp", "soft", "metres"),
    [(0.0, LEFT, RIGHT, 1.0), (1.0, RIGHT, LEFT, 4.0)],
    ids=["on the near half", "on the far half"],
)
def test_of_two_planes_one_is_sharp_and_the_other_has_the_drawn_radius(
    focus: float, sharp: Any, soft: Any, metres: float
) -> None:
    effect = focused(halves(1.0, 0.25), radius_px=[6, 6], focus=[focus, focus], blades=[0])
    blurred, disc = effect.apply(LIGHT), effect.aperture.kernel(6.0)
    assert np.abs(blurred[sharp] - LIGHT[sharp]).max() < 1e-6
    assert np.abs(blurred[soft] - Kernel(disc).apply(LIGHT)[soft]).max() < 1e-5
    # Half of the photo is as soft as the disc, half not at all.
    assert effect.severity_px == pytest.approx(Kernel(disc).severity_px / np.sqrt(2), rel=1e-6)
    assert (effect.drawn["focus"], effect.drawn["focus_m"], effect.drawn["depth"]) == (
        focus,
        metres,
        SHA256[:16],
    )


def test_the_radius_follows_the_thin_lens_between_the_planes() -> None:
    # Distances 1, 2 and 4 m: 1/s is 1, 1/2 and 1/4. Focused on 1 m, the second is (1/2) / (3/4) =
    # two thirds as far out of focus as the third.
    depths = halves(1.0, 0.25)
    depths.values[:, 40:80] = 0.5
    assert np.abs(focused(depths, radius_px=[6, 6], focus=[0, 0]).radii_px[0, [0, 40, 80]]) == pytest.approx(
        [0, 4, 6]
    )


def test_what_is_nearer_than_the_focus_shows_the_aperture_upside_down() -> None:
    for focus, radii in ((1.0, [-6, 0]), (0.0, [0, 6])):
        effect = focused(halves(1.0, 0.25), radius_px=[6, 6], focus=[focus, focus], blades=[5])
        assert effect.radii_px[0, [0, -1]] == pytest.approx(radii)
    near = focused(halves(1.0, 0.25), radius_px=[6, 6], focus=[1, 1], blades=[5])
    upside_down = Kernel(np.ascontiguousarray(near.aperture.kernel(6.0)[::-1, ::-1]))
    assert np.abs(near.apply(LIGHT)[LEFT] - upside_down.apply(LIGHT)[LEFT]).max() < 1e-5


def test_unknown_depth_is_infinitely_far_and_may_be_what_is_sharp() -> None:
    effect = focused(halves(1.0, 0.0), radius_px=[6, 6], focus=[1, 1])
    assert effect.drawn["focus_m"] is None
    assert np.abs(effect.apply(LIGHT)[RIGHT] - LIGHT[RIGHT]).max() < 1e-6


def test_a_photo_of_one_depth_is_sharp_all_over() -> None:
    effect = focused(halves(0.5, 0.5), radius_px=[6, 6])
    assert effect.severity_px == 0
    assert np.abs(effect.apply(LIGHT) - LIGHT).max() < 1e-6


def test_maps_of_another_size_are_refused() -> None:
    wrong: Floats = np.ones((60, 80), np.float32)
    wrong[:, 40:] = 0
    with pytest.raises(ValueError, match="the mask is 80 × 60 px, the photo 160 × 120 px"):
        moved().with_map(Map(wrong, SHA256)).apply(LIGHT)
    with pytest.raises(ValueError, match="resize the map to the photo"):
        focused(Map(wrong, SHA256)).apply(LIGHT)


def test_settings_say_which_map_is_taken_and_are_not_written_where_none_is() -> None:
    assert (map_of(ObjectMotion(mask="given")), map_of(Defocus(depth="given"))) == ("mask", "depth")
    assert (map_of(ObjectMotion()), map_of(Defocus())) == (None, None)
    assert not {"mask", "depth", "focus"} & ({*ObjectMotion().model_dump()} | {*Defocus().model_dump()})
    asked = Defocus(depth="given", focus=(0.2, 0.4))
    assert Defocus.model_validate(asked.model_dump(mode="json")) == asked


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (Defocus, {"focus": [0, 0.5]}, "set depth to given, or leave focus out"),
        (Defocus, {"depth": "given", "plane_px": [0, 2]}, "leave plane_px out, or set depth to drawn"),
        (Defocus, {"depth": "given", "cat_eye": [0, 1]}, "leave cat_eye out, or set depth to drawn"),
        (
            Defocus,
            {"depth": "given", "focus": [0.5, 0.2]},
            r"focus is \[0.5, 0.2\]: the smaller value comes first",
        ),
        (ObjectMotion, {"mask": "given", "share": [0.1, 0.2]}, "leave share out, or set mask to drawn"),
        (ObjectMotion, {"mask": "given", "shapes": ["blob"]}, "leave shapes out, or set mask to drawn"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    kind: type[Defocus] | type[ObjectMotion], settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        kind.model_validate(settings)
