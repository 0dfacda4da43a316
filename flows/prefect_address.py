"""Which Prefect server is asked for, and whether it answers: for `refocus run` and `refocus doctor`."""

from __future__ import annotations

import base64
import http.client
import os
import urllib.error
import urllib.request
import warnings
from pathlib import Path

from components.core.addresses import shown
from components.core.errors import InputError, ServiceError
from components.core.surroundings import opener_for, proxy_for

API_VARIABLE = "PREFECT_API_URL"
LOGIN_VARIABLE, KEY_VARIABLE = "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"
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


def need_answer(api: str) -> str:
    """The version of the Prefect server that answers there. Raises ServiceError when none does, or it
    refuses our login, saying where its address comes from and by which proxy it is reached.
    """
    where = "" if API_VARIABLE in os.environ else " (from .env, prefect.toml, pyproject.toml or a profile)"
    try:
        _asked(api, "health", None)
        version = _asked(api, "admin/version", None)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
            return _known_there(api, error)
        if isinstance(error, urllib.error.HTTPError) and error.url.endswith("admin/version"):
            return ""  # one that tells its version to nobody
        proxy = proxy_for(api)
        by = f" by the proxy {shown(proxy)}" if proxy else ""
        raise ServiceError(
            f"{API_VARIABLE}{where} is {shown(api)}, which does not answer{by} ({error}); start that server,"
            " correct the address, or unset it to run without one"
        ) from error
    return version


def _known_there(api: str, refused: urllib.error.HTTPError) -> str:
    """Ask again with our login, which Prefect itself would bring."""
    login = _login()
    if login is None:
        raise ServiceError(
            f"the Prefect server at {shown(api)} wants a login ({refused.code}), and none is set here; set"
            f" {LOGIN_VARIABLE}=USER:PASSWORD ({KEY_VARIABLE} for Prefect Cloud)"
        ) from refused
    try:
        return _asked(api, "admin/version", login)
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403):
            return ""
        raise ServiceError(
            f"the Prefect server at {shown(api)} refuses the login that is set here ({error.code}); correct"
            f" {LOGIN_VARIABLE} or {KEY_VARIABLE}, here or in Prefect's profile"
        ) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ServiceError(f"the Prefect server at {shown(api)} stopped answering ({error})") from error


def _asked(api: str, what: str, login: str | None) -> str:
    headers = {} if login is None else {"Authorization": login}
    request = urllib.request.Request(f"{api.rstrip('/')}/{what}", headers=headers)
    with opener_for(api).open(request, timeout=PATIENCE_S) as answer:
        return str(answer.read(200).decode(errors="replace")).strip(' "\n')


def _login() -> str | None:
    """What Prefect would send as `Authorization`: from the variables, else from its settings."""
    key, login = os.environ.get(KEY_VARIABLE), os.environ.get(LOGIN_VARIABLE)
    if not key and not login:
        from prefect.settings import Settings  # takes seconds; nobody else knows profiles

        settings = Settings().api
        key, login = (
            None if found is None else found.get_secret_value()
            for found in (settings.key, settings.auth_string)
        )
    if login:
        return f"Basic {base64.b64encode(login.encode()).decode()}"
    return f"Bearer {key}" if key else None
