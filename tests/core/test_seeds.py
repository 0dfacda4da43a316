"""Random streams depend on their names alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.seeds import seed_of, stream

keys = st.lists(st.one_of(st.integers(), st.text(alphabet="abc12", max_size=3)), min_size=1, max_size=4)


@given(keys, keys)
def test_other_names_give_other_seeds(one: list[str | int], other: list[str | int]) -> None:
    assert (seed_of(*one) == seed_of(*other)) == (one == other)


@given(keys)
def test_seeds_fit_a_signed_64_bit_integer(names: list[str | int]) -> None:
    assert 0 <= seed_of(*names) < 2**63


@pytest.mark.parametrize(
    ("one", "other"), [((1, "a"), ("a", 1)), ((1,), ("1",)), (("ab", "c"), ("a", "bc")), ((1, 2), (12,))]
)
def test_order_kind_and_borders_of_names_count(
    one: tuple[str | int, ...], other: tuple[str | int, ...]
) -> None:
    assert seed_of(*one) != seed_of(*other)


def test_a_stream_is_the_same_everywhere() -> None:
    first_bytes = bytes.fromhex("1f63d79131d865d3")  # printf 'int:1\x1fstr:noise\x1fint:1204' | sha256sum
    assert seed_of(1, "noise", 1204) == int.from_bytes(first_bytes, "little") >> 1
    assert (
        stream(1, "noise").integers(0, 1000, 4).tolist() == stream(1, "noise").integers(0, 1000, 4).tolist()
    )


def test_streams_of_neighbouring_names_are_unrelated() -> None:
    drawn = np.stack([stream(7, "photo", number).standard_normal(400) for number in range(20)])
    assert np.abs(np.corrcoef(drawn) - np.eye(20)).max() < 0.25
