"""What every record has: a place on disk, an identity, and tables beside it. `records/` says
which there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self, TypeVar

from pydantic import Field, JsonValue, PrivateAttr, ValidationError

from components.core.errors import LineageError
from components.core.files import sha256_of_bytes, write_rows, write_text
from components.core.parts import Part, digest_of

Row = TypeVar("Row", bound=Part)


class Record(Part):
    """One stage's result. `FILE` is its name on disk; `digest` is its identity."""

    FILE: ClassVar[str]
    about: dict[str, JsonValue] = Field(
        default_factory=dict, description="facts for people; no part of the digest"
    )
    _folder: Path | None = PrivateAttr(default=None)

    @property
    def digest(self) -> str:
        """SHA-256 of everything but `about`: 64 hex digits."""
        return digest_of(self.model_dump(mode="json", exclude={"about"}))

    @property
    def folder(self) -> Path:
        """Where this copy lies; known once it was saved or loaded."""
        if self._folder is None:
            raise LineageError(f"this {type(self).__name__} was never saved, so it has no folder")
        return self._folder

    def save(self, folder: Path) -> Self:
        """Write the record as FOLDER/FILE in one step; gives itself back, now knowing its folder."""
        write_text(folder / self.FILE, self.model_dump_json(indent=2) + "\n")
        self._folder = folder.resolve()
        return self

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FOLDER/FILE. Raises LineageError, naming the stage to run, when it is absent or is
        no such record.
        """
        path = folder / cls.FILE
        if not path.is_file():
            raise LineageError(
                f"no {cls.__name__} at {path}; run the stage that makes it first (refocus run RECIPE does"
                " them in order)"
            )
        try:
            record = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise LineageError(
                f"{path} is not a {cls.__name__} this version can read: {error.errors()[0]['msg']}; run the"
                " stage that makes it again"
            ) from error
        record._folder = folder.resolve()
        return record


class TableRecord(Record):
    """A record with a table of rows beside it."""

    TABLE: ClassVar[str]
    table_sha256: str = Field(description="SHA-256 of the table's file")

    @property
    def tables(self) -> dict[str, str]:
        """Name and SHA-256 of every table beside the record."""
        return {self.TABLE: self.table_sha256}

    def _rows(self, kind: type[Row], table: str = "") -> tuple[Row, ...]:
        name = table or self.TABLE
        path, wanted = self.folder / name, self.tables[name]
        data = path.read_bytes() if path.is_file() else b""
        if sha256_of_bytes(data) != wanted:
            raise LineageError(
                f"{path} is missing or was altered: its SHA-256 is not the {wanted[:12]}… that {self.FILE}"
                " names; run the stage that makes it again"
            )
        return tuple(kind.model_validate_json(line) for line in data.splitlines())

    @classmethod
    def write_table(cls, folder: Path, rows: tuple[Part, ...], table: str = "") -> str:
        """Write the rows beside the record to be, as its table or another one; returns their
        SHA-256 for `table_sha256`.
        """
        return write_rows(folder / (table or cls.TABLE), rows)
