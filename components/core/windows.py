"""Windows of neighbouring frames: which pictures a net of video is given beside the one it restores.

A window has an odd number of frames, the middle one is restored. At both ends of a clip the frames
are mirrored, without the end twice (2 1 0 1 2), so that an end is restored as any other frame is. A
frame that is missing in the set, and one of another size, end a clip as its own end does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from components.core.levels import Pixels
from components.core.records import Pair


def mirrored(place: int, count: int) -> int:
    """The frame that stands in for a place before the first or behind the last of `count` frames.

    >>> [mirrored(place, 4) for place in range(-3, 8)]
    [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]
    >>> mirrored(-2, 1)
    0
    """
    period = max(2 * (count - 1), 1)
    place = place % period
    return min(place, period - place) if count > 1 else 0


class Windows:
    """The neighbours in time of each pair of a set."""

    def __init__(self, pairs: Iterable[Pair], frames: int) -> None:
        """frames: of a window, odd; 1 gives each pair alone."""
        assert frames % 2 == 1, f"a window has a middle, so an odd number of frames; got {frames}"
        self._reach, self._places = frames // 2, dict[str, tuple[tuple[Pair, ...], int]]()
        if self._reach:
            for clip in clips_of(pairs):
                self._places |= {pair.id: (clip, place) for place, pair in enumerate(clip)}

    def __getitem__(self, pair: Pair) -> tuple[Pair, ...]:
        """The window around a pair, in the order of time; a pair of no clip is its own neighbour."""
        clip, place = self._places.get(pair.id, ((pair,), 0))
        reach = range(place - self._reach, place + self._reach + 1)
        return tuple(clip[mirrored(each, len(clip))] for each in reach)


def windows_of(
    frames: Iterable[Pixels], length: int, is_cut: Callable[[Pixels, Pixels], bool]
) -> Iterator[Pixels]:
    """The window around each frame of a video, (H, W, 3 · length), as frames come; in memory are the
    frames of one window.

    frames: (H, W, 3), of one size; length: odd; is_cut: whether two successive ones are of two scenes,
    each of which has its own two ends.
    """
    reach, held, count, done = length // 2, dict[int, Pixels](), 0, 0
    endless = 1 << 40  # the end is not known while frames still come
    for frame in frames:
        if count and reach and is_cut(held[count - 1], frame):
            yield from (_window(held, place, reach, count) for place in range(done, count))
            held, count, done = {}, 0, 0
        held[count] = frame
        count += 1
        if done + reach < count:
            yield _window(held, done, reach, endless)
            held.pop(done - reach, None)
            done += 1
    yield from (_window(held, place, reach, count) for place in range(done, count))


def _window(held: dict[int, Pixels], place: int, reach: int, count: int) -> Pixels:
    shown = [held[mirrored(each, count)] for each in range(place - reach, place + reach + 1)]
    return shown[0] if len(shown) == 1 else np.concatenate(shown, axis=2)


def clips_of(pairs: Iterable[Pair]) -> list[tuple[Pair, ...]]:
    """Successive frames of one size, in the order of time; pairs of no clip are in none."""
    frames: dict[tuple[str, str], dict[int, Pair]] = {}
    for pair in pairs:
        if pair.clip is not None and pair.frame is not None:
            frames.setdefault((pair.split, pair.clip), {})[pair.frame] = pair
    found: list[list[Pair]] = []
    for _, clip in sorted(frames.items()):
        before: Pair | None = None
        for number, pair in sorted(clip.items()):
            follows = before is not None and before.frame == number - 1 and _size(before) == _size(pair)
            if not follows:
                found.append([])
            found[-1].append(pair)
            before = pair
    return [tuple(clip) for clip in found]


def _size(pair: Pair) -> tuple[int, int]:
    return pair.width, pair.height
