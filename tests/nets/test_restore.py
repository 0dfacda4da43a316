"""A photo of any size comes back, in tiles as whole; what stays on at test time was chosen, is
saved, and repeats.
"""

from __future__ import annotations

import itertools
import json
import tracemalloc
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from components.core.errors import InputError, LineageError
from components.core.levels import bits_of, to_float, to_pixels
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
from components.nets.modules.norms import SharedBatchNorm2d
from components.nets.modules.px_by_px import ReflectionPad2d
from components.nets.restore import Restorer, for_use, load_restorer, save_generator
from components.nets.tiling import OVERLAP_PX, _spans

KINDS: dict[str, Generator] = {
    "resnet": ResNet(width=4, blocks=1, test_time_dropout=True),
    "resnet_seed": ResNet(width=4, blocks=1, norm="batch", dropout=0, padding="keras", head="seed_blend"),
    "srresnet": SRResNet(width=4, blocks=1),
    "unet": UNet(width=4, depth=3),
    "mobile": Mobile(width=4, blocks=(1, 1)),
    "unet_instance": UNet(width=4, depth=2, norm="instance"),
    "conv_unet": ConvUNet(width=4, depth=5, test_time_dropout=True, test_time_statistics="photo"),
}


def photo(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3), dtype=np.float32)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (64, 64), (33, 70)])
@pytest.mark.parametrize("part", KINDS.values(), ids=KINDS)
def test_a_photo_of_any_size_comes_back_times_the_scale(part: Generator, size: tuple[int, int]) -> None:
    restored = Restorer(part.build(seed=0), part).restore(photo(*size))
    assert restored.shape == (part.scale * size[0], part.scale * size[1], 3)
    assert restored.dtype == np.float32
    assert np.isfinite(restored).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (64, 64), (301, 203)])
def test_an_untrained_unet_restores_the_photo_as_it_is(size: tuple[int, int]) -> None:
    part = UNet(width=4, depth=3)
    np.testing.assert_allclose(
        Restorer(part.build(seed=0), part, tile_px=256).restore(photo(*size)), photo(*size), atol=1e-6
    )


def test_tiles_of_a_local_net_join_without_a_seam() -> None:
    part = UNet(width=4, depth=1)
    net = part.build(seed=0)
    nn.init.normal_(net.body.head.weight, std=0.1, generator=torch.Generator().manual_seed(1))  # type: ignore[union-attr,arg-type]
    input = photo(400, 520, seed=1)
    whole, tiled = (Restorer(net, part, tile_px=side).restore(input) for side in (2048, 256))
    assert np.abs(whole - input).max() > 0.01
    # Away from each tile's own reflected border the two are the same sums; the ramp hides what is
    # left there.
    assert np.abs(whole - tiled).mean() < 2e-4


@pytest.mark.parametrize(
    "part",
    [
        SRResNet(width=4, blocks=2, norm="none", first="he"),
        ConvUNet(width=4, depth=3, dropout=0, norm="none", first="he"),
    ],
    ids=lambda part: part.kind,
)
def test_a_large_photo_is_the_same_whole_and_in_tiles(part: Generator) -> None:
    net = part.build(seed=0)
    input = photo(150 if part.scale > 1 else 300, 290, seed=2)
    whole, tiled = (Restorer(net, part, tile_px=side).restore(input) for side in (4096, 256))
    assert whole.shape == tiled.shape
    assert whole.std() > 0.01
    assert np.abs(whole - tiled).max() < 1e-4


@pytest.mark.parametrize(
    ("tile", "stride", "overlap"),
    [
        (256, 1, 64),
        (256, 16, 64),
        (1024, 256, 64),
        (384, 256, 64),
        (640, 512, 64),
        (256, 1, 32),
        (128, 1, 32),
    ],
)
def test_tiles_lie_on_the_nets_grid_cover_all_and_share_their_ramps(
    tile: int, stride: int, overlap: int
) -> None:
    # Rounded to a grid of 256 px, tiles once parted by more than their own side: a stripe of the
    # photo was in none.
    for length in range(tile + 1, 5 * tile, 7):
        spans = _spans(length, tile, stride, overlap)
        assert spans[0].start == 0
        assert spans[-1].stop == length
        assert all(span.start % stride == 0 and span.stop - span.start <= tile for span in spans)
        shared = [before.stop - after.start for before, after in itertools.pairwise(spans)]
        assert min(shared) >= overlap


@pytest.mark.parametrize("size", [(301, 290), (300, 700), (700, 300), (40, 50)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_are_restored_as_their_floats_and_rounded(size: tuple[int, int], dtype: type) -> None:
    part = ConvUNet(width=4, depth=3, dropout=0, norm="none", first="he")
    restorer = Restorer(part.build(seed=0), part, tile_px=256)
    pixels = (photo(*size) * np.iinfo(dtype).max).astype(dtype)
    found = restorer.restore_pixels(pixels)
    assert found.dtype == dtype
    assert np.array_equal(found, to_pixels(restorer.restore(to_float(pixels)), bits_of(pixels)))


@pytest.mark.parametrize("size", [(3000, 600), (600, 3000)])
def test_a_large_photo_takes_the_memory_of_its_bytes_and_some_tiles(size: tuple[int, int]) -> None:
    part = UNet(width=4, depth=1)
    restorer = Restorer(part.build(seed=0), part, tile_px=256)
    pixels = np.zeros((*size, 3), np.uint8)
    restorer.restore_pixels(pixels[:300, :300])
    tracemalloc.start()
    restorer.restore_pixels(pixels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tile = 256 * 256 * 4 * 4  # floats of colours and weight
    assert peak < pixels.nbytes + 12 * tile < 4 * pixels.nbytes


def test_a_tile_smaller_than_its_overlap_is_refused() -> None:
    part = UNet(width=4, depth=1)
    with pytest.raises(InputError, match=f"tile_px must be at least {4 * OVERLAP_PX}"):
        Restorer(part.build(0), part, tile_px=100)


def test_a_grey_photo_without_channels_is_refused() -> None:
    part = UNet(width=4, depth=1)
    with pytest.raises(InputError, match="repeat a grey photo"):
        Restorer(part.build(0), part).restore(np.zeros((8, 8), np.float32))


def noisy(on: bool) -> tuple[ResNet, nn.Module]:
    part = ResNet(width=8, blocks=2, dropout=0.5, norm="none", first="he", test_time_dropout=on)
    return part, part.build(seed=0)


def test_dropout_is_off_when_restoring_unless_asked_for() -> None:
    input = photo(16, 16, seed=2)
    part, net = noisy(False)
    off = Restorer(net, part).restore(input)
    np.testing.assert_array_equal(off, Restorer(net, part).restore(input))
    asked, _ = noisy(True)
    assert np.abs(Restorer(net, asked).restore(input) - off).max() > 0.01


@pytest.mark.parametrize("tile_px", [256, 1024])
def test_dropout_at_test_time_repeats_and_leaves_other_draws_alone(tile_px: int) -> None:
    part, net = noisy(True)
    restorer, input = Restorer(net, part, tile_px=tile_px), photo(16, 300, seed=2)
    torch.manual_seed(5)
    first = restorer.restore(input)
    drawn = torch.rand(3)
    np.testing.assert_array_equal(restorer.restore(input), first)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)


def test_a_net_in_use_goes_back_to_training_and_to_evaluation_whole() -> None:
    part, net = noisy(True)
    dropouts = [layer for layer in for_use(net, part).modules() if isinstance(layer, nn.Dropout)]
    assert all(layer.training for layer in dropouts)
    assert not net.training
    net.eval()
    assert not any(layer.training for layer in dropouts)


def with_statistics(choice: str) -> tuple[ConvUNet, nn.Module]:
    """A net whose running means are far from any photo's."""
    part = ConvUNet(width=8, depth=3, dropout=0, test_time_statistics=choice)
    net = part.build(seed=0)
    for layer in net.modules():
        if isinstance(layer, SharedBatchNorm2d):
            nn.init.constant_(layer.running_mean, 3.0)  # type: ignore[arg-type]
    return part, net


def test_the_photos_own_statistics_are_those_of_a_training_batch_of_one() -> None:
    input = photo(24, 32, seed=4)
    part, net = with_statistics("photo")
    running = [value.clone() for name, value in net.state_dict().items() if "running" in name]
    own = Restorer(net, part, device="cpu").restore(input)
    assert all(
        torch.equal(before, after)
        for before, after in zip(
            running, (v for n, v in net.state_dict().items() if "running" in n), strict=True
        )
    )
    net.train()
    with torch.no_grad():
        trained = net(torch.from_numpy(input).permute(2, 0, 1)[None] * 2 - 1)
    np.testing.assert_allclose(own, (trained[0].permute(1, 2, 0) + 1) / 2, atol=1e-5)
    other, net = with_statistics("running")
    assert np.abs(Restorer(net, other, device="cpu").restore(input) - own).max() > 0.01


@pytest.mark.parametrize("part", KINDS.values(), ids=KINDS)
def test_a_saved_generator_loads_and_restores_the_same(part: Generator, tmp_path: Path) -> None:
    net = part.build(seed=5)
    save_generator(tmp_path, part, net.state_dict())
    loaded = load_restorer(tmp_path)
    assert (loaded.scale, loaded.stride) == (part.scale, part.stride)
    np.testing.assert_array_equal(
        loaded.restore(photo(20, 28, seed=3)), Restorer(net, part).restore(photo(20, 28, seed=3))
    )
    assert json.loads((tmp_path / "generator.json").read_text())["scale"] == part.scale


def test_a_counter_is_saved_as_a_whole_number(tmp_path: Path) -> None:
    save_generator(tmp_path, KINDS["srresnet"], KINDS["srresnet"].build(seed=0).half().state_dict())
    saved = load_file(tmp_path / "generator.safetensors")
    assert {value.dtype for name, value in saved.items() if name.endswith("num_batches_tracked")} == {
        torch.int64
    }
    assert {value.dtype for name, value in saved.items() if not name.endswith("num_batches_tracked")} == {
        torch.float32
    }


def test_weights_of_another_net_are_refused_by_name(tmp_path: Path) -> None:
    save_generator(tmp_path, UNet(width=8, depth=1), UNet(width=4, depth=1).build(0).state_dict())
    with pytest.raises(
        LineageError, match=r"needs generator\.safetensors and generator\.json from one training"
    ):
        load_restorer(tmp_path)


def test_an_altered_scale_is_refused(tmp_path: Path) -> None:
    part = SRResNet(width=4, blocks=1)
    save_generator(tmp_path, part, part.build(0).state_dict())
    config = tmp_path / "generator.json"
    config.write_text(config.read_text().replace('"scale": 4', '"scale": 2'))
    with pytest.raises(LineageError, match="holds no generator this version can load"):
        load_restorer(tmp_path)


def test_an_ensemble_is_the_mean_over_eight_turns_and_mirrors() -> None:
    part = UNet(width=4, depth=1, test_time_ensemble=True)
    net = part.build(seed=1)
    torch.nn.init.normal_(net.body.head.weight, std=0.1)  # type: ignore[union-attr, arg-type]
    photo = np.random.default_rng(1).random((30, 22, 3), np.float32)
    plain = Restorer(net, part.model_copy(update={"test_time_ensemble": False}), device="cpu")
    ours = Restorer(net, part, device="cpu").restore(photo)
    views = [(mirrored, turns) for mirrored in (False, True) for turns in range(4)]
    wanted = np.zeros_like(photo)
    for mirrored, turns in views:
        answer = np.rot90(plain.restore(np.rot90(photo[:, ::-1] if mirrored else photo, turns)), -turns)
        wanted += (answer[:, ::-1] if mirrored else answer) / 8
    np.testing.assert_allclose(ours, wanted, atol=1e-5)
    turned = Restorer(net, part, device="cpu").restore(np.rot90(photo).copy())
    np.testing.assert_allclose(turned, np.rot90(ours), atol=1e-5)


def awake(part: Generator) -> nn.Module:
    """A net none of whose weights are zero: a head may begin there."""
    net = part.build(seed=1)
    for weight in net.parameters():
        if not weight.any():
            nn.init.normal_(weight, 0.0, 0.005, generator=torch.Generator().manual_seed(1))
    return net


BF16_KINDS: dict[str, Generator] = {
    "resnet": ResNet(width=8, blocks=2),
    "batch": ResNet(width=8, blocks=1, norm={"kind": "batch"}),
    "srresnet": SRResNet(width=8, blocks=1),
    "unet": UNet(width=8, depth=2),
    "conv_unet": ConvUNet(width=8, depth=5),
    "nafnet": NAFNet(width=8, encoder=(1,), decoder=(1,)),
    "mobile": Mobile(width=8, blocks=(1, 1)),
    "video_3d": Video3D(width=8),
    "video_flow": VideoFlow(width=8),
    "wiener_unet": WienerUNet(width=8, depth=2),
}


@pytest.mark.parametrize("part", BF16_KINDS.values(), ids=BF16_KINDS)
def test_bfloat16_restores_within_three_levels_of_255_and_nobody_has_it_unasked(part: Generator) -> None:
    net, input = awake(part), photo(64, 64, seed=2)
    usual, quick = (Restorer(net, part, device="cpu", **asked) for asked in ({}, {"precision": "bf16"}))
    assert usual.precision == "fp32"
    with torch.inference_mode():
        straight = net(torch.from_numpy(input).permute(2, 0, 1)[None].repeat(1, part.window, 1, 1) * 2 - 1)
    np.testing.assert_allclose(
        usual.restore(input), ((straight + 1) / 2)[0].permute(1, 2, 0).numpy(), atol=2e-6
    )
    apart = 255 * np.abs(quick.restore(input) - usual.restore(input))
    assert 0 < apart.max() < 3
    assert apart.mean() < 0.5


def test_every_generator_is_tried_in_bfloat16() -> None:
    assert {part.kind for part in BF16_KINDS.values()} == {
        get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(Generator)[0])
    }


def test_a_restorer_computes_in_its_own_precision_and_leaves_the_process_in_its() -> None:
    part, input = ResNet(width=8, blocks=1), photo(24, 32)
    net, flags = awake(part), (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [each.allow_tf32 for each in flags]
    seen = []
    net.register_forward_hook(lambda *_: seen.append([each.allow_tf32 for each in flags]))
    exact, tf32 = (Restorer(net, part, device="cpu", precision=name) for name in ("fp32", "tf32"))
    alone = exact.restore(input)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(exact.restore(input), alone)
        assert torch.is_autocast_enabled("cpu")
    np.testing.assert_array_equal(tf32.restore(input), alone)
    assert seen == [[False, False], [False, False], [True, True]]
    assert [each.allow_tf32 for each in flags] == before
    assert not torch.is_autocast_enabled("cpu")


def test_a_reflected_border_stays_in_bfloat16() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ReflectionPad2d(1)(torch.rand(1, 2, 4, 4).bfloat16()).dtype == torch.bfloat16
