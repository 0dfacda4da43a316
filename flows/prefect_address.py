"""Which Prefect server is asked for, and whether it answers: for `refocus run` and `refocus doctor`."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
import warnings
from pathlib import Path

from components.core.addresses import shown
from components.core.errors import InputError, ServiceError
from components.core.surroundings import proxy_for

API_VARIABLE = "PREFECT_API_URL"
PATIENCE_S = 5.0


def api_address(home: Path) -> str | None:
    """The Prefect server that is asked for: by the environment, or by what else Prefect reads
    (.env, prefect.toml and pyproject.toml in the working directory, a profile in its home); None
    where nobody asks for one.
    """
    if API_VARIABLE in os.environ:
        return os.environ[API_VARIABLE] or None
    files = {".env": "prefect_api", "prefect.toml": "", "pyproject.toml": "tool.prefect"}
    places = [(Path(name), word) for name, word in files.items()]
    if not any(_says(path, word) for path, word in [*places, (home / "profiles.toml", "api_url")]):
        return None  # Prefect itself takes seconds to say so
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from prefect.settings import Settings  # read anew, so that what is set later still counts

            found: str | None = Settings().api.url
        except Exception as error:
            raise InputError(
                "Prefect cannot read its settings (.env, prefect.toml, pyproject.toml, its profile):"
                f" {' '.join(str(error).split())[:300]}; correct or remove that file"
            ) from error
    return found or None


def _says(path: Path, word: str) -> bool:
    try:
        return word in path.read_text(errors="replace").lower()
    except OSError:
        return False


def need_answer(api: str) -> None:
    """Raises ServiceError when a Prefect server does not answer, saying where its address comes from
    and by which proxy it is reached.
    """
    where = "" if API_VARIABLE in os.environ else " (from .env, prefect.toml, pyproject.toml or a profile)"
    try:
        with urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=PATIENCE_S):
            return
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
            return  # it is there and wants credentials, which Prefect itself will bring
        proxy = proxy_for(api)
        by = f" by the proxy {shown(proxy)}" if proxy else ""
        raise ServiceError(
            f"{API_VARIABLE}{where} is {shown(api)}, which does not answer{by} ({error}); start that server,"
            " correct the address, or unset it to run without one"
        ) from error
