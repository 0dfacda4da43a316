"""A net's boxes laid out on a page: heights follow the side, widths the channels, arcs are the paths
beside the main one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from components.describe.boxes import Box, side
from components.describe.drawing import Drawing, Label, Line, Rect, Ring
from components.describe.layer_names import LETTER, macs_words, shape_words
from components.describe.trace import Shape

TALLEST, LOWEST = 168.0, 9.0  # px of the drawing
MARGIN, GAP, JOIN, LINE, LANE = 24.0, 32.0, 9.0, 15.0, 15.0
BEHIND = 4.0  # px that a further slab of a group looks out
KEYS = {
    "input": "input and output",
    "keep": "keeps the size",
    "down": "shrinks",
    "up": "enlarges",
    "block": "block with its own addition",
    "dense": "dense: all values",
}


@dataclass
class _Place:
    """Where a box stands on the axis."""

    box: Box
    width: float  # of its slab
    height: float
    pitch: float  # of its column
    middle: float = 0.0

    @property
    def left(self) -> float:
        return self.middle - self.width / 2

    @property
    def right(self) -> float:
        return self.middle + self.width / 2

    @property
    def raised(self) -> float:
        """What stands out above the slab: further slabs, the block's own addition."""
        return self.stack + (9.0 if self.box.role == "block" else 0.0)

    @property
    def stack(self) -> float:
        return BEHIND * min(self.box.count - 1, 2)

    @property
    def over(self) -> float:
        """Height above the axis with the labels above it."""
        return self.height / 2 + self.raised + (42.0 if self.box.count > 1 else 26.0)


def draw(found: Sequence[Box], title: str, facts: str) -> Drawing:
    """Lay out a net's boxes from left to right."""
    last = found[-1]
    every = [*found, Box("output", [last], last.shape, last.shape)]
    places = _places(every)
    arcs = _arcs(places)
    top = min([*(-place.over for place in places), *(height - 8.0 for _, _, height in arcs)])
    axis = 64.0 - top
    made = Drawing(title, facts, width=round(places[-1].middle + places[-1].pitch / 2 + MARGIN, 1))
    for place in places:
        _slab(made, place, axis)
    for before, after in pairwise(places):
        if before.box in after.box.sources:
            made.paths.append(Line(f"M{before.right:.1f} {axis:.1f}H{after.left - 1.5:.1f}", "flow"))
    for source, target, height in arcs:
        joins = target.box.role == "join"
        end = target.middle if joins else target.left - 9
        made.paths.append(
            Line(
                _bracket(_departs(source), end, axis, axis + height, axis - JOIN - 1.5 if joins else None),
                "skip",
            )
        )
    foot = _captions(made, places, axis + max(place.height for place in places) / 2 + 40.0)
    _legend(made, found, foot + 32.0)
    return made


def _places(found: Sequence[Box]) -> list[_Place]:
    tallest = max(side(box.shape) for box in found)
    places = []
    for box in found:
        if box.role == "join":
            places.append(_Place(box, 2 * JOIN, 2 * JOIN, 2 * JOIN + 18.0))
            continue
        width = 7.0 + 1.7 * float(box.shape[0]) ** 0.5
        labels = max(len(_size(box.shape)), len(str(box.shape[0]))) * LETTER
        places.append(
            _Place(
                box,
                min(width, 64.0),
                max(TALLEST * (side(box.shape) / tallest) ** 0.5, LOWEST),
                max(min(width, 64.0), labels) + GAP,
            )
        )
    for run in _runs(places):
        wide = [place for place in run if place.box.role != "join"]
        lacking = _caption_width(wide[0]) + 12.0 - sum(place.pitch for place in run)
        for place in wide if lacking > 0 else ():
            place.pitch += lacking / len(wide)
    at = MARGIN
    for place in places:
        place.middle = at + place.pitch / 2
        at += place.pitch
    return places


def _runs(places: Sequence[_Place]) -> list[list[_Place]]:
    """Neighbours with the same words, which share a caption; joins between them do not part them."""
    runs: list[list[_Place]] = []
    waiting: list[_Place] = []
    for place in places:
        if place.box.role == "join":
            waiting.append(place)
        elif (
            runs
            and place.box.role == "work" == runs[-1][0].box.role
            and runs[-1][0].box.words == place.box.words
        ):
            runs[-1] += [*waiting, place]
            waiting = []
        else:
            runs.append([place])
            waiting = []
    return runs


def _caption(place: _Place) -> list[str]:
    return [place.box.role] if place.box.role in ("input", "output") else place.box.words


def _caption_width(place: _Place) -> float:
    lines = _caption(place)
    return max(
        (len(word) * LETTER * (1.1 if word == lines[0] else 1.0) for word in lines), default=0.0
    )  # the first is bold


def _arcs(places: Sequence[_Place]) -> list[tuple[_Place, _Place, float]]:
    """Paths beside the main one: from, to, height above the axis (negative). Each goes over all
    that lies under it.
    """
    at = {place.box: number for number, place in enumerate(places)}
    spans = [
        (at[source], number)
        for number, place in enumerate(places)
        for source in place.box.sources
        if at[source] != number - 1
    ]
    done: list[tuple[int, int, float]] = []
    for first, last in sorted(spans, key=lambda span: span[1] - span[0]):
        under = [-place.over for place in places[first + 1 : last]]
        beside = [height - LANE for start, end, height in done if start < last and first < end]
        done.append((first, last, min([*under, *beside, -30.0])))
    return [(places[first], places[last], height) for first, last, height in done]


def _departs(place: _Place) -> float:
    return (
        place.middle
        if place.box.role == "join"
        else place.right + (14.0 + place.stack if place.box.role == "block" else 9.0)
    )


def _bracket(start: float, end: float, axis: float, top: float, landing: float | None = None) -> str:
    """Up from the axis, along, and down again, with round corners."""
    r, down = 6.0, axis - 1.0 if landing is None else landing
    up = f"M{start:.1f} {axis:.1f}V{top + r:.1f}Q{start:.1f} {top:.1f} {start + r:.1f} {top:.1f}"
    return f"{up}H{end - r:.1f}Q{end:.1f} {top:.1f} {end:.1f} {top + r:.1f}V{down:.1f}"


def _slab(made: Drawing, place: _Place, axis: float) -> None:
    box = place.box
    names = f"{box.names[0]} … {box.names[-1]}" if len(box.names) > 1 else "".join(box.names)
    about = (
        f"{names}\n{shape_words(box.shape_in)} → {shape_words(box.shape)}\n{box.parameters:,} parameters,"
        f" {macs_words(box.macs)}".strip()
    )
    if box.role == "join":
        made.rings.append(Ring(round(place.middle, 1), round(axis, 1), box.words[0], about))
        made.labels += [
            Label(round(place.middle, 1), axis + 24 + LINE * line, word, "small")
            for line, word in enumerate(box.words[1:])
        ]
        return
    style = box.role if box.role == "block" else "input" if box.role in ("input", "output") else box.effect
    top = axis - place.height / 2
    for behind in range(min(box.count - 1, 2), -1, -1):
        x, y = place.left + BEHIND * behind, top - BEHIND * behind
        made.rects.append(
            Rect(round(x, 1), round(y, 1), round(place.width, 1), round(place.height, 1), style, about)
        )
    if box.role == "block":
        made.paths.append(
            Line(
                _bracket(place.left - 8, place.right + 8 + place.stack, axis, top - place.raised + 1.0),
                "bypass",
            )
        )
    made.labels.append(
        Label(round(place.middle, 1), round(top - place.raised - 6, 1), str(box.shape[0]), "channels")
    )
    if box.count > 1:
        made.labels.append(
            Label(round(place.middle, 1), round(top - place.raised - 21, 1), f"×{box.count}", "count")
        )
    if len(box.shape) == 3:
        made.labels.append(
            Label(round(place.middle, 1), round(axis + place.height / 2 + 14, 1), _size(box.shape), "size")
        )


def _captions(made: Drawing, places: Sequence[_Place], y: float) -> float:
    """What each run of boxes does, below them; gives the lowest base line."""
    lowest = y
    for run in _runs(places):
        left, right = run[0].middle - run[0].width / 2, run[-1].middle + run[-1].width / 2
        if len(run) > 1:
            made.paths.append(Line(f"M{left:.1f} {y - 15:.1f}v4H{right:.1f}v-4", "brace"))
        for line, word in enumerate(_caption(run[0])):
            at = y + 4 + LINE * line
            made.labels.append(
                Label(round((left + right) / 2, 1), round(at, 1), word, "first" if line == 0 else "")
            )
            lowest = max(lowest, at)
    return lowest


def _legend(made: Drawing, found: Sequence[Box], y: float) -> None:
    present = {box.effect if box.role == "work" else box.role for box in found}
    x = MARGIN
    for style in [key for key in KEYS if key in present]:
        made.keys.append(Label(round(x, 1), y, KEYS[style], style))
        x += 26 + len(KEYS[style]) * LETTER
    for kind in dict.fromkeys(box.words[0] for box in found if box.role == "join"):
        made.keys.append(Label(round(x, 1), y, kind, f"ring {kind}"))
        x += 34 + len(kind) * LETTER
    hint = "above: channels, below: side in px; height and width grow with their square roots"
    made.keys.append(Label(MARGIN, y + 20, hint, "hint"))
    longest = max(len(made.facts) * 6.9, len(made.title) * 9.5, len(hint) * LETTER)
    made.width = max(made.width, round(x + MARGIN, 1), round(longest + 2 * MARGIN, 1))
    made.height = round(y + 38, 1)


def _size(shape: Shape) -> str:
    if len(shape) != 3:
        return ""
    return f"{shape[1]}²" if shape[1] == shape[2] else f"{shape[1]}×{shape[2]}"
