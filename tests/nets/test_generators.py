"""One contract over every generator, then what each of them does that the others do not."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn
from torch.nn import functional as F

from components.nets.generators import (
    Attention,
    ConvUNet,
    Generator,
    Mobile,
    NAFNet,
    ResNet,
    SRResNet,
    UNet,
    Video3D,
    VideoFlow,
    WienerUNet,
)
from components.nets.modules.attention import SelfAttention
from components.nets.modules.heads import Headed

ADAPTER: TypeAdapter[Generator] = TypeAdapter(Generator)
ATTENTION = Attention(level=2, heads=2, key_channels=4)
SMALL: dict[str, Generator] = {
    "resnet": ResNet(width=8, blocks=1),
    "resnet_seed": ResNet(
        width=8, blocks=1, norm="batch", head="seed_blend", padding="keras", first="glorot", dropout=0
    ),
    "resnet_light": ResNet(
        width=8, blocks=1, upsampling="nearest", head="direct", separable=True, attention=ATTENTION
    ),
    "srresnet": SRResNet(width=8, blocks=1),
    "srresnet_seed": SRResNet(
        width=8,
        blocks=1,
        activation="relu",
        stem_activation=False,
        upsampling="nearest",
        up_width=12,
        bias=True,
    ),
    "srresnet_light": SRResNet(
        width=8,
        blocks=1,
        norm="none",
        doublings=1,
        head="linear",
        input_range="unit",
        separable=True,
        first="he",
    ),
    "unet": UNet(width=8, depth=2),
    "unet_context": UNet(width=8, depth=2, fold=2, global_context=True),
    "wiener_unet": WienerUNet(width=8, depth=2, hidden=16),
    "unet_folded": UNet(width=8, depth=1, fold=2, norm="instance"),
    "mobile": Mobile(width=8, widest=16, blocks=(1, 1, 2)),
    "mobile_dense": Mobile(fold=2, width=8, blocks=(1, 1), dense=True, skips="concat"),
    "nafnet": NAFNet(width=8, encoder=(1, 2), middle=1, decoder=(1, 0)),
    "nafnet_folded": NAFNet(
        width=8, encoder=(1,), middle=0, decoder=(1,), fold=2, norm="none", channel_attention=False
    ),
    "conv_unet": ConvUNet(width=8, depth=4, widest=16),
    "conv_unet_seed": ConvUNet(
        width=8,
        depth=2,
        dropout=0,
        bottleneck_norm=True,
        bias=True,
        decoder_slope=0.2,
        skip_slope=0.04,
        bottleneck_slope=0.2,
    ),
    "conv_unet_no_skips": ConvUNet(width=8, depth=3, dropout_ups=(1,), skips=False),
    "conv_unet_light": ConvUNet(
        width=8,
        depth=3,
        dropout=0,
        norm="instance",
        upsampling="bilinear",
        separable=True,
        attention=ATTENTION,
        head="added_residual",
    ),
    "video_3d": Video3D(width=4, depth=1, frames=3),
    "video_3d_normed": Video3D(width=4, depth=2, fold=1, norm="instance"),
    "video_flow": VideoFlow(width=4, depth=1, flow_width=4, flow_levels=2, flow_shrink=2),
}
each = pytest.mark.parametrize("part", SMALL.values(), ids=SMALL)


def photos(part: Generator, count: int = 2) -> torch.Tensor:
    return (
        torch.rand(
            count,
            3 * part.window,
            3 * part.stride,
            5 * part.stride,
            generator=torch.Generator().manual_seed(9),
        )
        * 2
        - 1
    )


@each
def test_every_generator_gives_back_the_shape_times_its_scale(part: Generator) -> None:
    input = photos(part)
    restored = part.build(seed=1).eval()(input)
    assert restored.shape == (2, 3, part.scale * input.shape[2], part.scale * input.shape[3])


@each
def test_the_same_seed_builds_the_same_net_and_another_does_not(part: Generator) -> None:
    first, again, other = (part.build(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = next(name for name in first if first[name].dim() == 4)
    assert not torch.equal(first[drawn], other[drawn])


@each
def test_a_generator_survives_its_json(part: Generator) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(part)) == part


@each
def test_a_loss_reaches_every_layer_the_first_one_included(part: Generator) -> None:
    net = part.build(seed=2)
    for weight in (
        net.parameters()
    ):  # a unet's last layer begins at zero, and lets nothing through before its first step
        weight.data += 0.05 * torch.randn(
            weight.shape, generator=torch.Generator().manual_seed(weight.numel())
        )
    net(photos(part)).square().mean().backward()
    untouched = [name for name, weight in net.named_parameters() if weight.grad is None]
    assert untouched == []
    gradient = next(weight.grad for weight in net.parameters() if weight.dim() == 4)
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


FULL_SIZE: tuple[Generator, ...] = (
    *(ResNet(), ResNet(norm="none"), SRResNet(), SRResNet(norm="none"), UNet(depth=5), WienerUNet()),
    *(Mobile(), Mobile(dense=True), Mobile(blocks=(4, 4, 8), skips="concat"), NAFNet(), ConvUNet(depth=5)),
    *(Video3D(), VideoFlow()),
)


@pytest.mark.parametrize("part", FULL_SIZE, ids=lambda part: part.kind)
def test_no_signal_within_an_untrained_net_is_many_times_the_photo(part: Generator) -> None:
    """A step of the last layer would be as large: the phones' net had 140 in place of 0.7, and spent its
    training on the way back.
    """
    assert {type(each) for each in FULL_SIZE} == set(get_args(get_args(Generator)[0]))
    found: list[float] = []
    net = part.build(seed=0)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            layer.register_forward_pre_hook(lambda _, given: found.append(float(given[0].std())))
    with torch.no_grad():
        net(nn.functional.avg_pool2d(photos(part, 1).tile(1, 1, 4, 4), 5, 1, 2))
    assert max(found) < 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"kind": "conv_unet", "depth": 4, "attention": {"level": 5}},
            "attention.level 5 is deeper than the net: its depth is 4",
        ),
        (
            {"kind": "resnet", "attention": {"level": 3}},
            "attention.level of a resnet must be 2, where its blocks are, got 3",
        ),
        (
            {"kind": "conv_unet", "depth": 3},
            (
                r"dropout_ups \[1, 2, 3\] must each name another doubling but the last; with depth 3 there"
                r" are: 1 to 2"
            ),
        ),
        ({"kind": "conv_unet", "depth": 1, "dropout_ups": [1]}, "with depth 1 there are: none"),
        ({"kind": "nafnet", "decoder": [1]}, r"decoder \[1\] must have as many entries as encoder"),
        ({"kind": "nafnet", "encoder": [-1], "decoder": [1]}, "none of their entries may be below 0"),
        ({"kind": "conv_unet", "dropout_ups": [2, 2]}, r"dropout_ups \[2, 2\] must each name another"),
        (
            {"kind": "conv_unet", "norm": "none", "bottleneck_norm": True},
            "bottleneck_norm is on, yet norm is none",
        ),
        ({"kind": "conv_unet", "skips": False, "skip_slope": 0.2}, "skip_slope 0.2 has nothing to act on"),
        ({"kind": "resnet", "dropout": 0, "test_time_dropout": True}, "this generator has no dropout"),
        ({"kind": "srresnet", "test_time_dropout": True}, "this generator has no dropout"),
        (
            {"kind": "conv_unet", "dropout_ups": [], "test_time_dropout": True},
            "this generator has no dropout",
        ),
        (
            {"kind": "resnet", "test_time_statistics": "photo"},
            "is for batch normalisation, and norm is instance",
        ),
        ({"kind": "resnet", "residual": True}, "residual"),
        ({"kind": "resnet", "upsampling": "pixel_shuffle"}, "upsampling"),
    ],
)
def test_a_contradiction_is_refused_at_birth(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ADAPTER.validate_python(settings)


@pytest.mark.parametrize(
    ("head", "value"),
    [
        ("clamped_residual", 1.0),  # 0.6 + 0.76 is out of range
        ("direct", math.tanh(1.0)),
        ("added_residual", 1.6),
        ("seed_blend", (2 * math.tanh(1.0) + 0.6) / 3),
        ("seed_blend_half", (math.tanh(1.0) + 0.6) / 2),
    ],
)
def test_heads_join_a_body_of_1_with_a_photo_of_six_tenths(head, value: float) -> None:
    body = nn.Conv2d(3, 3, 1)
    nn.init.zeros_(body.weight)
    nn.init.ones_(body.bias)
    assert Headed(body, head)(torch.full((1, 3, 1, 1), 0.6)).flatten().tolist() == pytest.approx([value] * 3)


def test_an_untrained_unet_leaves_the_photo_as_it_is() -> None:
    part = UNet(width=4, depth=2)
    assert torch.equal(part.build(seed=0)(photos(part)), photos(part))


def test_the_demos_unet_begins_as_it_always_did() -> None:
    # Golden, from the first release: a change would give every seed other weights.
    net = UNet(width=8, depth=2).build(seed=7)
    # Where a processor has no AVX2, torch's normal numbers differ in their seventh digit; those of
    # another seed differ in the first.
    assert net.body.stem[0].weight.flatten()[:3].tolist() == pytest.approx(
        [-0.01751939, 0.04627547, -0.11304194], abs=1e-6
    )
    assert sum(weight.double().sum().item() for weight in net.parameters()) == pytest.approx(
        31.270071518, abs=1e-3
    )


def test_keras_padding_moves_a_resnets_halvings() -> None:
    ours, theirs = (
        ResNet(width=8, blocks=1, dropout=0, padding=padding).build(seed=0) for padding in ("torch", "keras")
    )
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    input = photos(ResNet())
    assert ours(input).shape == theirs(input).shape
    assert not torch.allclose(ours(input), theirs(input))


def test_unit_range_is_the_same_net_on_photos_from_0_to_1() -> None:
    unit, signed = (
        SRResNet(width=8, blocks=1, norm="none", first="he", input_range=name).build(seed=0)
        for name in ("unit", "signed")
    )
    input = photos(SRResNet(), count=1).repeat(1, 1, 4, 4)
    torch.testing.assert_close(unit(input), signed((input + 1) / 2))


def test_srgans_halves_of_a_block_are_in_the_guides_order() -> None:
    net = SMALL["srresnet_seed"].build(seed=0)
    assert [type(layer).__name__ for layer in net.stem] == ["Conv2d"]
    assert [type(layer).__name__ for layer in net.blocks[0].body] == [
        "Conv2d",
        "SharedBatchNorm2d",
        "ReLU",
        "Conv2d",
        "SharedBatchNorm2d",
    ]
    assert [type(layer).__name__ for layer in net.up] == ["Upsample", "Conv2d", "ReLU"] * 2
    paper = SMALL["srresnet"].build(seed=0)
    assert [type(layer).__name__ for layer in paper.stem] == ["Conv2d", "PReLU"]
    assert [type(layer).__name__ for layer in paper.up] == ["Conv2d", "PixelShuffle", "PReLU"] * 2


def test_blocks_add_to_what_they_are_given_and_srgans_long_skip_goes_around_them() -> None:
    input = photos(ResNet(), count=1)
    resnet = ResNet(width=8, blocks=2, dropout=0).build(seed=0).body
    assert [type(layer).__name__ for layer in resnet[10].body] == [
        "ReflectionPad2d",
        "Conv2d",
        "PhotoNorm2d",
        "ReLU",
        "ReflectionPad2d",
        "Conv2d",
        "PhotoNorm2d",
    ]
    features = resnet[:10](input)
    torch.testing.assert_close(resnet[10](features), features + resnet[10].body(features))
    net = SRResNet(width=8, blocks=2).build(seed=0).eval()
    first, second, *after = net.blocks
    stem = net.stem(input)
    inner = stem + first.body(stem)
    inner = nn.Sequential(*after)(inner + second.body(inner))
    torch.testing.assert_close(net(input), torch.tanh(net.head(net.up(stem + inner))))


def moved(part: ConvUNet) -> nn.Module:
    """A net in evaluation whose normalisations are not the identity."""
    net = part.build(seed=3).eval()
    for name, value in net.state_dict().items():
        if name.endswith(("running_mean", "running_var", "bias")):
            value.copy_(torch.rand(value.shape, generator=torch.Generator().manual_seed(value.numel())) + 0.1)
    return net


def test_the_deblurring_guides_unet_is_the_one_it_prints() -> None:
    part = ConvUNet(
        width=8,
        depth=2,
        dropout=0,
        bottleneck_norm=True,
        bias=True,
        decoder_slope=0.2,
        skip_slope=0.04,
        bottleneck_slope=0.2,
        first="he",
    )
    net, input = moved(part), photos(part)
    (down1, down2), (up1, out) = net.body.down, net.body.up
    e1 = F.leaky_relu(down1(input), 0.2)
    e2 = F.leaky_relu(down2(e1), 0.2)
    d1 = F.leaky_relu(torch.cat([up1(e2), e1], dim=1), 0.2)
    torch.testing.assert_close(net(input), torch.tanh(out(d1)))


def test_the_pix2pix_guides_unet_is_the_one_it_prints() -> None:
    part = ConvUNet(
        width=8,
        depth=3,
        dropout_ups=(1, 2),
        bottleneck_norm=True,
        skip_slope=0.2,
        bottleneck_slope=0.2,
        first="he",
    )
    net, input = moved(part), photos(part)
    down, up = net.body.down, net.body.up
    e1 = F.leaky_relu(down[0](input), 0.2)
    e2 = F.leaky_relu(down[1](e1), 0.2)
    y = F.leaky_relu(down[2](e2), 0.2)
    for layers, skip in zip(up[:-1], (e2, e1), strict=True):
        y = torch.cat([F.relu(layers(y)), skip], dim=1)
    torch.testing.assert_close(net(input), torch.tanh(up[2](y)))
    assert [type(layer).__name__ for layer in up[0]] == [
        "ConvTranspose2d",
        "SharedBatchNorm2d",
        "BitDropout",
    ]


def test_official_pix2pix_rectifies_before_each_doubling() -> None:
    part = ConvUNet(width=8, depth=3, dropout_ups=(1,), first="he")
    net, input = moved(part), photos(part)
    down, up = net.body.down, net.body.up
    e1 = down[0](input)
    e2 = down[1](F.leaky_relu(e1, 0.2))
    y = up[0](F.relu(down[2](F.leaky_relu(e2, 0.2))))
    y = up[1](F.relu(torch.cat([y, e2], dim=1)))
    torch.testing.assert_close(net(input), torch.tanh(up[2](F.relu(torch.cat([y, e1], dim=1)))))
    assert [type(layer).__name__ for layer in down[2]] == ["Conv2d"]  # no normalisation at the bottleneck


@pytest.mark.parametrize("named", [(1, 2, 3), (2, 3, 4), ()])
def test_dropout_stands_in_the_doublings_named(named: tuple[int, ...]) -> None:
    ups = ConvUNet(width=4, depth=6, dropout_ups=named).build(seed=0).body.up
    assert (
        tuple(
            number for number, up in enumerate(ups, 1) if any(isinstance(layer, nn.Dropout) for layer in up)
        )
        == named
    )


def test_a_normalised_bottleneck_of_one_px_tells_nothing_of_the_photo() -> None:
    # The fault of the pix2pix guide, which trains on batches of one.
    for part, told in (
        (ConvUNet(width=8, depth=3, dropout=0, bottleneck_norm=True), False),
        (ConvUNet(width=8, depth=3, dropout=0), True),
    ):
        net = part.build(seed=0)
        seen: list[torch.Tensor] = []
        net.body.down[-1].register_forward_hook(
            lambda layer, input, out, seen=seen: seen.append(out.detach())
        )
        net(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(4)))
        assert bool(seen[0].any()) is told


@pytest.mark.parametrize("skips", [True, False])
def test_without_skips_all_goes_through_the_bottleneck(skips: bool) -> None:
    part = ConvUNet(width=8, depth=3, dropout=0, norm="none", skips=skips, first="he")
    net = part.build(seed=0)
    net.body.down[-1].register_forward_hook(lambda layer, input, out: torch.zeros_like(out))
    one, other = (net(input[None]) for input in photos(part))
    assert torch.equal(one, other) is not skips


@pytest.mark.parametrize("attention", [None, Attention(level=2, heads=2, key_channels=4)])
def test_attention_looks_across_the_photo(attention: Attention | None) -> None:
    part = ConvUNet(width=8, depth=2, dropout=0, norm="none", attention=attention, first="he")
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    part.build(seed=0)(photo)[0, :, :4, :4].sum().backward()
    assert photo.grad is not None
    assert bool(photo.grad[0, :, -4:, -4:].any()) is (attention is not None)


@pytest.mark.parametrize("level", [1, 3, 4])
def test_attention_stands_as_many_halvings_deep_as_asked(level: int) -> None:
    net = ConvUNet(width=8, depth=4, attention=Attention(level=level, heads=1, key_channels=4)).build(seed=0)
    sides: list[int] = []
    layer = next(layer for layer in net.modules() if isinstance(layer, SelfAttention))
    layer.register_forward_hook(lambda layer, input, out: sides.append(out.shape[-1]))
    net(torch.zeros(1, 3, 32, 32))
    assert sides == [32 // 2**level]


def test_nafnet_has_the_weights_of_the_authors() -> None:
    # Chen et al. 2022, table 6 and the code's configuration for GoPro: 17.11 and 67.89 million.
    for width, millions in ((32, 17.11), (64, 67.89)):
        with torch.device("meta"):
            net = NAFNet(width=width).build(0)
        assert sum(weight.numel() for weight in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


def test_an_untrained_nafnet_changes_nothing() -> None:
    input = photos(SMALL["nafnet"])
    assert torch.equal(SMALL["nafnet"].build(seed=1)(input), input)


def test_layer_normalisation_is_that_of_each_px() -> None:
    from components.nets.norms import LayerNorm

    (layer,) = LayerNorm().layers(5)
    x = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(1))
    centred = x - x.mean(1, keepdim=True)
    wanted = centred / (x.var(1, unbiased=False, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(layer(x), wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(layer(x[:1, :, :1]), layer(x)[:1, :, :1])
