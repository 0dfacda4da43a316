"""Video whose frames are woven of two half pictures, as old cameras and DVDs have it.

OpenCV 5.0's FFmpeg converts no such frame: it says so in its log alone, and gives what happened to lie in
memory.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from components.core.errors import PhotoError
from components.core.video.reading import frames_of_video

COMPARED = 8  # frames; one that is not converted is what was there before, so that two are the same
LOOKED_AT = 48  # frames
LOOK = (
    "import sys, cv2\n"
    "video = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)\n"
    "any(not video.read()[0] for _ in range(int(sys.argv[2])))"
)
SAYS = "Cannot convert interlaced"


def refuse_interlaced(file: Path, called: str | None = None) -> None:
    """Raises PhotoError, with the line that makes it progressive, where OpenCV would give no pictures.

    Where successive frames are the same, which may be a still, a process of its own looks: what it prints
    is all that tells. called: what messages call it.
    """
    if not _two_the_same(file, called):
        return
    errors = {"OPENCV_FFMPEG_LOGLEVEL": "16"}  # of FFmpeg, which the user may have silenced
    command = [sys.executable, "-c", LOOK, str(file.absolute()), str(LOOKED_AT)]
    found = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, env=os.environ | errors
    )
    if SAYS.encode() not in found.stdout:
        return
    name = called or str(file)
    made = shlex.quote(str(Path(name).with_suffix("")) + "-progressive.mkv")
    raise PhotoError(
        f"{name} is interlaced: each frame is woven of two half pictures, which OpenCV cannot convert; make"
        f" it progressive first: ffmpeg -i {shlex.quote(name)} -vf bwdif=mode=send_frame -c:v ffv1 -c:a copy"
        f" {made}"
    )


def _two_the_same(file: Path, called: str | None) -> bool:
    frames = list(islice(frames_of_video(file, called=called), COMPARED))
    return len(frames) < 2 or any(np.array_equal(one, two) for one, two in pairwise(frames))
