"""Parts of pictures made in batches on a torch device: what `part_of` makes on the processor, from
the same plans.

The noise has the same bits, and so has JPEG for the same levels; the blur goes through a Fourier
transform, which rounds otherwise than
a sum over taps: on photos, one level in some ten thousand differs, by one, before JPEG. Neither the
batch nor its order changes a part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from components.core.images import linear_of
from components.optics.device.jpeg import jpeg
from components.optics.device.noise import normal_field
from components.optics.device.render_inputs import Layout
from components.optics.device.sensor import balanced, demosaicked, in_colours, mosaic_of
from components.optics.downscale import Downscale
from components.optics.light import LEVELS_16, srgb_table


@torch.no_grad()
def rendered(layout: Layout, orders: Mapping[str, Tensor]) -> Tensor:
    """Make a batch of parts.

    orders: what `stacked` makes of `order_of`, as tensors, all on one device.
    Returns (N, 3, side, side) uint8 sRGB on that device.
    """
    camera, size = layout.degradation.camera, orders["fallen"]
    light = _blurred(layout, _light(layout, orders), orders["psf"])
    if layout.degradation.downscale is not None:
        assert isinstance(layout.degradation.downscale, Downscale), "second_order is never taken"
        light = _smaller(layout.degradation.downscale, _at_borders(light, orders["photo"], _repeated))
    full = None
    if camera.highlights is not None:
        full, light = light >= 1, light.clamp_(max=1)
    light = _developed(layout, light, full, orders)
    levels = _stored(light, linear=camera.linear_light)
    reach = layout.sensor_reach
    if "tables" in orders:
        beyond = size[:, :2] - size[:, 2:] - reach
        heights, widths = beyond.clamp(max=layout.shown).unbind(1)
        levels = jpeg(levels, orders["tables"], heights, widths)
    within = torch.arange(layout.side, device=levels.device)
    rows, columns = (orders["part"][:, axis, None] + within for axis in (0, 1))
    return _gathered(levels, rows, columns)


def _light(layout: Layout, orders: Mapping[str, Tensor]) -> Tensor:
    """The windows' light before the blur: (N, 3, H, W) float32."""
    window = orders["light"].permute(0, 3, 1, 2)
    if window.dtype == torch.uint8:
        window = (
            _light_of_levels(window.device)[window.int()]
            if layout.degradation.camera.linear_light
            else window.float() * float(np.float32(1 / 255))
        )
    if "recovery" in orders:
        extra, knee = (orders["recovery"][:, place, None, None, None] for place in (0, 1))
        share = (window - knee).clamp_(min=0) / (1 - knee)
        window = window + share * share * extra
    return window


def _blurred(layout: Layout, light: Tensor, psf: Tensor) -> Tensor:
    """Convolution with each part's own kernel, by Fourier transform; where the kernel's frame lies
    within the window.
    """
    # Rounded up to a length that the transform is fast at; what is beyond wraps around into the
    # border that is cut off.
    size = [next_fast_len(side, real=True) for side in light.shape[2:]]
    spectrum = torch.fft.rfft2(light, s=size)
    spectrum *= torch.fft.rfft2(psf, s=size)[:, None]
    start = 2 * layout.blur_reach
    inside = slice(start, start + layout.blurred)
    blurred: Tensor = torch.fft.irfft2(spectrum, s=size)
    return blurred[:, :, inside, inside]


def _smaller(downscale: Downscale, light: Tensor) -> Tensor:
    """(N, 3, h, w) of the photo to 1/scale of it, without the border that only the kernel looks at."""
    taps = _taps_on(downscale, light.device)
    for axis in (2, 3):
        # In 64 bits, as on the processor.
        light = (light.double().unfold(axis, taps.numel(), downscale.scale) @ taps).float()
    return light


def _taps(downscale: Downscale) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weights of the photo's pixels from `reach` small pixels before a small pixel's begin to as
    many after its end.
    """
    scale, reach = downscale.scale, downscale.reach
    away = np.abs((np.arange((2 * reach + 1) * scale) + 0.5) / scale - reach - 0.5)
    if downscale.kernel == "bilinear_plain":
        weights = (away * scale < 0.75).astype(np.float64)
    else:  # Keys 1981, a = −½
        weights = np.where(
            away < 1,
            1.5 * away**3 - 2.5 * away**2 + 1,
            np.where(away < 2, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2, 0.0),
        )
    return np.asarray(weights / weights.sum())


def _developed(layout: Layout, light: Tensor, full: Tensor | None, orders: Mapping[str, Tensor]) -> Tensor:
    """Light to a linear picture: noise, and the sensor around it."""
    camera, place = layout.degradation.camera, orders["fallen"]

    def noisy(values: Tensor, full: Tensor | None) -> Tensor:
        return values if camera.noise is None else _noisy(values, full, orders)

    if camera.sensor is None:
        return noisy(light, full)
    raw, gains = in_colours(light, orders["to_raw"]), orders["gains"]
    if camera.sensor.bayer is None:
        colours = balanced(noisy(raw, full), gains[:, :, None, None])
    else:
        mosaic = mosaic_of(raw, full, orders["red"], gains, noisy)
        colours = demosaicked(
            _at_borders(mosaic, place, _reflected), orders["red"], camera.sensor.bayer.demosaic
        )
    return in_colours(colours, orders["to_srgb"])


def _noisy(light: Tensor, full: Tensor | None, orders: Mapping[str, Tensor]) -> Tensor:
    """Light, (N, 3, H, W) or (N, 1, H, W), with the noise of its place, step by step as
    `NoiseLevel.added`.
    """
    _, channels, height, width = light.shape
    tops, lefts = orders["fallen"][:, 2:].unbind(1)
    normals = normal_field(orders["key"], tops, lefts, height, width, channels)
    # A grey photo's one channel stands three times here.
    normals = torch.where(orders["grey"][:, None, None, None], normals[:, :1], normals)
    if full is not None:
        normals = normals.masked_fill(full, 0)
    shot, read = (orders["noise"][:, place, None, None, None] for place in (0, 1))
    return (light * shot).clamp_(min=0).add_(read).sqrt_().mul_(normals).add_(light)


def _stored(light: Tensor, *, linear: bool) -> Tensor:
    """Values to uint8 sRGB, clipped, as `light.stored`."""
    if not linear:
        return (light.clamp(0, 1) * 255).round_().to(torch.uint8)
    return _levels_of_light(light.device)[(light.clamp(0, 1) * LEVELS_16).add_(0.5).int()]


def _at_borders(pictures: Tensor, places: Tensor, mirror: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Parts of photos, with what lies beyond a photo mirrored at its border.

    places: (N, 4) int64: height and width of each photo, row and column where its part begins.
    """
    found = []
    for axis in (0, 1):
        count, first, side = pictures.shape[2 + axis], places[:, 2 + axis, None], places[:, axis, None]
        inside = mirror(first + torch.arange(count, device=pictures.device), side) - first
        # Far beyond the border, where no pixel of the picture looks, there may be no mirror image.
        found.append(inside.clamp(0, count - 1))
    return _gathered(pictures, *found)


def _reflected(place: Tensor, side: Tensor) -> Tensor:
    """The border's own pixel is not repeated."""
    place = place.abs()
    return torch.where(place < side, place, 2 * side - 2 - place)


def _repeated(place: Tensor, side: Tensor) -> Tensor:
    """The border's own pixel is repeated."""
    place = torch.where(place < 0, -1 - place, place)
    return torch.where(place < side, place, 2 * side - 1 - place)


def _gathered(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, C, H, W) at (N, h) rows and (N, w) columns of each."""
    return pictures.take_along_dim(rows[:, None, :, None], 2).take_along_dim(columns[:, None, None, :], 3)


@cache
def _light_of_levels(device: torch.device) -> Tensor:
    return torch.from_numpy(linear_of(np.arange(256, dtype=np.uint8))).to(device)


@cache
def _levels_of_light(device: torch.device) -> Tensor:
    return torch.from_numpy(srgb_table().copy()).to(device)


@cache
def _taps_on(downscale: Downscale, device: torch.device) -> Tensor:
    return torch.from_numpy(_taps(downscale)).to(device)
