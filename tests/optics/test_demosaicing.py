"""The mosaic of a sensor and the picture made of it: the pattern follows the place, demosaicing is the
published one.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from components.core.images import Picture, to_float, to_uint8
from components.core.seeds import stream
from components.optics.camera import Camera
from components.optics.demosaic import demosaicked, filters, mosaicked
from components.optics.light import light_of
from components.optics.sensor import RED_SITES, SensorShot

SITES = sorted(RED_SITES.values())


def photo() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[60:190, 100:260])


def light() -> np.ndarray:
    return light_of(Picture(photo(), 3, 8, "PNG"), linear=True)


def psnr(seen: np.ndarray, truth: np.ndarray) -> float:
    """Away from the border, which no neighbour is known of."""
    return float(-10 * np.log10(np.mean((np.clip(seen, 0, 1) - truth)[4:-4, 4:-4] ** 2)))


@pytest.mark.parametrize("pattern", RED_SITES)
def test_the_mosaic_has_the_colours_of_its_pattern(pattern: str) -> None:
    colours = np.broadcast_to(np.array([1, 2, 3], np.float32), (4, 6, 3))
    mosaic = mosaicked(colours, RED_SITES[pattern])
    assert "".join("?RGB"[int(value)] for value in mosaic[:2, :2].ravel()) == pattern
    assert np.array_equal(mosaic, np.tile(mosaic[:2, :2], (2, 3)))


@pytest.mark.parametrize("pattern", RED_SITES)
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (7, 4)], ids=str)
def test_the_mosaic_of_a_part_is_that_of_its_place(pattern: str, place: tuple[int, int]) -> None:
    shot = SensorShot(None, (1.0, 1.0, 1.0), pattern)
    whole = mosaicked(light(), shot.red_site())
    top, left = place
    assert np.array_equal(mosaicked(light()[top:, left:], shot.red_site(top, left)), whole[top:, left:])


@pytest.mark.parametrize("jpeg", [None, {}], ids=["no codec", "jpeg"])
@pytest.mark.parametrize("place", [(0, 0), (16, 32), (21, 34), (7, 5)], ids=str)
def test_the_picture_of_a_part_is_that_of_its_place_but_for_the_reach(
    jpeg: dict[str, object] | None, place: tuple[int, int]
) -> None:
    top, left = place
    for seed in range(4):
        shot = Camera.model_validate({"highlights": {}, "sensor": {}, "jpeg": jpeg}).shot(seed)
        reach = shot.reach_px
        assert reach == (2 if jpeg is None else 18)
        part = shot.picture(light()[top : top + 90, left : left + 100], top=top, left=left)
        whole = shot.picture(light())[top : top + 90, left : left + 100]
        assert np.array_equal(part[reach:-reach, reach:-reach], whole[reach:-reach, reach:-reach])


def test_the_filters_are_those_of_the_paper() -> None:
    # Malvar, He & Cutler 2004, fig. 2, in eighths.
    malvar = {name: 8 * kernel for name, kernel in filters("malvar").items()}
    assert malvar["green"].tolist() == [
        [0, 0, -1, 0, 0],
        [0, 0, 2, 0, 0],
        [-1, 2, 4, 2, -1],
        [0, 0, 2, 0, 0],
        [0, 0, -1, 0, 0],
    ]
    assert malvar["across"].tolist() == [
        [0, 0, 0.5, 0, 0],
        [0, -1, 0, -1, 0],
        [-1, 4, 5, 4, -1],
        [0, -1, 0, -1, 0],
        [0, 0, 0.5, 0, 0],
    ]
    assert malvar["down"].tolist() == malvar["across"].T.tolist()
    assert malvar["diagonal"].tolist() == [
        [0, 0, -1.5, 0, 0],
        [0, 2, 0, 2, 0],
        [-1.5, 0, 6, 0, -1.5],
        [0, 2, 0, 2, 0],
        [0, 0, -1.5, 0, 0],
    ]


@pytest.mark.parametrize("kind", ["malvar", "bilinear"])
@pytest.mark.parametrize("red", SITES, ids=str)
def test_measured_colours_are_kept_and_a_grey_slope_is_found_again(kind: str, red: tuple[int, int]) -> None:
    colours = stream(0).random((11, 14, 3)).astype(np.float32)
    mosaic = mosaicked(colours, red)
    assert np.array_equal(mosaicked(demosaicked(mosaic, red, kind), red), mosaic)
    # Every filter sums to 1 and is symmetric, so that a plane goes through; at the border the
    # reflection bends it.
    plane = np.repeat(
        (0.02 * np.arange(20)[:, None] + 0.03 * np.arange(16) + 0.1)[:, :, None], 3, axis=2
    ).astype(np.float32)
    assert demosaicked(mosaicked(plane, red), red, kind)[2:-2, 2:-2] == pytest.approx(
        plane[2:-2, 2:-2], abs=1e-5
    )


def test_bilinear_is_opencvs_and_malvar_is_better_by_decibels() -> None:
    truth = to_float(data.astronaut())
    mosaic = mosaicked(truth, (0, 0))
    theirs = to_float(cv2.cvtColor(to_uint8(mosaic), cv2.COLOR_BayerRGGB2RGB))
    ours = demosaicked(mosaic, (0, 0), "bilinear")
    assert np.abs(ours - theirs)[2:-2, 2:-2].max() <= 1.01 / 255  # they round to whole levels
    malvar = demosaicked(mosaic, (0, 0), "malvar")
    edge_aware = to_float(cv2.cvtColor(to_uint8(mosaic), cv2.COLOR_BayerRGGB2RGB_EA))
    assert psnr(malvar, truth) > psnr(ours, truth) + 3.5
    assert psnr(malvar, truth) > psnr(edge_aware, truth) + 3
