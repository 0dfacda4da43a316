"""In which arithmetic a net is measured: IEEE float32, on every device.

Since Ampere, NVIDIA's GPUs round the factors of convolutions to 10 bits of mantissa unless told
otherwise (TF32, on by default in torch for cuDNN). Figures of one net from two kinds of device could
then not be compared.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def ieee_float32() -> Iterator[None]:
    """No TF32 and no half precision for as long as the block lasts; the settings come back."""
    matmul, convolution = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, convolution


def place_of(device: torch.device) -> str:
    """Device and precision of what was measured there, as figures are named.

    >>> place_of(torch.device("cpu")).endswith("IEEE float32")
    True
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
    return f"{name}, IEEE float32"
