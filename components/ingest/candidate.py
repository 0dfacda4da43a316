"""A photo that may be used, with what decides where it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from components.core.files import sha256_of_bytes
from components.core.records import SPLITS, ClipFrame, Domain, Split
from components.ingest.config import ByContent, IngestConfig
from components.ingest.examine import Facts
from components.ingest.maps import Owner
from components.ingest.source import Found
from components.ingest.split import is_set_aside, split_of


@dataclass
class Candidate:
    """A usable photo under all the names it was found by, in the order of names."""

    id: str
    facts: Facts
    file: str
    size_bytes: int
    found: list[Found] = field(default_factory=list)
    frames: tuple[ClipFrame, ...] = ()  # that follow it

    def own_split(self, config: IngestConfig) -> Split:
        """The split its folder, its place in the bundled table or its bytes decide; train wins
        where names disagree.
        """
        told = [found.split for found in self.found if found.split is not None]
        if told:
            return min(told, key=SPLITS.index)
        assert isinstance(config.split, ByContent), "folders decide the split, so look() told it"
        return split_of(self.key(config), config.split)

    @property
    def domain(self) -> Domain | None:
        """The domain it lies in; None where there are none."""
        return self.found[0].domain

    def key(self, config: IngestConfig) -> str:
        """64 hex digits that decide its split: its own bytes' hash, or that of its folder's name."""
        folder = PurePosixPath(self.found[0].name).parent.as_posix()
        return sha256_of_bytes(folder.encode()) if config.by_folders and folder != "." else self.id

    def is_set_aside(self, config: IngestConfig) -> bool:
        """Whether it belongs to another test set than the present one."""
        told = any(found.split is not None for found in self.found)
        return (
            not told and isinstance(config.split, ByContent) and is_set_aside(self.key(config), config.split)
        )

    def named(self, split: Split) -> list[Found]:
        """Its names on that side."""
        return [found for found in self.found if found.split in (None, split)]

    def owner(self, config: IngestConfig) -> Owner:
        """What maps beside it are held against."""
        names = tuple(found.name for found in self.named(self.own_split(config)))
        return Owner(self.id, names, self.facts.width, self.facts.height)
