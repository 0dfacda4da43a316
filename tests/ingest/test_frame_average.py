"""Averages of frames: values by hand, groups in order, and sources that are refused."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter, shift

from components.core.errors import PhotoError
from components.core.images import Bytes8, Floats, write_png
from components.ingest.pairs.averaging import averaged, between, motion_px
from components.ingest.pairs.frame_average import FrameAverage, Response, frame_groups
from components.ingest.pairs.frames import frames_of, natural_order

RESPONSES: tuple[Response, ...] = ("linear", "gamma_2.2", "srgb")


def plain(level: int, height: int = 16, width: int = 20) -> Bytes8:
    return np.full((height, width, 3), level, np.uint8)


def texture(moved_px: float, height: int = 96, width: int = 160) -> Bytes8:
    """A soft pattern that has moved to the right."""
    rough = gaussian_filter(np.random.default_rng(4).random((height, width + 100)), 3)
    rough = (rough - rough.min()) / np.ptp(rough)
    grey = np.rint(
        shift(rough, (0, moved_px), order=3, mode="mirror")[:, 50 : width + 50].clip(0, 1) * 255
    ).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def folder_of(folder: Path, frames: list[Bytes8]) -> Path:
    for number, frame in enumerate(frames):
        write_png(folder / f"frame{number}.png", frame)
    return folder


def test_a_step_that_moves_a_pixel_a_frame_becomes_a_ramp() -> None:
    frames = []
    for moved in range(5):
        frame = plain(0)
        frame[:, 8 + moved :] = 250
        frames.append(frame)
    input, target = averaged(frames, "linear")
    assert input[3, 6:14, 1].tolist() == [0, 0, 50, 100, 150, 200, 250, 250]
    assert np.array_equal(target, frames[2])


def test_the_response_says_in_which_values_the_mean_is_taken() -> None:
    frames = [plain(0), plain(255), plain(255)]
    levels = {response: int(averaged(frames, response)[0][0, 0, 0]) for response in RESPONSES}
    srgb = 255 * (1.055 * (2 / 3) ** (1 / 2.4) - 0.055)
    assert levels == {"linear": 170, "gamma_2.2": round(255 * (2 / 3) ** (1 / 2.2)), "srgb": round(srgb)}


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("interpolate", [0, 2])
def test_frames_that_are_all_the_same_come_back_as_they_are(response: Response, interpolate: int) -> None:
    every_level = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    input, target = averaged([every_level] * 7, response, interpolate)
    assert np.array_equal(input, every_level)
    assert np.array_equal(target, every_level)


def test_sixteen_bits_are_averaged_as_they_are() -> None:
    frames = [np.full((4, 5, 3), level, np.uint16) for level in (0, 65535, 65535)]
    input, target = averaged(frames, "linear")
    assert (input.max(), target.max(), input.dtype) == (170, 255, np.uint8)


def test_frames_between_close_the_gaps_of_fast_motion() -> None:
    def mean_of(step_px: float, interpolate: int) -> Bytes8:
        return averaged([texture(place) for place in np.arange(-12, 12.01, step_px)], "linear", interpolate)[
            0
        ]

    inside = np.s_[10:-10, 30:-30]
    wanted = mean_of(1.0, 0)[inside].astype(float)
    gaps, closed = (np.abs(mean_of(6.0, between)[inside] - wanted).mean() for between in (0, 5))
    assert closed < gaps / 2


@pytest.mark.parametrize("time", [0.25, 0.5, 0.8])
def test_a_frame_between_lies_on_the_way(time: float) -> None:
    # A slope that moves 4 px to the right and 2 px down from one frame to the next.
    def slope(part: float) -> Floats:
        y, x = np.mgrid[:40, :60].astype(np.float32)
        return np.repeat((0.01 * (x - 4 * part) + 0.003 * (y - 2 * part))[:, :, None], 3, axis=2).astype(
            np.float32
        )

    there = np.broadcast_to(np.array([4, 2], np.float32), (40, 60, 2))
    made = between(slope(0), slope(1), there, -there, time)
    assert np.abs(made - slope(time))[6:-6, 6:-6].max() < 1e-3


def test_motion_is_the_spread_of_places() -> None:
    # 3 px a frame over 5 frames: places −6 … 6 px, RMS 3 √2.
    assert motion_px([texture(3.0 * frame) for frame in range(5)]) == pytest.approx(3 * math.sqrt(2), rel=0.1)
    # A large frame is looked at shrunk.
    large = [
        cv2.resize(texture(3.0 * frame), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        for frame in range(5)
    ]
    assert motion_px(large) == pytest.approx(4 * 3 * math.sqrt(2), rel=0.1)
    assert motion_px([plain(90)] * 3) == 0.0


def test_groups_follow_each_other_and_use_no_frame_twice(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [plain(number) for number in range(30)])
    groups = list(frame_groups(source, FrameAverage(frames=(3, 5), response="linear")))
    ends = 0
    for index, group in enumerate(groups):
        first, count = group.drawn["first_frame"], group.drawn["frames"]
        assert isinstance(first, int)
        assert isinstance(count, int)
        assert (group.index, first, group.drawn["middle_frame"]) == (index, ends, first + count // 2)
        assert group.target[0, 0, 0] == group.input[0, 0, 0] == first + count // 2
        ends = first + count
    assert 25 < ends <= 30
    assert {group.drawn["frames"] for group in groups} == {3, 5}


def test_stride_and_step_choose_the_frames(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [plain(number) for number in range(14)])
    for settings, middles in (
        (FrameAverage(frames=(3,), stride=2), [2, 7]),
        (FrameAverage(frames=(3,), stride=2, step=3), [2, 5, 8, 11]),
    ):
        groups = list(frame_groups(source, settings))
        assert [int(group.target[0, 0, 0]) for group in groups] == middles
        assert [group.drawn["middle_frame"] for group in groups] == middles
        assert [group.drawn["first_frame"] for group in groups] == [middle - 2 for middle in middles]


def test_groups_that_overlap_and_differ_in_length_are_all_there(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [plain(number) for number in range(24)])
    settings = FrameAverage(frames=(3, 13), step=1, response="linear")
    groups = list(frame_groups(source, settings))
    for group, (start, count) in zip(groups, settings.spans(), strict=False):
        assert group.drawn["first_frame"] == start
        assert group.target[0, 0, 0] == group.input[0, 0, 0] == start + count // 2
    assert len(groups) >= 11


def test_going_on_after_an_interruption_gives_what_is_left(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [texture(2.0 * number, 32, 48) for number in range(20)])
    settings = FrameAverage(frames=(3, 5))
    whole, rest = list(frame_groups(source, settings)), list(frame_groups(source, settings, first_group=2))
    assert [group.index for group in rest] == [group.index for group in whole][2:]
    for one, other in zip(whole[2:], rest, strict=True):
        assert np.array_equal(one.input, other.input)
        assert np.array_equal(one.target, other.target)
        assert (one.drawn, one.severity_px) == (other.drawn, other.severity_px)
    assert list(frame_groups(source, settings, first_group=99)) == []


def test_frames_are_read_as_they_are_needed(tmp_path: Path) -> None:
    source = folder_of(tmp_path, [plain(number) for number in range(6)])
    (source / "frame4.png").write_bytes(b"no picture")
    groups = frame_groups(source, FrameAverage(frames=(3,)))
    assert next(groups).target[0, 0, 0] == 1
    with pytest.raises(PhotoError, match=r"frame .*frame4\.png cannot be read"):
        next(groups)


def test_a_video_is_read_frame_by_frame(tmp_path: Path) -> None:
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 30, (48, 32))
    for level in range(0, 110, 10):
        writer.write(
            cv2.merge([plain(level, 32, 48)[:, :, 0], plain(0, 32, 48)[:, :, 0], plain(200, 32, 48)[:, :, 0]])
        )
    writer.release()
    frames = list(frames_of(file))
    assert len(frames) == 11
    # Written blue, green, red; read red, green, blue.
    assert frames[5][16, 24].tolist() == pytest.approx([200, 0, 50], abs=6)
    assert all(
        np.array_equal(one, other) for one, other in zip(frames[4:], frames_of(file, first=4), strict=True)
    )
    groups = list(frame_groups(file, FrameAverage(frames=(5,), response="linear")))
    assert [int(group.target[16, 24, 2]) for group in groups] == pytest.approx([20, 70], abs=6)


def test_names_are_in_the_order_people_count() -> None:
    names = ["10.png", "9.png", "a2b10.png", "a2b9.png", "a.png", "009.png"]
    assert sorted(names, key=natural_order) == [
        "9.png",
        "009.png",
        "10.png",
        "a2b9.png",
        "a2b10.png",
        "a.png",
    ]


def test_the_variant_is_that_of_gopro() -> None:
    assert [FrameAverage(response=response).variant for response in RESPONSES] == [
        "blur",
        "blur_gamma",
        "blur_gamma",
    ]


def test_another_seed_draws_other_exposures() -> None:
    first, second = (list(itertools.islice(FrameAverage(seed=seed).spans(), 20)) for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path / "gone.mp4", "it is not there"),
        (lambda path: path, "holds no frames"),
        (lambda path: folder_of(path, [plain(1)] * 4), "has 4 frames, but its first group needs 7"),
        (
            lambda path: folder_of(path, [plain(1), plain(1, 18, 20)]),
            "frame 1 of .* is 20 × 18 px, those before it 20 × 16",
        ),
    ],
    ids=["missing", "empty", "short", "sizes"],
)
def test_sources_that_cannot_be_used_are_refused(make: object, words: str, tmp_path: Path) -> None:
    assert callable(make)
    with pytest.raises(PhotoError, match=words):
        list(frame_groups(make(tmp_path), FrameAverage(frames=(7,))))


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(PhotoError, match="no video that FFmpeg can read"):
        next(frame_groups(tmp_path / "notes.mp4", FrameAverage()))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"frames": [8]}, "take 7 or 9"),
        ({"frames": []}, "at least 1 item"),
        ({"frames": [1]}, "greater than or equal to 3"),
        ({"stride": 0}, "greater than or equal to 1"),
        ({"response": "gamma"}, "'linear', 'gamma_2.2' or 'srgb'"),
        ({"fps": 240}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FrameAverage.model_validate(settings)
