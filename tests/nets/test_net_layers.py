"""The layers in both dialects: padding, crop, first weights and statistics against values computed
by hand or from Keras' definitions.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import two_workers
from pydantic import TypeAdapter
from torch import nn

from components.nets.attention import Attention
from components.nets.modules.attention import SelfAttention
from components.nets.modules.convolutions import KerasCrop, KerasSame, conv, double
from components.nets.modules.first_weights import draw_first_weights
from components.nets.modules.norms import SharedBatchNorm2d
from components.nets.norms import Batch, Instance, NoNorm, Norm

KERAS = Batch(epsilon=1e-3, momentum=0.01)


def source() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def keras_border(side: int, size: int, stride: int) -> tuple[int, int]:
    """TensorFlow's definition of `same`: px added before and behind."""
    total = max(size - stride, 0) if side % stride == 0 else max(size - side % stride, 0)
    return total // 2, total - total // 2


def row(layers: list[nn.Module], weights: list[float], values: list[float]) -> list[float]:
    """Equal rows of px through a layer whose kernel is zero but in its first row; the row with the
    most in it of what comes out.
    """
    kernel = next(layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))
    nn.init.zeros_(kernel.weight)
    kernel.weight.data[0, 0, 0] = torch.tensor(weights, dtype=torch.float32)
    out = nn.Sequential(*layers)(torch.tensor(values, dtype=torch.float32).repeat(1, 1, len(values), 1))[0, 0]
    return out[out.abs().sum(1).argmax()].tolist()


def test_keras_halves_three_wide_from_the_first_px_and_torch_from_before_it() -> None:
    assert row(conv(1, 1, 3, stride=2, padding="keras", bias=False), [1, 1, 1], [1, 2, 3, 4]) == [
        1 + 2 + 3,
        3 + 4,
    ]
    assert row(conv(1, 1, 3, stride=2, padding="torch", bias=False), [1, 1, 1], [1, 2, 3, 4]) == [
        1 + 2,
        2 + 3 + 4,
    ]


def test_keras_four_wide_at_stride_one_looks_further_ahead_and_torch_loses_a_px() -> None:
    assert row(conv(1, 1, 4, padding="keras", bias=False), [1, 1, 1, 1], [1, 2, 3, 4]) == [
        1 + 2 + 3,
        10,
        2 + 3 + 4,
        3 + 4,
    ]
    assert row(conv(1, 1, 4, padding="torch", bias=False), [1, 1, 1, 1], [1, 2, 3, 4]) == [
        1 + 2 + 3,
        10,
        2 + 3 + 4,
    ]


def test_keras_doubles_three_wide_from_the_first_px_and_torch_cuts_it() -> None:
    assert row(double("transposed", 1, 1, 3, padding="keras", bias=False), [1, 2, 3], [1, 0]) == [1, 2, 3, 0]
    assert row(double("transposed", 1, 1, 3, padding="torch", bias=False), [1, 2, 3], [1, 0]) == [2, 3, 0, 0]


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (4, 2), (4, 1), (3, 1), (9, 1)])
@pytest.mark.parametrize("side", [12, 13])
def test_keras_padding_is_the_definition(size: int, stride: int, side: int) -> None:
    layers = nn.Sequential(*conv(1, 1, size, stride=stride, padding="keras", bias=False))
    photo = np.random.default_rng(3).standard_normal((side, side + 1)).astype(np.float32)
    kernel = layers[1].weight.detach().numpy()[0, 0]
    bordered = np.pad(photo, (keras_border(side, size, stride), keras_border(side + 1, size, stride)))
    height, width = math.ceil(side / stride), math.ceil((side + 1) / stride)
    wanted = [
        [
            np.sum(
                bordered[y * stride : y * stride + size, x * stride : x * stride + size] * kernel,
                dtype=np.float64,
            )
            for x in range(width)
        ]
        for y in range(height)
    ]
    np.testing.assert_allclose(layers(torch.from_numpy(photo)[None, None])[0, 0].detach(), wanted, atol=1e-5)


@pytest.mark.parametrize("size", [3, 4])
def test_keras_transposed_convolution_is_the_definition(size: int) -> None:
    # Each px lays its kernel where the `same` convolution of the doubled photo would have read it.
    layers = nn.Sequential(*double("transposed", 1, 1, size, padding="keras", bias=False))
    small = np.random.default_rng(4).standard_normal((5, 6)).astype(np.float32)
    kernel = layers[0].weight.detach().numpy()[0, 0]
    wanted = np.zeros((10, 12))
    top, left = keras_border(10, size, 2)[0], keras_border(12, size, 2)[0]
    for (y, x), value in np.ndenumerate(small):
        for (dy, dx), weight in np.ndenumerate(kernel):
            place = 2 * y + dy - top, 2 * x + dx - left
            if 0 <= place[0] < 10 and 0 <= place[1] < 12:
                wanted[place] += value * weight
    np.testing.assert_allclose(layers(torch.from_numpy(small)[None, None])[0, 0].detach(), wanted, atol=1e-6)


def test_four_wide_at_stride_two_is_the_same_in_both_dialects_where_sides_are_even() -> None:
    # Why conv_unet has no choice of padding.
    photo = torch.rand(1, 1, 6, 8)
    assert torch.equal(KerasSame(4, 2)(photo), nn.functional.pad(photo, (1, 1, 1, 1)))
    full = torch.rand(1, 1, 14, 18)
    assert torch.equal(KerasCrop(4)(full), full[:, :, 1:-1, 1:-1])


def test_reflection_shows_the_photo_again() -> None:
    assert row(conv(1, 1, 3, padding="reflect", bias=False), [1, 0, 0], [5, 6, 7]) == [6, 5, 6]


@pytest.mark.parametrize("kind", ["transposed", "nearest", "bilinear", "pixel_shuffle"])
@pytest.mark.parametrize("padding", ["torch", "keras"])
@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("separable", [False, True])
def test_every_upsampling_doubles(kind, padding, size: int, separable: bool) -> None:
    layers = nn.Sequential(*double(kind, 8, 6, size, padding=padding, separable=separable))
    assert layers(torch.rand(1, 8, 5, 7)).shape == (1, 6, 10, 14)


def test_a_separable_convolution_has_one_kernel_a_channel_and_one_over_channels() -> None:
    def count(layers: list[nn.Module]) -> int:
        return sum(parameter.numel() for parameter in nn.Sequential(*layers).parameters())

    assert count(conv(64, 128, 3, separable=True)) == 64 * 9 + 64 * 128 + 128
    assert count(double("transposed", 64, 32, 4, separable=True)) == 64 * 16 + 64 * 32 + 32
    assert count(conv(64, 128, 3)) == 64 * 128 * 9 + 128


def test_glorot_stays_within_keras_range_and_fills_it() -> None:
    net = nn.Sequential(nn.Conv2d(16, 32, 3), nn.Linear(200, 100))
    draw_first_weights(net, "glorot", source())
    for layer, fans in zip(net, (16 * 9 + 32 * 9, 200 + 100), strict=True):
        end = math.sqrt(6 / fans)
        assert layer.weight.abs().max().item() == pytest.approx(end, rel=0.01)
        assert layer.weight.abs().max() <= end
        assert layer.weight.std().item() == pytest.approx(end / math.sqrt(3), rel=0.03)
        assert not layer.bias.any()


def test_normal_is_two_hundredths_and_batch_norms_scale_lies_about_one() -> None:
    net = nn.Sequential(nn.Conv2d(64, 64, 3), SharedBatchNorm2d(4096))
    draw_first_weights(net, "normal", source())
    assert net[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert abs(net[0].weight.mean().item()) < 5e-4
    assert not net[0].bias.any()
    assert net[1].weight.mean().item() == pytest.approx(1.0, abs=2e-3)
    assert net[1].weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    "layers",
    [conv(64, 64, 3), conv(64, 64, 4, stride=2), double("transposed", 64, 64, 4)],
    ids=["plain", "halving", "doubling"],
)
def test_he_keeps_the_signals_size(layers: list[nn.Module]) -> None:
    net = nn.Sequential(*layers)
    draw_first_weights(net, "he", source(), slope=0.2)
    signal = nn.functional.leaky_relu(torch.randn(4, 64, 32, 32, generator=source()), 0.2)
    after = nn.functional.leaky_relu(net(signal), 0.2)[:, :, 2:-2, 2:-2]
    assert after.square().mean().item() == pytest.approx(signal.square().mean().item(), rel=0.15)


@pytest.mark.parametrize(("name", "part"), [("instance", Instance()), ("batch", Batch()), ("none", NoNorm())])
def test_a_norms_name_is_short_for_it(name: str, part: Norm) -> None:
    assert TypeAdapter(Norm).validate_python(name) == part


@pytest.mark.parametrize(
    ("part", "share", "epsilon"),
    [(KERAS, 0.01, 1e-3), (Batch(epsilon=1e-3, momentum=0.2), 0.2, 1e-3), (Batch(), 0.1, 1e-5)],
)
def test_batch_constants_of_both_dialects(part: Batch, share: float, epsilon: float) -> None:
    # Keras' momentum 0.99 (SRGAN guide 0.8) and ε 1e-3; PyTorch's 0.1 and 1e-5.
    (norm,) = part.layers(1)
    out = norm(torch.tensor([0.0, 4.0]).view(1, 1, 1, 2))
    assert out[0, 0, 0, 1].item() == pytest.approx(2 / math.sqrt(4 + epsilon), rel=1e-6)
    assert norm.running_mean.item() == pytest.approx(share * 2)
    assert norm.running_var.item() == pytest.approx(
        (1 - share) * 1 + share * 8
    )  # 8: the unbiased variance of 0 and 4


def test_one_px_of_one_photo_becomes_the_shift() -> None:
    norm = SharedBatchNorm2d(2)
    nn.init.constant_(norm.bias, 0.5)
    photo = torch.tensor([3.0, -8.0]).view(1, 2, 1, 1).requires_grad_()
    out = norm(photo)
    out.square().sum().backward()
    assert out.flatten().tolist() == [0.5, 0.5]
    assert photo.grad is not None
    assert not photo.grad.any()
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.3, -0.8]))


@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_takes_one_px_and_is_torchs_on_more(affine: bool) -> None:
    ours, torchs = Instance(affine=affine).layers(3)[0], nn.InstanceNorm2d(3, affine=affine)
    if affine:
        nn.init.constant_(ours.bias, 0.5)
        nn.init.constant_(torchs.bias, 0.5)
    photo = torch.randn(2, 3, 4, 5, generator=source())
    assert torch.equal(ours(photo), torchs(photo))
    assert ours(photo[:, :, :1, :1]).flatten().tolist() == [0.5 if affine else 0.0] * 6


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("norm", [Instance(), Batch()], ids=lambda norm: norm.kind)
def test_a_large_photos_statistics_are_exact_to_float32(norm: Norm, order: torch.memory_format) -> None:
    """torch's own, in channels_last, are off by 0.007 here, and were by up to a level at a net's end."""
    layer = norm.layers(8)[0].eval()
    if isinstance(layer, SharedBatchNorm2d):
        layer.photo_statistics = True
    x = 3 * torch.rand(1, 8, 720, 1280, generator=torch.Generator().manual_seed(0)) + 4
    x[..., :5] *= 6
    exact = (x.double() - x.double().mean((2, 3), keepdim=True)) / (
        x.double().var((2, 3), correction=0, keepdim=True) + layer.eps
    ).sqrt()
    with torch.no_grad():
        found = layer(x.to(memory_format=order))
    assert (found - exact).abs().max() < 2e-5


def test_a_photos_own_statistics_leave_the_running_ones_alone() -> None:
    norm = SharedBatchNorm2d(1).eval()
    norm.photo_statistics = True
    photos = torch.tensor([[0.0, 4.0], [10.0, 30.0]]).view(2, 1, 1, 2)
    out = norm(photos)
    torch.testing.assert_close(out.flatten(), torch.tensor([-1.0, 1.0, -1.0, 1.0]), atol=1e-5, rtol=0)
    assert (norm.running_mean.item(), norm.running_var.item()) == (0, 1)


def test_two_workers_batch_normalise_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    torch.multiprocessing.spawn(two_workers.work, (str(tmp_path),), nprocs=2)
    halves = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    whole = two_workers.results(two_workers.batch())
    for name in ("output", "slope", "second"):
        torch.testing.assert_close(
            torch.cat([half[name] for half in halves]), whole[name], rtol=1e-4, atol=1e-4
        )
    torch.testing.assert_close(
        halves[0]["weight"] + halves[1]["weight"], whole["weight"], rtol=1e-4, atol=1e-4
    )
    for name in ("mean", "variance"):
        torch.testing.assert_close(halves[0][name], whole[name])
        torch.testing.assert_close(halves[1][name], whole[name])


def attention(channels: int, part: Attention) -> SelfAttention:
    layer = part.layer(channels)
    draw_first_weights(layer, "glorot", source())
    return layer


def test_attention_has_as_many_weights_as_keras() -> None:
    # MultiHeadAttention(num_heads=4, key_dim=64) on 128 channels: three projections to 256 and one
    # back, each with bias.
    assert (
        sum(weight.numel() for weight in Attention(level=2).layer(128).parameters())
        == 3 * (128 * 256 + 256) + 256 * 128 + 128
    )


def test_attention_is_softmax_of_scaled_products() -> None:
    layer = attention(6, Attention(level=1, heads=2, key_channels=3))
    photo = torch.randn(1, 6, 2, 4, generator=source())
    rows = photo[0].flatten(1).T.double().numpy()
    asked = rows @ layer.ask.weight.detach().double().numpy().T
    gathered = []
    for head in range(2):
        query, key, value = (asked[:, 6 * kind + 3 * head : 6 * kind + 3 * head + 3] for kind in range(3))
        score = np.exp(query @ key.T / math.sqrt(3))
        gathered.append(score / score.sum(1, keepdims=True) @ value)
    wanted = rows + np.concatenate(gathered, 1) @ layer.answer.weight.detach().double().numpy().T
    np.testing.assert_allclose(layer(photo)[0].flatten(1).T.detach(), wanted, atol=1e-5)


def test_attention_does_not_care_where_a_position_lies() -> None:
    layer = attention(4, Attention(level=1, heads=1, key_channels=4))
    photo = torch.randn(1, 4, 3, 5, generator=source())
    torch.testing.assert_close(layer(photo.flip(3)), layer(photo).flip(3))
    torch.testing.assert_close(layer(photo.to(memory_format=torch.channels_last)), layer(photo))
