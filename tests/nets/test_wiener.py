"""Wiener filters for a kernel that the photo tells: each step by its definition, then what they learn."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from components.nets.generators import WienerUNet
from components.nets.modules.wiener import (
    LAGS,
    REACH,
    BlindWiener,
    Deconvolving,
    by_blocks,
    filtered,
    wiener_filters,
)

SIDE = 17


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def photos(count: int, side: int, seed: int) -> Tensor:
    """Values whose power falls with the square of frequency, as a natural photo's, within 0.1 and 0.9."""
    white = torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))
    down, across = torch.fft.fftfreq(side), torch.fft.rfftfreq(side)
    away = (down[:, None].square() + across[None].square()).sqrt().clamp(min=1 / side)
    pink = torch.fft.irfft2(torch.fft.rfft2(white) / away, s=(side, side))
    low, high = pink.amin((1, 2, 3), keepdim=True), pink.amax((1, 2, 3), keepdim=True)
    return 0.1 + 0.8 * (pink - low) / (high - low)


def stroke(length: int, turned: bool) -> Tensor:
    """A straight shake across or down."""
    kernel = torch.zeros(SIDE, SIDE)
    middle = SIDE // 2
    kernel[middle, middle - length // 2 : middle - length // 2 + length] = 1 / length
    return kernel.T if turned else kernel


def shaken(light: Tensor, kernel: Tensor) -> Tensor:
    padded = F.pad(light, (SIDE // 2,) * 4, mode="reflect")
    return F.conv2d(padded.flatten(0, 1)[:, None], kernel.flip(0, 1)[None, None]).reshape(light.shape)


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * float((one - other).square().mean().log10())


def test_a_known_kernel_is_undone() -> None:
    light = photos(2, 128, seed=1)
    for kernel in (stroke(7, turned=False), stroke(3, turned=True)):
        blurred = shaken(light, kernel)
        filters = wiener_filters(kernel.expand(2, -1, -1), torch.full((2, 1), 1e-3))
        restored = filtered(F.pad(blurred, (REACH,) * 4, mode="reflect"), filters)[:, 0]
        inside = (..., slice(REACH, -REACH), slice(REACH, -REACH))
        assert psnr(restored[inside], light[inside]) > psnr(blurred[inside], light[inside]) + 4


def test_a_kernel_that_does_nothing_asks_for_a_filter_that_does_next_to_nothing() -> None:
    light = photos(1, 64, seed=2)
    (filters,) = wiener_filters(stroke(1, turned=False)[None], torch.full((1, 1), 1e-5))
    restored = filtered(F.pad(light, (REACH,) * 4, mode="reflect"), filters[None])[:, 0]
    torch.testing.assert_close(restored, light, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 160), (96, 32)])
def test_products_of_matrices_give_what_the_fourier_transform_gives(height: int, width: int) -> None:
    light, filters = drawn(2, 3, height, width), drawn(2, 2, 2 * REACH + 1, 2 * REACH + 1, seed=1) / 400
    padded = F.pad(light, (REACH,) * 4, mode="reflect")
    plain = torch.stack(
        [
            F.conv2d(photo[:, None], of_photo.flip(1, 2)[:, None]).transpose(0, 1)
            for photo, of_photo in zip(padded, filters, strict=True)
        ]
    )
    for found in (filtered(padded, filters), by_blocks(padded, filters)):
        torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)


def test_the_sums_over_a_photo_are_those_of_products_at_each_lag() -> None:
    x = drawn(1, 3, 32, 64) * 2 - 1
    layer = BlindWiener(SIDE, 8, block=32)
    *_, sums = layer.part(x)
    expected = torch.zeros(2, LAGS + 1, 2 * LAGS + 1, dtype=torch.float64)
    for block in x.double().mean(1)[0].split(32, 1):
        steps = (block[1:, 1:] - block[1:, :-1], block[1:, 1:] - block[:-1, 1:])
        for place, step in enumerate(steps):
            beyond = F.pad(step, (LAGS, LAGS, 0, LAGS))
            for down in range(LAGS + 1):
                for across in range(2 * LAGS + 1):
                    moved = beyond[down : down + 31, across : across + 31]
                    expected[place, down, across] += (step * moved).sum()
    torch.testing.assert_close(sums[0].double(), expected, atol=1e-4, rtol=0)


def test_parts_of_a_photo_add_up_to_the_whole() -> None:
    x = drawn(2, 3, 64, 96) * 2 - 1
    layer = BlindWiener(SIDE, 8, block=32)
    torch.nn.init.normal_(layer.tell[-1].weight, std=0.1, generator=torch.Generator().manual_seed(3))
    together = layer.whole([layer.part(x[:, :, :32]), layer.part(x[:, :, 32:])])
    torch.testing.assert_close(together, layer.whole([layer.part(x)]), atol=1e-5, rtol=0)


def test_a_photo_of_one_colour_stays_as_it_is_whatever_was_learned() -> None:
    net = WienerUNet(width=4, depth=1, hidden=8).build(seed=0).eval()
    assert isinstance(net, Deconvolving)
    for weight in (*net.wiener.parameters(), net.shares):
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(1))
    flat = torch.full((1, 3, 64, 64), 0.3)
    torch.testing.assert_close(net(flat), flat, atol=1e-4, rtol=0)


def test_a_dark_photo_gives_finite_gradients() -> None:
    net = WienerUNet(width=4, depth=1, hidden=8).build(seed=0)
    assert isinstance(net, Deconvolving)
    torch.nn.init.ones_(net.shares)
    net(torch.full((1, 3, 32, 32), -1.0)).sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in net.parameters() if weight.grad is not None)


def test_it_learns_to_tell_how_the_camera_shook() -> None:
    # Judged over many photos, after a rate that falls to nothing: what it learned, not the last step's
    # chance, which differs from processor to processor.
    layer = BlindWiener(SIDE, 32, block=32)
    layer.begin_alike()
    steps = 200
    optimizer = torch.optim.Adam(layer.parameters(), lr=5e-3)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    kernels = [stroke(length, turned) for length in (5, 7) for turned in (False, True)]

    def shown(seed: int, each: int = 1) -> tuple[Tensor, Tensor]:
        """So many photos of every kernel, the kernels in turn."""
        light = photos(len(kernels) * each, 64, seed)
        blurred = torch.cat(
            [shaken(photo[None], kernels[place % len(kernels)]) for place, photo in enumerate(light)]
        )
        return 2 * blurred - 1, 2 * light - 1

    for seed in range(steps):
        input, target = shown(seed)
        (layer(input)[:, 3:6] - target).abs().mean().backward()
        optimizer.step()
        falling.step()
        optimizer.zero_grad()
    input, target = shown(steps, each=8)
    with torch.no_grad():
        restored = layer(input)[:, 3:6]
    gains = torch.tensor(
        [
            psnr(*after) - psnr(*before)
            for after, before in zip(
                zip(restored, target, strict=True), zip(input, target, strict=True), strict=True
            )
        ]
    ).view(8, len(kernels))
    assert gains.mean(0).min() > 0.4
    assert gains.mean() > 1.2


def test_a_kernel_without_a_middle_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"kernel_px is 16, .* set 15 or 17"):
        WienerUNet(kernel_px=16)
