"""Who hears a training in a benchmark: keeps its newest state and all readings, and says nothing."""

from __future__ import annotations

from collections.abc import Mapping

from components.train.validate import Picture


class Listener:
    """A store and an observer that remember."""

    in_background: bool = False

    def __init__(self) -> None:
        self.state: bytes | None = None
        self.values: dict[int, dict[str, float]] = {}
        self.sheet: Picture | None = None
        self.warnings: list[str] = []

    @property
    def rollbacks(self) -> int:
        """How often the training went back."""
        return sum("rollback" in words for words in self.warnings)

    def load(self) -> bytes | None:
        """The newest state."""
        return self.state

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Keep the newest."""
        self.state = state

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Keep all; after a rollback, the later ones of a position."""
        self.values.setdefault(images_seen, {}).update(values)

    def picture(self, picture: Picture, images_seen: int) -> None:
        """Keep the newest."""
        self.sheet = picture

    def begin(self, images_seen: int) -> None:
        """Nothing to show."""

    def advance(self, images: int, note: str) -> None:
        """Nothing to show."""

    def warn(self, words: str) -> None:
        """Keep what was said."""
        self.warnings.append(words)

    def final_state(self) -> bytes:
        """The state of a training that came to its end."""
        assert self.state is not None, "no state was kept"
        return self.state

    def series(self, name: str) -> tuple[list[int], list[float]]:
        """Positions and values of one reading."""
        found = [(images, values[name]) for images, values in sorted(self.values.items()) if name in values]
        return [images for images, _ in found], [value for _, value in found]
