"""VGG features: the layers of the paper, weights of torchvision, every photo treated alike,
whatever its size.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from components.core.errors import WeightsError
from components.nets.backbones import layer_names, smallest_px
from components.nets.modules.features import IMAGENET_MEAN, IMAGENET_STD, Features


def test_vgg_layers_are_named_as_in_the_paper() -> None:
    names = layer_names("vgg19")
    assert len(names) == 32
    assert names[0] == "conv1_1"
    assert names[-1] == "relu5_4"
    assert len(layer_names("vgg16")) == 26


def test_conv3_3_of_vgg19_is_layer_14_of_torchvision() -> None:
    # The official DeblurGAN cuts torchvision's vgg19.features after index 14.
    assert len(Features("vgg19", "conv3_3", imagenet=False).layers) == 15


@pytest.mark.parametrize("number", ["3_3", "1_1", "5_3"])
def test_conv_is_before_the_rectifier_and_relu_behind_it(number: str) -> None:
    with torch.device("meta"):
        before, behind = (
            Features("vgg16", f"{kind}{number}", imagenet=False).layers for kind in ("conv", "relu")
        )
    assert isinstance(before[-1], nn.Conv2d)
    assert isinstance(behind[-1], nn.ReLU)
    assert len(behind) == len(before) + 1


@pytest.mark.parametrize(
    ("backbone", "layer", "published"),
    [
        # Simonyan & Zisserman 2015, table 1, without the dense layers.
        ("vgg16", "relu3_3", 1_735_488),
        ("vgg19", "conv3_3", 1_735_488),
        ("vgg16", "relu5_3", 14_714_688),
        ("vgg19", "conv5_4", 20_024_384),
    ],
)
def test_weights_up_to_a_layer_are_as_many_as_published(backbone, layer: str, published: int) -> None:
    with torch.device("meta"):
        features = Features(backbone, layer, imagenet=False)
    assert sum(parameter.numel() for parameter in features.parameters()) == published
    assert not any(parameter.requires_grad for parameter in features.parameters())


@pytest.mark.parametrize(
    ("backbone", "layer", "cut"),
    [("vgg16", "relu2_2", 9), ("vgg16", "conv3_3", 15), ("vgg19", "conv3_3", 15)],
)
def test_features_equal_torchvisions(tmp_path, backbone, layer: str, cut: int) -> None:
    import torchvision

    # torchvision draws the dense layers' 120 million weights too; the file needs the convolutions
    # alone.
    with torch.device("meta"):
        net = getattr(torchvision.models, backbone)(weights=None).features
    net = net[:cut].to_empty(device="cpu")
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(0.0, 0.05, generator=source)
    torch.save({f"features.{name}": weight for name, weight in net.state_dict().items()}, tmp_path / "vgg.pt")
    ours = Features(backbone, layer, imagenet=False).load(tmp_path / "vgg.pt")
    photo = torch.rand(1, 3, 32, 48, generator=source) * 2 - 1
    torch.testing.assert_close(ours(photo), net(photo))


@pytest.mark.parametrize("size", [(56, 56), (224, 224), (33, 47), (16, 130)])
def test_a_photo_of_any_size_has_features(size: tuple[int, int]) -> None:
    # B-12, B-27: only VGG's dense layers, which are not here, need 224 px.
    with torch.device("meta"):
        found = Features("vgg19", "conv5_4", imagenet=False)(torch.empty(2, 3, *size))
    assert found.shape == (2, 512, size[0] // 16, size[1] // 16)


@pytest.mark.parametrize(("layer", "smallest"), [("conv1_2", 1), ("relu3_3", 4), ("conv5_4", 16)])
def test_the_smallest_photo_that_has_features(layer: str, smallest: int) -> None:
    assert smallest_px(layer) == smallest
    with torch.device("meta"):
        features = Features("vgg19", layer, imagenet=True)
        assert features(torch.empty(1, 3, smallest, smallest)).numel() > 0
        if smallest > 1:
            with pytest.raises(RuntimeError, match="too small"):
                features(torch.empty(1, 3, smallest - 1, smallest - 1))


def test_every_photo_of_a_batch_is_normalised() -> None:
    # DeblurGANv2 normalised only the first (peer bug 3).
    features = Features("vgg16", "conv1_1", imagenet=True)
    photos = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    alone = torch.cat([features(photo[None]) for photo in photos])
    torch.testing.assert_close(features(photos), alone)
    torch.testing.assert_close(features(photos[[2, 0, 1]]), alone[[2, 0, 1]])


def test_imagenets_statistics_become_nought_and_one_and_are_left_alone_when_off() -> None:
    with_statistics, without = (Features("vgg16", "conv1_1", imagenet=imagenet) for imagenet in (True, False))
    without.load_state_dict(with_statistics.state_dict())
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    unit = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        with_statistics(2 * unit - 1), without((unit - mean) / std), atol=1e-5, rtol=1e-5
    )
    assert not torch.allclose(with_statistics(2 * unit - 1), without(2 * unit - 1))


def test_the_gradient_reaches_the_photo_and_no_weight() -> None:
    features = Features("vgg16", "relu2_1", imagenet=True)
    photo = torch.zeros(1, 3, 8, 8, requires_grad=True)
    features(photo).square().mean().backward()
    assert photo.grad is not None
    assert photo.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in features.parameters())


def test_weights_without_a_layer_are_refused_with_its_name(tmp_path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "bad.pt")
    with pytest.raises(
        WeightsError, match=r"features\.0\.weight should be \(64, 3, 3, 3\), found shape \(1,\)"
    ):
        Features("vgg16", "conv1_1", imagenet=False).load(tmp_path / "bad.pt")
