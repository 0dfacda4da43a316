"""What was left out and why, and how much of it is too much: the house's one rule for bad items.

An item that cannot be used is listed with its reason, and the work goes on without it; it stops
where nothing is left, or where more is lost than the recipe allows (`max_left_out`). Ingest writes
the list as quarantine.json beside the photos, later stages as left_out.json beside what they make.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field

from components.core.errors import PhotoError
from components.core.files import write_text
from components.core.parts import Part

FILE = "quarantine.json"
LATER_FILE = "left_out.json"  # of the stages after ingest
# Reasons that lose nothing: the same picture is in the set under another name, or was never one of
# a pair.
NO_LOSS = ("near duplicate", "same bytes", "unmatched", "reserve")

# How much a stage after ingest may leave out.
MAX_LEFT_OUT = Field(
    0.2,
    ge=0,
    le=1,
    description="share of what this stage is given that it may leave out as unfit before that is an error",
)


class LeftOut(Part):
    """One file that is not used."""

    name: str = Field(description="name below the source")
    reason: str = Field(description="`kind: what exactly`, such as `too small: 20 × 20 px, ...`")

    @property
    def kind(self) -> str:
        """The reason in one or two words."""
        return self.reason.partition(":")[0]

    @property
    def example(self) -> str:
        """Its name, and what exactly is the matter with it."""
        exactly = self.reason.partition(":")[2].strip()
        return f"{self.name}: {exactly}" if exactly else self.name


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

    @property
    def lost(self) -> int:
        """How many are left out that could have been used, had they been whole and fit."""
        return sum(row.kind not in NO_LOSS for row in self.left_out)

    def words(self) -> str:
        """The report in one line: commonest reasons, each with an example in full.

        >>> reasons = [("a.jpg", "too small: 8 × 8 px"), ("b.jpg", "truncated: cut")]
        >>> Quarantine.of(reasons, {".txt": 2}).words()
        '1 too small (a.jpg: 8 × 8 px), 1 truncated (b.jpg: cut); ignored by extension: 2 .txt'
        """
        return "; ".join(part for part in (self.reason_words(whole=True), self.ignored_words()) if part) or (
            "nothing left out"
        )

    def reason_words(self, *, whole: bool = False) -> str:
        """The commonest reasons with an example each; empty where there is none. whole: with what exactly
        is the matter with the example, and its remedy.
        """
        example = {row.kind: row.example if whole else row.name for row in reversed(self.left_out)}
        kinds = list(self.kinds().items())
        rest = sum(count for _, count in kinds[5:])
        return ", ".join(
            [f"{count} {kind} ({example[kind]})" for kind, count in kinds[:5]]
            + ([f"{rest} for other reasons"] if rest else [])
        )

    def ignored_words(self) -> str:
        """The commonest extensions that are not a photo's; empty where there is none."""
        kinds = sorted(self.ignored.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _, count in kinds[5:])
        others = [f"{count} {extension or 'without one'}" for extension, count in kinds[:5]]
        shown = ", ".join(others + ([f"{rest} of other kinds"] if rest else []))
        return f"ignored by extension: {shown}" if shown else ""

    def save(self, folder: Path, file: str = FILE) -> None:
        """Write FOLDER/quarantine.json, or another file, in one step."""
        write_text(folder / file, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read FOLDER/quarantine.json."""
        return cls.model_validate_json((folder / FILE).read_bytes())


@dataclass(frozen=True)
class Unfit:
    """Items that a stage cannot use, for one cause."""

    items: Mapping[str, tuple[str, str]]  # id to (name, `kind: what exactly`)
    words: str  # what is wrong and what to do, as an error says it


def leave_out(
    stage: str, causes: Sequence[Unfit], splits: Mapping[str, str], *, most: float, what: str = "photos"
) -> Quarantine:
    """The list of what a stage goes on without.

    splits: every item's split, by its id; most: share of the items that may be left out.
    Raises PhotoError, with the causes' own words and every name, when more is lost, or when a split
    loses its last item.
    """
    reasons = {item: reason for cause in reversed(causes) for item, reason in cause.items.items()}
    quarantine = Quarantine.of(reasons.values(), {})
    if not reasons:
        return quarantine
    staying = {split for item, split in splits.items() if item not in reasons}
    emptied = {split for item, split in splits.items() if item in reasons} - staying
    if emptied or len(reasons) > most * len(splits):
        why = (
            f"so that nothing is left of {' and '.join(sorted(emptied))}"
            if emptied
            else f"more than {stage}.max_left_out = {most:g} of all {what} allows: raise it to go on without"
            " them"
        )
        names = ", ".join(row.name for row in quarantine.left_out)
        raise PhotoError(
            "; ".join(cause.words for cause in causes if cause.items)
            + f". {len(reasons)} of {len(splits)} would be left out, {why}. All of them: {names}"
        )
    return quarantine
