"""What was restored into a folder before, so that the same command does only what is left.

`.restored.jsonl` in the folder has a row for each file that was written there: of which bytes, by
what (`By`), and what it is. A row counts while the file is still that. It is written before the
file, so that no file is without one, whenever the command is stopped.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.parts import Part, canonical_json
from components.core.photo_names import readable

FILE = ".restored.jsonl"


class By(Part):
    """All that decides what becomes of a photo's bytes."""

    weights_sha256: str
    generator_sha256: str | None = None  # of what is done with the weights; None: the row is older than this
    precision: str = "fp32"
    tile_px: int | None = None  # where the photo is larger than a tile, and tiles are not the whole

    def same(self, other: By) -> bool:
        """Whether both restore alike, as far as is known."""
        if None in (self.generator_sha256, other.generator_sha256):
            other = other.model_copy(update={"generator_sha256": self.generator_sha256})
        return self == other


class _Row(By):
    name: str
    photo_sha256: str
    sha256: str

    @property
    def by(self) -> By:
        return By(**self.model_dump(include=set(By.model_fields)))


class RestoredBefore:
    """The rows of a folder; the last of a name counts. Lines that are none of ours are passed over."""

    def __init__(self, out: Path) -> None:
        self._out, self._rows, self._known = out, dict[str, _Row](), dict[str, set[str]]()
        try:
            lines = (out / FILE).read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return
        for line in lines:
            try:
                row = _Row.model_validate_json(line)
            except ValidationError:
                continue
            self._keep(row)

    def _keep(self, row: _Row) -> None:
        self._rows[row.name] = row
        self._known.setdefault(row.name, set()).add(row.sha256)

    def has(self, name: str, photo_sha256: str, by: By) -> bool:
        """Whether the file there is this photo's, restored so."""
        row = self._rows.get(readable(name))
        path = self._out / name
        return (
            row is not None
            and row.photo_sha256 == photo_sha256
            and row.by.same(by)
            and path.is_file()
            and sha256_of_file(path) == row.sha256
        )

    def known(self, name: str) -> list[str]:
        """The digests of files of that name that may be replaced: all that were ever written there."""
        return sorted(self._known.get(readable(name), ()))

    def note(self, name: str, photo_sha256: str, by: By, made: bytes | Path) -> None:
        """Add what is about to be written: its bytes, or where they lie until then."""
        digest = sha256_of_bytes(made) if isinstance(made, bytes) else sha256_of_file(made)
        row = _Row(name=readable(name), photo_sha256=photo_sha256, sha256=digest, **by.model_dump())
        if self._rows.get(row.name) == row:
            return
        self._keep(row)
        self._out.mkdir(parents=True, exist_ok=True)
        with (self._out / FILE).open("a") as stream:
            stream.write(canonical_json(json.loads(row.model_dump_json())) + "\n")
