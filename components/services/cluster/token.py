"""The token of a protected Ray cluster, and variables that travel sealed with it.

Whoever has the token may do anything on the cluster, so it is the key that both ends hold already:
what is sealed with it may stand in a job's description, in logs and on the dashboard.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.core.errors import ServiceError

MODE_VARIABLE, TOKEN_VARIABLE, PATH_VARIABLE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
OF_USER = Path("~/.ray/auth_token")  # where `ray get-auth-token --generate` puts it
HOW = f"set {MODE_VARIABLE}=token and {TOKEN_VARIABLE} (or {PATH_VARIABLE}) to the cluster's"


def token() -> str | None:
    """The token that this process shows to Ray; None where it shows none."""
    if os.environ.get(MODE_VARIABLE, "").lower() != "token":
        return None
    if value := os.environ.get(TOKEN_VARIABLE, "").strip():
        return value
    path = Path(os.environ.get(PATH_VARIABLE) or OF_USER).expanduser()
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def refused(place: str) -> ServiceError:
    """What to say when a cluster refuses this process."""
    if token() is not None:
        return ServiceError(
            f"the Ray cluster at {place} refuses the token that is set here; {TOKEN_VARIABLE} or"
            f" {PATH_VARIABLE} must be the cluster's"
        )
    beside = (
        f" ({TOKEN_VARIABLE} is set, but counts only with {MODE_VARIABLE}=token)"
        if os.environ.get(TOKEN_VARIABLE) and os.environ.get(MODE_VARIABLE, "").lower() != "token"
        else ""
    )
    return ServiceError(f"the Ray cluster at {place} wants a token, and none is set here{beside}; {HOW}")


def sealed(variables: Mapping[str, str]) -> str:
    """Variables as a text that only who has the cluster's token can read.

    Raises ServiceError when there is no token.
    """
    text: bytes = _box().encrypt(json.dumps(dict(variables)).encode())
    return text.decode()


def opened(text: str) -> dict[str, str]:
    """What was sealed. Raises ServiceError when the token here is none or another."""
    from cryptography.fernet import InvalidToken

    try:
        found: dict[str, str] = json.loads(_box().decrypt(text.encode()))
    except InvalidToken:
        raise ServiceError(
            f"the credentials of this job were sealed with another token than this node's; {HOW}"
        ) from None
    return found


def _box() -> Any:
    from cryptography.fernet import Fernet

    key = token()
    if key is None:
        raise ServiceError(f"credentials of a job cannot be sealed or opened without a token; {HOW}")
    derived = hashlib.scrypt(key.encode(), salt=b"refocus: variables of a job", n=2**12, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(derived))
