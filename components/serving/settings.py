"""What is served, where, and within which limits."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from components.core.errors import InputError
from components.nets.choices import Precision

TOKEN_VARIABLE = "REFOCUS_SERVE_TOKEN"
LEAST_TOKEN = 16  # characters


class How(TypedDict):
    """With what a model is to restore: on which device (None: a GPU where there is one), in tiles of
    which size, in which arithmetic.
    """

    device: str | None
    tile_px: int
    precision: Precision


@dataclass(frozen=True)
class ServingSettings:
    """Travels to the replicas of Ray Serve; the token does not stand in its repr."""

    model: str  # NAME@ALIAS, NAME:3, a checkpoint's folder or an exported file
    host: str = "127.0.0.1"
    port: int = 8000
    queue: int = 8  # restorations that may wait for the one at work
    max_mb: float = 64.0  # of a photo's file
    max_megapixels: float = 50.0
    follow_s: float = 10.0  # how often the aliases are asked for
    upload_s: float = 60.0  # in which a body must have come
    tile_px: int = 1024
    device: str | None = None
    precision: Precision = "fp32"
    token: str | None = field(default=None, repr=False)

    def checked(self) -> ServingSettings:
        """These, if they may be served. Raises InputError."""
        if self.token is None and not is_loopback(self.host):
            raise InputError(
                f"--host {self.host} can be reached from other machines, and whoever reaches it could restore"
                f" photos: set {TOKEN_VARIABLE} to a token of at least {LEAST_TOKEN} characters, or serve on"
                " 127.0.0.1"
            )
        if self.token is not None and len(self.token) < LEAST_TOKEN:
            raise InputError(
                f"{TOKEN_VARIABLE} has {len(self.token)} characters, at least {LEAST_TOKEN} are needed:"
                ' python -c "import secrets; print(secrets.token_urlsafe())" makes one'
            )
        if self.token is not None and not re.fullmatch(r"[!-~]+", self.token):
            raise InputError(
                f"{TOKEN_VARIABLE} has a space, or a letter beyond ASCII, which no header Authorization holds"
                " (RFC 6750); take letters, digits and - . _ ~ + / ="
            )
        for name, value, least in (
            ("--queue", self.queue, 0),
            ("--max-mb", self.max_mb, 0.001),
            ("--max-megapixels", self.max_megapixels, 0.001),
        ):
            if not least <= value < math.inf:  # not a number is no limit either
                raise InputError(f"{name} is {value:g}; it must be a number, and at least {least:g}")
        return self

    @property
    def how(self) -> How:
        """With what photos are restored."""
        return How(device=self.device, tile_px=self.tile_px, precision=self.precision)

    @property
    def max_bytes(self) -> int:
        return int(self.max_mb * 1e6)


def is_of_registry(model: str) -> bool:
    """Whether a person's word for a model is for the registry to know; else a checkpoint's folder or an
    exported file lies there. Raises InputError where it can be none of these.
    """
    place = Path(model)
    if place.is_dir() or (place.is_file() and is_exported(place)):
        return False
    if ("@" in model or ":" in model) and not is_exported(place):
        return True
    raise InputError(
        f'"{model}" is neither a folder nor NAME@ALIAS (such as demo@champion) or NAME:3, nor an exported'
        " .onnx file that lies here"
    )


def is_exported(place: Path) -> bool:
    """Whether a path is called as exported files are.

    >>> [is_exported(Path(name)) for name in ("generator.onnx", "GENERATOR.ONNX", "onnx.json")]
    [True, True, False]
    """
    return place.suffix.lower() == ".onnx"


def token_of_environment() -> str | None:
    """The token that requests must carry; None where none is set."""
    return os.environ.get(TOKEN_VARIABLE, "").strip() or None  # files of secrets end with a line's end


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "gpu-7")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
