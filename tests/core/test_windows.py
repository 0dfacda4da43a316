"""Which frames a net of video is given beside the one that it restores."""

from __future__ import annotations

from typing import Any

import pytest

from components.core.records import Pair
from components.core.windows import Windows, clips_of


def pair(name: str, clip: str | None = None, frame: int | None = None, **more: Any) -> Pair:
    told: dict[str, Any] = {
        "split": "train",
        "width": 64,
        "height": 48,
        "blur_kind": "imported",
        "drawn": {},
        "severity": 1.0,
        "severity_class": "mild",
        "seed": 0,
        **dict.fromkeys(("photo", "input", "target", "input_sha256", "target_sha256"), name),
    }
    return Pair.model_validate({"id": name, "clip": clip, "frame": frame, **told, **more})


def clip_of(numbers: list[int], name: str = "c", **more: Any) -> list[Pair]:
    return [pair(f"{name}{number}", name, number, **more) for number in numbers]


def names(window: tuple[Pair, ...]) -> list[str]:
    return [each.id for each in window]


def test_a_window_has_its_neighbours_in_the_order_of_time_whatever_the_order_of_the_rows() -> None:
    frames = clip_of([7, 8, 9, 10, 11])
    windows = Windows(reversed(frames), 5)
    assert names(windows[frames[2]]) == ["c7", "c8", "c9", "c10", "c11"]


def test_both_ends_are_mirrored() -> None:
    frames = clip_of([0, 1, 2, 3, 4, 5])
    windows = Windows(frames, 5)
    assert names(windows[frames[0]]) == ["c2", "c1", "c0", "c1", "c2"]
    assert names(windows[frames[1]]) == ["c1", "c0", "c1", "c2", "c3"]
    assert names(windows[frames[5]]) == ["c3", "c4", "c5", "c4", "c3"]


@pytest.mark.parametrize(("count", "wanted"), [(1, ["c0"] * 7), (2, ["c1", "c0"] * 3 + ["c1"])])
def test_a_clip_shorter_than_its_window_is_mirrored_as_often_as_it_takes(
    count: int, wanted: list[str]
) -> None:
    frames = clip_of(list(range(count)))
    assert names(Windows(frames, 7)[frames[0]]) == wanted


def test_a_missing_frame_another_size_and_another_split_end_a_clip() -> None:
    rows = [
        *clip_of([0, 1, 3, 4]),
        *clip_of([5, 6], width=32),
        pair("c7", "c", 7, split="val"),
        pair("alone"),
    ]
    assert [names(clip) for clip in clips_of(rows)] == [["c0", "c1"], ["c3", "c4"], ["c5", "c6"], ["c7"]]
    assert names(Windows(rows, 3)[rows[1]]) == ["c0", "c1", "c0"]


def test_a_pair_of_no_clip_is_its_own_neighbour_and_a_window_of_one_is_the_pair() -> None:
    alone, frames = pair("alone"), clip_of([0, 1])
    assert names(Windows([alone], 3)[alone]) == ["alone"] * 3
    assert names(Windows(frames, 1)[frames[1]]) == ["c1"]


def test_rows_without_clips_are_written_as_they_always_were() -> None:
    assert {"clip", "frame"} & pair("alone").model_dump().keys() == set()
    assert pair("c0", "c", 0).model_dump()["frame"] == 0
