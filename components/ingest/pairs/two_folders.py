"""Any two folders: blurred pictures in one, sharp ones in the other, paired by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.core.photo_names import PICTURE, composed
from components.core.records import SPLITS, Split
from components.ingest.pairs.layout import (
    Key,
    Layout,
    Listing,
    Named,
    Text,
    frame_number,
    joined,
    stem,
)


class TwoFolders(Layout):
    """BLURRED/NAME and SHARP/NAME below the source, or below its folders train, val and test;
    extensions may differ, folders below count as a part of NAME.

    With `strip`, several blurred pictures may go with one sharp one: im1_kernel3 with im1 by strip:
    _kernel\\d+$ (Levin et al. 2009).
    """

    LIES: ClassVar[str] = (
        "BLURRED/NAME.png beside SHARP/NAME.png (ingest.pairs.input and .target name the folders, .strip what"
        " names differ by), also below train/, val/, test/"
    )
    kind: Literal["two_folders"] = "two_folders"
    input: str = Field("blur", min_length=1, description="folder of the blurred pictures")
    target: str = Field("sharp", min_length=1, description="folder of the sharp pictures")
    strip: str | None = Field(
        None,
        min_length=1,
        description=(
            "regular expression; what it finds in a name without its extension is taken out before pairing"
        ),
    )
    scene: str | None = Field(
        None,
        min_length=1,
        description=(
            "regular expression; its first group, or all it finds, in a sharp picture's NAME is the scene."
            " null: the folder below SHARP, or each alone"
        ),
    )
    clips: bool = Field(
        False,
        description="a folder below SHARP is a video, and the number that a NAME ends in its frame's place",
    )
    variant: str | None = Field(
        None, description="what to record as the blurred pictures' variant, such as blur_gamma"
    )

    @field_validator("input", "target")
    @classmethod
    def _plain(cls, folder: str) -> str:
        if folder.startswith("/") or ".." in PurePosixPath(folder).parts:
            raise ValueError(f"a folder below the source is wanted, such as blur or data/input; got {folder}")
        return folder.strip("/")

    @field_validator("strip", "scene")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern} is no regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _one_picture_a_frame(self) -> Self:
        if self.clips and self.strip is not None:
            raise ValueError(
                f"clips is on, and strip {self.strip} lets several blurred pictures go with one frame: leave"
                " one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.input == self.target:
            raise ValueError(f"input and target are both {self.input}: name two folders")
        return self

    @property
    def gives_clips(self) -> bool:
        """Where it was said."""
        return self.clips

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source."""
        pairs, alone = joined(
            self._keyed(self.input, names), self._keyed(self.target, names), several=self.strip is not None
        )
        return Listing(
            tuple(
                Named(
                    input,
                    (target,),
                    self._scene(key[1], target),
                    _split(key),
                    self.variant,
                    clip=_clip(key) if self.clips else None,
                    frame=frame_number(key[1]) if self.clips else None,
                )
                for key, input, target in pairs
            ),
            tuple(alone),
        )

    def within(self, names: Sequence[str]) -> frozenset[str]:
        """Those of the names that lie in either folder."""
        return frozenset(
            name for folder in (self.input, self.target) for _, name in self._keyed(folder, names)
        )

    def _keyed(self, folder: str, names: Sequence[str]) -> Iterator[tuple[Key, str]]:
        pattern = re.compile(
            rf"(?:({'|'.join(SPLITS)})/)?{re.escape(composed(folder))}/((?:.*/)?{PICTURE})", re.IGNORECASE
        )
        for name in names:
            if found := pattern.fullmatch(name):
                plain = stem(found[2])
                yield (
                    (
                        found[1] or "",
                        plain if self.strip is None else re.sub(composed(self.strip), "", plain),
                    ),
                    name,
                )

    def _scene(self, plain: str, target: str) -> str | None:
        if self.scene is None:
            folder = str(PurePosixPath(plain).parent)
            return None if folder == "." else folder
        found = re.search(composed(self.scene), plain)
        return None if found is None else found[1] if found.re.groups else found[0]


def _clip(key: Key) -> str:
    """The folders that a frame lies in, the split's among them."""
    return str(PurePosixPath(key[0]) / PurePosixPath(key[1]).parent)


def _split(key: Key) -> Split | None:
    return next((split for split in SPLITS if key[0] == split), None)
