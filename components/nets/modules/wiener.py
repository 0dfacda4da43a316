"""What a shaken camera did to a photo, read off the photo and undone in one linear step: the kernel from the
autocorrelation of the photo's gradients, then Wiener filters for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.over_photo import OverPhoto

GRID = 64  # frequencies an axis, of a filter and of a block and as many zeros: nothing wraps around
LAGS = 12  # px, the farthest two gradients are compared over
REACH = 15  # px a filter looks to each side
SLOPE = 0.1
FIRST_SIGMA_PX = 1.5  # of the kernel taken for granted before anything is learned
# Noise over signal that the filters begin with, as a logarithm: one trusts the kernel, one does not.
FIRST_LOG_NOISE = (-7.0, -4.5)
SMALLEST = 1e-8


class BlindWiener(OverPhoto):
    """The photo, and beside it the photo as Wiener filters (Wiener 1949) restore it, one for each of a few
    noise levels: (N, 3 + 3 · filters, H, W) of (N, 3, H, W) in [-1, 1], H and W multiples of the block.

    A natural photo's gradients are hardly correlated; those of a blurred one are as its kernel is
    (Goldstein & Fattal 2012). From their autocorrelation, taken over blocks and added up over the photo,
    two layers tell the kernel and each filter's noise over signal, learned by what becomes of the picture.
    Values are taken as they are, not in linear light, where a camera adds up: there the noise of dark
    places is let grow, and with the true kernels the filters restore less.
    """

    def __init__(self, kernel_px: int, hidden: int, *, block: int) -> None:
        """kernel_px: side of the kernel, odd; hidden: width of the two layers; block: px a side of what
        gradients are compared in, at most half of GRID.
        """
        super().__init__()
        self.kernel_px, self.block, self.filters = kernel_px, block, len(FIRST_LOG_NOISE)
        known = 2 * ((LAGS + 1) * (2 * LAGS + 1) + 1) + 2
        self.tell = nn.Sequential(
            nn.Linear(known, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, kernel_px**2 + self.filters),
        )

    def begin_alike(self) -> None:
        """Let every photo have the same kernel at first."""
        last = self.tell[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        away = _squares(torch.arange(self.kernel_px) - self.kernel_px // 2) / (2 * FIRST_SIGMA_PX**2)
        with torch.no_grad():
            last.bias.copy_(torch.cat([-away.flatten(), torch.tensor(FIRST_LOG_NOISE)]))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """The photo and its restorations, in the photo's type."""
        if self.survey is not None:
            return self.survey.forward(self, x_NCHW)
        return self.forward_tile(x_NCHW, self.whole([self.part(x_NCHW)]))

    def part(self, own_NCHW: Tensor) -> tuple[Tensor, ...]:
        """Of a tile's own part: px, and sums by photo of luminance, its square, and the products of
        gradients across and down over all lags (N, 2, LAGS + 1, 2 · LAGS + 1).
        """
        with _in_float32(own_NCHW):
            light = own_NCHW.float().mean(1)
            count, height, width = light.shape
            side = self.block
            blocks = light.reshape(count, height // side, side, width // side, side)
            blocks = blocks.transpose(2, 3).flatten(1, 2)
            across = (blocks[..., :, 1:] - blocks[..., :, :-1])[..., 1:, :]
            down = (blocks[..., 1:, :] - blocks[..., :-1, :])[..., :, 1:]
            sums = _lags(torch.stack([across, down], 1))
            px = torch.ones_like(light).sum((1, 2))  # a number would be written into exported files
            return px, light.sum((1, 2)), light.square().sum((1, 2)), sums

    def whole(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """The photo's filters, (N, filters, 2 · REACH + 1, 2 · REACH + 1), each of sum 1."""
        count, light, square, sums = (sum(each[1:], each[0]) for each in zip(*parts, strict=True))
        with _in_float32(sums):
            energy = sums[:, :, :1, LAGS : LAGS + 1]
            mean = light / count
            spread = (square / count - mean.square()).clamp(min=0)
            level = (energy.flatten(1) / count[:, None] + SMALLEST).log() / 8 + 1
            alike = (sums / (energy + SMALLEST)).flatten(1)
            told = self.tell(torch.cat([alike, level, mean[:, None], (spread + SMALLEST).sqrt()[:, None]], 1))
            kernel, noise = told[:, : self.kernel_px**2], told[:, self.kernel_px**2 :]
            kernel = kernel.softmax(1).unflatten(1, (self.kernel_px, self.kernel_px))
            return (wiener_filters(kernel, noise.clamp(-12.0, 4.0).exp()),)

    def forward_tile(self, x_NCHW: Tensor, known: tuple[Tensor, ...]) -> Tensor:
        """A tile and its restorations, by the photo's filters."""
        (filters,) = known
        with _in_float32(x_NCHW):
            padded = F.pad(x_NCHW.float(), (REACH,) * 4, mode="reflect")
            restored = filtered(padded, filters).clamp(-1, 1).flatten(1, 2)
        return torch.cat([x_NCHW, restored.to(x_NCHW.dtype)], 1)

    def looking_as_far(self) -> nn.Module:
        """A convolution of the same reach."""
        return nn.Conv2d(3, 3 + 3 * self.filters, 2 * REACH + 1, padding=REACH)


class Deconvolving(nn.Module):
    """A body that is shown what `BlindWiener` gives and adds to the photo; so does each filter, by a share of
    what it changed. The shares begin at zero.
    """

    def __init__(self, wiener: BlindWiener, body: nn.Module) -> None:
        super().__init__()
        self.wiener, self.body = wiener, body
        self.shares = nn.Parameter(torch.zeros(wiener.filters))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to the same, not bounded."""
        shown = self.wiener(x_NCHW)
        # Slices: a split becomes a sequence in ONNX, which OpenVINO and TensorRT do not have.
        changed = torch.stack([shown[:, at : at + 3] for at in range(3, shown.shape[1], 3)], 1)
        changed = changed - x_NCHW[:, None]
        restored: Tensor = x_NCHW + (self.shares[:, None, None, None] * changed).sum(1) + self.body(shown)
        return restored


def wiener_filters(kernel_Nkk: Tensor, noise_NF: Tensor) -> Tensor:
    """The filters that undo a kernel of sum 1 where noise has noise_NF times the power of a photo, whose
    own power falls with the square of frequency: (N, F, 2 · REACH + 1, 2 · REACH + 1), of sum 1.
    """
    side = kernel_Nkk.shape[-1]
    place = torch.arange(side, device=kernel_Nkk.device) - side // 2
    real, imaginary = _spectrum(kernel_Nkk, place)
    frequency = torch.arange(GRID, device=kernel_Nkk.device)
    away = torch.minimum(frequency, GRID - frequency) / GRID
    noise = noise_NF[..., None, None] * (100 * _squares(away) + 0.01)
    power = (real.square() + imaginary.square())[:, None] + noise
    real, imaginary = real[:, None] / power, -imaginary[:, None] / power
    filters = _picture(real, imaginary, torch.arange(-REACH, REACH + 1, device=kernel_Nkk.device))
    normed: Tensor = filters / filters.sum((2, 3), keepdim=True)
    return normed


def filtered(padded_NCHW: Tensor, filters_NFkk: Tensor) -> Tensor:
    """Each photo convolved with each of its filters, without what only touches them: (N, F, C, H, W)."""
    if torch.compiler.is_exporting():
        return by_blocks(padded_NCHW, filters_NFkk)
    size = [side + -side % 32 for side in padded_NCHW.shape[2:]]
    light = torch.fft.rfft2(padded_NCHW, s=size)[:, None]
    whole: Tensor = torch.fft.irfft2(light * torch.fft.rfft2(filters_NFkk, s=size)[:, :, None], s=size)
    side = 2 * REACH
    return whole[..., side : padded_NCHW.shape[2], side : padded_NCHW.shape[3]]


def by_blocks(padded_NCHW: Tensor, filters_NFkk: Tensor) -> Tensor:
    """`filtered` in products of matrices alone, which every runtime has: blocks of half a GRID's side, each
    with what lies beside it (overlap-save), H and W multiples of such a block.
    """
    step, device = GRID // 2, padded_NCHW.device
    x = F.pad(padded_NCHW, (0, step - 2 * REACH) * 2)
    photos, channels, height, width = (*x.shape[:2], x.shape[2] - step, x.shape[3] - step)
    x = torch.stack([x[:, :, :height], x[:, :, step:]], 3)
    x = torch.stack([x[..., :width], x[..., step:]], 5)
    x = x.reshape(photos, channels, height // step, step, 2, width // step, step, 2)
    x = x.permute(0, 1, 2, 5, 4, 3, 7, 6).reshape(photos, 1, channels, -1, GRID, GRID)
    real, imaginary = _spectrum(x, torch.arange(GRID, device=device))
    of_real, of_imaginary = _spectrum(
        filters_NFkk[:, :, None, None], torch.arange(2 * REACH + 1, device=device)
    )
    kept = torch.arange(2 * REACH, 2 * REACH + step, device=device)
    blocks = _picture(
        real * of_real - imaginary * of_imaginary, real * of_imaginary + imaginary * of_real, kept
    )
    rows = blocks.reshape(photos, -1, channels, height // step, width // step, step, step)
    return rows.transpose(4, 5).reshape(photos, -1, channels, height, width)


def _lags(gradients_NGBhw: Tensor) -> Tensor:
    """Products of each block's px and those at each lag, summed over blocks: (N, G, LAGS + 1, 2 · LAGS + 1),
    rows of lags down from 0, columns of lags across from -LAGS. By the power spectrum (Wiener-Khinchin).
    """
    device = gradients_NGBhw.device
    real, imaginary = _spectrum(gradients_NGBhw, torch.arange(gradients_NGBhw.shape[-1], device=device))
    power = (real.square() + imaginary.square()).sum(2)
    down, across = (torch.arange(first, LAGS + 1, device=device) for first in (0, -LAGS))
    return _picture(power, torch.zeros_like(power), down, across)


def _spectrum(x: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary part, at GRID frequencies an axis, of squares whose rows and columns lie there."""
    cosine, sine = _waves(place)
    rows_c, rows_s = cosine @ x, sine @ x
    return rows_c @ cosine.T - rows_s @ sine.T, -(rows_s @ cosine.T + rows_c @ sine.T)


def _picture(real: Tensor, imaginary: Tensor, rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """The inverse: the real picture at these rows and columns, as many of them where none are named."""
    (rows_c, rows_s), (cosine, sine) = _waves(rows), _waves(rows if columns is None else columns)
    plain = rows_c.T @ real - rows_s.T @ imaginary
    turned = rows_s.T @ real + rows_c.T @ imaginary
    picture: Tensor = (plain @ cosine - turned @ sine) / GRID**2
    return picture


def _waves(place: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of each of GRID frequencies at each place, (GRID, places)."""
    # Whole turns are left out before they are multiplied: float32 would lose the rest of them.
    turns = torch.outer(torch.arange(GRID, device=place.device), place) % GRID
    angle = turns * (2 * math.pi / GRID)
    return angle.cos(), angle.sin()


def _squares(place: Tensor) -> Tensor:
    """Squared distance from (0, 0) of all pairs of places."""
    return (place.square()[:, None] + place.square()[None]).float()


def _in_float32(like: Tensor) -> AbstractContextManager[object]:
    """Sums over a photo and what a filter is made of would not survive half precision."""
    kind = like.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
