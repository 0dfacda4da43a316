"""In which arithmetic a net restores and is measured, on every device.

fp32   IEEE float32. The default, and what metrics are always measured in
tf32   factors of convolutions and products have 10 bits of mantissa on NVIDIA's GPUs; elsewhere as fp32
bf16   convolutions and products in bfloat16 under autocast, the weights stay float32

Since Ampere, NVIDIA's GPUs round to TF32 unless told otherwise (on by default in torch for cuDNN).
Figures of one net from two kinds of device could then not be compared.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from components.nets.choices import Precision

WORDS: dict[Precision, str] = {"fp32": "IEEE float32", "tf32": "TF32", "bf16": "bfloat16"}


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """A net on that device computes so for as long as the block lasts, whatever the process does by
    itself; the settings come back.
    """
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    matmul.allow_tf32 = convolution.allow_tf32 = precision == "tf32"
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        matmul.allow_tf32, convolution.allow_tf32 = before


@contextmanager
def ieee_float32() -> Iterator[None]:
    """No TF32 and no half precision on any device for as long as the block lasts; a Restorer within it
    has a precision of its own.
    """
    with arithmetic("fp32", torch.device("cuda")), arithmetic("fp32", torch.device("cpu")):
        yield


def place_of(device: torch.device, precision: Precision = "fp32") -> str:
    """Device and precision of what was measured there, as figures are named.

    >>> place_of(torch.device("cpu"), "tf32").endswith("IEEE float32")
    True
    """
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else f"CPU ({platform.machine()})"
    return f"{name}, {WORDS['fp32' if precision == 'tf32' and not gpu else precision]}"
