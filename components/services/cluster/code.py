"""The code of a run as one file that is known by what it holds, and what a node must have in common
with the run: that code, and the libraries.

The file is a zip without dates, so that the same code is the same bytes; Ray keeps it under their
hash, and every node unpacks it once. No path of this machine goes along.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from components.core.errors import InputError

PARTS = ("components", "flows")
BESIDE = ("pyproject.toml", "dvc.yaml", "constraints.txt")
KINDS = (".py", ".yaml", ".j2")
CODE = "code"
# What pixels, weights and their storage go through.
LIBRARIES = (
    "ray",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "albumentations",
    "pillow",
    "simplejpeg",
    "imagecodecs",
    "safetensors",
    "pydantic",
)
REMEDY = "install there what the run has (constraints.txt), or take the node out of the cluster"


def root() -> Path:
    """The checkout, or installation, whose code this process runs."""
    return Path(__file__).resolve().parents[3]


@contextmanager
def packed(place: Path | None = None) -> Iterator[Path]:
    """The code as a zip file, for the length of a block."""
    place = place or root()
    found = [path for part in PARTS for path in (place / part).rglob("*") if path.suffix in KINDS]
    found += [path for name in BESIDE if (path := place / name).is_file()]
    with tempfile.TemporaryDirectory(prefix="refocus-code-") as folder:
        made = Path(folder) / "code.zip"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
            for path in sorted(found):
                entry = zipfile.ZipInfo(path.relative_to(place).as_posix())  # of 1980, whenever it is made
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                package.writestr(entry, path.read_bytes())
        yield made


def asker() -> Callable[[], dict[str, str]]:
    """A function that tells what a process has: the digest of its code, Python, each library.

    It travels by value and needs nothing of ours: where it runs there may be other code, or none.
    """
    libraries, kinds = LIBRARIES, KINDS

    def about() -> dict[str, str]:
        import hashlib
        import importlib.util
        import pathlib
        import sys
        from importlib import metadata

        told = {"python": ".".join(map(str, sys.version_info[:2]))}
        for name in libraries:
            try:
                told[name] = metadata.version(name).split("+")[0]  # a build for another device is the same
            except metadata.PackageNotFoundError:
                told[name] = "none"
        spec = importlib.util.find_spec("components")
        places = list(spec.submodule_search_locations or ()) if spec else []
        total = hashlib.sha256()
        for place in map(pathlib.Path, places[:1]):
            for path in sorted(each for each in place.rglob("*") if each.suffix in kinds):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                total.update(f"{path.relative_to(place).as_posix()}\0{digest}\n".encode())
        return told | {"code": total.hexdigest()}

    return about


@cache
def wanted() -> Mapping[str, str]:
    """What this process has, which every node must have too."""
    return asker()()


def digest() -> str:
    """SHA-256 of this process's code below components/: names and bytes."""
    return wanted()[CODE]


def refuse_others(node: str, told: Mapping[str, str], wished: Mapping[str, str]) -> None:
    """Raises InputError, naming node and both versions, when a node has other code or libraries than a
    run. What the run's own machine has not is not compared.
    """
    for name, mine in wished.items():
        theirs = told.get(name, "none")
        if theirs == mine or mine == "none":
            continue
        if name == CODE:
            raise InputError(
                f"node {node} runs other code than this run (digest {theirs[:12]}…, here {mine[:12]}…):"
                " another copy comes first on its PYTHONPATH; take it off there, or take the node out of"
                " the cluster"
            )
        raise InputError(f"node {node} has {name} {theirs}, this run has {mine}; {REMEDY}")


def version_of(library: str) -> str | None:
    """A library's version; None where it is not installed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
