"""Sizes, shapes and receptive fields equal to the published ones; what untrained nets do; that a photo of any size comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from components.core.errors import InputError, LineageError, WeightsError
from components.nets.discriminators import PatchGAN
from components.nets.features import Features, layer_names
from components.nets.generators import Generator, ResNet, UNet
from components.nets.restore import Restorer, load_restorer, save_generator

SMALL: list[Generator] = [ResNet(width=8, blocks=1), ResNet(width=8, blocks=1, upsampling="resize", residual=False, dropout=0), UNet(width=8, depth=2)]


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_deblurgan_generator_has_the_official_two_convolution_size() -> None:
    assert count(ResNet().build(seed=0)) == 11_378_179


def test_deblurgan_discriminator_has_the_official_size_and_sees_70_px() -> None:
    assert count(PatchGAN().build(seed=0)) == 2_764_737
    assert PatchGAN().receptive_field_px == 70


@pytest.mark.parametrize(("layers", "seen"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286), (6, 574)])
def test_receptive_field_is_what_one_logit_feels(layers: int, seen: int) -> None:
    part = PatchGAN(layers=layers, width=4, norm="none")
    assert part.receptive_field_px == seen
    side = seen + 64
    photo = torch.zeros(1, 3, side, side, requires_grad=True)
    logits = part.build(seed=0)(photo)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert photo.grad is not None
    felt = photo.grad[0].abs().sum(0).nonzero()
    extent = (felt.max(0).values - felt.min(0).values + 1).tolist()
    assert extent == [seen, seen]


def test_a_shrunk_discriminator_sees_as_many_times_more() -> None:
    assert PatchGAN(layers=3, shrink=2).receptive_field_px == 140
    shown = PatchGAN(shrink=2, conditional=True).view(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    assert shown.shape == (1, 6, 4, 4)
    assert shown[:, :3].max() == 0
    assert shown[:, 3:].min() == 1


@pytest.mark.parametrize("part", SMALL, ids=lambda part: part.kind)
def test_every_generator_keeps_the_shape(part: Generator) -> None:
    net = part.build(seed=1).eval()
    photo = torch.rand(2, 3, 3 * part.stride, 5 * part.stride) * 2 - 1
    assert net(photo).shape == photo.shape


@pytest.mark.parametrize("part", SMALL, ids=lambda part: part.kind)
def test_the_same_seed_builds_the_same_net_and_another_does_not(part: Generator) -> None:
    first, again, other = (next(iter(part.build(seed=seed).parameters())) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("part", SMALL, ids=lambda part: part.kind)
def test_a_generator_survives_its_json(part: Generator) -> None:
    adapter: TypeAdapter[Generator] = TypeAdapter(Generator)
    assert adapter.validate_json(adapter.dump_json(part)) == part


def test_an_untrained_unet_leaves_the_photo_as_it_is() -> None:
    photo = torch.rand(1, 3, 16, 24) * 2 - 1
    assert torch.equal(UNet(width=4, depth=2).build(seed=0)(photo), photo)


def test_learned_residual_stays_in_range() -> None:
    photo = torch.rand(1, 3, 16, 16) * 2 - 1
    restored = ResNet(width=8, blocks=1).build(seed=0)(photo)
    assert restored.min() >= -1
    assert restored.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (64, 64), (301, 203)])
def test_a_photo_of_any_size_comes_back_whole(size: tuple[int, int]) -> None:
    restorer = Restorer(UNet(width=4, depth=3).build(seed=0), stride=8, tile_px=256)
    photo = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    np.testing.assert_allclose(restorer.restore(photo), photo, atol=1e-6)


def test_tiles_of_a_local_net_join_without_a_seam() -> None:
    part = UNet(width=4, depth=1)
    net = part.build(seed=0)
    torch.nn.init.normal_(net.body.head.weight, std=0.1)  # type: ignore[union-attr,arg-type]
    photo = np.random.default_rng(1).random((400, 520, 3), dtype=np.float32)
    whole = Restorer(net, stride=2, tile_px=2048).restore(photo)
    tiled = Restorer(net, stride=2, tile_px=256).restore(photo)
    assert np.abs(whole - photo).max() > 0.01
    # Away from each tile's own reflected border the two are the same sums; the ramp hides what is left there.
    assert np.abs(whole - tiled).mean() < 2e-4


def test_a_tile_smaller_than_its_overlap_is_refused() -> None:
    with pytest.raises(InputError, match="tile_px must be at least 256"):
        Restorer(UNet(width=4, depth=1).build(0), stride=2, tile_px=100)


def test_a_grey_photo_without_channels_is_refused() -> None:
    with pytest.raises(InputError, match="repeat a grey photo"):
        Restorer(UNet(width=4, depth=1).build(0), stride=2).restore(np.zeros((8, 8), np.float32))


def test_dropout_is_off_when_restoring() -> None:
    restorer = Restorer(ResNet(width=8, blocks=2, dropout=0.5).build(0), stride=4)
    photo = np.random.default_rng(2).random((16, 16, 3), dtype=np.float32)
    np.testing.assert_array_equal(restorer.restore(photo), restorer.restore(photo))


def test_a_saved_generator_loads_and_restores_the_same(tmp_path) -> None:
    part = ResNet(width=8, blocks=1)
    net = part.build(seed=5)
    photo = np.random.default_rng(3).random((20, 28, 3), dtype=np.float32)
    save_generator(tmp_path, part, net.state_dict())
    np.testing.assert_array_equal(load_restorer(tmp_path).restore(photo), Restorer(net, stride=4).restore(photo))


def test_weights_of_another_net_are_refused_by_name(tmp_path) -> None:
    save_generator(tmp_path, UNet(width=8, depth=1), UNet(width=4, depth=1).build(0).state_dict())
    with pytest.raises(LineageError, match=r"needs generator\.safetensors and generator\.json from one training"):
        load_restorer(tmp_path)


def test_vgg_layers_are_named_as_in_the_paper() -> None:
    names = layer_names("vgg19")
    assert len(names) == 32
    assert names[0] == "conv1_1"
    assert names[-1] == "relu5_4"
    assert len(layer_names("vgg16")) == 26


def test_conv3_3_of_vgg19_is_layer_14_of_torchvision() -> None:
    # The official DeblurGAN cuts torchvision's vgg19.features after index 14.
    assert len(Features("vgg19", "conv3_3", imagenet=False).layers) == 15
    assert isinstance(Features("vgg19", "conv3_3", imagenet=False).layers[-1], torch.nn.Conv2d)
    assert isinstance(Features("vgg19", "relu3_3", imagenet=False).layers[-1], torch.nn.ReLU)


def test_features_equal_torchvisions(tmp_path) -> None:
    import torchvision

    net = torchvision.models.vgg16(weights=None).eval()
    torch.save(net.state_dict(), tmp_path / "vgg.pt")
    ours = Features("vgg16", "relu2_2", imagenet=False).load(tmp_path / "vgg.pt")
    photo = torch.rand(1, 3, 32, 48) * 2 - 1
    torch.testing.assert_close(ours(photo), net.features[:9](photo))


def test_every_photo_of_a_batch_is_normalised() -> None:
    # DeblurGANv2 normalised only the first.
    features = Features("vgg16", "conv1_1", imagenet=True)
    photo = torch.rand(1, 3, 8, 8) * 2 - 1
    both = features(photo.repeat(2, 1, 1, 1))
    torch.testing.assert_close(both[0], both[1])
    shifted = Features("vgg16", "conv1_1", imagenet=False)
    shifted.load_state_dict(features.state_dict())
    assert not torch.allclose(both[:1], shifted(photo))


def test_weights_without_a_layer_are_refused_with_its_name(tmp_path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match=r"features\.0\.weight should be \(64, 3, 3, 3\), found shape \(1,\)"):
        Features("vgg16", "conv1_1", imagenet=False).load(tmp_path / "bad.pt")
