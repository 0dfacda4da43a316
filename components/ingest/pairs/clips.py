"""Videos and folders of frames at the source, and the pairs that are made of them at ingest, since
they come from the world.

What was made of a clip is noted in the state folder, bound to its bytes, the settings and the code:
an interrupted run goes on where it stopped, and a run on the same clips makes nothing again. Memory
holds the frames of one group.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from components.core.errors import PhotoError
from components.core.files import sha256_of_bytes, sha256_of_file, state_folder, write_text
from components.core.images import png_bytes
from components.core.parts import canonical_json, digest_of
from components.core.photo_names import extension_of
from components.core.pixel_code import pixel_code
from components.core.progress import Progress
from components.core.records import SPLITS
from components.core.video import VIDEOS
from components.core.video.interlaced import refuse_interlaced
from components.ingest.originals import FOLDER
from components.ingest.pairs import frames
from components.ingest.pairs.frame_average import FrameAverage, frame_groups
from components.ingest.pairs.import_pairs import Desk, Made, Reasons, Taken
from components.ingest.pairs.layout import Layout, Named
from components.ingest.source import Found
from components.services import storage

# What makes a clip's pairs of its frames.
CODE = (
    "core/video",
    *(f"ingest/pairs/{name}.py" for name in ("averaging", "clips", "frame_average", "frames", "response")),
)


@dataclass(frozen=True)
class Clip:
    """One scene: a video, or the frames of a folder."""

    name: str
    files: tuple[Found, ...]  # one video, or pictures

    @property
    def is_video(self) -> bool:
        """Whether it is one file."""
        return extension_of(self.files[0].name) in VIDEOS


def clips_of(found: Sequence[Found]) -> list[Clip]:
    """Every video and every folder that holds pictures, in the order of names."""
    folders: dict[str, list[Found]] = {}
    for file in found:
        if extension_of(file.name) in frames.FRAME_SUFFIXES:
            folders.setdefault(str(PurePosixPath(file.name).parent), []).append(file)
    videos = [Clip(file.name, (file,)) for file in found if extension_of(file.name) in VIDEOS]
    return sorted(
        [*videos, *(Clip(folder, tuple(files)) for folder, files in folders.items())],
        key=lambda clip: clip.name,
    )


def from_clips(
    clips: Sequence[Clip], settings: FrameAverage, out: Path, desk: Desk
) -> tuple[list[Taken], Reasons]:
    """Make the pairs of every clip and take them in; (name, reason) of the clips and groups that
    cannot be used.
    """
    taken: list[Taken] = []
    reasons: Reasons = []
    with Progress("ingest", len(clips), unit="clips") as bar:
        for clip in clips:
            try:
                for named, input, target, made in _pairs_of(clip, settings, out):
                    try:
                        taken.append(desk.examine(named, input, [target], made))
                    except PhotoError as error:
                        reasons.append((input.name, str(error)))
                    bar.advance(0, f"{len(taken)} pairs")
            except PhotoError as error:
                reasons.append((clip.name, f"video: {error}" if clip.is_video else f"frames: {error}"))
            bar.advance(1, f"{len(taken)} pairs")
    return taken, reasons


def _pairs_of(clip: Clip, settings: FrameAverage, out: Path) -> Iterator[tuple[Named, Found, Found, Made]]:
    """The pairs of a clip: those an earlier run made and that still lie there, then new ones."""
    with readable(clip) as source:
        digest = digest_of_clip(clip, source)
        journal = Journal(digest, settings)
        count = 0
        for row in journal.rows:
            if "end" in row:
                return
            kept = [out / FOLDER / f"{row[side]}.png" for side in ("input", "target")]
            if not all(path.is_file() and sha256_of_file(path) == path.stem for path in kept):
                break
            yield _pair(clip, settings, digest, count, row, kept[0].read_bytes(), kept[1].read_bytes())
            count += 1
        journal.keep(count)
        if isinstance(source, Path):
            refuse_interlaced(source, clip.name)
        for group in frame_groups(source, settings, first_group=count, called=clip.name):
            blurred, middle = png_bytes(group.input), png_bytes(group.target)
            row = {
                "input": sha256_of_bytes(blurred),
                "target": sha256_of_bytes(middle),
                "drawn": group.drawn,
                "severity_px": round(group.severity_px, 2),
            }
            yield _pair(clip, settings, digest, group.index, row, blurred, middle)
            journal.add(row)
        journal.add({"end": True})


def digest_of_clip(clip: Clip, source: Path | tuple[Found, ...]) -> str:
    """Of its bytes. Raises PhotoError when they cannot be read."""
    if not isinstance(source, Path):
        return digest_of([sha256_of_bytes(file.read()) for file in clip.files])
    try:
        return sha256_of_file(source)
    except OSError as error:
        raise PhotoError(f"unreadable: {error.strerror or error}") from error


def _pair(
    clip: Clip,
    settings: FrameAverage,
    digest: str,
    number: int,
    row: dict[str, Any],
    blurred: bytes,
    sharp: bytes,
) -> tuple[Named, Found, Found, Made]:
    drawn, top = row["drawn"], PurePosixPath(clip.name).parts[0]
    middle, first = drawn["middle_frame"], drawn["first_frame"]
    last = first + (drawn["frames"] - 1) * drawn["stride"]
    input = Found(f"{clip.name}/{first:06d}-{last:06d}.png", len(blurred), lambda: blurred)
    target = Found(f"{clip.name}/{middle:06d}.png", len(sharp), lambda: sharp)
    split = next((split for split in SPLITS if split == top != clip.name), None)
    named = Named(
        input.name, (target.name,), clip.name, split, settings.variant, clip=clip.name, frame=number
    )
    return (
        named,
        input,
        target,
        Made(row["severity_px"], {**drawn, "clip_sha256": digest}, f"frame {middle} of {clip.name}"),
    )


@contextmanager
def readable(clip: Clip) -> Iterator[Path | tuple[Found, ...]]:
    """A video as a file on this machine, which FFmpeg needs; frames as they are."""
    place = clip.files[0].at
    if not clip.is_video:
        yield clip.files
    elif isinstance(place, Path):
        yield place
    else:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / PurePosixPath(clip.name).name
            try:
                storage.download(place, copy)
            except storage.ObjectError as error:
                raise PhotoError(f"unreadable: {error}") from error
            yield copy


class Journal:
    """What was made of one clip: a JSON line a group, written as they are made, and a last one when
    the clip is at its end.
    """

    def __init__(self, clip_sha256: str, settings: FrameAverage) -> None:
        code = pixel_code(*CODE)
        # The limits of an import change nothing about what is made.
        own = settings.model_dump(mode="json", exclude=set(Layout.model_fields))
        self._path = state_folder() / "ingest" / f"clip-{digest_of([clip_sha256, own, code])[:24]}.jsonl"
        self.rows = list(_rows(self._path))

    def keep(self, count: int) -> None:
        """Forget all rows but the first ones, and what a killed run left of a line."""
        self.rows = self.rows[:count]
        write_text(self._path, "".join(canonical_json(row) + "\n" for row in self.rows))

    def add(self, row: dict[str, Any]) -> None:
        """Note a group once its pictures are kept."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(canonical_json(row) + "\n")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            return
        yield row
