"""A photo restored in tiles is the photo restored whole, for every generator; what it takes is the
memory of a tile, and whoever wants it otherwise says so in the recipe.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from components.nets.attention import Attention
from components.nets.generators import (
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
from components.nets.modules.over_photo import Box, Place, joined_moments, moments
from components.nets.reach import looking, reach_px
from components.nets.restore import VIEWS, Restorer, load_restorer, save_generator
from components.nets.tiles import tiles_of

ATTENTION, DEEP = (Attention(level=level, heads=2, key_channels=4) for level in (2, 4))
KINDS: dict[str, Generator] = {
    "resnet": ResNet(width=4, blocks=1, dropout=0, first="he"),
    "resnet_seed": ResNet(width=4, blocks=1, norm="batch", dropout=0, padding="keras", head="seed_blend"),
    "resnet_attention": ResNet(width=4, blocks=1, attention=ATTENTION, test_time_dropout=True),
    "srresnet": SRResNet(width=4, blocks=1, norm="instance", doublings=1),
    "srresnet_photo": SRResNet(width=4, blocks=1, test_time_statistics="photo", head="linear"),
    "unet": UNet(width=4, depth=3),
    "unet_instance": UNet(width=4, depth=1, fold=2, norm={"kind": "instance", "affine": True}),
    "unet_context": UNet(width=4, depth=2, fold=2, global_context=True),
    "wiener_unet": WienerUNet(width=4, depth=2, hidden=16),
    "unet_layer": UNet(width=4, depth=1, norm="layer"),
    "mobile": Mobile(width=4, blocks=(1, 1)),
    "video_3d": Video3D(width=4, depth=1, frames=3),
    "video_3d_instance": Video3D(width=4, depth=1, frames=3, norm="instance"),
    "nafnet": NAFNet(width=4, encoder=(1,), middle=1, decoder=(1,)),
    "nafnet_folded": NAFNet(width=4, encoder=(1, 1), middle=0, decoder=(0, 1), fold=2, norm="instance"),
    "conv_unet": ConvUNet(
        width=4, depth=4, widest=8, norm="instance", dropout=0, upsampling="bilinear", attention=DEEP
    ),
    "conv_unet_dropout": ConvUNet(
        width=4, depth=3, widest=8, dropout_ups=(1, 2), test_time_dropout=True, test_time_statistics="photo"
    ),
    "in_eight_views": ConvUNet(
        width=4,
        depth=2,
        dropout_ups=(1,),
        norm="instance",
        test_time_dropout=True,
        test_time_ensemble=True,
    ),
}


def net_of(part: Generator) -> nn.Module:
    """With random weights where a net begins with zeros, so that it does something."""
    net = part.build(seed=0)
    random = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        if float(parameter.detach().abs().max()) == 0:
            nn.init.normal_(parameter, std=0.1, generator=random)
    return net


def photo(height: int, width: int) -> np.ndarray:
    """Dark on the left, light on the right, noisy below: each tile has statistics of its own."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    grey = 0.2 + 0.6 * x / width + 0.4 * (y / height) * (random.random((height, width)) - 0.5)
    return np.stack([grey, grey**2, 1 - grey], axis=-1).astype(np.float32)


class Counting(Restorer):
    """Counts the tiles it restores, and the largest px that its net was shown at once."""

    tiles = 0
    largest = 0

    def _seen(self, x_NCHW: torch.Tensor, *where: object) -> torch.Tensor:
        self.tiles += 1
        self.largest = max(self.largest, x_NCHW.shape[2] * x_NCHW.shape[3])
        return super()._seen(x_NCHW, *where)  # type: ignore[arg-type]


def test_the_contract_runs_over_every_generator() -> None:
    # How far frames are moved depends on what they show, so that tiles of a net of flow overlap instead.
    assert {*(type(part) for part in KINDS.values()), VideoFlow} == set(get_args(get_args(Generator)[0]))
    assert [part.aligns for part in (*KINDS.values(), VideoFlow())] == [False] * len(KINDS) + [True]


@pytest.mark.parametrize("size", [(301, 243), (131, 517)])
@pytest.mark.parametrize("part", KINDS.values(), ids=KINDS)
def test_in_tiles_as_whole(part: Generator, size: tuple[int, int]) -> None:
    net, input = net_of(part), photo(*(-(-side // min(part.scale, 2)) for side in size))
    whole, tiled = (Counting(net, part, device="cpu", tile_px=side) for side in (4096, 256))
    found = tiled.restore(input)
    away = np.abs(found - whole.restore(input))
    assert tiled.tiles > 2 * whole.tiles
    assert tiled.largest < whole.largest
    assert found.std() > 0.01
    assert away.max() < 1e-3, f"{away.max()} at {np.unravel_index(away.argmax(), away.shape)}"
    assert all(layer.survey is None for layer in looking(net))


@pytest.mark.parametrize("name", ["resnet", "srresnet_photo", "nafnet", "conv_unet"])
def test_per_tile_is_another_picture_and_one_pass(name: str) -> None:
    part = KINDS[name]
    alone = part.model_copy(update={"test_time_tiles": "per_tile"})
    net, input = net_of(part), photo(*(-(-side // min(part.scale, 2)) for side in (301, 343)))
    exact, per_tile = (Counting(net, each, device="cpu", tile_px=256) for each in (part, alone))
    whole = Restorer(net, part, device="cpu", tile_px=4096).restore(input)
    away = [np.abs(each.restore(input) - whole).max() for each in (exact, per_tile)]
    assert away[0] < 1e-3 < away[1]
    passes = len(looking(net)) + 1
    assert exact.tiles % passes == 0
    assert exact.tiles // passes > 1


def test_the_choice_is_saved_with_the_weights(tmp_path) -> None:  # type: ignore[no-untyped-def]
    part = ResNet(width=4, blocks=1, dropout=0, test_time_tiles="per_tile")
    save_generator(tmp_path, part, part.build(0).state_dict())
    assert load_restorer(tmp_path).part.test_time_tiles == "per_tile"


@pytest.mark.parametrize("settings", [{"kind": "unet"}, {"kind": "srresnet"}, {"kind": "mobile"}])
def test_per_tile_is_refused_where_no_layer_looks_over_the_photo(settings: dict[str, str]) -> None:
    kinds = {"unet": UNet, "srresnet": SRResNet, "mobile": Mobile}
    with pytest.raises(ValidationError, match="no layer of this one does"):
        kinds[settings["kind"]](test_time_tiles="per_tile")


@pytest.mark.parametrize("part", KINDS.values(), ids=KINDS)
def test_a_part_says_of_its_net_whether_it_looks_over_the_photo(part: Generator) -> None:
    assert part.looks_over_photo == bool(looking(Restorer(part.build(0), part, device="cpu").net))


@pytest.mark.parametrize("name", ["unet", "mobile", "resnet_seed", "srresnet", "video_3d"])
def test_nothing_beyond_the_reach_changes_a_cell_and_something_at_it_does(name: str) -> None:
    part = KINDS[name].model_copy(update={"norm": UNet().norm})
    net, reach, stride = net_of(part).eval(), reach_px(part), part.stride
    assert reach % stride == 0
    length = 2 * reach + stride * 12
    begin = length // 2 // stride * stride
    strip = torch.rand(
        1, 3 * part.window, max(32, part.smallest_px), length, dtype=torch.float64
    ).requires_grad_()
    answer = net.double()(strip)
    cell = answer[..., part.scale * begin : part.scale * (begin + stride)]
    cell.square().sum().backward()
    assert strip.grad is not None
    felt = strip.grad[0].abs().amax((0, 1)).nonzero()
    farthest = max(begin - int(felt.min()), int(felt.max()) + 1 - begin - stride)
    assert reach - stride < farthest <= reach


def test_what_memory_holds_of_a_photo_is_a_tile_however_large_it_is() -> None:
    part = KINDS["resnet"]
    shown = []
    for size in ((300, 420), (300, 900)):
        restorer = Counting(net_of(part), part, device="cpu", tile_px=256)
        restorer.restore(photo(*size))
        shown.append(restorer.largest)
    assert max(shown) <= 256**2


def test_tiles_whose_memory_ends_while_looking_begin_anew_in_halves() -> None:
    class Small(Counting):
        def _seen(self, x_NCHW: torch.Tensor, *where: object) -> torch.Tensor:
            if max(x_NCHW.shape[2:]) > 300:
                raise torch.OutOfMemoryError
            return super()._seen(x_NCHW, *where)

    part, input = KINDS["resnet"], photo(421, 333)
    net = net_of(part)
    found = Small(net, part, device="cpu", tile_px=1024).restore(input)
    np.testing.assert_allclose(found, Restorer(net, part, device="cpu").restore(input), atol=1e-3)


def test_own_parts_cover_the_photo_once_on_the_grid() -> None:
    for height, width, side, stride, around in ((96, 400, 64, 16, 32), (1000, 8, 40, 8, 80), (5, 7, 3, 1, 2)):
        seen = np.zeros((height, width), int)
        for tile in tiles_of(height, width, side, stride=stride, around=around):
            rows, columns = tile.own
            seen[rows, columns] += 1
            assert rows.start % stride == columns.start % stride == 0
            assert rows.stop - rows.start <= side
            assert tile.rows == slice(max(rows.start - around, 0), min(rows.stop + around, height))
        assert (seen == 1).all()


def test_moments_of_parts_are_those_of_the_whole() -> None:
    values = torch.randn(1, 5, 12, 31, dtype=torch.float64) * 0.01 + 1000
    parts = [moments(part) for part in values.split([7, 1, 23], dim=3)]
    variance, mean = torch.var_mean(values, (0, 2, 3), correction=0)
    found_mean, found_variance = joined_moments(parts)
    torch.testing.assert_close(found_mean.double(), mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(found_variance.double(), variance, rtol=1e-2, atol=0)


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_tiles_place_in_a_view_is_where_its_px_went(view) -> None:  # type: ignore[no-untyped-def]
    picture = torch.arange(8 * 12).reshape(1, 1, 8, 12)
    tile, own = Box(2, 3, 5, 7), Box(1, 2, 3, 4)
    there = view.place(Place(tile, own), Box(0, 0, 8, 12))

    def seen(picture: torch.Tensor) -> torch.Tensor:
        return torch.rot90(picture.flip(3) if view.mirrored else picture, view.turns, (2, 3))

    def cut(picture: torch.Tensor, box: Box) -> torch.Tensor:
        return picture[:, :, box.top : box.top + box.height, box.left : box.left + box.width]

    assert torch.equal(cut(seen(picture), there.tile), seen(cut(picture, tile)))
    assert torch.equal(cut(seen(cut(picture, tile)), there.own), seen(cut(cut(picture, tile), own)))
