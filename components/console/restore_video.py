"""What `refocus restore` does with videos and folders of frames: a clip in, a restored clip out, a few
frames in memory whatever its length.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from components.console.photo_places import PhotoPlace, places_of
from components.console.restore import Restored, model_named
from components.console.restored_before import RestoredBefore
from components.core.delivery import Delivery
from components.core.encoding import encoded
from components.core.errors import InputError, PhotoError
from components.core.files import sha256_of_file
from components.core.levels import Pixels, at_bits
from components.core.progress import Progress
from components.core.video import VIDEOS
from components.core.video.reading import VideoFacts, facts_of_video, frames_of_video
from components.core.video.scenes import is_cut
from components.core.video.writing import CODECS, VideoForm, VideoWriter
from components.core.windows import windows_of
from components.ingest.pairs.frames import FRAME_SUFFIXES, frames_of, natural_order
from components.nets.tiling import TiledRestorer
from components.services import storage
from components.serving.model import ServedModel

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
        if len(videos) < len(places):
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
    tile_px: int = 1024,
) -> Restored:
    """Restore videos into files and folders of frames into folders, each frame in its window; gives what
    lies there now. A clip that cannot be used is told with its reason, and the others are done; one that
    ends before its end is restored so far, and told as well.

    Raises InputError where a file would be written twice or is not this command's, before anything is
    written, and PhotoError when no clip could be restored.
    """
    targets = _targets(clips, form)
    before = RestoredBefore(out)
    known = {name: before.known().get(name, []) for name in targets if _is_video(targets[name])}
    delivery = Delivery(out, overwrite=overwrite, known=known)
    delivery.refuse_others(known)
    served = model_named(model, device, tile_px)
    done, told = list[Path](), list[str]()
    for name, place in targets.items():
        try:
            if not _is_video(place):
                done += _folder(place, name, served.restorer, delivery)
                continue
            with _on_this_machine(place) as file:
                if overwrite or not before.has(name, digest := sha256_of_file(file), served.weights_sha256):
                    told += _video(place, file, name, served, delivery, form)
                    before.note(name, sha256_of_file(file), served.weights_sha256)
                else:
                    assert digest
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


def _video(
    place: PhotoPlace, file: Path, name: str, served: ServedModel, delivery: Delivery, form: VideoForm
) -> list[str]:
    """Write one restored video; gives what a person should know of it. It takes its name when it is whole."""
    facts, restorer, count = facts_of_video(file, place.at), served.restorer, 0
    with delivery.incoming(name) as temporary:
        size = (facts.width * restorer.scale, facts.height * restorer.scale)
        with (
            Progress("restore", facts.frames, unit="frames") as bar,
            VideoWriter(temporary, form, facts.fps, size) as video,
        ):
            for frame in restored_frames(frames_of_video(file, called=place.at), restorer):
                video.write(at_bits(frame, 8))
                count += 1
                bar.advance(1)
        if not count:
            raise PhotoError(f"{place.at}: no frame of it can be decoded; it is empty or damaged")
        _say_what_is_not_kept(temporary, file, delivery.folder / name, size, form)
    return _cut_off(place, facts, count)


def _cut_off(place: PhotoPlace, facts: VideoFacts, count: int) -> list[str]:
    if facts.frames - count <= max(SLACK, facts.frames // 50):
        return []
    return [
        f"{place.at} ends after {count} of the {facts.frames} frames that it promises: it is cut off or"
        " damaged, and restored so far"
    ]


def _folder(place: PhotoPlace, name: str, restorer: TiledRestorer, delivery: Delivery) -> list[Path]:
    """Restore the frames of a folder into a folder, each by its own name, as PNG of as many bits."""
    source = Path(place.at)
    files = sorted(
        (file for file in source.iterdir() if file.suffix.lower() in FRAME_SUFFIXES),
        key=lambda file: natural_order(str(file)),
    )
    names = [f"{name}/{file.stem}.png" for file in files]
    if len(set(names)) < len(names):
        raise PhotoError(
            f"{source} has frames that differ in their ending alone; give each a name of its own"
        )
    delivery.refuse_others(names)
    with Progress("restore", len(files), unit="frames") as bar:
        for each, frame in zip(names, restored_frames(frames_of(source), restorer), strict=True):
            delivery.write(each, encoded("png", frame))
            bar.advance(1)
    return [delivery.folder / each for each in names]


def _targets(clips: Sequence[PhotoPlace], form: VideoForm) -> dict[str, PhotoPlace]:
    """By the name of each restored clip what it is of."""
    targets: dict[str, PhotoPlace] = {}
    for place in clips:
        name = str(PurePosixPath(place.name).with_suffix(f".{form}")) if _is_video(place) else place.name
        if name in targets:
            raise InputError(
                f"two of the clips would both become {name}: {targets[name].at} and {place.at}; restore them"
                " into different folders"
            )
        targets[name] = place
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


def _say_what_is_not_kept(
    made: Path, original: Path, path: Path, size: tuple[int, int], form: VideoForm
) -> None:
    """Copy the sound where FFmpeg is at hand, else say how; and say what OpenCV does to the rest."""
    if any(side % 2 for side in size):
        print(
            f"restore: {path} has its last row or column twice: videos are written with even sides, and"
            f" {size[0]} × {size[1]} px are not",
            file=sys.stderr,
        )
    program = shutil.which("ffmpeg")
    aside = made.with_name(f"{made.stem}-sound{made.suffix}")
    copying = ["-map", "0:v", "-map", "1:a?", "-map_metadata", "1", "-c", "copy"]
    if program is not None:
        try:
            command = [
                program,
                "-v",
                "error",
                "-y",
                "-i",
                str(made),
                "-i",
                str(original),
                *copying,
                str(aside),
            ]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
            if found.returncode == 0 and aside.is_file():
                aside.replace(made)
                return
            print(f"restore: {path} has no sound: ffmpeg: {found.stderr.strip()[-300:]}", file=sys.stderr)
        finally:
            aside.unlink(missing_ok=True)
        return
    line = f"ffmpeg -i {path} -i {original} {' '.join(copying)} {path.with_stem(path.stem + '-sound')}"
    print(
        f"restore: {path} is {CODECS[form].words}; sound and colour tags are not in it (OpenCV writes"
        f" neither), frame rate is. With ffmpeg on the path the sound is copied; by hand: {line}",
        file=sys.stderr,
    )
