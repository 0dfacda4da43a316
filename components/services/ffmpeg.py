"""The ffmpeg and ffprobe programs, where they are on the path: what OpenCV leaves of a video when it
writes one (sound, colour tags, the shape of a px, when it begins) goes from the original into it.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from components.core.causes import cause_in
from components.core.files import WHILE_WRITING
from components.core.video.writing import VideoForm

KEPT = ("-map", "1:a?", "-map_metadata", "1")
# How OpenCV writes colours, which it says in no file: RGB in FFV1, the matrix of BT.601 in the others.
WRITTEN: dict[VideoForm, tuple[str, ...]] = {
    "mkv": ("-colorspace", "rgb"),
    "webm": ("-colorspace", "smpte170m", "-bsf:v", "vp9_metadata=color_space=bt601"),
    "mp4": ("-colorspace", "smpte170m"),
}
# For sound that a form cannot hold as it is.
SOUND: dict[VideoForm, str] = {"mkv": "flac", "webm": "libopus", "mp4": "aac"}
# Curves of high dynamic range, which OpenCV maps to the ordinary range as it reads.
WIDE = ("smpte2084", "arib-std-b67")


def on_path() -> bool:
    """Whether there is an ffmpeg."""
    return shutil.which("ffmpeg") is not None


def line_by_hand(made: Path, original: Path) -> str:
    """What a person would type to copy the sound."""
    own = made.with_stem(made.stem + "-sound")
    return shlex.join(
        ["ffmpeg", "-i", str(made), "-i", str(original), "-map", "0:v", *KEPT, "-c", "copy", str(own)]
    )


def late_s(video: Path) -> float:
    """How long after its sound a video's pictures begin; 0 without ffprobe."""
    return _late_s(_facts(video.absolute()))


class FfmpegError(Exception):
    """What ffmpeg said when it failed."""


def complete(made: Path, original: Path, form: VideoForm, aspect: str | None = None) -> str:
    """Give a video that OpenCV wrote what the original has beside its frames; it stays in its place.

    aspect: of the whole picture as it is seen, such as 16:9, where px are not square.
    Returns what a person should know of it, "" for nothing. Raises FfmpegError where ffmpeg fails; the
    video is as it was then.
    """
    program = shutil.which("ffmpeg")
    assert program is not None, "asked for without an ffmpeg"
    source, aside = original.absolute(), made.absolute().with_name(f"{made.stem}-sound{made.suffix}")
    about = _facts(source)
    asked = [program, "-nostdin", "-v", "error", "-y", "-itsoffset", f"{_late_s(about):.6f}"]
    asked += ["-i", str(made.absolute()), "-i", str(source), "-map", "0:v", *KEPT, "-c", "copy"]
    rest = [*WRITTEN[form], *_tags(about), *([] if aspect is None else ["-aspect", aspect]), str(aside)]
    try:
        if not _failed([*asked, *rest]):
            told = ""
        elif failed := _failed([*asked, "-c:a", SOUND[form], *rest]):
            raise FfmpegError(failed)
        else:
            told = f"has its sound encoded anew ({SOUND[form]}), since {form} does not hold it as it was"
        aside.replace(made)
        return told
    finally:
        aside.unlink(missing_ok=True)


def _failed(command: list[str]) -> str:
    """What it said when it failed. Some versions end with 0 where the disk had no room for the last of it,
    and leave a file that is cut off.
    """
    found = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = " ".join(found.stderr.split())[-300:]
    if found.returncode == 0:
        cause = cause_in(said)
        return said if cause is not None and {*cause.errnos} & {*WHILE_WRITING} else ""
    return said or f"exit code {found.returncode}"


def _facts(original: Path) -> dict[str, Any]:
    """What ffprobe says of a video's pictures; nothing without it."""
    program = shutil.which("ffprobe")
    if program is None:
        return {}
    entries = "stream=start_time,color_primaries,color_transfer,sample_aspect_ratio:format=start_time"
    asked = ["-v", "error", "-select_streams", "V:0", "-show_entries", entries, "-of", "json", str(original)]
    found = subprocess.run([program, *asked], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    try:
        told = json.loads(found.stdout)
        return {**told["streams"][0], "begins": told["format"].get("start_time", 0.0)}
    except (ValueError, KeyError, IndexError):
        return {}


def _late_s(about: dict[str, Any]) -> float:
    try:
        return max(0.0, float(about.get("start_time", 0.0)) - float(about.get("begins", 0.0)))
    except ValueError:
        return 0.0


def _tags(about: dict[str, Any]) -> list[str]:
    primaries, curve = about.get("color_primaries"), about.get("color_transfer")
    if curve in WIDE:
        primaries = curve = "bt709"
    told = {"-color_primaries": primaries, "-color_trc": curve}
    return [
        word
        for name, value in told.items()
        if value not in (None, "unknown", "reserved")
        for word in (name, value)
    ]
