"""Blur out of video: the mean of successive frames, beside the frame in the middle (Nah et al.
2017, the GOPRO set).

A short exposure is sharp, and many of them one after the other are a long one. Averages of few
frames of something fast show ghosts; frames put between by optical flow close the gaps, but smooth
blur without noise misleads a net: with interpolation and no noise SRN loses 0.7 dB on real photos,
with noise it gains (RSBlur, Rim et al. 2022, table of syntheses).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.errors import PhotoError
from components.ingest.pairs.layout import Layout
from components.ingest.pairs.response import Response

if TYPE_CHECKING:
    from components.core.images import Bytes8, Pixels
    from components.ingest.pairs.frames import Frame

Variant = Literal["blur", "blur_gamma"]
Odd = Annotated[int, Field(ge=3, le=255)]


@dataclass(frozen=True)
class FrameGroup:
    """One pair out of a video."""

    index: int  # of the group in its video; the same whatever was skipped
    input: Bytes8  # (H, W, 3) uint8 sRGB
    target: Bytes8  # (H, W, 3) uint8 sRGB: the middle frame as it is stored
    drawn: dict[
        str, JsonValue
    ]  # frames, stride, first and middle frame, response, variant, interpolated frames
    severity_px: (
        float  # estimated from optical flow: RMS distance of a point from its mean place, mean over the photo
    )


class FrameAverage(Layout):
    """Every video below the source, and every folder that holds pictures, is a scene whose frames
    become pairs. Memory holds the frames of one group.
    """

    LIES: ClassVar[str] = (
        "videos (.mp4, .mov, .avi, .mkv and others that FFmpeg reads), or folders of frames, one folder a"
        " video"
    )
    kind: Literal["frame_average"] = "frame_average"
    max_shift_px: float | None = Field(
        None,
        ge=0,
        le=64,
        description=(
            "null: the shift is only recorded, since a mean of the very frames cannot be out of place"
        ),
    )
    frames: tuple[Odd, ...] = Field(
        (7, 9, 11, 13),
        min_length=1,
        description="frames in an exposure, odd so that one is in the middle; one is drawn per group",
    )
    stride: int = Field(1, ge=1, le=64, description="frames from one that is averaged to the next")
    step: int | None = Field(
        None,
        ge=1,
        description=(
            "frames from the start of a group to the start of the next; null: just behind its last, none used"
            " twice"
        ),
    )
    response: Response = Field(
        "gamma_2.2",
        description=(
            "how stored values become light to be averaged. linear: as they are, GOPRO's variant blur;"
            " gamma_2.2: its variant blur_gamma, the one of the paper; srgb: the exact curve, for video that"
            " follows it"
        ),
    )
    interpolate: int = Field(
        0,
        ge=0,
        le=31,
        description=(
            "frames put between two neighbours by optical flow. Misleads a net unless noise is added after:"
            " -0.7 dB without (RSBlur)"
        ),
    )
    seed: int = Field(0, ge=0, description="another seed draws other exposures")

    @model_validator(mode="after")
    def _odd(self) -> Self:
        even = [count for count in self.frames if count % 2 == 0]
        if even:
            raise ValueError(
                f"frames has {even[0]}: an even number has no frame in the middle; take {even[0] - 1} or"
                f" {even[0] + 1}"
            )
        return self

    @property
    def variant(self) -> Variant:
        """GOPRO's name for what is averaged; results on the two cannot be compared."""
        return "blur" if self.response == "linear" else "blur_gamma"

    @property
    def gives_clips(self) -> bool:
        """Successive groups are successive frames of a blurred video."""
        return True

    def spans(self) -> Iterator[tuple[int, int]]:
        """First frame and number of averaged frames of each group, without end; the same for every
        video of these settings.

        >>> groups = FrameAverage(frames=(3,), stride=2).spans()
        >>> [next(groups) for _ in range(3)]
        [(0, 3), (5, 3), (10, 3)]
        """
        start, index = 0, 0
        while True:
            count = self.frames[int(seeds.stream(self.seed, "frames", index).integers(len(self.frames)))]
            yield start, count
            start += (count - 1) * self.stride + 1 if self.step is None else self.step
            index += 1


def frame_groups(
    source: Path | Sequence[Frame], settings: FrameAverage, *, first_group: int = 0, called: str | None = None
) -> Iterator[FrameGroup]:
    """Pairs out of a video file, a folder of frames or the frames themselves (in the natural order
    of their names), one at a time.

    called: what messages call the source; its path when left out.
    first_group: groups before it are passed over, to go on after an interruption; what follows is
    the same. What is left at the end and does not fill a group is dropped.
    Raises PhotoError, at the first step, when the source is missing, is no video, holds too few
    frames for one group or frames of different sizes.
    """
    # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
    from components.ingest.pairs.averaging import averaged, motion_px
    from components.ingest.pairs.frames import frames_of

    groups = enumerate(settings.spans())
    index, (start, count) = next(group for group in groups if group[0] == first_group)
    held: deque[tuple[int, Pixels]] = deque()
    seen = start
    for seen, frame in enumerate(frames_of(source, first=start, called=called), start + 1):
        if settings.step is not None or (seen - 1 - start) % settings.stride == 0:
            held.append((seen - 1, frame))
        while (end := start + (count - 1) * settings.stride) < seen:
            shown = [
                pixels
                for place, pixels in held
                if start <= place <= end and (place - start) % settings.stride == 0
            ]
            drawn: dict[str, JsonValue] = {
                "frames": count,
                "stride": settings.stride,
                "first_frame": start,
                "middle_frame": start + count // 2 * settings.stride,
                "response": settings.response,
                "variant": settings.variant,
                "interpolated": settings.interpolate,
            }
            input, target = averaged(shown, settings.response, settings.interpolate)
            yield FrameGroup(index, input, target, drawn, motion_px(shown))
            index, (start, count) = next(groups)
            while held and held[0][0] < start:
                held.popleft()
    if index == 0:
        needed = (count - 1) * settings.stride + 1
        raise PhotoError(
            f"{called or source} has {seen} frames, but its first group needs {needed}; give a longer video,"
            " or lower frames or stride"
        )
