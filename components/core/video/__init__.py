"""Videos through OpenCV, which brings FFmpeg's decoders and its free encoders along.

reading.py     what a file says of itself, and its frames one at a time
timing.py      when each frame is shown, where the frame rate varies
interlaced.py  video that is refused: OpenCV cannot convert it
writing.py     frames into a file: FFV1 without loss, VP9 and MPEG-4 to be looked at
scenes.py      where one scene ends and the next begins
"""

from __future__ import annotations

VIDEOS = frozenset(
    {
        ".mp4",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".m4v",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".wmv",
        ".flv",
        ".ogv",
        ".3gp",
        ".gif",
    }
)
