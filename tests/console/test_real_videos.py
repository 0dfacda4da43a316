"""Videos as cameras and programs write them, restored: what the real ffmpeg adds where there is one, and
what is refused.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.console import commands
from components.core.errors import InputError, PhotoError
from components.core.video.reading import facts_of_video, frames_of_video
from components.core.video.writing import CODECS, VideoWriter
from components.nets.generators import UNet
from components.nets.restore import save_generator

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None, reason="no ffmpeg and ffprobe here"
)
# Two interlaced frames of 32 x 32 px in MPEG-2, by ffmpeg -vf interlace -c:v mpeg2video -flags +ilme+ildct.
INTERLACED = (
    "AAABswIAIBP//+AYAAABtRSCAAEAAAAAAbgACABAAAABAAAP//gAAAG1j//zgAAAAAEB8y0pSItKUpEQAAABAvMtKUiLSlKREAAAA"
    "QAAV//7gAAAAbWBH/OAAAAAAQHybmwAAAEC8m5s"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net that leaves pictures as they are."""
    part, folder = UNet(width=4, depth=1), tmp_path_factory.mktemp("model")
    save_generator(folder, part, part.build(seed=0).state_dict())
    return folder


def made(path: Path, *words: str) -> Path:
    """A video of half a second by ffmpeg: a pattern at 24 frames a second, a tone."""
    pattern = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24:duration=0.5"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.5"]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *pattern, *tone, *words, str(path)]
    subprocess.run(command, check=True)
    return path


def probed(path: Path) -> dict[str, Any]:
    """The streams by their kind, and the length in seconds."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {each["codec_type"]: each for each in found["streams"]} | {
        "seconds": float(found["format"]["duration"])
    }


def restored(source: Path, model: Path, out: Path, *words: str) -> int:
    return commands.run(["restore", str(source), "--model", str(model), "--out", str(out), *words])


MPEG4 = ("-c:v", "mpeg4", "-q:v", "2", "-c:a", "aac")
TAGGED = ("-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-colorspace", "smpte170m")


@needs_ffmpeg
@pytest.mark.parametrize("form", CODECS)
def test_sound_length_rate_colours_and_shape_come_along(form: str, model: Path, tmp_path: Path) -> None:
    source = made(tmp_path / "Ünï 日本's: 1.mov", *MPEG4, *TAGGED, "-aspect", "16:9", "-metadata", "title=A")
    assert restored(source, model, tmp_path / "out", "--video", form) == 0
    path = tmp_path / "out" / f"Ünï 日本's: 1.{form}"
    found = probed(path)
    picture, sound = found["video"], found["audio"]
    assert sound["codec_name"] == ("opus" if form == "webm" else "aac")  # WebM holds no AAC
    assert found["seconds"] == pytest.approx(0.5, abs=0.06)
    assert picture["avg_frame_rate"] == "24/1"
    assert (picture["color_primaries"], picture["color_transfer"]) == ("smpte170m", "smpte170m")
    across, down = map(int, picture["display_aspect_ratio"].split(":"))
    assert across / down == pytest.approx(16 / 9, rel=0.01)  # WebM has whole px of what is shown
    # Whoever reads it by what it says of itself sees what OpenCV wrote.
    asked = ["-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run(["ffmpeg", "-nostdin", *asked], check=True, capture_output=True).stdout
    first = next(frames_of_video(source)).astype(int)
    away = np.abs(np.frombuffer(shown, np.uint8).reshape(first.shape).astype(int) - first).mean()
    assert away < (0.5 if form == "mkv" else 12)


@needs_ffmpeg
def test_pictures_that_begin_after_the_sound_still_do(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = made(tmp_path / "whole.mkv", *MPEG4)
    late = tmp_path / "late.mkv"
    command = ["ffmpeg", "-v", "error", "-itsoffset", "0.3", "-i", str(whole), "-i", str(whole)]
    subprocess.run([*command, "-map", "0:v", "-map", "1:a", "-c", "copy", str(late)], check=True)
    assert restored(late, model, tmp_path / "out") == 0
    found = probed(tmp_path / "out" / "late.mkv")
    assert "ends after" not in capsys.readouterr().err
    begins = float(found["video"]["start_time"]) - float(found["audio"]["start_time"])
    assert begins == pytest.approx(0.3, abs=0.03)


@needs_ffmpeg
def test_a_rate_that_varies_keeps_its_pictures_beside_the_sound(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Every frame of the first quarter, every fourth of the second.
    some = ["-vf", "select='lt(n,6)+not(mod(n,3))'", "-vsync", "vfr"]
    source = made(tmp_path / "clip.mkv", *some, *MPEG4)
    assert restored(source, model, tmp_path / "out") == 0
    assert "some of them more than once: the original's rate varies" in capsys.readouterr().err
    assert facts_of_video(tmp_path / "out" / "clip.mkv").fps == pytest.approx(24, rel=0.03)
    assert probed(tmp_path / "out" / "clip.mkv")["seconds"] == pytest.approx(0.5, abs=0.06)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("one.mkv", ("-frames:v", "1", "-c:v", "ffv1", "-an")),
        ("grey.avi", ("-c:v", "ffv1", "-pix_fmt", "gray")),
        ("ten_bits.mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv422p10")),
        ("moving.gif", ()),
        ("turned.mov", (*MPEG4, "-metadata:s:v:0", "rotate=90")),
        ("odd.mkv", ("-vf", "crop=63:47", "-c:v", "ffv1", "-pix_fmt", "bgr0")),
    ],
)
def test_what_cameras_and_programs_write_is_restored_upright_frame_by_frame(
    name: str, words: tuple[str, ...], model: Path, tmp_path: Path
) -> None:
    source = made(tmp_path / name, *words)
    assert restored(source, model, tmp_path / "out") == 0
    (path,) = (tmp_path / "out").glob("*.mkv")
    before, after = (list(frames_of_video(each)) for each in (source, path))
    height, width = before[0].shape[:2]
    assert len(before) == len(after) == (1 if name == "one.mkv" else 12)
    assert all(np.array_equal(one, two[:height, :width]) for one, two in zip(before, after, strict=True))


def test_an_interlaced_video_is_refused_with_the_line_that_mends_it(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "tape.mpg"
    source.write_bytes(base64.b64decode(INTERLACED))
    with pytest.raises(PhotoError, match=r"tape.mpg is interlaced: .* first: ffmpeg -i .*-vf bwdif"):
        restored(source, model, tmp_path / "out")


def small(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, path.suffix[1:], 25.0, (32, 32)) as video:  # type: ignore[arg-type]
        video.write(np.full((32, 32, 3), 90, np.uint8))
    return path


def test_clips_of_a_folder_that_differ_in_their_ending_keep_it(model: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "b.webm"):
        small(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("of the shoot")
    assert restored(tmp_path / "in", model, tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.mkv")) == [
        "a.mkv.mkv",
        "a.mp4.mkv",
        "b.mkv",
    ]


def test_a_clip_is_never_written_over_itself(model: Path, tmp_path: Path) -> None:
    source = small(tmp_path / "clip.mkv")
    before = source.read_bytes()
    with pytest.raises(InputError, match="is one of the clips given; choose another --out"):
        restored(source, model, tmp_path, "--overwrite")
    assert source.read_bytes() == before
