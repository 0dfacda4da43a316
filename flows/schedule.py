"""When recipes run by themselves: infra/schedule.yaml, read. What a run makes is the recipe's to say;
when, on which photos and who is told is the installation's, so it stands in a file of its own and
changes no digest.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationError, field_validator

from components import recipes
from components.core.errors import InputError, nearest
from components.core.parts import Part
from components.pipeline.project import Project
from components.recipes import yaml_rules
from components.recipes.explain import explain
from components.services import versioning

PLACE = Path("infra") / "schedule.yaml"
LONGEST_S = 366 * 86400.0
Pause = Annotated[float, Field(ge=0, le=86400)]


class RecipeSchedule(Part):
    """When one recipe is run by itself, and on what."""

    cron: str | None = Field(None, description="five fields, such as 0 2 * * *; none: only by hand or photos")
    timezone: str | None = Field(
        None, description="of cron, such as Europe/Berlin; the file's, when left out"
    )
    photos: str | None = Field(None, description="takes the place of the recipe's ingest.photos")
    watch: bool = Field(False, description="run when the photos have changed and settled")
    active: bool = Field(True, description="false: cron rests until the next deploy")

    @field_validator("cron")
    @classmethod
    def _cron_can_be_read(cls, cron: str | None) -> str | None:
        if cron is not None and len(cron.split()) != 5:
            raise ValueError(
                f"{cron!r} must have five fields: minute hour day month weekday, such as 0 2 * * *"
            )
        return cron

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, timezone: str | None) -> str | None:
        return timezone if timezone is None else _zone(timezone)


class Watch(Part):
    """How the watcher looks at the photos of the recipes that say `watch: true`."""

    every_s: float = Field(60, ge=5, le=86400, description="seconds between two looks")
    settled_s: float = Field(
        60, ge=0, le=86400, description="photos count as settled when nothing changed for so long"
    )


class Alarms(Part):
    """What Prefect's server watches over, and whom it tells."""

    notify: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+/[a-z0-9-]+$",
        description=(
            "a notification block made on Prefect's page, as TYPE/NAME, such as slack-webhook/team; its"
            " address stays there"
        ),
    )
    dead_after_s: float = Field(
        600,
        ge=10,
        le=LONGEST_S,
        description="a run that has been silent for so long is Crashed; heartbeats come every 180 s",
    )
    cancel_within_s: float = Field(
        120,
        ge=10,
        le=LONGEST_S,
        description="a cancelled run that nobody ended within that time is Cancelled",
    )
    waiting_s: float = Field(
        6 * 3600.0,
        ge=10,
        le=LONGEST_S,
        description="a run that waited for its place or a worker so long is told of",
    )


class Schedule(Part):
    """The whole file; every setting may be left out."""

    pool: str = Field("refocus", pattern=r"^[A-Za-z0-9_-]{1,100}$", description="Prefect's work pool")
    timezone: str = Field("UTC", description="of every cron that names none")
    retry_after_s: tuple[Pause, ...] = Field(
        (60, 300, 900), description="pauses before a run tries again, when a service did not answer"
    )
    watch: Watch = Watch()
    alarms: Alarms = Alarms()
    recipes: dict[str, RecipeSchedule] = Field(default_factory=dict)

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, timezone: str) -> str:
        return _zone(timezone)

    def of(self, recipe: str) -> RecipeSchedule:
        """A recipe's own part; of one that is not named: run by hand only."""
        return self.recipes.get(recipe, RecipeSchedule())

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """The recipes whose photos are watched."""
        return tuple(sorted(name for name, each in self.recipes.items() if each.watch))


def read_schedule(root: Path) -> Schedule:
    """A checkout's schedule; the default one (nothing by itself) where it has no such file.

    Raises InputError, naming file, field, value and what is allowed.
    """
    path = root / PLACE
    if not path.is_file():
        return Schedule()
    plain = yaml_rules.read(path) or {}
    if not isinstance(plain, dict):
        raise InputError(f"{path} must be a mapping; it is {type(plain).__name__}")
    try:
        found = Schedule.model_validate(plain)
    except ValidationError as error:
        raise InputError(explain(error, Schedule, plain, str(path))) from error
    known = recipes.names(root)
    for name in found.recipes:
        if name not in known:
            raise InputError(
                f"{path}: recipes.{name} is no recipe; there are {', '.join(known)}.{nearest(name, known)}"
            )
    return found


def recipes_to_deploy(project: Project, names: tuple[str, ...]) -> tuple[str, ...]:
    """The recipes that were named, or all that dvc.yaml has stages for; each is read, so that what is
    wrong with one is said now, not at night.
    """
    wanted = names or versioning.recipes_in_graph(project.root)
    for name in wanted:
        versioning.need_in_graph(project.root, name)
        recipes.load(name, root=project.root)
    return wanted


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone.{nearest(name, available_timezones())}")
    ZoneInfo(name)
    return name
