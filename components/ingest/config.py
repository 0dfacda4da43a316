"""The recipe's section `ingest`: where the photos lie, which of them are refused, how they are
split.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.core.parts import Part
from components.core.records import Domain, Split
from components.ingest.pairs import Pairs
from components.ingest.pairs.two_folders import TwoFolders

BUNDLED = "bundled"


class ByContent(Part):
    """Split by the photo's bytes: a photo stays on its side whatever is added or taken away, and
    whatever it is called.
    """

    kind: Literal["by_content"] = "by_content"
    train: float = Field(0.8, gt=0, lt=1, description="share of the photos")
    val: float = Field(0.1, gt=0, lt=1, description="share of the photos")
    test: float = Field(0.1, gt=0, lt=1, description="share of the photos")
    reserve: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share that is set aside for later test sets: a test set wears out with each look at it",
    )
    rotation: int = Field(
        0,
        ge=0,
        description=(
            "which test set it is: 0 the first; 1 and more take the place of the worn one out of the reserve,"
            " in which that one then lies"
        ),
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        shares = (self.train, self.val, self.test, *([self.reserve] if self.reserve else []))
        total = sum(shares)
        if abs(total - 1.0) > 1e-6:
            names = "train + val + test" + (" + reserve" if self.reserve else "")
            told = " + ".join(f"{share:g}" for share in shares)
            raise ValueError(f"{names} must be 1, got {told} = {total:g}")
        most = int(self.reserve / self.test + 1e-6)
        if self.rotation > most:
            raise ValueError(
                f"rotation is {self.rotation}, but a reserve of {self.reserve:g} holds {most} test"
                f" {'set' if most == 1 else 'sets'} of {self.test:g}: add photos and raise reserve (train may"
                " give it up), or set a smaller rotation"
            )
        return self

    def bounds(self, split: Split) -> tuple[float, float]:
        """The split's part of [0, 1): train lies lowest, then val, then the test sets one after
        another; all but the present one are the reserve.
        """
        begins = self.train + self.val + self.rotation * self.test
        edges = {
            "train": (0.0, self.train),
            "val": (self.train, self.train + self.val),
            "test": (begins, begins + self.test if self.reserve else 1.0),
        }
        return edges[split]


class ByFolder(Part):
    """Split by the top folder a photo lies in: train/, val/ or test/; no other top folder may hold
    photos.
    """

    kind: Literal["by_folder"] = "by_folder"


class OneSplit(Part):
    """Everything in one split: pairs that are only measured on."""

    kind: Literal["one_split"] = "one_split"
    split: Split = Field("test", description="where all of them go")


Splitting = Annotated[ByContent | ByFolder | OneSplit, Field(discriminator="kind")]


class Domains(Part):
    """Two folders of photos without partners: those to be restored, and those that look right."""

    input: str = Field(
        "input", min_length=1, description="folder or prefix below `photos`, of pictures to be restored"
    )
    target: str = Field(
        "target", min_length=1, description="folder or prefix below `photos`, of pictures as they should look"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if _one_within_the_other(self.input, self.target):
            raise ValueError(
                f"domains are two folders, neither within the other; got input {self.input!r} and target"
                f" {self.target!r}"
            )
        return self

    def folder(self, domain: Domain) -> str:
        """A domain's folder."""
        return self.input if domain == "input" else self.target

    def refuse(self, pairs: Pairs) -> None:
        """Raises ValueError when these cannot be test pairs beside the domains."""
        if not isinstance(pairs, TwoFolders) or pairs.clips:
            kind = f"{pairs.kind} with clips" if isinstance(pairs, TwoFolders) else pairs.kind
            raise ValueError(
                f"pairs beside domains are a test set of photos in two folders more, got {kind}: set"
                " pairs to {kind: two_folders, input: FOLDER, target: FOLDER}, or leave domains out"
            )
        for folder in (pairs.input, pairs.target):
            for domain in (self.input, self.target):
                if _one_within_the_other(folder, domain):
                    raise ValueError(
                        f"pairs beside domains lie in folders of their own, and {folder!r} is not apart from"
                        f" the domain {domain!r}: a photo that is measured on must not be trained on"
                    )


def _one_within_the_other(one: str, other: str) -> bool:
    parts = [PurePosixPath(name).parts for name in (one, other)]
    short = min(map(len, parts))
    return parts[0][:short] == parts[1][:short]


class SharpClips(Part):
    """Clips out of sharp videos, for synthesize.clip: runs of successive frames within one scene, kept as
    PNG. A video's clips stand in one split.
    """

    frames: int = Field(9, ge=3, le=300, description="frames of a clip")
    every: int = Field(
        60, ge=1, le=1_000_000, description="frames from where a clip starts to where the next one may"
    )
    most: int = Field(20, ge=1, le=10_000, description="most clips of one video")


class IngestConfig(Part):
    """Where sharp photos come from and which are fit to be used."""

    photos: str = Field(
        BUNDLED,
        min_length=1,
        description=(
            "a folder, s3://bucket/prefix, or `bundled`: photos inside installed packages, with a split of"
            " their own"
        ),
    )
    min_px: int = Field(64, ge=16, description="px; a photo whose shorter side is smaller is left out")
    max_megapixels: float = Field(
        200.0, gt=0, le=1000, description="a photo that claims more is left out before it is decoded"
    )
    near_duplicate_bits: int = Field(
        64,
        ge=0,
        le=96,
        description=(
            "two photos are compared closely when at most so many of their 256 fingerprint bits differ"
        ),
    )
    group_by: Literal["photo", "folder"] = Field(
        "photo",
        description=(
            "what counts as one observation and is never parted between splits: a photo with its near"
            " duplicates, or all photos of a folder, for bursts and series of one scene"
        ),
    )
    max_left_out: float = Field(
        0.9,
        ge=0,
        le=1,
        description=(
            "share of the photos found that may be unusable before that is an error; copies and near"
            " duplicates do not count"
        ),
    )
    max_shrink: float = Field(
        0.2,
        ge=0,
        le=1,
        description=(
            "share by which the set may shrink since the last run before a person has to agree (refocus"
            " ingest RECIPE --accept-fewer)"
        ),
    )
    split: Splitting = Field(ByContent(), description="what decides a photo's split; with pairs, a scene's")
    pairs: Pairs | None = Field(
        None,
        description=(
            "take blurred pictures in beside the sharp ones, instead of making them: what lies at `photos`,"
            " and how; beside domains (two_folders alone) it is a paired test set, on which metrics that need"
            " a target are measured"
        ),
    )

    # Not written where there are none, so that earlier recipes keep their digest.
    domains: Domains | None = Field(
        None,
        exclude_if=lambda domains: domains is None,
        description="two folders below `photos` whose pictures have no partner; null: one domain",
    )

    # Likewise.
    clips: SharpClips | None = Field(
        None,
        exclude_if=lambda clips: clips is None,
        description="take clips out of the videos and folders of frames at `photos`; null: photos alone",
    )

    @property
    def by_folders(self) -> bool:
        """Whether photos of one folder are never parted: it is said, or the folder is a video."""
        return self.group_by == "folder" or self.clips is not None

    @model_validator(mode="after")
    def _clips_are_of_videos(self) -> Self:
        others = [name for name in ("pairs", "domains") if getattr(self, name) is not None]
        if self.clips is not None and (self.photos == BUNDLED or others):
            raise ValueError(
                "clips are taken out of sharp videos of your own: set photos to the folder or"
                " s3://bucket/prefix where they lie, and leave pairs and domains out"
            )
        return self

    @model_validator(mode="after")
    def _domains_are_folders_of_photos(self) -> Self:
        if self.domains is None:
            return self
        if self.photos == BUNDLED or not isinstance(self.split, ByContent):
            raise ValueError(
                "domains are two folders below photos of your own, split by their content: set photos to the"
                " folder or s3://bucket/prefix above them, and leave split out"
            )
        if self.pairs is not None:
            self.domains.refuse(self.pairs)
        if self.group_by == "folder":
            raise ValueError("domains are folders themselves: leave group_by folder out")
        return self

    @model_validator(mode="after")
    def _bundled_photos_lie_in_no_folder(self) -> Self:
        if self.photos == BUNDLED and isinstance(self.split, ByFolder):
            raise ValueError(
                "split by_folder needs photos in folders train, val and test; the bundled photos have a split"
                " of their own, so leave split out"
            )
        return self

    @model_validator(mode="after")
    def _folders_are_of_photos(self) -> Self:
        if self.group_by == "folder" and (self.photos == BUNDLED or self.pairs is not None):
            raise ValueError(
                "group_by folder is for a folder of photos of your own; bundled photos lie in none, and pairs"
                " know their scenes, so leave it out"
            )
        return self

    @model_validator(mode="after")
    def _bundled_photos_have_no_reserve(self) -> Self:
        if self.photos == BUNDLED and isinstance(self.split, ByContent) and self.split.reserve:
            raise ValueError(
                "split reserve needs photos of your own: the ten bundled ones have a split of their own, so"
                " leave reserve out or give photos"
            )
        return self

    @model_validator(mode="after")
    def _pairs_have_a_place_and_one_way_to_be_split(self) -> Self:
        if self.pairs is None:
            if isinstance(self.split, OneSplit):
                raise ValueError(
                    "split one_split is for pairs that are only measured on; set pairs too, or take"
                    " by_content or by_folder"
                )
            return self
        if self.photos == BUNDLED:
            raise ValueError(
                f"pairs {self.pairs.kind} need photos: the folder, or s3://bucket/prefix, where they lie"
                f" ({self.pairs.LIES})"
            )
        if self.pairs.OWN_SPLITS and self.split != ByContent():
            raise ValueError(
                f"pairs {self.pairs.kind} come with a train and a test split of their own, so leave split"
                f" out; got {self.split.kind}"
            )
        return self
