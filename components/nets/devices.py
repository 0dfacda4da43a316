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


def device_named(name: str | None) -> torch.device:
    """The device of that name; a GPU where there is one when None. Raises InputError where torch finds
    none of that name here.

    >>> device_named("cpu")
    device(type='cpu')
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(name)
    except RuntimeError:
        found = None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found is None or found.type not in ("cpu", "cuda"):
        raise InputError(f"--device {name} is none that is known here: cpu, or cuda where there is a GPU")
    if found.type == "cuda" and (found.index or 0) >= count:
        has = f"has {count} GPUs, cuda:0 to cuda:{count - 1}" if count else "has no GPU that torch finds"
        raise InputError(
            f"--device {name} cannot be had: this machine {has}; leave --device out, or name cpu"
        )
    return found
