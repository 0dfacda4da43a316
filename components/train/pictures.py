"""A set's pictures by name, decoded and enlarged once: kept in a file that all processes of this machine
share, or, where that has no room, in each one's memory as far as it goes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.core.images import rgb_of
from components.core.records import Pair, SourcePhoto, TargetPhoto
from components.services.content import FolderReader, Reader
from components.train.augment import enlarged, enlarged_side
from components.train.kept_pictures import KeptPictures, Slot

CACHE_BYTES = 1_500_000_000
Pixels = np.ndarray[Any, np.dtype[Any]]


class Pictures:
    """Pictures as a crop is cut of them. It travels to the loader's processes."""

    def __init__(
        self,
        files: Path | Reader,
        rows: Sequence[Pair | SourcePhoto | TargetPhoto] = (),
        *,
        enlarge: float = 1.0,
        scale: int = 1,
        keep_gigabytes: float = 0.0,
    ) -> None:
        """rows: whose pictures may be kept in a file. enlarge: of both pictures of a pair, by name as
        they are asked for; scale: side of a pair's target over that of its input. keep_gigabytes: most
        that the file may take.
        """
        self._reader = FolderReader(files) if isinstance(files, Path) else files
        self._enlarge, self._scale = enlarge, scale
        self._targets = {row.target for row in rows} if enlarge > 1 else set()
        self._cache: OrderedDict[str, Pixels] = OrderedDict()
        self._cached_bytes = 0
        self._kept = self._file(rows, keep_gigabytes) if rows and keep_gigabytes else None

    def __getitem__(self, name: str) -> Pixels:
        """(H, W, 3) uint8 or uint16, not to be written to."""
        found = self._at_hand(name)
        if found is None:
            found = self._prepared(name)
            if self._kept is not None:
                self._kept.put(name, found)
            if self._kept is None or self._kept.get(name) is None:
                self._cache[name] = found
                self._cached_bytes += found.nbytes
                while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
                    self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return found

    def expect(self, names: Iterable[str]) -> None:
        """These are asked for next."""
        self._reader.expect([name for name in names if self._at_hand(name) is None])

    def _at_hand(self, name: str) -> Pixels | None:
        found = self._cache.get(name)
        return self._kept.get(name) if found is None and self._kept is not None else found

    def _prepared(self, name: str) -> Pixels:
        picture = rgb_of(self._reader.read(name), name)
        return enlarged(picture, self._enlarge, self._scale if name in self._targets else 1)

    def _file(
        self, rows: Sequence[Pair | SourcePhoto | TargetPhoto], gigabytes: float
    ) -> KeptPictures | None:
        slots = {}
        for row in rows:
            for name, sha256 in row.files.items():
                # Both pictures of a source photo have its size; a pair's input is smaller by the scale.
                one = isinstance(row, SourcePhoto) or name == row.target
                sides = [side if one else side // self._scale for side in (row.height, row.width)]
                multiple = self._scale if name in self._targets else 1
                height, width = (enlarged_side(side, self._enlarge, multiple) for side in sides)
                slots[name] = Slot(name, sha256, height, width)
        first = self._prepared(rows[0].target)
        return KeptPictures.of(
            list(slots.values()),
            bytes_a_value=first.itemsize,
            gigabytes=gigabytes,
            prepared={"enlarge": self._enlarge, "scale": self._scale},
        )
