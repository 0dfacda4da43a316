"""One thing that `refocus doctor` has looked at, and how one that could not be looked at is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from components.core.causes import explained
from components.pipeline.project import Project


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `remedy` is empty when nothing needs doing."""

    what: str
    found: str
    remedy: str = ""


Check = Callable[[Project], Iterator[Finding]]


def looked_at(check: Check, project: Project) -> Iterator[Finding]:
    """A check's findings; whatever it ends with is a finding too, so that the others are still made."""
    try:
        yield from check(project)
    except Exception as error:
        yield Finding(check.__name__.replace("_", " "), "cannot be looked at", str(explained(error)))
