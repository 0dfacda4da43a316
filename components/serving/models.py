"""What each alias serves now, followed through promotions and rollbacks.

A new version is loaded beside the old one and proved ready before its place is taken in one step;
a request keeps the version that it began with, which goes with its last request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from components.core.errors import LineageError, RefocusError
from components.registry import lineage
from components.services import tracking
from components.serving.model import ServedModel

ALIASES = (tracking.CHAMPION, tracking.CHALLENGER, tracking.PREVIOUS)
SILENT_S = 10.0  # after which a question to the registry that has no answer is told
UNUSED_S = 600.0  # an alias that nobody asked for as long is given up, but the one that is served
REFUSED_S = 300.0  # a version that was found unfit is not tried again before
Load = Callable[[tracking.Version], ServedModel]


@dataclass
class _Held:
    model: ServedModel
    asked_at: float


class Models:
    """The models of one name; thread-safe."""

    def __init__(self, name: str, alias: str, load: Load, follow_s: float) -> None:
        """alias: the one that is served; the others are loaded when they are first asked for."""
        self.name, self.alias, self._load, self._follow_s = name, alias, load, follow_s
        self._held: dict[str, _Held] = {}
        self._loading = threading.Lock()
        self._refused: dict[int, tuple[float, str]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.numbers: dict[str, int | None] = {}  # of each alias, as last seen
        self._trouble: str | None = None  # why the last look at the registry failed
        self._asking_since: float | None = None
        self.swaps = self.failures = 0

    def start(self) -> None:
        """Load what is served and begin to follow it. Raises what loading raises."""
        self.get()
        self.look()
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="follow aliases", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End following."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    @property
    def current(self) -> ServedModel | None:
        """What is served when no alias is named; None before it was loaded."""
        held = self._held.get(self.alias)
        return None if held is None else held.model

    @property
    def trouble(self) -> str | None:
        """Why nothing new is taken over; None where all is well."""
        since = self._asking_since
        if since is not None and (silent := time.monotonic() - since) > SILENT_S:
            return f"the registry has not answered for {silent:.0f} s; what is served goes on"
        return self._trouble

    def held(self, alias: str | None) -> ServedModel | None:
        """What an alias serves, if it is loaded."""
        held = self._held.get(alias or self.alias)
        if held is not None:
            held.asked_at = time.monotonic()
        return None if held is None else held.model

    def get(self, alias: str | None = None) -> ServedModel:
        """What an alias serves, loaded now if it was not yet. Raises LineageError where it has none."""
        alias = alias or self.alias
        held = self._held.get(alias)
        if held is None:
            with self._loading:
                held = self._held.get(alias)
                if held is None:
                    held = _Held(self._ready(lineage.resolve(f"{self.name}@{alias}")), 0.0)
                    self._held[alias] = held
        held.asked_at = time.monotonic()
        return held.model

    def look(self) -> None:
        """Ask for the aliases once, and take over what has changed. Raises nothing: what is wrong
        stands in `trouble`, and the old version goes on serving.
        """
        troubles = []
        self._asking_since = time.monotonic()
        try:
            found = {alias: tracking.at_alias(self.name, alias) for alias in {*ALIASES, self.alias}}
        except RefocusError as error:
            self.failures += 1
            self._trouble = str(error)
            return
        finally:
            self._asking_since = None
        self.numbers = {
            alias: None if version is None else version.number for alias, version in sorted(found.items())
        }
        for alias, held in list(self._held.items()):
            version = found.get(alias)
            try:
                self._follow_one(alias, held, version)
            except Exception as error:  # a broken file may raise anything, and must not end the service
                self.failures += 1
                troubles.append(f"{alias}: {str(error) or type(error).__name__}")
        self._trouble = "; ".join(troubles) or None

    def _follow_one(self, alias: str, held: _Held, version: tracking.Version | None) -> None:
        if alias != self.alias and (version is None or time.monotonic() - held.asked_at > UNUSED_S):
            self._held.pop(alias, None)
        elif version is None:
            raise LineageError(f"{self.name} has no {alias} any more; {held.model.words} goes on serving")
        elif version.number != held.model.number:
            with self._loading:
                self._held[alias] = _Held(self._ready(version), held.asked_at)
            self.swaps += 1

    def _ready(self, version: tracking.Version) -> ServedModel:
        """A version, loaded once however many aliases it has."""
        for held in self._held.values():
            if held.model.number == version.number:
                return held.model
        until, why = self._refused.get(version.number, (0.0, ""))
        if time.monotonic() < until:
            raise LineageError(why)
        try:
            return self._load(version)
        except LineageError as error:
            self._refused[version.number] = (time.monotonic() + REFUSED_S, str(error))
            raise

    def _follow(self) -> None:
        while not self._stop.wait(self._follow_s):
            self.look()


class OneModel:
    """A model that no alias moves: a version by its number, a folder, a file."""

    alias: str | None = None
    trouble: str | None = None
    swaps = failures = 0

    def __init__(self, load: Callable[[], ServedModel]) -> None:
        self._load = load
        self.current: ServedModel | None = None
        self.numbers: dict[str, int | None] = {}
        self.name = ""

    def start(self) -> None:
        """Load it. Raises what loading raises."""
        self.current = self.current or self._load()
        self.name = self.current.name

    def stop(self) -> None:
        """Nothing is followed."""

    def held(self, alias: str | None) -> ServedModel | None:
        """It, where no alias is asked for."""
        return self.current if alias is None else None

    def get(self, alias: str | None = None) -> ServedModel:
        """It. Raises LineageError when an alias is asked for."""
        if alias is not None or self.current is None:
            raise LineageError(
                f"{self.name} is served as it is, and has no {alias}; serve NAME@champion to choose between"
                " aliases"
            )
        return self.current
