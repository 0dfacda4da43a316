"""What the image of a role installs, from pyproject.toml.

    python infra/requirements.py scheduler|services|trainer > wanted.txt

A scheduler and the services need no torch: it and what is built on it are left out.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

NEED_TORCH = ("torch", "torchvision", "torchmetrics", "torch-fidelity", "albumentations")
ROLES = {"scheduler": ((), NEED_TORCH), "services": (("team",), NEED_TORCH), "trainer": ((), ())}


def requirements(role: str, root: Path) -> list[str]:
    """The requirements of a role: all but those that need torch, unless it trains; and its extras."""
    extras, left_out = ROLES[role]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]
    return [one for one in wanted if name_of(one) not in left_out]


def name_of(requirement: str) -> str:
    """The package that a requirement is about.

    >>> name_of("ray[default,train]>=2.60,<3")
    'ray'
    """
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], Path(__file__).resolve().parents[1])))
