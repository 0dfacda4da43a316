"""The releases of the libraries that results rest on: two releases of one library may round, draw or
decode otherwise, so what is kept names them and records tell them.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

from pydantic import JsonValue

# What draws, computes, decodes and enlarges; names as pip has them.
RESTS_ON = (
    *("torch", "torchvision", "numpy", "scipy", "opencv-python-headless", "albumentations"),
    *("pillow", "simplejpeg", "imagecodecs"),
)
NAME = "releases"  # in a record's `about`


def release_of(version: str) -> str:
    """The release of a version: two numbers. Its third mends, and what comes after + is a build for another
    device; both would part machines that compute alike.

    >>> release_of("2.14.1+cu126"), release_of("4.13.0.92"), release_of("2026.3")
    ('2.14', '4.13', '2026.3')
    """
    return ".".join(version.split("+")[0].split(".")[:2])


def releases() -> dict[str, str]:
    """Library to release, of those that are installed here. None is imported for it."""
    found: dict[str, str] = {}
    for name in RESTS_ON:
        try:
            found[name] = release_of(importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def noted(about: Mapping[str, JsonValue]) -> dict[str, str]:
    """The releases that a record was made with; none where it does not tell."""
    found = about.get(NAME)
    if isinstance(found, dict):
        return {name: str(release) for name, release in found.items()}
    torch = about.get("torch")  # all that reports of version 0.1 tell
    return {"torch": release_of(torch)} if isinstance(torch, str) else {}


def that_differ(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """In words what a record has in other releases than this process; "" where there is nothing, or it does
    not tell.

    >>> that_differ({"torch": "2.13", "numpy": "2.4"}, {"torch": "2.14", "numpy": "2.4"})
    'torch 2.13 (here 2.14)'
    """
    return ", ".join(
        f"{name} {release} (here {other[name]})"
        for name, release in one.items()
        if other.get(name, release) != release
    )
