"""Addresses and other words as they may be shown: without the passwords and tokens in them.

Every RefocusError cleans its message when it is made, and whatever else is printed or relayed goes
through `without_secrets`.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

HIDDEN = "***"
# Keys in buckets and versions of models may hold an @ of their own, and their addresses no user.
WITHOUT_USER = ("s3", "gs", "file", "models", "runs", "mlflow-artifacts")
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^\s'\"<>|`]*)")
_VALUE = re.compile(r"(?P<name>[?&;][^=&;#\s]*=)[^&;#\s)\"']*")
_FRAGMENT = re.compile(r"#.*", re.DOTALL)
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|AUTH_STRING|CREDENTIAL|CUSTOM_HEADERS")
_SHORTEST = 6  # shorter ones are words of every sentence ("test")


def shown(address: str) -> str:
    """One address without user, password, and the values of its query.

    A password may hold @, / and ? that its owner forgot to write as %40, %2F and %3F: everything
    up to the last @ is taken for it.

    >>> shown("https://ann:p@ss/word@mlflow.example:5000/x?token=abc&page=2")
    'https://mlflow.example:5000/x?token=***&page=***'
    >>> shown("s3://photos/IMG@2x.png")
    's3://photos/IMG@2x.png'
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    if scheme.lower() not in WITHOUT_USER or "@" in rest.split("/")[0]:
        rest = rest.rpartition("@")[2]
    place, mark_of_query, query = rest.partition("?")
    if scheme.lower() not in WITHOUT_USER:
        query = _FRAGMENT.sub(f"#{HIDDEN}", query)
    hidden = _VALUE.sub(rf"\g<name>{HIDDEN}", mark_of_query + query)
    return f"{scheme}://{place}{hidden}"


def without_secrets(text: str) -> str:
    """Any text, each address in it as `shown`, and no value of a variable that is named like a
    secret (AWS_SECRET_ACCESS_KEY, MLFLOW_TRACKING_PASSWORD, PREFECT_API_KEY).
    """
    if not text:
        return text
    values = dict(os.environ)
    for value in sorted(values.values(), key=len, reverse=True):
        # A whole address first: it may hold what would end it in a sentence (a blank, a quote).
        if "://" in value and len(value) < 2000 and value in text and (clean := shown(value)) != value:
            text = text.replace(value, clean)
    for secret in _secrets(values):
        if secret in text:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return _ADDRESS.sub(lambda found: shown(found[0]), text)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable holds what must not be seen: by its name, or by a user in its address.

    >>> is_secret("AWS_SECRET_ACCESS_KEY", "x"), is_secret("AWS_DEFAULT_REGION", "x")
    (True, False)
    """
    return bool(_SECRET_NAME.search(name.upper())) or ("://" in value and shown(value) != value)


def sqlite_address(path: Path, driver: str = "") -> str:
    """The address of a SQLite file, whatever its path holds (%, #, ?): SQLAlchemy writes it as it
    will read it. For a path with a ?, where it would end, SQLite's own form of addresses is taken.

    driver: aiosqlite for Prefect. For a path that needs care the standard driver is named too, or
    MLflow would make a folder of the address as it is written.
    """
    plain = path.as_posix()
    if re.fullmatch(r"[\w/.+~-]+", plain, re.ASCII):
        return f"sqlite{f'+{driver}' if driver else ''}:///{plain}"
    from sqlalchemy import URL

    named, query = plain, {}
    if "?" in plain:
        named, query = f"file:{urllib.parse.quote(plain)}", {"uri": "true"}
    return URL.create(f"sqlite+{driver or 'pysqlite'}", database=named, query=query).render_as_string()


def _secrets(variables: dict[str, str]) -> set[str]:
    """What must not be seen: values of variables named so, and the passwords inside of addresses, as
    written and as decoded.
    """
    found = {value.strip() for name, value in variables.items() if _SECRET_NAME.search(name.upper())}
    for value in variables.values():
        scheme, mark, rest = value.partition("://")
        if mark and "@" in rest and scheme.lower() not in WITHOUT_USER and len(value) < 2000:
            password = rest.rpartition("@")[0].partition(":")[2]
            found |= {password, urllib.parse.unquote(password)}
    return {secret for secret in found if len(secret) >= _SHORTEST and not secret.startswith(("/", "."))}
