"""What `refocus restore` does with videos and, by restore_frames.py, folders of frames: a clip in, a restored
clip out, a few frames in memory whatever its length.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from components.console.photo_places import PhotoPlace, places_of
from components.console.restore import Restored, made_by, model_named
from components.console.restore_frames import restored_folder
from components.console.restored_before import By, RestoredBefore
from components.console.restored_names import names_of_restored, refuse_long
from components.core.delivery import Delivery
from components.core.errors import InputError, PhotoError
from components.core.files import sha256_of_file
from components.core.levels import Pixels, at_bits
from components.core.progress import Progress
from components.core.video import VIDEOS
from components.core.video.interlaced import refuse_interlaced
from components.core.video.reading import VideoFacts, facts_of_video, frames_of_video, times_of_frames
from components.core.video.scenes import is_cut
from components.core.video.timing import Timing, timing_of
from components.core.video.writing import CODECS, VideoForm, VideoWriter, refuse_cut
from components.core.windows import windows_of
from components.nets.choices import Precision
from components.nets.tiling import TiledRestorer
from components.services import ffmpeg, storage
from components.serving.model import ServedModel
from components.serving.settings import How

SLACK = 2  # frames that containers may promise and not hold


class Parted(NamedTuple):
    """What a command line names: clips, and the words that are left for photos."""

    clips: tuple[PhotoPlace, ...]
    words: tuple[str, ...]


def parted(words: Sequence[str], out: Path, *, frames: bool) -> Parted:
    """Videos among what the words name, by their endings; with `frames` every folder is a clip, too."""
    clips, left = list[PhotoPlace](), list[str]()
    for word in words:
        if frames and not storage.is_s3(word) and Path(word).is_dir():
            clips.append(PhotoPlace(word, Path(word).resolve().name, named=True))
            continue
        places = places_of([word], out)
        videos = [place for place in places if _is_video(place)]
        clips += videos
        others = [place for place in places if not _is_video(place)]
        if others and (not videos or any(place.is_meant_as_a_photo() for place in others)):
            left.append(word)
    return Parted(tuple(clips), tuple(left))


def restore_clips(
    clips: Sequence[PhotoPlace],
    model: str,
    out: Path,
    *,
    form: VideoForm = "mkv",
    overwrite: bool = False,
    device: str | None = None,
    precision: Precision = "fp32",
    tile_px: int = 1024,
) -> Restored:
    """Restore videos into files and folders of frames into folders, each frame in its window; gives what
    lies there now. A clip that cannot be used is told with its reason, and the others are done; one that
    ends before its end is restored so far, and told as well.

    Raises InputError where a file would be written twice or is not this command's, before anything is
    written, and PhotoError when no clip could be restored.
    """
    targets = _targets(clips, out, form)
    before = RestoredBefore(out)
    known = {name: before.known(name) for name in targets if _is_video(targets[name])}
    delivery = Delivery(out, overwrite=overwrite, known=known)
    delivery.refuse_others(known)
    served = model_named(model, How(device=device, tile_px=tile_px, precision=precision))
    done, told = list[Path](), list[str]()
    for name, place in targets.items():
        try:
            refuse_long(place, name, out)
            if not _is_video(place):
                done += restored_folder(Path(place.at), name, served, before, delivery, overwrite=overwrite)
                continue
            with _on_this_machine(place) as file:
                made = _Made(name, before, sha256_of_file(file), _by(served, file, place.at))
                if overwrite or not before.has(name, made.video_sha256, made.by):
                    told += _video(place, file, made, served, delivery, form)
                else:
                    print(f"restore: {out / name} was restored before", file=sys.stderr)
            done.append(out / name)
        except PhotoError as error:
            words = str(error)
            told.append(words if place.at in words else f"{place.at}: {words}")
    if not done:
        raise PhotoError("; ".join(told))
    for words in told:
        print(f"restore: {words}", file=sys.stderr)
    return Restored(tuple(done), len(told))


def restored_frames(frames: Iterable[Pixels], restorer: TiledRestorer) -> Iterator[Pixels]:
    """Each frame (H, W, 3) restored, in the window of its scene; one window is in memory."""
    for window in windows_of(frames, restorer.window, is_cut):
        yield restorer.restore_pixels(window)


class _Made(NamedTuple):
    """What the folder is told of a restored video before it lies there."""

    name: str
    before: RestoredBefore
    video_sha256: str
    by: By


def _by(served: ServedModel, file: Path, called: str) -> By:
    try:
        facts = facts_of_video(file, called)
    except PhotoError:
        return made_by(served, None)  # told when it is read
    return made_by(served, served.restorer.tiles_decide(facts.height, facts.width))


def _video(
    place: PhotoPlace, file: Path, made: _Made, served: ServedModel, delivery: Delivery, form: VideoForm
) -> list[str]:
    """Write one restored video; gives what a person should know of it. It takes its name when it is whole."""
    facts, restorer, count, written = facts_of_video(file, place.at), served.restorer, 0, 0
    refuse_interlaced(file, place.at)
    times = times_of_frames(file, place.at)
    timing = timing_of(times, facts.fps)
    with delivery.incoming(made.name) as temporary:
        size = (facts.width * restorer.scale, facts.height * restorer.scale)
        with (
            Progress("restore", len(times), unit="frames") as bar,
            VideoWriter(temporary, form, timing.fps, size) as video,
        ):
            frames = restored_frames(frames_of_video(file, called=place.at), restorer)
            for frame, shown in zip(frames, timing.each(), strict=False):
                for _ in range(shown):
                    video.write(at_bits(frame, 8))
                count, written = count + 1, written + shown
                bar.advance(1)
        if not count:
            raise PhotoError(f"{place.at}: no frame of it can be decoded; it is empty or damaged")
        refuse_cut(temporary, written)
        left = _completed(temporary, file, delivery.folder / made.name, form, facts, timing, restorer.scale)
        made.before.note(made.name, made.video_sha256, made.by, temporary)
    return [*left, *_cut_off(place, file, facts, times)]


def _cut_off(place: PhotoPlace, file: Path, facts: VideoFacts, times: Sequence[float]) -> list[str]:
    """Words where frames are missing, in number and in time: containers tell the one by the other, and
    take the longest of their streams.
    """
    count, promised_s = len(times), facts.frames / facts.fps - ffmpeg.late_s(file)
    longest_s = max((after - before for before, after in pairwise(times)), default=0.0)
    seen_s = times[-1] - times[0] + max(longest_s, 1 / facts.fps)  # the last is shown as long as any
    if facts.frames - count <= max(SLACK, facts.frames // 50):
        return []
    if promised_s - seen_s <= max(SLACK / facts.fps, promised_s / 50):
        return []
    return [
        f"{place.at} ends after {count} of the {facts.frames} frames that it promises: it is cut off or"
        " damaged, and restored so far"
    ]


def _targets(clips: Sequence[PhotoPlace], out: Path, form: VideoForm) -> dict[str, PhotoPlace]:
    """By the name of each restored clip what it is of."""
    videos = [place for place in clips if _is_video(place)]
    targets = {name: place for place, name in names_of_restored(videos, out, f".{form}", "clips").items()}
    for place in (place for place in clips if not _is_video(place)):
        if place.name in targets:
            raise InputError(
                f"two of the clips would both become {place.name}: {targets[place.name].at} and {place.at};"
                " restore them into different folders"
            )
        if os.path.realpath(out / place.name) == os.path.realpath(place.at):
            raise InputError(
                f"{place.at} would be overwritten by its own restored frames; choose another --out"
            )
        targets[place.name] = place
    return targets


def _is_video(place: PhotoPlace) -> bool:
    return PurePosixPath(place.at).suffix.lower() in VIDEOS and not Path(place.at).is_dir()


@contextlib.contextmanager
def _on_this_machine(place: PhotoPlace) -> Iterator[Path]:
    """A video as a file, which FFmpeg needs."""
    if not storage.is_s3(place.at):
        if not Path(place.at).is_file():
            raise PhotoError(f"no video at {place.at}")
        yield Path(place.at)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / PurePosixPath(place.name).name
        try:
            storage.download(place.at, copy)
        except storage.ObjectError as error:
            raise PhotoError(f"unreadable: {error}") from error
        yield copy


def _completed(
    made: Path, original: Path, path: Path, form: VideoForm, facts: VideoFacts, timing: Timing, scale: int
) -> list[str]:
    """Add what OpenCV leaves out where FFmpeg is at hand, else say how; say what is another than it was.
    Gives words where it lacks what it could have.
    """
    told, lacking = [], list[str]()
    width, height = (side * scale for side in (facts.width, facts.height))
    if width % 2 or height % 2:
        told.append(
            f"has its last row or column twice: videos are written with even sides, and {width} × {height} px"
            " are not"
        )
    if timing.varies:
        told.append(
            f"has {timing.fps:.6g} frames a second, some of them more than once: the original's rate varies"
        )
    if ffmpeg.on_path():
        shape = facts.px_shape * (width + width % 2) / (height + height % 2)
        aspect = None if facts.px_shape == 1 else f"{shape.numerator}:{shape.denominator}"
        try:
            told.append(ffmpeg.complete(made, original, form, aspect))
        except ffmpeg.FfmpegError as error:
            lacking.append(
                f"{path} has no sound: ffmpeg: {error}; to add it: {ffmpeg.line_by_hand(path, original)}"
            )
    else:
        wide = "" if facts.px_shape == 1 else f", nor that its px are {facts.px_shape} times as wide as high"
        told.append(
            f"is {CODECS[form].words}; sound and colour tags are not in it (OpenCV writes neither){wide},"
            " frame rate is. With ffmpeg on the path they are copied; the sound by hand:"
            f" {ffmpeg.line_by_hand(path, original)}"
        )
    for words in filter(None, told):
        print(f"restore: {path} {words}", file=sys.stderr)
    return lacking
