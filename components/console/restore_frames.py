"""What `refocus restore --frames` does with a folder: frame by frame, so that the same command does only what
is left when it was stopped, or when some frames are others since.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from components.console.restore import made_by
from components.console.restored_before import RestoredBefore
from components.core.decoding import metadata_of
from components.core.delivery import Delivery, sealed
from components.core.encoding import encoded
from components.core.errors import PhotoError
from components.core.files import sha256_of_file
from components.core.parts import digest_of
from components.core.progress import Progress
from components.core.video.scenes import is_cut
from components.core.windows import windows_of
from components.ingest.pairs.frames import frame_files, frames_of
from components.serving.model import ServedModel


def restored_folder(
    source: Path,
    name: str,
    served: ServedModel,
    before: RestoredBefore,
    delivery: Delivery,
    *,
    overwrite: bool,
) -> list[Path]:
    """Restore the frames of a folder into a folder, each by its own name, as PNG of as many bits, with what
    its file says beside the pixels. One that was restored from the same frames before is passed over. Raises
    PhotoError where the folder is no clip.
    """
    restorer, again = served.restorer, 0
    files = frame_files(source)
    names = [f"{name}/{file.stem}.png" for file in files]
    if len(set(names)) < len(names):
        raise PhotoError(
            f"{source} has frames that differ in their ending alone; give each a name of its own"
        )
    delivery.refuse_others(names)
    with Progress("restore", len(files), unit="frames") as bar:
        windows = windows_of(frames_of(source), restorer.window, is_cut)
        seen = _seen(files, restorer.window // 2)
        for each, file, window, frames_sha256 in zip(names, files, windows, seen, strict=True):
            by = made_by(served, restorer.tiles_decide(*window.shape[:2]))
            if overwrite or not before.has(each, frames_sha256, by):
                data, frame = file.read_bytes(), restorer.restore_pixels(window)
                made = encoded("png", frame, original=data, metadata=metadata_of(data), scale=restorer.scale)
                before.note(each, frames_sha256, by, sealed(made))
                delivery.write(each, made)
            else:
                again += 1
            bar.advance(1)
    if again:
        print(f"restore: {again} of {len(files)} frames of {source} were restored before", file=sys.stderr)
    return [delivery.folder / each for each in names]


def _seen(files: Sequence[Path], reach: int) -> Iterator[str]:
    """Of each frame the digest of all that may stand in its window; a single one's is its file's."""
    digest = cache(sha256_of_file)
    for number in range(len(files)):
        around = [digest(file) for file in files[max(0, number - reach) : number + reach + 1]]
        yield digest_of(around) if reach else around[0]
