"""Who decides, as the record names them: the person or service, and the account and machine it came
from.
"""

from __future__ import annotations

from pathlib import Path

from components.core.surroundings import account
from components.registry.reasons import one_line
from components.services import tracking, versioning

LONGEST = 200


def owner() -> str:
    """`Ann Lee <ann@example.org> (ann@laptop)`: $REFOCUS_ACTOR, else git's user, else the login at the
    MLflow server; where there is none of them the account alone, `ann@laptop`.
    """
    named = tracking.named_actor() or versioning.identity(Path.cwd()) or tracking.login()
    who = one_line(named or "")[:LONGEST]
    return f"{who} ({account()})" if who else account()
