"""The features FID and KID rest on: InceptionV3 with the weights of 2015, in torch-fidelity's port.
The door of torch_fidelity.

Published values hold for these very weights, this resizing and this layer alone, so the port is
used, not torchvision's Inception.
Nothing is downloaded here: without its file the metric is skipped, with the reason and the remedy.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.core.errors import WeightsError
from components.core.files import sha256_of_file
from components.metrics.sets import Features
from components.nets.weights_files import hub_folder

if TYPE_CHECKING:
    from components.core.images import Bytes8

# The same file under the name it has in pytorch-fid's release and under that in torch-fidelity's.
FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
SHA256_START = "6726825d"  # as the names say
SOURCE = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
FEATURES = 2048


def inception_features(photo: Bytes8) -> Features:
    """What InceptionV3 sees in a whole photo: the 2048 values behind its last average pooling.

    photo: (H, W, 3) uint8 RGB of any size; the net resizes it to 299 × 299 px as TensorFlow 1 does
    (bilinear, without antialiasing).
    Returns (2048,) float64, never negative. On the processor, so that a machine with and one
    without GPU agree.
    Raises WeightsError when the weights are not on this machine.
    Source: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016; Heusel et al. 2017
    for the layer.
    """
    import torch

    reason = inception_missing()
    if reason is not None:
        raise WeightsError(reason)
    path = weights_path()
    net = _network(path, path.stat().st_mtime_ns)
    with torch.inference_mode():
        (features,) = net(torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None])
    return np.asarray(features[0].double().numpy())


def inception_missing() -> str | None:
    """Why FID and KID cannot be measured here, with the remedy; None when they can."""
    path = weights_path()
    if not path.is_file():
        return (
            f"FID and KID need the InceptionV3 weights of 2015, and neither {FILES[0]} nor {FILES[1]} is in"
            f" torch's hub folder (TORCH_HOME/hub/checkpoints); copy the file there (91 MB, {SOURCE})"
        )
    if not _file_sha256(path, path.stat().st_mtime_ns).startswith(SHA256_START):
        return (
            f"FID and KID need the InceptionV3 weights of 2015, and the {path.name} in torch's hub folder is"
            f" damaged: its SHA-256 does not start with {SHA256_START}; delete it and fetch it again"
            f" ({SOURCE})"
        )
    return None


def weights_path() -> Path:
    """Where the weights lie in torch's hub folder; where they should, when they do not."""
    folder = hub_folder()
    return next((folder / name for name in FILES if (folder / name).is_file()), folder / FILES[0])


@cache
def _file_sha256(path: Path, changed_ns: int) -> str:
    return sha256_of_file(path)


@cache
def _network(path: Path, changed_ns: int) -> Any:
    """The extractor in evaluation mode. The library unpickles whatever it is given, so it gets a
    copy of the tensors we read without pickle.
    """
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        clean = io.BytesIO()
        torch.save(state, clean)
        clean.seek(0)
        return FeatureExtractorInceptionV3(
            "inception-v3-compat", [str(FEATURES)], feature_extractor_weights_path=clean
        )
    except Exception as error:  # unpickling and loading raise whatever the file made them stumble on
        raise WeightsError(
            f"{path} holds no InceptionV3 weights that can be read: {str(error).splitlines()[0]}; fetch it"
            f" again ({SOURCE})"
        ) from error
