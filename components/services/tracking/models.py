"""Write a model folder that MLflow can load, and try it as a stranger would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from components.core.errors import StageError
from components.core.parts import Part
from components.services.tracking import store

TRIAL_LIMIT_S = 300


class Trial(Part):
    """What came of loading a model in a clean process."""

    largest_error: float
    code: str
    modules: tuple[str, ...]


def save_pyfunc(
    folder: Path,
    *,
    model_file: Path,
    code: Path,
    artifacts: Mapping[str, Path],
    example: np.ndarray[Any, np.dtype[np.float32]],
    requirements: tuple[str, ...],
    metadata: Mapping[str, str],
) -> None:
    """Write a pyfunc model folder whose code is plain files: nothing in it is pickled.

    model_file: Python file that ends in set_model; code: package folder, or file, that travels along;
    artifacts: folders by name;
    example: one input, (N, H, W, 3) float32; requirements: pinned. The signature is an unnamed
    tensor with free count, height and width: a named or fixed one bakes the example's size into the
    model.
    """
    package = store.mlflow()
    tensor = package.types.Schema([package.types.TensorSpec(np.dtype(np.float32), (-1, -1, -1, 3))])
    with store.asking("write the model's files"):
        package.pyfunc.save_model(
            path=str(folder),
            python_model=str(model_file),
            code_paths=[str(code)],
            artifacts={name: str(path) for name, path in artifacts.items()},
            signature=package.models.ModelSignature(inputs=tensor, outputs=tensor),
            input_example=example,
            pip_requirements=list(requirements),
            metadata=dict(metadata),
        )


def try_pyfunc(folder: Path) -> Trial:
    """Load a model folder in a clean process with pickle forbidden, and restore its stored example.

    Raises StageError, with the process's last words, when it does not come through.
    """
    # The processor alone: the stored restoration was made on it, and every machine has one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        **store.ENVIRONMENT,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-I", str(Path(__file__).with_name("trial.py")), str(folder.resolve())]
    with tempfile.TemporaryDirectory(prefix="refocus-trial-") as elsewhere:
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{elsewhere}/unused.db"
        try:
            done = subprocess.run(
                command,
                cwd=elsewhere,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TRIAL_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StageError(
                f"the model at {folder} did not load in a clean process within {TRIAL_LIMIT_S} s; it was not"
                " registered"
            ) from error
    try:
        return Trial.model_validate_json(done.stdout.strip().splitlines()[-1])
    except (ValidationError, IndexError, json.JSONDecodeError) as error:
        words = " / ".join(done.stderr.strip().splitlines()[-3:])
        raise StageError(
            f"the model at {folder} does not load in a clean process (exit {done.returncode}): {words}; it"
            " was not registered"
        ) from error
