"""When a deployment runs by itself, in Prefect's words; what would never run, or otherwise than it reads,
is refused before anything is made on a server.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from components.core.errors import InputError
from flows.schedule import PLACE

FIELDS = {"minute": 60, "hour": 24, "day": 31, "month": 12, "weekday": 7}  # how many values each has


def firing(recipe: str, *, cron: str | None, timezone: str, every_s: float | None, active: bool) -> list[Any]:
    """Prefect's schedules of a recipe's cron and of a pause. Raises InputError, with the value and what is
    allowed, for a cron that Prefect cannot read, that never fires, or whose step is no step.
    """
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    found = []
    if cron:
        said = f"{PLACE}: recipes.{recipe}.cron is {cron!r}, "
        try:
            when = CronSchedule(cron=cron, timezone=timezone)
        except ValueError as error:
            raise InputError(
                f"{said}which Prefect cannot read: minute (0 to 59), hour (0 to 23), day (1 to 31), month (1"
                " to 12), weekday (0 to 7), each a number, *, a list 1,2, a range 1-5 or a step */2"
            ) from error
        _need_steps(cron, said)
        _need_a_day(cron, said)
        found.append(DeploymentScheduleCreate(schedule=when, active=active, slug="cron"))
    if every_s:
        pause = IntervalSchedule(interval=timedelta(seconds=every_s))
        found.append(DeploymentScheduleCreate(schedule=pause, active=active, slug="every"))
    return found


def _need_steps(cron: str, said: str) -> None:
    for text, (name, values) in zip(cron.split(), FIELDS.items(), strict=True):
        for step in re.findall(r"/(\d+)", text):
            if not 1 <= int(step) < values:
                raise InputError(
                    f"{said}whose step of {step} is none of a {name}: steps are counted anew from the first"
                    f" of {values}, so they go from 1 to {values - 1}"
                )


def _need_a_day(cron: str, said: str) -> None:
    """Prefect's server asks this reader of cron's for the next time."""
    import prefect._vendor.croniter as theirs

    reader: Any = theirs
    try:
        reader.croniter(cron, datetime.now()).get_next(datetime)  # of whatever zone: a day of some year
    except reader.CroniterBadDateError as error:
        raise InputError(
            f"{said}which never comes: no month that it names has such a day. February has 28 or 29, April,"
            " June, September and November 30; L is a month's last day"
        ) from error
