"""From many paths to their kernels, in whole numbers: the order in which light is added up changes
nothing.

A sample at (x + a, y + b), with whole x, y and fractions a, b, leaves (1 − a)(1 − b), a (1 − b), (1
− a) b and a b of its light on the four pixels around it. Summed over the samples of a pixel, that
takes their number and Σa, Σb, Σab alone. Fractions are whole numbers of so many bits that two sums
share one double and stay exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.trajectory_simulation import UNIT_BITS, Doubles, Whole

MANTISSA_BITS = 53


def fraction_bits(samples: int) -> int:
    """Bits of a sample's place within its pixel: 16 up to 1023 samples, 15 up to 2047, 11 up to
    32767.
    """
    return min(16, (MANTISSA_BITS - 2 * samples.bit_length()) // 2)


def exact_splat(places: Whole, shift: Whole) -> list[Floats]:
    """Kernels of paths of one length, the light of each sample shared bilinearly by four pixels.

    places: (n, 2, B) in units of 2^-20 px, x then y; shift: (2, B) to be added, so that (0, 0) is
    the middle pixel.
    Returns B kernels (h, w) float32 that sum to 1, with the smallest odd sides that keep their
    light and their middle.
    """
    samples = len(places)
    bits = fraction_bits(samples)
    one, off, field = 1 << bits, UNIT_BITS - bits, bits + samples.bit_length()
    # Rounded to the nearest, and moved so that no place is negative.
    nearest = shift + (1 << (off - 1))
    low, high = ((each + nearest) >> UNIT_BITS for each in (places.min(axis=0), places.max(axis=0)))
    # Light that falls exactly on a pixel still counts its empty neighbour as lit: at most a row of
    # zeros.
    reach = np.maximum(-low, high + 1)
    columns, rows = 2 * reach + 1
    stops = np.cumsum(columns * rows)
    starts = (stops - columns * rows).astype(np.int32)
    place = places + (nearest + (reach << UNIT_BITS)).astype(np.int32)
    place >>= off
    pixel = place >> bits
    place &= one - 1
    index = pixel[:, 1] * columns.astype(np.int32)
    index += pixel[:, 0]
    index += starts
    across, down = place[:, 0].astype(np.float64), place[:, 1].astype(np.float64)
    both = across * down
    both += float(1 << (bits + field))
    down *= float(1 << field)
    down += across
    flat = index.reshape(-1)
    pixels = int(stops[-1])
    one_way, both_ways = (
        np.asarray(np.bincount(flat, packed.reshape(-1), pixels), dtype=np.float64) for packed in (down, both)
    )
    canvas = _shared(one_way, both_ways, np.repeat(columns, columns * rows), one, field)
    canvas /= float(samples * one * one)
    light = canvas.astype(np.float32)
    return [
        light[start:stop].reshape(h, w)
        for start, stop, h, w in zip(
            starts.tolist(), stops.tolist(), rows.tolist(), columns.tolist(), strict=True
        )
    ]


def _shared(
    one_way: Doubles, both_ways: Doubles, columns: npt.NDArray[np.integer], one: int, field: int
) -> Doubles:
    """What each pixel gets, from the packed sums of Σa + 2^field Σb and Σab + 2^(bits + field) n of
    the samples at each; exact.
    """
    lit = np.flatnonzero(both_ways)
    number, ab = np.divmod(both_ways[lit], float(one << field))
    b, a = np.divmod(one_way[lit], float(1 << field))
    a *= one
    b *= one
    number *= one * one
    light = np.concatenate([number - a - b + ab, a - ab, b - ab, ab])
    below = lit + columns[lit]
    return np.asarray(
        np.bincount(np.concatenate([lit, lit + 1, below, below + 1]), light, len(both_ways)), dtype=np.float64
    )
