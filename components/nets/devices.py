"""The device of this machine that work takes."""

from __future__ import annotations

import torch

from components.core.errors import InputError
from components.core.gpu import Gpu


def device_for(gpu: Gpu, setting: str) -> torch.device:
    """A GPU where there is one, unless it is never to be taken. setting: what the recipe calls `gpu`.

    Raises InputError when a GPU is required and torch finds none.

    >>> device_for("never", "evaluate.gpu")
    device(type='cpu')
    """
    if gpu == "never" or (gpu == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError(
            f"{setting} is require, and torch finds no GPU on this machine; set {setting} to auto or never to"
            " work on processors, or RAY_ADDRESS to a cluster that has one"
        )
    return torch.device("cuda", torch.cuda.current_device())
