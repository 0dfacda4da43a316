"""Settings that are ranges, of which one value is drawn for each pair."""

from __future__ import annotations

Range = tuple[float, float]


def in_order(**ranges: Range) -> None:
    """Raise ValueError for a range whose larger value comes first."""
    for name, (low, high) in ranges.items():
        if low > high:
            raise ValueError(f"{name} is [{low:g}, {high:g}]: the smaller value comes first")


def between(ends: Range, part: float) -> float:
    """The value a part (0 to 1) of the way from the first end to the second; exactly both where
    they are the same.

    >>> between((2.0, 4.0), 0.25)
    2.5
    """
    return float(ends[0] + (ends[1] - ends[0]) * part)
