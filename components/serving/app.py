"""The ASGI application: POST /restore takes a photo's bytes and gives the restored photo's."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import anyio.to_thread
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from components.core.decoding import decode, header
from components.core.encoding import MEDIA_TYPES, Format, encoded
from components.core.errors import RefocusError
from components.core.parts import Part
from components.registry import lineage
from components.services import tracking
from components.serving import pages
from components.serving.answers import TILES_HEADER, Surrounded, named, of_error, told
from components.serving.loads import Loads
from components.serving.model import ServedModel, of_file, of_folder, of_version
from components.serving.models import Models, OneModel
from components.serving.readings import Readings
from components.serving.settings import ServingSettings, is_of_registry
from components.serving.statuses import (
    ANYWHERE,
    OF_A_MODEL,
    OF_A_PHOTO,
    WITH_TOKEN,
    Status,
    documented,
)
from components.serving.turns import QueueFullError, Turns
from components.serving.uploads import RefusedError, photo_of, refuse_length

Alias = Literal["champion", "challenger", "previous"]
PICTURE = {"schema": {"type": "string", "format": "binary"}}
PHOTO_BODY = {
    "requestBody": {
        "required": True,
        "content": dict.fromkeys(("image/jpeg", "image/png", "image/webp", "image/tiff"), PICTURE),
    }
}


class Health(Part):
    """Whether photos are restored."""

    status: Literal["ok", "loading"]


class About(Part):
    """What is served."""

    model: str
    name: str
    version: int | None
    alias: str | None
    digest: str
    weights_sha256: str
    precision: str
    scale: int
    aliases: dict[str, int | None]
    trouble: str | None
    card: str


def models_of(settings: ServingSettings) -> Models | OneModel:
    """What is to be served; nothing is loaded yet. Raises InputError when it names nothing."""
    if not is_of_registry(settings.model):
        place = Path(settings.model)
        of_place = of_folder if place.is_dir() else of_file
        return OneModel(lambda: of_place(place, **settings.how))
    name, alias, number = lineage.parts_of(settings.model)

    def load(version: tracking.Version) -> ServedModel:
        return of_version(version, **settings.how)

    if number is not None:
        return OneModel(lambda: load(lineage.resolve(settings.model)))
    return Models(name, alias, load, settings.follow_s)


def build_app(settings: ServingSettings, models: Models | OneModel | None = None) -> ASGIApp:
    """The application, which loads its model when it starts unless that was done."""
    models = models or models_of(settings.checked())
    service = Service(settings, models)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(models.start)
        yield
        await anyio.to_thread.run_sync(models.stop)

    app = FastAPI(
        title="Refocus",
        version="1",
        summary="Photo bytes in, restored photo bytes out.",
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=life,
    )
    _add_routes(app, service, settings)
    for kind in (RefocusError, QueueFullError, RefusedError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, of_error)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(HTTPException, _of_route)
    return Surrounded(app, settings, models, service.count)


def _add_routes(app: FastAPI, service: Service, settings: ServingSettings) -> None:
    """What can be asked, and with which statuses it is answered."""
    kept: dict[str, Any] = {"include_in_schema": False}
    app.add_api_route("/", pages.page(settings), methods=["GET"], **kept)
    app.add_api_route("/docs", pages.reference(app), methods=["GET"], **kept)
    app.add_api_route(
        "/healthz",
        service.healthz,
        methods=["GET"],
        summary="Whether photos are restored",
        responses={
            503: {"description": "the model is not loaded yet", "model": Health},
            **documented(*ANYWHERE),
        },
    )
    app.add_api_route(
        "/model",
        service.about,
        methods=["GET"],
        summary="What is served, and its card",
        responses=documented(*OF_A_MODEL),
    )
    app.add_api_route(
        "/metrics",
        service.metrics,
        methods=["GET"],
        summary="Readings for Prometheus",
        response_class=Response,
        responses=documented(*WITH_TOKEN),
    )
    app.add_api_route(
        "/restore",
        service.restore,
        methods=["POST"],
        summary="Restore a photo",
        response_class=Response,
        responses={
            200: {
                "content": dict.fromkeys(MEDIA_TYPES.values(), PICTURE),
                "description": "the restored photo",
            },
            **documented(*OF_A_PHOTO),
        },
        openapi_extra=PHOTO_BODY,
    )


class Service:
    """What the routes do."""

    def __init__(self, settings: ServingSettings, models: Models | OneModel) -> None:
        self.settings, self.models = settings, models
        self.turns = Turns(settings.queue)
        self.loads = Loads(models)
        self.readings = Readings(models, self.turns)

    def count(self, path: str, status: int) -> None:
        """Count an answer; a path that is none of ours is counted as one."""
        known = path in ("/", "/docs", "/healthz", "/model", "/metrics", "/restore", "/openapi.json")
        self.readings.answers.labels(path if known else "other", str(status)).inc()

    async def healthz(self) -> JSONResponse:
        """200 while photos are restored, 503 before the model is loaded."""
        ready = self.models.current is not None
        return JSONResponse(
            Health(status="ok" if ready else "loading").model_dump(), status_code=200 if ready else 503
        )

    async def about(self, model: Alias | None = None) -> About:
        """Of what is served, or of another alias; that one is loaded for it."""
        served = await self.loads.get(model)
        return About(
            model=served.words,
            name=served.name,
            version=served.number,
            alias=model or self.models.alias,
            digest=served.digest,
            weights_sha256=served.weights_sha256,
            precision=served.precision,
            scale=served.restorer.scale,
            aliases=self.models.numbers,
            trouble=self.models.trouble,
            card=served.card,
        )

    async def metrics(self) -> Response:
        """Text, as Prometheus reads it."""
        return Response(self.readings.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def restore(
        self,
        request: Request,
        wanted: Annotated[
            Format | None, Query(alias="format", description="png when neither this nor Accept says")
        ] = None,
        model: Annotated[Alias | None, Query(description="another alias than the served one")] = None,
    ) -> Response:
        """The body is the photo's file: JPEG, PNG, WebP or TIFF of 8 or 16 bits (AVIF and HEIC where
        their library is). PNG and TIFF give 16 bits for 16; colour profile, EXIF and density are kept.
        """
        refuse_length(request, self.settings)
        form = wanted or _accepted(request.headers.get("accept", ""))
        served = await self.loads.get(model)  # before a place is taken: a registry may let one wait
        async with self.turns.place():
            data = await photo_of(request, self.settings)
            async with self.turns.turn():
                if await request.is_disconnected():
                    raise RefusedError(499, "the asker has gone")
                served = self.models.held(model) or served  # what came while this one waited
                return await anyio.to_thread.run_sync(self._restored, data, form, served)

    def _restored(self, data: bytes, form: Format, served: ServedModel) -> Response:
        begun = time.monotonic()
        self._refuse_large(data, served)
        picture = decode(data)
        pixels = served.restorer.restore_pixels(picture.pixels)
        restored = encoded(
            form, pixels, original=data, metadata=picture.metadata, scale=served.restorer.scale
        )
        self.readings.seconds.observe(time.monotonic() - begun)
        self.readings.megapixels.inc(picture.pixels.shape[0] * picture.pixels.shape[1] / 1e6)
        headers = named(served)
        if served.restorer.alone(*picture.pixels.shape[:2]):
            headers[TILES_HEADER] = f"per_tile {served.restorer.tile_px}"
        return Response(restored, media_type=MEDIA_TYPES[form], headers=headers)

    def _refuse_large(self, data: bytes, served: ServedModel) -> None:
        """Raises RefusedError when the restored photo would be larger than photos may be."""
        megapixels = header(data).megapixels * served.restorer.scale**2
        if megapixels > self.settings.max_megapixels:
            raise RefusedError(
                413,
                f"too large: {served.words} enlarges {served.restorer.scale} times, to {megapixels:.1f}"
                f" megapixels, at most {self.settings.max_megapixels:g} are made here (--max-megapixels)",
            )


def _accepted(accept: str) -> Format:
    """The format that the Accept header likes best (RFC 9110, 12.5.1), of several the first; PNG where it
    names none.
    """
    best = 0.0
    found: Format = "png"
    for wanted in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in wanted.split(";"))
        liked = next((_share(each[2:]) for each in parameters if each.startswith("q=")), 1.0)
        for form, media_type in MEDIA_TYPES.items():
            if kind == media_type and liked > best:
                best, found = liked, form
    return found


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


async def _of_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()]
    return told(422, "; ".join(found))


async def _of_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    status = cast("Status", error.status_code)  # 404 or 405: nothing else is raised by finding a route
    return told(status, f"{error.detail}: {request.method} {request.url.path}; see /docs", headers)
