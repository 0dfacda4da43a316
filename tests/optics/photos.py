"""Photos, cameras and sizes that the tests of both renderers go through."""

from __future__ import annotations

import typing
from typing import Any

import cv2
import numpy as np

from components.core.seeds import stream
from components.optics.blurs import Blur
from components.optics.degradation import Degradation

KINDS = [kind.model_fields["kind"].default for kind in typing.get_args(typing.get_args(Blur)[0])]
CAMERAS: dict[str, dict[str, Any]] = {
    "all": {},
    "bare": {"noise": None, "jpeg": None},
    "jpeg alone, in sRGB": {"noise": None, "linear_light": False},
    "noise alone": {"jpeg": None},
    "whole sensor": {"highlights": {}, "sensor": {}},
    "bilinear mosaic": {
        "highlights": {},
        "sensor": {"bayer": {"demosaic": "bilinear"}, "colours": None},
        "jpeg": None,
    },
    "sensor without mosaic": {"sensor": {"bayer": None}},
    "WebP or JPEG": {"webp": {}},
    "16 bits": {"bits": 16, "jpeg": None, "highlights": {}, "sensor": {}},
}
SCALES: dict[str, dict[str, Any] | None] = {
    "full size": None,
    "bicubic": {"scale": 4},
    "bicubic by 3": {"scale": 3},
    "plain": {"scale": 2, "kernel": "bilinear_plain"},
    "second order": {"kind": "second_order"},
    "plain by 3": {"scale": 3, "kernel": "bilinear_plain"},
}


def photo(height: int, width: int, *, grey: bool = False, bits: int = 8) -> np.ndarray[Any, Any]:
    """Smooth shapes, hard edges and grain, as photos have them."""
    rng = stream("region photo", height, width)
    shape = (height, width) if grey else (height, width, 3)
    coarse = np.clip(
        cv2.resize(rng.random((9, 12, *shape[2:])), (width, height), interpolation=cv2.INTER_CUBIC), 0, 1
    )
    grained = np.clip(np.where(coarse > 0.6, 1.2 * coarse, coarse) + 0.02 * rng.standard_normal(shape), 0, 1)
    return np.rint(grained * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def degradation(kind: str, camera: str, scale: str) -> Degradation:
    return Degradation.model_validate(
        {"blurs": [{"kind": kind}], "downscale": SCALES[scale], "camera": CAMERAS[camera]}
    )
