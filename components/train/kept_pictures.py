"""A set's decoded pictures in one file of this machine, which every process maps: whoever needs a
picture first decodes it for all, and for every training on the set until the machine is started anew.

Decoding costs fifty times a crop. A cache in a process's memory holds 1.5 GB and is filled once a
process; of GoPro's 11.6 GB it misses 87 of 100. Pages of a file are memory that all share and the
system takes back when it needs it.

A picture counts as there once its entry at the file's beginning says so, which is written after it:
who reads never sees half of one, whoever is killed. A crash of the machine itself could write the
entry and lose the pixels, hence the boot in the file's name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.core.files import make_folder, state_folder
from components.core.locks import locked
from components.core.parts import digest_of
from components.core.pixel_code import pixel_code

Pixels = np.ndarray[Any, np.dtype[Any]]
BOOT = Path("/proc/sys/kernel/random/boot_id")
CODE = ("train/augment.py", "train/pictures.py")
FREE_SHARE = 0.5  # of the disk's free space at most
ENTRY = np.dtype([("bytes_a_value", "<u4"), ("height", "<u4"), ("width", "<u4"), ("unused", "<u4")])
PAGE = 4096


class Slot(NamedTuple):
    """Room for one picture: its name, the SHA-256 of its file, and its size in px once prepared."""

    name: str
    sha256: str
    height: int
    width: int


@dataclass(frozen=True)
class KeptPictures:
    """The file and where in it each picture lies. It travels to other processes of this machine."""

    path: Path
    places: dict[str, tuple[int, int, int]]  # name to number, offset and room in bytes

    @classmethod
    def of(
        cls, slots: Sequence[Slot], *, bytes_a_value: int, gigabytes: float, prepared: object
    ) -> KeptPictures | None:
        """The file for these pictures, made if it is not there; None where they take more than so many
        gigabytes, or half of what is free on the disk.

        bytes_a_value: 1 or 2, of the set's pictures. prepared: what is done to them before they are
        kept, for the file's name.
        """
        places, end = {}, -(-len(slots) * ENTRY.itemsize // PAGE) * PAGE
        for number, slot in enumerate(slots):
            room = slot.height * slot.width * 3 * bytes_a_value
            places[slot.name] = (number, end, room)
            end += room
        folder = state_folder() / "decoded"
        make_folder(folder)
        boot = BOOT.read_text().strip()[:8] if BOOT.is_file() else "0"
        told = {"slots": [list(slot) for slot in slots], "prepared": prepared, "code": pixel_code(*CODE)}
        name = digest_of(told)[:20]
        path = folder / f"{name}-{bytes_a_value}-{boot}.pixels"
        with locked(folder / "decoded.lock", patience_s=120):
            if not path.is_file():
                if end > _room(folder, gigabytes, boot, end):
                    return None
                temporary = path.with_suffix(".new")
                with temporary.open("wb") as file:
                    file.truncate(end)  # holes: a picture takes room when it is written
                temporary.rename(path)
        return cls(path, places)

    def get(self, name: str) -> Pixels | None:
        """A picture (H, W, 3), read only; None where nobody has kept it yet."""
        place = self.places.get(name)
        if place is None:
            return None
        number, offset, _ = place
        mapped = self._mapped()
        if mapped is None:
            return None
        entry = mapped[number * ENTRY.itemsize : (number + 1) * ENTRY.itemsize].view(ENTRY)[0]
        value, height, width = (int(entry[name]) for name in ("bytes_a_value", "height", "width"))
        if not value:
            return None
        kept: Pixels = mapped[offset : offset + height * width * 3 * value]
        return kept.view(np.uint16 if value == 2 else np.uint8).reshape(height, width, 3)

    def put(self, name: str, picture: Pixels) -> None:
        """Keep a picture, where there is a place that holds it; a full disk keeps no more."""
        place = self.places.get(name)
        if place is None or place[2] < picture.nbytes:
            return
        number, offset, _ = place
        entry = np.zeros(1, ENTRY)
        entry[0] = (picture.itemsize, picture.shape[0], picture.shape[1], 0)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            _write(handle, np.ascontiguousarray(picture).tobytes(), offset)
            _write(handle, entry.tobytes(), number * ENTRY.itemsize)
        except OSError:
            return
        finally:
            os.close(handle)

    def _mapped(self) -> Pixels | None:
        mapped: Pixels | None = self.__dict__.get("_map")
        if mapped is None:
            try:
                mapped = np.asarray(np.memmap(self.path, np.uint8, mode="r"))
            except FileNotFoundError:  # another training needed the room
                return None
            object.__setattr__(self, "_map", mapped)
        return mapped

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "places": self.places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _write(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


def _room(folder: Path, gigabytes: float, boot: str, wanted: int) -> float:
    """Bytes that a new file may take: those before it go, the oldest first, as far as it needs that."""
    others = sorted(folder.glob("*.pixels"), key=lambda path: path.stat().st_mtime)
    for path in [path for path in others if not path.stem.endswith(boot)]:
        path.unlink()
        others.remove(path)
    most = gigabytes * 1e9
    while others and wanted <= most and wanted + sum(map(_taken, others)) > most:
        others.pop(0).unlink()  # who maps it keeps it
    return min(most, FREE_SHARE * shutil.disk_usage(folder).free)


def _taken(path: Path) -> int:
    return path.stat().st_blocks * 512
