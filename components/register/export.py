"""Build a model folder that loads on any machine: weights as safetensors, the few source files that
read them (in one zip, from which Python imports them: a server is sent one file, not fifty), the
records, the card.

Nothing in it is pickled, and it is tried in a clean process before anybody can be given it.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import components
from components.core.errors import StageError
from components.core.files import sha256_of_file, write_text
from components.core.parts import canonical_json
from components.core.records import Checkpoint
from components.services import tracking

CARD, FILES, RECORDS, RESTORER = "MODEL_CARD.md", "files.json", "records", "restorer"
FORMATS = "formats"  # exported files, each with its parity record
WEIGHTS_PLACE = f"artifacts/{RESTORER}"
CODE = "components.zip"  # as model_file.py looks for it
REQUIRED = ("mlflow", "numpy", "pydantic", "safetensors", "torch")
TOLERANCE = 1e-4
Photo = np.ndarray[Any, np.dtype[np.float32]]
Beside = Callable[[Path], object]


def build(
    folder: Path,
    *,
    checkpoint: Checkpoint,
    example: Photo,
    records: Mapping[str, Path],
    card: str,
    beside: Beside | None = None,
) -> str:
    """Write the model folder and the digests of all its files; gives the digest of that list.

    example: a blurred photo (H, W, 3) float32 in [0, 1], a few dozen px, stored with its
    restoration;
    records: files that go into records/, by their name there; beside: writes files into formats/.
    """
    with tempfile.TemporaryDirectory(prefix="refocus-export-") as temporary:
        staging = Path(temporary)
        tracking.save_pyfunc(
            folder,
            model_file=Path(__file__).with_name("model_file.py"),
            code=_pack_code(staging / CODE),
            artifacts={RESTORER: _copy_restorer(staging / RESTORER, checkpoint)},
            example=example[None],
            requirements=tuple(
                f"{name}=={importlib.metadata.version(name).split('+')[0]}" for name in REQUIRED
            ),
            metadata={"refocus.checkpoint": checkpoint.digest},
        )
    (folder / "example").mkdir()
    np.save(folder / "example" / "blurred.npy", example[None], allow_pickle=False)
    np.save(folder / "example" / "restored.npy", _restored(checkpoint, example)[None], allow_pickle=False)
    if checkpoint.back_sha256 is not None:  # what restores does not need it, but a training that starts here
        shutil.copytree(checkpoint.folder / checkpoint.BACK, folder / checkpoint.BACK)
    (folder / RECORDS).mkdir()
    for name, path in records.items():
        shutil.copyfile(path, folder / RECORDS / name)
    write_text(folder / CARD, card)
    if beside is not None:
        beside(folder / FORMATS)
    digests = {
        path.relative_to(folder).as_posix(): sha256_of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    write_text(folder / FILES, canonical_json(digests) + "\n")
    return sha256_of_file(folder / FILES)


def try_out(folder: Path) -> None:
    """Load the model in a clean process, in another folder, with pickle forbidden, and restore the
    stored example.

    Raises StageError when it does not load, takes code from outside its folder, or gives another
    picture than the checkpoint did.
    """
    found = tracking.try_pyfunc(folder)
    if not Path(found.code).is_relative_to(folder.resolve()):
        raise StageError(
            f"the model at {folder} loads its code from {found.code}, not from its own folder; it would not"
            " load elsewhere, so it was not registered"
        )
    if not found.largest_error <= TOLERANCE:
        raise StageError(
            f"in a clean process the model differs from the checkpoint by {found.largest_error:.2g} of full"
            f" scale on the stored example ({TOLERANCE:.0e} is allowed); it was not registered"
        )


def _pack_code(target: Path) -> Path:
    """The inference subset of this package: core and nets. The same code gives the same bytes."""
    source = Path(components.__file__).parent
    paths = [source / "__init__.py", *(source / "core").rglob("*.py"), *(source / "nets").rglob("*.py")]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(paths):
            entry = zipfile.ZipInfo(path.relative_to(source.parent).as_posix())  # of 1980, whenever it is
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())
    return target


def _copy_restorer(target: Path, checkpoint: Checkpoint) -> Path:
    target.mkdir()
    for name in (checkpoint.WEIGHTS, checkpoint.CONFIG):
        shutil.copyfile(checkpoint.folder / name, target / name)
    write_text(
        target / "sha256.json",
        canonical_json(
            {checkpoint.WEIGHTS: checkpoint.weights_sha256, checkpoint.CONFIG: checkpoint.generator_sha256}
        )
        + "\n",
    )
    return target


def _restored(checkpoint: Checkpoint, example: Photo) -> Photo:
    from components.nets.restore import (
        load_restorer,
    )  # torch takes seconds to import; commands that register nothing must not wait for it

    return load_restorer(checkpoint.folder, device="cpu").restore(example).clip(0, 1)
