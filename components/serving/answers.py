"""What surrounds every answer: who may ask, which version answered, and refusals as a sentence."""

from __future__ import annotations

import secrets
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.core.errors import InputError, LineageError, PhotoError, RefocusError, ServiceError
from components.serving.settings import ServingSettings, is_loopback
from components.serving.statuses import Status
from components.serving.turns import QueueFullError
from components.serving.uploads import RefusedError, of_photo

if TYPE_CHECKING:
    from components.serving.model import ServedModel
    from components.serving.models import Models, OneModel

MODEL_HEADER, DIGEST_HEADER = "X-Refocus-Model", "X-Refocus-Digest"
PRECISION_HEADER = "X-Refocus-Precision"
TILES_HEADER = "X-Refocus-Tiles"  # of a photo whose tiles saw themselves alone: not what the whole would be
OPEN = ("/", "/docs", "/healthz", "/openapi.json")  # what may be seen without a token: no photo, no model


class Surrounded:
    """The application with what every answer has and every request needs."""

    def __init__(
        self,
        app: ASGIApp,
        settings: ServingSettings,
        models: Models | OneModel,
        count: Callable[[str, int], None],
    ) -> None:
        self._app, self._settings, self._models, self._count = app, settings, models, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                served = self._models.current
                if served is not None and MODEL_HEADER not in headers:
                    headers.update(named(served))
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                self._count(scope["path"], message["status"])
            await send(message)

        refusal = refused(scope, self._settings)
        if scope["method"] == "HEAD":  # as GET; the server leaves the body out (RFC 9110, 9.3.2)
            scope = {**scope, "method": "GET"}
        await (refusal or self._app)(scope, receive, sending)


def refused(scope: Scope, settings: ServingSettings) -> Response | None:
    """The refusal of a request that may not ask, None for one that may."""
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    if origin is not None and _parts(origin).netloc != host:
        return told(403, f"a page of {origin} may not ask here; only this service's own page may")
    if settings.token is None:
        name = _parts(f"//{host}").hostname or ""
        if not is_loopback(name):  # a foreign name that leads here: DNS rebinding
            return told(403, f"asked as {name!r}; without a token only 127.0.0.1 and localhost are answered")
        return None
    if scope["path"] in OPEN:
        return None
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secrets.compare_digest(token.strip().encode(), settings.token.encode()):
        return None
    return told(
        401,
        "a token is needed: send the header Authorization: Bearer TOKEN",
        {"WWW-Authenticate": "Bearer"},
    )


def _parts(address: str) -> urllib.parse.SplitResult:
    """Of an address that anybody may have sent; nothing of one that is none."""
    try:
        return urllib.parse.urlsplit(address)
    except ValueError:
        return urllib.parse.urlsplit("")


def named(served: ServedModel) -> dict[str, str]:
    """The headers by which a restored photo can be traced."""
    name = urllib.parse.quote(served.name)
    return {
        MODEL_HEADER: name if served.number is None else f"{name}:{served.number}",
        DIGEST_HEADER: served.digest,
        PRECISION_HEADER: served.precision,
    }


def told(status: Status, words: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A refusal: {"error": a sentence}."""
    return JSONResponse({"error": words}, status_code=status, headers=headers)


async def of_error(request: Request, error: Exception) -> JSONResponse:
    """Whatever was raised, as an answer."""
    if isinstance(error, QueueFullError):
        return told(503, str(error), {"Retry-After": str(error.retry_after_s)})
    if isinstance(error, ClientDisconnect):  # nobody is there to read it, but it is counted
        error = RefusedError(499, "the asker has gone")
    if isinstance(error, PhotoError):
        error = of_photo(error)
    if isinstance(error, RefusedError):
        return told(error.status, str(error), error.headers)
    if isinstance(error, LineageError):
        return told(404, str(error))
    if isinstance(error, InputError):
        return told(422, str(error))
    if isinstance(error, ServiceError):
        return told(503, str(error), {"Retry-After": "10"})
    if isinstance(error, RefocusError):
        return told(500, str(error))
    return told(500, f"the restoration failed ({type(error).__name__}); the service's log has the rest")
