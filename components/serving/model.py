"""One version of a model, loaded and proved ready: its files are those that were registered, and it
restores its stored example as it did then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_file
from components.nets.choices import Precision
from components.register.export import CARD, TOLERANCE, WEIGHTS_PLACE
from components.services import tracking
from components.services.tracking import registry

if TYPE_CHECKING:
    from components.nets.restore import Restorer
    from components.nets.tiling import TiledRestorer

ELSEWHERE_TOLERANCE = 1e-2  # on another device than the processor that the stored restoration was made on
BF16_TOLERANCE = 5e-2  # of full scale; 4.4e-2 was seen of DeblurGAN, untrained, on noise


@dataclass(frozen=True)
class ServedModel:
    """What restores, and what every answer says of it."""

    name: str
    number: int | None  # None: no version of the registry
    digest: str  # of its Checkpoint, or of the file where it has none
    weights_sha256: str
    card: str
    restorer: TiledRestorer = field(repr=False, compare=False)
    precision: str = "fp32"  # or "file": as an exported file was written
    generator_sha256: str | None = None  # of what says how the weights are used

    @property
    def words(self) -> str:
        """As every answer names it."""
        return self.name if self.number is None else f"{self.name} version {self.number}"


def of_version(
    version: tracking.Version,
    *,
    device: str | None,
    tile_px: int,
    precision: Precision = "fp32",
    proved: bool = True,
) -> ServedModel:
    """A registered version, ready.

    proved: it must restore its stored example as it did when it was registered. Raises LineageError
    when it does not, or its files were altered.
    """
    from components.nets.restore import CONFIG, load_restorer

    with tracking.fetch(version, WEIGHTS_PLACE) as folder:
        weights = _verified(folder, version)
        config = sha256_of_file(folder / CONFIG)
        restorer = load_restorer(folder, device=device, tile_px=tile_px, precision=precision)
        if proved:
            _prove(version, folder, restorer)
    text = ""
    if proved:
        with tracking.fetch(version, CARD) as card:
            text = card.read_text()
    digest = version.tags.get(registry.CHECKPOINT, weights)
    return ServedModel(version.name, version.number, digest, weights, text, restorer, precision, config)


def _prove(version: tracking.Version, folder: Path, restorer: Restorer) -> None:
    """Raises LineageError when the version restores its example otherwise than is stored, on the
    processor in float32, or on the device and in the precision that it will be used with.
    """
    from components.nets.restore import load_restorer

    with tracking.fetch(version, "example") as example:
        asked, expected = (
            np.load(example / f"{name}.npy", allow_pickle=False)[0] for name in ("blurred", "restored")
        )
    device, precision = restorer.device.type, restorer.precision
    if (device, precision) == ("cpu", "fp32"):
        _reproduces(restorer, asked, expected, version.words, TOLERANCE)
        return
    _reproduces(load_restorer(folder, device="cpu"), asked, expected, version.words, TOLERANCE)
    allowed = BF16_TOLERANCE if precision == "bf16" else ELSEWHERE_TOLERANCE
    _reproduces(restorer, asked, expected, f"{version.words} on {device} in {precision}", allowed)


def of_folder(
    folder: Path, *, device: str | None, tile_px: int, precision: Precision = "fp32"
) -> ServedModel:
    """A checkpoint's folder, as it is: for one's own trials."""
    from components.nets.restore import CONFIG, WEIGHTS, load_restorer

    restorer = load_restorer(folder, device=device, tile_px=tile_px, precision=precision)
    digest, config = sha256_of_file(folder / WEIGHTS), sha256_of_file(folder / CONFIG)
    return ServedModel(folder.resolve().name, None, digest, digest, "", restorer, precision, config)


def of_file(
    file: Path, *, tile_px: int, device: str | None = None, precision: Precision = "fp32"
) -> ServedModel:
    """A file that `refocus export` made, run by ONNX Runtime on the processor. Raises InputError when
    it is none, or is asked for with another device or precision than that.
    """
    if device not in (None, "cpu") or precision != "fp32":
        asked = f"--device {device}" if device not in (None, "cpu") else f"--precision {precision}"
        raise InputError(
            f"{file} is an exported file, which runs on the processor in the arithmetic that it was written"
            f" in: leave out {asked}, or name the registered model or the checkpoint's folder"
        )
    from components.nets.onnx_runner import OnnxRestorer

    restorer = OnnxRestorer(file, tile_px=tile_px)
    digest = sha256_of_file(file)
    return ServedModel(
        file.name, None, restorer.about.get("checkpoint", digest), digest, "", restorer, "file"
    )


def _verified(folder: Path, version: tracking.Version) -> str:
    """The weights' SHA-256, of files that are those that were registered."""
    wanted: dict[str, str] = json.loads((folder / "sha256.json").read_text())
    found = {name: sha256_of_file(folder / name) for name in wanted}
    tagged = version.tags.get(registry.WEIGHTS_SHA256)
    weights = next(digest for name, digest in found.items() if name.endswith(".safetensors"))
    if found != wanted or tagged not in (None, weights):
        raise LineageError(
            f"{version.words} was altered in the registry: its weights have SHA-256 {weights[:12]}…, not"
            f" {(tagged or '')[:12]}…; register it again"
        )
    return weights


def _reproduces(restorer: TiledRestorer, asked: Any, expected: Any, words: str, allowed: float) -> None:
    error = float(np.abs(restorer.restore(asked).clip(0, 1) - expected).max())
    if not error <= allowed:
        raise LineageError(
            f"{words} restores its stored example {error:.2g} of full scale away from what was registered"
            f" ({allowed:.0e} is allowed); it is not served"
        )
