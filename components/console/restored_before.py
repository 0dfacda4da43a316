"""What was restored into a folder before, so that the same command does only what is left.

`.restored.jsonl` in the folder has a row for each file that was written there: of which bytes, by
which weights in which precision, and what it is. A row counts while the file is still that.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from components.core.files import sha256_of_file
from components.core.parts import Part, canonical_json
from components.core.photo_names import readable

FILE = ".restored.jsonl"


class _Row(Part):
    name: str
    photo_sha256: str
    weights_sha256: str
    sha256: str
    precision: str = "fp32"


class RestoredBefore:
    """The rows of a folder; the last of a name counts. Lines that are none of ours are passed over."""

    def __init__(self, out: Path) -> None:
        self._out, self._rows = out, dict[str, _Row]()
        try:
            lines = (out / FILE).read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return
        for line in lines:
            try:
                row = _Row.model_validate_json(line)
            except ValidationError:
                continue
            self._rows[row.name] = row

    def has(self, name: str, photo_sha256: str, weights_sha256: str, precision: str) -> bool:
        """Whether the file there is this photo's, by these weights in this precision."""
        row = self._rows.get(readable(name))
        path = self._out / name
        return (
            row is not None
            and (row.photo_sha256, row.weights_sha256, row.precision)
            == (photo_sha256, weights_sha256, precision)
            and path.is_file()
            and sha256_of_file(path) == row.sha256
        )

    def known(self) -> dict[str, list[str]]:
        """By name the digest of each file that may be replaced."""
        return {name: [row.sha256] for name, row in self._rows.items()}

    def note(self, name: str, photo_sha256: str, weights_sha256: str, precision: str) -> None:
        """Add what was just written."""
        row = _Row(
            name=readable(name),
            photo_sha256=photo_sha256,
            weights_sha256=weights_sha256,
            sha256=sha256_of_file(self._out / name),
            precision=precision,
        )
        if self._rows.get(row.name) == row:
            return
        self._rows[row.name] = row
        with (self._out / FILE).open("a") as stream:
            stream.write(canonical_json(json.loads(row.model_dump_json())) + "\n")
