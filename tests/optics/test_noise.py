"""Normal numbers by place: they are normal, independent, and a part of a photo has those of its
place.
"""

from __future__ import annotations

import numpy as np
import pytest

from components.optics.noise import normal_field

FIELD = normal_field(11, 500, 600)
# Of 900,000 independent numbers; a mean of products spreads by 1/sqrt(900,000) = 0.00105.
SPREAD = 1 / np.sqrt(FIELD.size)


def test_the_numbers_are_normal() -> None:
    assert FIELD.mean() == pytest.approx(0, abs=4 * SPREAD)
    assert FIELD.var() == pytest.approx(1, abs=4 * np.sqrt(2) * SPREAD)
    assert (FIELD**3).mean() == pytest.approx(0, abs=4 * np.sqrt(15) * SPREAD)
    assert (FIELD**4).mean() == pytest.approx(3, abs=4 * np.sqrt(96) * SPREAD)
    inside = [(np.abs(FIELD) < sigmas).mean() for sigmas in (1, 2, 3)]
    assert inside == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.002)


def test_neighbours_channels_and_seeds_know_nothing_of_each_other() -> None:
    others = {
        "right": (FIELD[:, 1:], FIELD[:, :-1]),
        "two to the right": (FIELD[:, 2:], FIELD[:, :-2]),
        "below": (FIELD[1:], FIELD[:-1]),
        "channels": (FIELD[..., :2], FIELD[..., 1:]),
        "first and last channel": (FIELD[..., 0], FIELD[..., 2]),
        "seeds": (FIELD, normal_field(12, 500, 600)),
    }
    for name, (one, other) in others.items():
        assert (one * other).mean() == pytest.approx(0, abs=4 / np.sqrt(one.size)), name
        # Their sizes neither: a pattern may hide in the squares.
        assert ((one**2 - 1) * (other**2 - 1)).mean() == pytest.approx(0, abs=8 / np.sqrt(one.size)), name


def test_no_frequency_stands_out() -> None:
    power = np.abs(np.fft.rfft2(FIELD[..., 1])) ** 2 / FIELD[..., 1].size
    # The largest of 150,000 exponential numbers lies at ln(150,000) = 11.9, and above 20 once in
    # 3,000 fields.
    assert power.max() < 20


@pytest.mark.parametrize(
    ("top", "left", "height", "width"), [(0, 0, 1, 1), (3, 7, 10, 11), (99, 100, 2, 5), (499, 599, 1, 1)]
)
def test_a_part_has_the_numbers_of_its_place(top: int, left: int, height: int, width: int) -> None:
    part = normal_field(11, height, width, top=top, left=left)
    assert np.array_equal(part, FIELD[top : top + height, left : left + width])


def test_fewer_channels_are_the_first_ones() -> None:
    assert np.array_equal(normal_field(11, 20, 30, channels=1)[..., 0], FIELD[:20, :30, 0])
