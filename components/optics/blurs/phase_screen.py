"""Light through turbulent air: a screen of phases, and the point spread function of a lens that
looks through a piece of it.

All turbulence is gathered in one thin layer. Its phase φ is a Gaussian random field with
Kolmogorov's spectrum (Noll 1976, eq. 21), lengths in diameters D of the lens, r₀ the Fried
parameter, f in cycles a diameter:

    Φ(f) = 0.0229 (D/r₀)^{5/3} f^{−11/3}

A lens looks at each point of the scene through its own circle of the layer. The mean slope of φ
over that circle moves the point's picture ("tilt"), the rest blurs it: the intensity is |F{circle ·
e^{iφ}}|² (Goodman, "Introduction to Fourier Optics", section 6.4). Neighbouring points share part
of their circles, so that tilt and blur change over the photo as the layer makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.special import j1

from components.optics.blurs.drawn_blur import Floats

Doubles = npt.NDArray[np.float64]

# lens diameters after which the layer repeats; larger swirls are left out: they move the photo as a
# whole
PERIOD = 8
SAMPLES = 32  # per lens diameter
# cutting a PSF off moves its centroid; moved back this often, it is within 0.015 px (strength 0 to
# 10, λ/D 0.3 to 2 px)
CENTRINGS = 4


@dataclass(frozen=True)
class Layer:
    """A layer of turbulent air, one period of it; beyond, it repeats."""

    phase: Floats  # (n, n) rad, n = PERIOD · SAMPLES
    # (2, n, n) mean slope of the phase, across and down, over the lens centred there, in turns per
    # diameter
    slopes: Floats

    @property
    def side(self) -> int:
        """Samples in a period."""
        return int(self.phase.shape[0])


def layer(rng: np.random.Generator, strength: float) -> Layer:
    """Draw a layer.

    strength: D/r₀, 0 or more; the same generator gives the same layer, stronger.
    """
    side = PERIOD * SAMPLES
    to_phase, to_slopes = _spectra()
    spectrum = scipy.fft.rfft2(rng.standard_normal((side, side))) * (to_phase * strength ** (5 / 6))
    phase, across, down = (
        scipy.fft.irfft2(part, s=(side, side)).astype(np.float32)
        for part in (spectrum, *(spectrum * each for each in to_slopes))
    )
    return Layer(phase, np.stack([across, down]))


@cache
def _spectra() -> tuple[Doubles, tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]]:
    """What makes white noise a layer of strength 1, and a layer its mean slopes across and down
    over the lens.
    """
    side = PERIOD * SAMPLES
    down, across = np.fft.fftfreq(side, 1 / SAMPLES)[:, None], np.fft.rfftfreq(side, 1 / SAMPLES)[None, :]
    frequency = np.hypot(across, down)
    frequency[0, 0] = np.inf
    # One frequency stands for 1 / PERIOD² of the plane; rfft2 of unit noise has the power of its
    # number of samples.
    to_phase = np.sqrt(0.0229 * frequency ** (-11 / 3)) * (side / PERIOD)
    frequency[0, 0] = 1.0
    # 2 J₁(πf)/(πf) is the mean of a wave over the lens; its slope is 2πf radians, or f turns.
    over_lens = 2j * j1(math.pi * frequency) / (math.pi * frequency)
    return to_phase, (over_lens * across, over_lens * down)


def psfs(air: Layer, places: npt.NDArray[np.intp], diffraction_px: float, side_px: int) -> Floats:
    """What points become whose circles of the layer are centred at some samples.

    places: (n, 2) rows and columns of the layer; they may lie beyond its period.
    diffraction_px: λ/D on the sensor, 0.3 or more: the width of the sharpest point.
    side_px: side of the result, odd; the light that falls outside (glare, a few percent) is put
    back in proportion.
    Returns (n, side_px, side_px) float32, averaged over each pixel's area, never negative, each
    summing to 1 with its centroid on the middle pixel.
    """
    offset = np.arange(SAMPLES) - (SAMPLES - 1) / 2
    lens = np.hypot(offset[:, None], offset[None, :]) <= SAMPLES / 2
    rows = (places[:, 0, None] + np.floor(offset).astype(np.intp)) % air.side
    columns = (places[:, 1, None] + np.floor(offset).astype(np.intp)) % air.side
    # Single precision: 1e-6 of the light, in half the time.
    pupil = np.exp(1j * air.phase[rows[:, :, None], columns[:, None, :]]) * lens
    wave = scipy.fft.fft2(pupil, s=(2 * SAMPLES, 2 * SAMPLES))
    # The intensity's spectrum ends at one wave a λ/D, so that the mean over a pixel follows from it
    # exactly.
    transfer = scipy.fft.rfft2(wave.real**2 + wave.imag**2)
    down, across = (
        np.fft.fftfreq(2 * SAMPLES, 0.5) / diffraction_px,
        np.fft.rfftfreq(2 * SAMPLES, 0.5) / diffraction_px,
    )  # waves per pixel
    transfer *= (np.sinc(down)[:, None] * np.where(across > 0, 2, 1) * np.sinc(across)).astype(np.float32)
    pixels = np.arange(side_px) - side_px // 2
    to_rows, to_columns = (
        np.exp(2j * math.pi * pixels[:, None] * waves).astype(np.complex64) for waves in (down, across)
    )
    moved = (
        np.stack(
            [air.slopes[axis][places[:, 0] % air.side, places[:, 1] % air.side] for axis in (1, 0)], axis=1
        )
        * diffraction_px
    )
    found = np.zeros((len(places), side_px, side_px))
    for _ in range(CENTRINGS):
        back = [
            np.exp(2j * math.pi * moved[:, axis, None] * waves).astype(np.complex64)
            for axis, waves in ((0, down), (1, across))
        ]
        light = (to_rows @ (transfer * back[0][:, :, None] * back[1][:, None, :]) @ to_columns.T).real.astype(
            np.float64
        )
        np.maximum(light, 0.0, out=light)
        found = light / light.sum(axis=(1, 2), keepdims=True)
        moved = moved + np.stack([found.sum(axis=2) @ pixels, found.sum(axis=1) @ pixels], axis=1)
    return found.astype(np.float32)
