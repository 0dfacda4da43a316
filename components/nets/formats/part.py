"""What all formats of exported files share."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from components.core.errors import InputError
from components.core.parts import Part

if TYPE_CHECKING:
    from components.nets.restore import Restorer
    from components.nets.tiling import TiledRestorer

Photo = np.ndarray[Any, np.dtype[np.float32]]  # (H, W, 3) in [0, 1]
PhotoPair = tuple[Photo, Photo]  # input, and target (scale · H, scale · W, 3)


class FormatPart(Part):
    """A kind of file. `kind` is its word, `FILE` its name in a model's folder."""

    kind: str
    FILE: ClassVar[str]
    NEEDS: ClassVar[tuple[str, ...]]  # packages that write or run it
    EXTRA: ClassVar[str]  # the list of optional packages that has them
    exact: ClassVar[bool] = True  # rounds nothing and leaves nothing out: the same picture is expected

    @property
    def training_pairs(self) -> int:
        """How many training pairs `write` is to be given; 0 when it needs none."""
        return 0

    def need_packages(self) -> None:
        """Raises InputError when a package that this format needs is not installed."""
        absent = [name for name in self.NEEDS if importlib.util.find_spec(name) is None]
        if absent:
            raise InputError(
                f"format {self.kind} needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'}"
                f" not installed: pip install 'refocus[{self.EXTRA}]'"
            )

    def refuse(self, restorer: Restorer) -> None:
        """Raises InputError, with the reason, when this generator cannot become such a file."""

    @abstractmethod
    def write(
        self, restorer: Restorer, path: Path, *, about: dict[str, str], pairs: Sequence[PhotoPair] = ()
    ) -> None:
        """Write the file.

        about: facts that go into its metadata beside the generator's own; pairs: of the training.
        Raises InputError when the generator cannot become such a file.
        """

    @abstractmethod
    def open(self, path: Path, *, tile_px: int = 1024, threads: int | None = None) -> TiledRestorer:
        """A restorer that runs the file; threads: of the processor, None for all."""
