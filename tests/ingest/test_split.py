"""The split is a function of the bytes; train wins; small sets are filled."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.core.records import SPLITS, Split
from components.ingest.config import ByContent, IngestConfig
from components.ingest.split import decide, share_of, split_of


def ids(count: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


def numbered(share: float) -> str:
    """An id whose number in [0, 1) is the share."""
    return f"{int(share * 16**12):012x}" + "0" * 52


def test_the_number_of_an_id_decides() -> None:
    assert [split_of(numbered(share), ByContent()) for share in (0.0, 0.79, 0.81, 0.89, 0.91, 0.99)] == [
        "train",
        "train",
        "val",
        "val",
        "test",
        "test",
    ]


def test_shares_come_out_as_asked() -> None:
    found = [split_of(photo, ByContent(train=0.6, val=0.3, test=0.1)) for photo in ids(4000)]
    for split, share in (("train", 0.6), ("val", 0.3), ("test", 0.1)):
        assert found.count(split) / 4000 == pytest.approx(share, abs=0.03)


def test_train_wins_and_the_others_are_left_out() -> None:
    a, b, c = sorted(ids(3))
    verdict = decide([[a, b, c]], {a: "test", b: "train", c: "train"}, None)
    assert verdict.splits == {b: "train", c: "train"}
    assert verdict.left_out == {a: b}
    assert verdict.groups == {b: b, c: b}


def test_val_wins_over_test() -> None:
    a, b = sorted(ids(2))
    assert decide([[a, b]], {a: "test", b: "val"}, None).splits == {b: "val"}


def test_three_photos_fill_three_splits_by_the_nearest_number() -> None:
    photos = [numbered(share) for share in (0.1, 0.4, 0.7)]
    verdict = decide([[photo] for photo in photos], dict.fromkeys(photos, "train"), ByContent())
    assert [verdict.splits[photo] for photo in photos] == ["train", "val", "test"]


def test_a_set_all_in_test_fills_train_too() -> None:
    photos = [numbered(share) for share in (0.91, 0.95, 0.99)]
    verdict = decide([[photo] for photo in photos], dict.fromkeys(photos, "test"), ByContent())
    assert sorted(verdict.splits.values()) == ["test", "train", "val"]


def test_a_full_set_is_not_touched() -> None:
    photos = ids(200)
    own: dict[str, Split] = {photo: split_of(photo, ByContent()) for photo in photos}
    assert decide([[photo] for photo in photos], own, ByContent()).splits == own


@given(st.lists(st.integers(0, 25), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_no_group_ever_spans_two_splits_and_nothing_is_lost(labels: list[int], rng: object) -> None:
    photos = sorted(ids(len(labels)))
    groups = [
        [photo for photo, label in zip(photos, labels, strict=True) if label == wanted]
        for wanted in sorted(set(labels))
    ]
    verdict = decide(
        groups,
        {photo: split_of(photo, ByContent(train=0.4, val=0.3, test=0.3)) for photo in photos},
        ByContent(train=0.4, val=0.3, test=0.3),
    )
    for group in groups:
        assert len({verdict.splits[photo] for photo in group if photo in verdict.splits}) == 1
    assert sorted([*verdict.splits, *verdict.left_out]) == photos
    if len(groups) >= 3:
        assert set(verdict.splits.values()) == set(SPLITS)


@given(st.integers(1, 60), st.integers(0, 60))
def test_a_photo_added_moves_no_photo_of_a_full_set(count: int, more: int) -> None:
    def settled(number: int) -> dict[str, Split]:
        photos = sorted(ids(number))
        return decide(
            [[photo] for photo in photos],
            {photo: split_of(photo, ByContent()) for photo in photos},
            ByContent(),
        ).splits

    few, many = settled(60 + count), settled(60 + count + more)
    assert {photo: many[photo] for photo in few} == few


def test_the_share_of_an_id_lies_in_the_unit_interval() -> None:
    assert share_of("0" * 64) == 0.0
    assert 0.999 < share_of("f" * 64) < 1.0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"split": {"kind": "by_content", "train": 0.8, "val": 0.3, "test": 0.1}},
            "must be 1, got 0.8 \\+ 0.3 \\+ 0.1 = 1.2",
        ),
        ({"split": {"kind": "by_folder"}}, "the bundled photos have a split of their own"),
        ({"split": {"kind": "by_name"}}, "by_content"),
        ({"min_px": 4}, "greater than or equal to 16"),
        ({"foto": "x"}, "Extra inputs"),
        ({"max_megapixels": float("nan")}, "finite"),
    ],
)
def test_contradictions_are_refused_at_birth(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        IngestConfig.model_validate(settings)
