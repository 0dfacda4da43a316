"""LPIPS: skipped with its reason when the AlexNet weights are absent or damaged, measured when they
are there; never downloaded.

The stand-in weights are drawn from a seed: they prove the wiring, not the published values.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import components.metrics.lpips as module
from components.core.errors import InputError, WeightsError
from components.core.files import sha256_of_file
from components.metrics import lpips_alex, measurable
from components.metrics.lpips import ALEXNET_FILE, SMALLEST_PX, lpips_missing


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def stand_in(empty_hub: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from torchvision.models import alexnet

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = alexnet(weights=None)
    empty_hub.mkdir(parents=True)
    torch.save(net.state_dict(), empty_hub / ALEXNET_FILE)
    monkeypatch.setattr(module, "ALEXNET_SHA256_START", sha256_of_file(empty_hub / ALEXNET_FILE)[:8])
    return empty_hub


def test_without_weights_lpips_is_skipped_with_the_reason_and_the_remedy(empty_hub: Path) -> None:
    measured, skipped = measurable(["psnr_rgb", "lpips_alex"])
    assert measured == ("psnr_rgb",)
    assert ALEXNET_FILE in skipped["lpips_alex"]
    assert "copy the file there" in skipped["lpips_alex"]
    assert not empty_hub.exists()


def test_without_weights_lpips_itself_refuses(empty_hub: Path) -> None:
    with pytest.raises(WeightsError, match="AlexNet weights"):
        lpips_alex(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64))


def test_a_damaged_weights_file_is_told_from_a_missing_one(empty_hub: Path) -> None:
    empty_hub.mkdir(parents=True)
    (empty_hub / ALEXNET_FILE).write_bytes(b"half a download")
    assert "damaged" in str(lpips_missing())


def test_with_weights_lpips_is_zero_for_itself_symmetric_and_per_photo(stand_in: Path) -> None:
    assert lpips_missing() is None
    x, y = torch.rand(2, 3, 64, 48), torch.rand(2, 3, 64, 48)
    values = lpips_alex(x, y)
    assert values.shape == (2,)
    assert (values > 0).all()
    assert lpips_alex(x, x).tolist() == [0.0, 0.0]
    assert lpips_alex(y, x).tolist() == pytest.approx(values.tolist())
    assert lpips_alex(x[1:], y[1:]).item() == pytest.approx(values[1].item())


def test_lpips_takes_the_smallest_photo_it_promises_and_refuses_a_smaller(stand_in: Path) -> None:
    small = torch.rand(1, 3, SMALLEST_PX, SMALLEST_PX)
    assert lpips_alex(small, 1 - small).item() > 0
    with pytest.raises(InputError, match=f"at least {SMALLEST_PX} px"):
        lpips_alex(small[:, :, 1:], small[:, :, 1:])
