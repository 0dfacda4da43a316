"""8 and 16 bits: what goes from one to the other, and through a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.core.images import decode, png_bytes, read_rgb, to_float, write_png
from components.core.levels import at_bits, bits_of, to_pixels


def test_sixteen_bits_are_written_and_read_without_loss(tmp_path: Path) -> None:
    deep = np.arange(65536, dtype=np.uint16).reshape(64, -1)[:, :999].reshape(333, -1, 3)
    write_png(tmp_path / "deep.png", deep)
    found = read_rgb(tmp_path / "deep.png")
    assert found.dtype == np.uint16
    assert np.array_equal(found, deep)
    assert np.array_equal(decode(png_bytes(deep)).pixels, deep)
    assert np.array_equal(to_pixels(to_float(deep), bits_of(deep)), deep)


def test_eight_bits_in_sixteen_and_back_are_the_same_picture() -> None:
    usual = np.arange(256, dtype=np.uint8)
    deep = at_bits(usual, 16)
    assert to_float(deep) == pytest.approx(to_float(usual), abs=1e-7)
    assert np.array_equal(at_bits(deep, 8), usual)
    assert at_bits(usual, 8) is usual
    # Half a level of 257 rounds: 128 is below it, 129 above.
    assert at_bits(np.array([128, 129], np.uint16), 8).tolist() == [0, 1]
