"""Restored videos on a disk without room: OpenCV's FFmpeg does not say so, and some ffmpeg programs end
with 0; no video that is cut off may pass for whole, nor for done.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from components.console import commands
from components.core.errors import InputError
from components.core.images import Bytes8
from components.core.video.reading import count_frames
from components.core.video.writing import CODECS, VideoForm, VideoWriter, refuse_cut
from components.nets.generators import UNet
from components.nets.restore import save_generator
from components.optics.video_codec import VideoCodec

NO_ROOM = "came into the video in .* are free: the disk or a quota is full"


def noise(seed: int) -> Bytes8:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def written(path: Path, form: VideoForm, frames: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, form, 10, (64, 48)) as video:
        for number in range(frames):
            video.write(noise(number))
    return path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As a full disk: what is written beyond is refused to every library of this process."""
    before, compiled = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # Python keeps what it compiles cut off, and stumbles over it ever after
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = compiled


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command that restores one video, without ffmpeg."""
    monkeypatch.setenv("PATH", "")
    part = UNet(width=4, depth=1)
    save_generator(tmp_path / "model", part, part.build(0).state_dict())
    source = written(tmp_path / "clip.mkv", "mkv")
    return ["restore", str(source), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")]


def test_a_video_that_the_disk_did_not_hold_is_neither_delivered_nor_taken_for_done(
    asked: list[str], tmp_path: Path
) -> None:
    for room in (2_000, 30_000):
        with files_of_at_most(room), pytest.raises(InputError, match=NO_ROOM):
            commands.run(asked)
        assert not (tmp_path / "out" / "clip.mkv").exists()
    assert commands.run(asked) == 0
    assert count_frames(tmp_path / "out" / "clip.mkv") == 8


@pytest.mark.parametrize("form", CODECS)
@pytest.mark.parametrize("room", [500, 6_000])
def test_what_every_form_lacks_is_seen(form: VideoForm, room: int, tmp_path: Path) -> None:
    with files_of_at_most(room):
        path = written(tmp_path / f"cut.{form}", form)
    with pytest.raises(InputError, match=rf"of 8 frames \d {NO_ROOM}"):
        refuse_cut(path, 8)
    refuse_cut(written(tmp_path / f"whole.{form}", form), 8)


def test_a_codecs_loss_is_never_drawn_from_a_file_that_was_cut() -> None:
    with files_of_at_most(6_000), pytest.raises(InputError, match=NO_ROOM):
        VideoCodec().roundtrip([noise(number) for number in range(8)], 10)


@pytest.mark.parametrize("code", [0, 1])
def test_sound_that_found_no_room_is_told_and_the_pictures_stay_whole(
    code: int,
    asked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    # Stands for ffmpeg 4 on a full disk: half a file, a word of it, and an exit code that may be 0.
    program.write_text(
        '#!/bin/sh\nfor last; do :; done\necho half > "$last"\n'
        f'echo "Error writing trailer of $last: No space left on device" >&2\nexit {code}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert commands.run(asked) == 1
    told = capsys.readouterr().err
    path = tmp_path / "out" / "clip.mkv"
    assert f"{path} has no sound: ffmpeg: Error writing trailer" in told
    assert "to add it: ffmpeg -i" in told
    assert count_frames(path) == 8
    assert [each.name for each in path.parent.glob("*sound*")] == []
