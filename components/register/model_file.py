"""The file MLflow runs to load a registered model. It lives inside the model folder, away from this
repository.

It finds `components` (core and nets only) in the zip of the model's own code folder, checks the
weights' SHA-256 and restores photos.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np


class Restoration(mlflow.pyfunc.PythonModel):  # type: ignore[misc,unused-ignore]
    """Photos in, restored photos out, of any size; a super-resolution model gives them as many
    times larger as its scale.
    """

    def load_context(self, context: Any) -> None:
        """Check the files against their digests and build the generator. Raises ValueError when one
        was altered.
        """
        folder = Path(context.artifacts["restorer"])
        for name, wanted in json.loads((folder / "sha256.json").read_text()).items():
            with (folder / name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != wanted:
                    raise ValueError(
                        f"{name} of this model was altered: its SHA-256 is not {wanted[:12]}…; fetch the"
                        " model again"
                    )
        code = str(folder.parents[1] / "code" / "components.zip")
        if code not in sys.path:
            sys.path.insert(0, code)
        from components.nets.restore import load_restorer

        self._restorer = load_restorer(folder)

    # MLflow knows the bare np.ndarray as "an array, see the signature"; any other hint, or none,
    # makes it warn.
    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> Any:
        """Restore one photo (H, W, 3) or several of one size (N, H, W, 3), sRGB: uint8, or float32
        in [0, 1]; the same type comes back.
        """
        photos = np.asarray(model_input)
        if photos.dtype not in (np.uint8, np.float32) or photos.ndim not in (3, 4) or photos.shape[-1] != 3:
            raise ValueError(
                "photos must be (H, W, 3) or (N, H, W, 3), uint8 or float32 in [0, 1]; got shape"
                f" {photos.shape}, {photos.dtype}"
            )
        whole = photos.dtype == np.uint8
        asked = (photos if photos.ndim == 4 else photos[None]).astype(np.float32) / np.float32(
            255 if whole else 1
        )
        restored = np.stack([self._restorer.restore(photo) for photo in asked]).clip(0, 1)
        if whole:
            restored = (restored * 255).round().astype(np.uint8)
        return restored if photos.ndim == 4 else restored[0]


mlflow.models.set_model(Restoration())
