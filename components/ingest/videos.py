"""Clips out of sharp videos: a folder of videos, or of folders of frames, as a source of photos that are
each the first frame of a clip.

Which frames a video gave is noted in the state folder, bound to its bytes, the settings and the code, so
that a run on the same videos decodes none again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from components.core.errors import PhotoError
from components.core.files import sha256_of_bytes, state_folder, write_text
from components.core.images import Pixels, png_bytes
from components.core.parts import digest_of
from components.core.photo_names import FORMAT_OF, extension_of
from components.core.pixel_code import pixel_code
from components.core.progress import Progress
from components.core.video import VIDEOS
from components.core.video.interlaced import refuse_interlaced
from components.core.video.scenes import is_cut
from components.ingest.config import IngestConfig, SharpClips
from components.ingest.originals import FOLDER, Originals
from components.ingest.pairs.clips import Clip, clips_of, digest_of_clip, readable
from components.ingest.pairs.frames import frames_of
from components.ingest.source import Found, Source, everything, source_of

CODE = ("core/video", "ingest/pairs/frames.py", "ingest/videos.py")  # what finds them
Clips = list[list[tuple[int, str]]]  # of each clip, number in the video and SHA-256 of each frame


def look_at_videos(config: IngestConfig, originals: Originals, *, out: Path) -> Source:
    """The clips at the source, their frames kept as PNG; videos that cannot be used stand among the
    strays, with the reason. Raises PhotoError where there is no clip, and as `look` does.
    """
    assert config.clips is not None, "asked for without clips"
    kind, seen, passed = everything(config, out=out)
    found, unusable = list[Found](), list[tuple[str, str]]()
    videos = clips_of(seen)
    with Progress("ingest", len(videos), unit="videos") as bar:
        for video in videos:
            try:
                found += _clips_of_video(video, config.clips, originals, out)
            except PhotoError as error:
                unusable.append((video.name, f"{'video' if video.is_video else 'frames'}: {error}"))
            bar.advance(1, f"{len(found)} clips")
    if not found:
        told = f": {unusable[0][0]}: {unusable[0][1]}" if unusable else ""
        raise PhotoError(
            f"no clip at {config.photos}, of {len(videos)} videos and folders of frames there{told}; give"
            " ingest.photos, or --photos, a folder or s3://bucket/prefix of sharp videos"
        )
    source = source_of(config, kind, sorted(found, key=lambda each: each.name), passed)
    names = (extension_of(file.name) for file in seen)
    return replace(
        source,
        ignored=dict(sorted(Counter(name for name in names if name not in {*FORMAT_OF, *VIDEOS}).items())),
        strays=(*source.strays, *unusable),
        files=len(seen) + sum(passed.values()),
    )


def _clips_of_video(video: Clip, settings: SharpClips, originals: Originals, out: Path) -> list[Found]:
    """The first frame of each clip, with those that follow. Raises PhotoError where there is none."""
    with readable(video) as source:
        listed = _place(digest_of_clip(video, source), settings)
        clips = _listed_before(listed, out)
        if clips is None:
            if isinstance(source, Path):
                refuse_interlaced(source, video.name)
            clips = []
            for start, shown in clips_in(frames_of(source, called=video.name), settings):
                clips.append([])
                for number, pixels in enumerate(shown, start):
                    data = png_bytes(pixels)
                    digest = sha256_of_bytes(data)
                    originals.keep(digest, "png", data)
                    clips[-1].append((number, digest))
            write_text(listed, json.dumps(clips))
    if not clips:
        raise PhotoError(
            f"it has no {settings.frames} successive frames of one scene; give a longer video, or lower"
            " ingest.clips.frames"
        )
    # What lies at the top has no folder of its own, by which it would be one scene.
    name = "frames" if video.name == "." else video.name
    found = [[_found(f"{name}/{number:06d}.png", out, digest) for number, digest in clip] for clip in clips]
    return [replace(first, frames=tuple(others)) for first, *others in found]


def _listed_before(listed: Path, out: Path) -> Clips | None:
    """What an earlier run found in a video, while its frames are there."""
    try:
        clips: Clips = json.loads(listed.read_text())
    except (OSError, ValueError):
        return None
    there = all((out / FOLDER / f"{digest}.png").is_file() for clip in clips for _, digest in clip)
    return clips if there else None


def _found(name: str, out: Path, digest: str) -> Found:
    path = out / FOLDER / f"{digest}.png"
    return Found(name, path.stat().st_size, path.read_bytes, path)


def clips_in(frames: Iterator[Pixels], settings: SharpClips) -> Iterator[tuple[int, list[Pixels]]]:
    """Runs of successive frames that no cut parts, each with the number of its first frame. In memory are
    the frames of one.
    """
    return islice(_runs(frames, settings), settings.most)


def _runs(frames: Iterator[Pixels], settings: SharpClips) -> Iterator[tuple[int, list[Pixels]]]:
    held, begin = list[Pixels](), 0
    for number, frame in enumerate(frames):
        if number < begin:
            continue
        if held and is_cut(held[-1], frame):
            held = []
        held.append(frame)
        if len(held) == settings.frames:
            first = number - settings.frames + 1
            yield first, held
            held, begin = [], max(first + settings.every, number + 1)


def _place(digest: str, settings: SharpClips) -> Path:
    told = digest_of([digest, settings.model_dump(mode="json"), pixel_code(*CODE)])
    return state_folder() / "ingest" / f"frames-{told[:24]}.json"
