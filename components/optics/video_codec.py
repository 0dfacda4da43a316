"""What is lost when a camera writes video: frames through a codec that OpenCV can write, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from components.core.parts import Part

if TYPE_CHECKING:
    from components.core.images import Bytes8
    from components.core.video.writing import VideoForm

FORMS: dict[str, VideoForm] = {"mpeg4": "mp4", "vp9": "webm"}


class VideoCodec(Part):
    """A codec, at the bit rate that OpenCV gives it for the size and frame rate."""

    kind: Literal["mpeg4", "vp9"] = Field("mpeg4", description="MPEG-4 Part 2, or VP9")
    share: float = Field(1.0, gt=0, le=1, description="share of the clips that are written so")

    def drawn(self, rng: np.random.Generator) -> bool:
        """Whether a clip is."""
        return bool(rng.random() < self.share)

    def roundtrip(self, frames: Sequence[Bytes8], fps: float) -> list[Bytes8]:
        """The frames of a clip, (H, W, 3) uint8, as they come back from a file."""
        from components.core.video.reading import frames_of_video
        from components.core.video.writing import VideoWriter, refuse_cut

        height, width = frames[0].shape[:2]
        with tempfile.TemporaryDirectory(prefix="refocus-codec-") as folder:
            file = Path(folder) / f"clip.{FORMS[self.kind]}"
            with VideoWriter(file, FORMS[self.kind], fps, (width, height)) as video:
                for frame in frames:
                    video.write(frame)
            refuse_cut(file, len(frames))
            return [np.ascontiguousarray(frame[:height, :width]) for frame in frames_of_video(file)]
