"""The page for people and the reference of the interface: one file each, with no script, style or
picture from elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse

from components.core.encoding import ENDINGS
from components.core.pages import templates
from components.serving.settings import ServingSettings

Page = Callable[[], Awaitable[HTMLResponse]]


def page(settings: ServingSettings) -> Page:
    """Drop photos, compare, download."""
    template = templates(Path(__file__).parent).get_template("page.html.j2")

    async def shown() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        text = template.render(
            settings=settings, nonce=nonce, endings=ENDINGS, locked=settings.token is not None
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": _policy(nonce)})

    return shown


def reference(app: FastAPI) -> Page:
    """What can be asked: the OpenAPI description, readable."""
    template = templates(Path(__file__).parent).get_template("reference.html.j2")

    async def shown() -> HTMLResponse:
        text = template.render(api=app.openapi(), routes=_routes(app.openapi()))
        return HTMLResponse(text, headers={"Content-Security-Policy": _policy(None)})

    return shown


def _routes(api: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, about)
        for path, methods in api["paths"].items()
        for method, about in methods.items()
    ]


def _policy(nonce: str | None) -> str:
    script = f"'nonce-{nonce}'" if nonce else "'none'"
    return (
        f"default-src 'none'; script-src {script}; style-src 'unsafe-inline'; img-src 'self' blob: data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
