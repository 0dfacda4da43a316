"""The report on what was left out and why: quarantine.json beside the photos. Being listed there
stops no run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field

from components.core.files import write_text
from components.core.parts import Part

FILE = "quarantine.json"


class LeftOut(Part):
    """One file that is not used."""

    name: str = Field(description="name below the source")
    reason: str = Field(description="`kind: what exactly`, such as `too small: 20 × 20 px, ...`")

    @property
    def kind(self) -> str:
        """The reason in one or two words."""
        return self.reason.partition(":")[0]


class Quarantine(Part):
    """Everything at the source that became no photo."""

    left_out: tuple[LeftOut, ...] = Field(description="files with a photo's extension, in the order of names")
    ignored: dict[str, int] = Field(description="files with other extensions: how many of each")

    @classmethod
    def of(cls, reasons: Iterable[tuple[str, str]], ignored: Mapping[str, int]) -> Self:
        """Build the report from (name, reason) in any order."""
        return cls(
            left_out=tuple(LeftOut(name=name, reason=reason) for name, reason in sorted(reasons)),
            ignored=dict(sorted(ignored.items())),
        )

    def kinds(self) -> dict[str, int]:
        """How often each kind of reason occurs, the commonest first."""
        return dict(
            sorted(Counter(row.kind for row in self.left_out).items(), key=lambda item: (-item[1], item[0]))
        )

    def words(self) -> str:
        """The report in one line: commonest reasons with an example each.

        >>> reasons = [("a.jpg", "too small: 8 × 8 px"), ("b.jpg", "truncated: cut")]
        >>> Quarantine.of(reasons, {".txt": 2}).words()
        '1 too small (a.jpg), 1 truncated (b.jpg); ignored by extension: 2 .txt'
        """
        example = {row.kind: row.name for row in reversed(self.left_out)}
        reasons = ", ".join(
            f"{count} {kind} ({example[kind]})" for kind, count in list(self.kinds().items())[:5]
        )
        others = ", ".join(
            f"{count} {extension or 'without one'}"
            for extension, count in sorted(self.ignored.items(), key=lambda item: (-item[1], item[0]))[:5]
        )
        return (
            "; ".join(part for part in (reasons, f"ignored by extension: {others}" if others else "") if part)
            or "nothing left out"
        )

    def save(self, folder: Path) -> None:
        """Write FOLDER/quarantine.json in one step."""
        write_text(folder / FILE, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FOLDER/quarantine.json."""
        return cls.model_validate_json((folder / FILE).read_bytes())
