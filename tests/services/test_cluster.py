"""Mapping over many items: every result in order, little under way at once, nothing of this
machine's folders on the way.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core.errors import PhotoError
from components.core.records import Photo
from components.services.cluster import map_in_order
from components.synthesize.config import SynthesizeConfig
from components.synthesize.photo import Work, pairs_of_photo

ITEMS = 23


def counted(item: int) -> Iterator[tuple[int, int]]:
    """As many results as the item says, from none to 5."""
    for place in range(item % 6):
        yield item, place


def refused(item: int) -> Iterator[int]:
    yield item
    if item == 2:
        raise PhotoError("item 2 is no photo")


WANTED = [(item, place) for item in range(ITEMS) for place in range(item % 6)]


def noting(asked: list[int]) -> Iterator[int]:
    """The items; notes each as it is asked for."""
    for item in range(ITEMS):
        asked.append(item)
        yield item


def test_in_this_process_items_are_asked_for_one_at_a_time() -> None:
    asked: list[int] = []
    found = []
    for result in map_in_order(counted, noting(asked), megabytes=[1.0] * ITEMS, workers=0, title="test"):
        assert asked[-1] == result[0]
        found.append(result)
    assert found == WANTED


@pytest.mark.services
def test_workers_give_every_result_in_order_with_little_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where workers find the functions above
    asked: list[int] = []
    found = []
    # 900 MB an item: two workers may have 2000 MB under way, so two items and the one that waits
    # for its turn.
    for result in map_in_order(counted, noting(asked), megabytes=[900.0] * ITEMS, workers=2, title="test"):
        assert len(asked) - result[0] <= 3
        found.append(result)
    assert found == WANTED
    with pytest.raises(PhotoError, match="item 2 is no photo"):
        list(map_in_order(refused, range(ITEMS), megabytes=[1.0] * ITEMS, workers=2, title="test"))


def test_a_photo_travels_as_bytes() -> None:
    photo = Photo(
        id="ab",
        file="originals/ab.png",
        name="ab.png",
        size_bytes=3,
        width=1,
        height=1,
        channels=3,
        bits=8,
        split="train",
        group="ab",
    )
    work = pickle.loads(pickle.dumps(Work(SynthesizeConfig(), photo, b"not")))
    with pytest.raises(PhotoError, match="not a photo"):
        next(iter(pairs_of_photo(work)))
