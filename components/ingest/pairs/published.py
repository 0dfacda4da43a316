"""The published sets of real and averaged blur, each as its archive unpacks. Pictures of other
variants beside the chosen one are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field

from components.core.errors import PhotoError
from components.core.photo_names import PICTURE
from components.core.records import Split
from components.ingest.pairs.layout import (
    Listing,
    Named,
    PublishedLayout,
    Text,
    fitting,
    frame_number,
    joined,
    stem,
)

# The average of frames around the sharp one lies aside where things sped up or slowed down: that is
# blur, not a fault of the pair.
OF_AVERAGES = Field(
    16.0,
    ge=0,
    le=64,
    description=(
        "a pair farther apart is left out; averages of frames lie a little aside by nature. null: only"
        " recorded"
    ),
)


class GoPro(PublishedLayout):
    """GOPRO_Large (Nah, Kim, Lee, CVPR 2017):
    {train,test}/SCENE/{blur,blur_gamma,sharp}/NNNNNN.png; 22 and 11 scenes, 2103 and 1111 pairs.

    `blur_gamma` averages frames linearised by a gamma of 2.2 and is the paper's; `blur` averages
    them as stored, and most later papers report on it. Results on the two cannot be compared, so
    the variant stands in every pair.
    """

    LIES: ClassVar[str] = (
        "train/SCENE/blur/000001.png (blur_gamma/ where ingest.pairs.variant says so) beside"
        " train/SCENE/sharp/000001.png, and test/ likewise"
    )
    kind: Literal["gopro"] = "gopro"
    variant: Literal["blur", "blur_gamma"] = Field(
        description="which average: blur (of stored values) or blur_gamma (the paper's)"
    )
    max_shift_px: float | None = OF_AVERAGES

    @property
    def gives_clips(self) -> bool:
        """Its scenes are videos."""
        return True

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source."""
        found = [
            ((match["top"], match[2].lower(), match[3], stem(match[5])), match[4].lower(), name)
            for match, name in fitting(rf"(train|test)/([^/]+)/(blur|blur_gamma|sharp)/({PICTURE})", names)
        ]
        return _folders(found, self.variant, self.variant)


class Reds(PublishedLayout):
    """REDS (Nah et al., CVPRW 2019):
    {train,val}/{train,val}_{sharp,blur,blur_comp,blur_jpeg}/VIDEO/NNNNNNNN.png (jpg in blur_jpeg),
    240 and 30 videos.

    The sharp frames of its test split were never published: `val` is what results are reported on,
    so it is the test split here.
    """

    LIES: ClassVar[str] = (
        "train/train_blur/000/00000000.png (train_blur_comp/ or train_blur_jpeg/ where ingest.pairs.variant"
        " says so) beside train/train_sharp/000/00000000.png, and val/val_blur, val/val_sharp likewise"
    )
    kind: Literal["reds"] = "reds"
    variant: Literal["blur", "blur_comp", "blur_jpeg"] = Field(
        "blur", description="blur alone, with MPEG compression as well, or with JPEG"
    )
    max_shift_px: float | None = OF_AVERAGES

    @property
    def gives_clips(self) -> bool:
        """Its scenes are videos."""
        return True

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source."""
        found = [
            ((match["top"], match[2].lower(), match[4], stem(match[5])), match[3].lower(), name)
            for match, name in fitting(
                rf"(train|val)_(sharp|blur|blur_comp|blur_jpeg)/([^/]+)/({PICTURE})", names
            )
        ]
        return _folders(found, self.variant, self.variant)


class Dvd(PublishedLayout):
    """DVD (Su et al., CVPR 2017, "Deep Video Deblurring for Hand-held Cameras"):
    SCENE/{input,GT}/NNNNN.jpg, 71 clips of which ten are for testing, below quantitative_datasets/ or
    already parted into train/ and test/.
    """

    LIES: ClassVar[str] = (
        "quantitative_datasets/IMG_0001/input/00000.jpg beside quantitative_datasets/IMG_0001/GT/00000.jpg,"
        " or both below train/ and test/"
    )
    # What the authors tested on, by the folders' names.
    TESTED: ClassVar[frozenset[str]] = frozenset(
        {
            "720p_240fps_2",
            "IMG_0003",
            "IMG_0021",
            *(f"IMG_003{number}" for number in (0, 1, 2, 3, 7, 9)),
            "IMG_0049",
        }
    )
    kind: Literal["dvd"] = "dvd"
    max_shift_px: float | None = OF_AVERAGES

    @property
    def gives_clips(self) -> bool:
        """Its scenes are videos."""
        return True

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source."""
        found = []
        for match, name in fitting(rf"([^/]+)/(input|GT)/({PICTURE})", names):
            above = PurePosixPath(match["top"] or ".").name.lower()
            side = above if above in ("train", "test") else "test" if match[2] in self.TESTED else "train"
            found.append(((match["top"] or "", side, match[2], stem(match[4])), match[3].lower(), name))
        return _folders(found, "input", None, "gt")


class Hide(PublishedLayout):
    """HIDE (Shen et al., ICCV 2019): train/NAME, test/test-close-ups/NAME,
    test/test-long-shot/NAME, and GT/NAME; 6397 and 2025 pairs.

    NAME is 12fromGOPR0950.png: the number of the frame and its video, which is the scene when val
    is taken out of train. Train and test may share a video.
    """

    LIES: ClassVar[str] = (
        "train/NAME.png, test/test-close-ups/NAME.png and test/test-long-shot/NAME.png beside GT/NAME.png"
    )
    kind: Literal["hide"] = "hide"
    max_shift_px: float | None = OF_AVERAGES

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source."""
        input, place = [], {}
        for match, name in fitting(rf"(train|test/test-close-ups|test/test-long-shot)/({PICTURE})", names):
            input.append(((match["top"], stem(match[3])), name))
            place[name] = match[2].lower()
        target = [
            ((match["top"], stem(match[2])), name) for match, name in fitting(rf"GT/({PICTURE})", names)
        ]
        pairs, alone = joined(input, target)
        return Listing(
            tuple(self._named(key[1], name, other, place[name]) for key, name, other in pairs), tuple(alone)
        )

    @staticmethod
    def _named(plain: str, input: str, target: str, place: str) -> Named:
        split: Split = "train" if place == "train" else "test"
        video = re.search(r"from([A-Za-z]+\d+)", plain)
        return Named(
            input,
            (target,),
            f"{split}/{video[1] if video else plain}",
            split,
            None if split == "train" else place.removeprefix("test/test-"),
        )


class RealBlur(PublishedLayout):
    """RealBlur (Rim et al., ECCV 2020): SUBSET/sceneNNN/{gt,blur}/{gt,blur}_N.png, split by
    RealBlur_{J,R}_{train,test}_list.txt; 3758 and 980 pairs.

    A line of a list names the sharp and the blurred file from the folder of the list on. J are the
    camera's JPEGs, R its raw pictures; both photographed through one beam splitter and aligned by
    the authors (folders ..._ECC_IMCORR_centroid_itensity_ref).
    """

    LIES: ClassVar[str] = (
        "RealBlur_J_train_list.txt and RealBlur_J_test_list.txt (R likewise) beside the folders that their"
        " lines name"
    )
    kind: Literal["realblur"] = "realblur"
    subset: Literal["J", "R"] = Field(description="J: the camera's JPEGs; R: its raw pictures")

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source; a line of a list that names no two files is left
        out. Raises PhotoError when a list has no other lines.
        """
        there, pairs, alone = set(names), list[Named](), list[tuple[str, str]]()
        for match, name in fitting(rf"RealBlur_{self.subset}_(train|test)_list\.txt", names):
            lines = [(number, line) for number, line in enumerate(text(name).splitlines(), 1) if line.strip()]
            short = [
                f"line {number} of {name} names one file, {line.strip()}; each line names a sharp and a"
                " blurred one"
                for number, line in lines
                if len(line.split()) < 2
            ]
            if short and len(short) == len(lines):
                raise PhotoError(short[0])
            alone += [(name, f"unmatched: {words}") for words in short]
            for _, line in lines:
                words = line.split()
                if len(words) < 2:
                    continue
                target, input = (f"{match['top']}{word.removeprefix('./')}" for word in words[:2])
                gone = [file for file in (target, input) if file not in there]
                if gone:
                    alone += [(file, f"unmatched: {name} names it, and it is not there") for file in gone]
                    continue
                scene = next((part for part in PurePosixPath(target).parts if part.startswith("scene")), None)
                split: Split = "train" if match[2].lower() == "train" else "test"
                pairs.append(Named(input, (target,), scene, split, self.subset))
        return Listing(tuple(pairs), tuple(alone))


class Koehler(PublishedLayout):
    """Köhler et al. (ECCV 2012): BlurryImages/BlurryI_K.png, four pictures by twelve recorded
    camera paths, and ImageI/KernelK/GroundTruthI_K_N.png.

    Beside each blurred picture stand about 199 sharp ones, taken along its path; the benchmark
    scores against the best of them. All of it is test.
    """

    LIES: ClassVar[str] = "Blurry1_1.png beside Image1/Kernel1/GroundTruth1_1_1.png to GroundTruth1_1_199.png"
    kind: Literal["koehler"] = "koehler"
    frame: Literal["nearest", "middle"] = Field(
        "nearest",
        description=(
            "the sharp picture: the one with the smallest squared difference (all are decoded, minutes for"
            " the whole set), or the middle one"
        ),
    )

    def listing(self, names: Sequence[str], text: Text) -> Listing:
        """Pairs among the names at the source."""
        frames: dict[tuple[str, str], list[tuple[int, str]]] = {}
        for match, name in fitting(r"GroundTruth(\d+)_(\d+)_(\d+)\.(?:png|jpe?g)", names):
            frames.setdefault((match[2], match[3]), []).append((int(match[4]), name))
        pairs, alone, used = [], [], set()
        for match, name in fitting(r"Blurry(\d+)_(\d+)\.(?:png|jpe?g)", names):
            key = (match[2], match[3])
            target = tuple(frame for _, frame in sorted(frames.get(key, [])))
            if not target:
                alone.append((name, "unmatched: no sharp picture goes with it"))
                continue
            used.add(key)
            chosen = target if self.frame == "nearest" else (target[(len(target) - 1) // 2],)
            pairs.append(Named(name, chosen, f"image{match[2]}", "test"))
        alone += [
            (found[0][1], "unmatched: no blurred picture goes with it")
            for key, found in sorted(frames.items())
            if key not in used
        ]
        return Listing(tuple(pairs), tuple(alone))


def _folders(
    found: Sequence[tuple[tuple[str, str, str, str], str, str]],
    folder: str,
    variant: str | None,
    target: str = "sharp",
) -> Listing:
    """Pairs out of (top, split, scene, name), folder, file: those in `folder` beside those in
    `target`. REDS numbers the videos of each split anew.
    """
    pairs, alone = joined(
        [(key, name) for key, where, name in found if where == folder],
        [(key, name) for key, where, name in found if where == target],
    )
    named = []
    for (_, side, scene, _), input, sharp in pairs:
        split: Split = "train" if side == "train" else "test"
        called = f"val/{scene}" if side == "val" else scene
        frame = frame_number(input)
        named.append(Named(input, (sharp,), called, split, variant, clip=called, frame=frame))
    return Listing(tuple(named), tuple(alone))
