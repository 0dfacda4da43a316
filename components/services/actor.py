"""Who trains and who decides, as the record names them: the person or service, and the account and machine
it came from.
"""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

from components.services import tracking, versioning

ACTOR_VARIABLE = "REFOCUS_ACTOR"
LONGEST = 200


def owner() -> str:
    """`Ann Lee <ann@example.org> (ann@laptop)`: $REFOCUS_ACTOR, else git's user, else the login at the
    MLflow server; where there is none of them the account alone, `ann@laptop`.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    account = f"{user}@{socket.gethostname()}"
    named = os.environ.get(ACTOR_VARIABLE) or versioning.identity(Path.cwd()) or tracking.login()
    who = " ".join((named or "").split())[:LONGEST]
    return f"{who} ({account})" if who else account
