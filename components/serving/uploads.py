"""A photo's bytes as they come in, within the limits, before anything is decoded."""

from __future__ import annotations

import asyncio
import re

import anyio.to_thread
from starlette.requests import Request

from components.core.decoding import header
from components.core.errors import PhotoError
from components.serving.settings import ServingSettings
from components.serving.statuses import Status

URL_ENCODED = "application/x-www-form-urlencoded"
SILENCE_S = 10.0  # a sender that says nothing for so long has gone, and holds a place of the queue
FIELDS = re.compile(rb"[\w.%+*\-]+=")  # how a form's body begins


class RefusedError(Exception):
    """An answer that is no photo: its status and its words."""

    def __init__(self, status: Status, words: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(words)
        self.status, self.headers = status, headers or {}


def refuse_length(request: Request, settings: ServingSettings) -> None:
    """Raises RefusedError by what the request says of its body, before a byte of it is read."""
    form = _form_of(request)
    if form.startswith("multipart/"):
        raise _is_form(form)
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise RefusedError(
            415,
            f"the body is packed (Content-Encoding: {packed}); send the photo's bytes as they are",
            {"Accept-Encoding": "identity"},
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > settings.max_bytes:
        raise _too_many_bytes(int(length), settings)


async def photo_of(request: Request, settings: ServingSettings) -> bytes:
    """The body. Raises RefusedError when it is too large, too slow, no photo, or of too many pixels."""
    data = bytearray()
    clock = asyncio.get_running_loop().time
    end = clock() + settings.upload_s
    try:
        async with asyncio.timeout_at(min(end, clock() + SILENCE_S)) as patience:
            async for piece in request.stream():
                data += piece
                if len(data) > settings.max_bytes:
                    raise _too_many_bytes(len(data), settings)
                patience.reschedule(min(end, clock() + SILENCE_S))
    except TimeoutError:
        late = f"the photo did not come within {settings.upload_s:g} s"
        silent = f"no byte of the photo came for {SILENCE_S:g} s"
        raise RefusedError(
            408, f"{late if clock() >= end else silent} ({len(data)} bytes did)", {"Connection": "close"}
        ) from None
    whole = bytes(data)
    try:
        # Aside, since a file of many small pieces takes seconds in which all others would wait.
        found = await anyio.to_thread.run_sync(header, whole)
    except PhotoError as error:
        refused = of_photo(error)
        # curl names all bytes so: what they are decides.
        is_form = _form_of(request) == URL_ENCODED and FIELDS.match(whole) is not None
        raise (_is_form(URL_ENCODED) if refused.status == 415 and is_form else refused) from error
    if found.megapixels > settings.max_megapixels:
        raise RefusedError(
            413,
            f"too large: {found.width} × {found.height} px is {found.megapixels:.1f} megapixels, at most"
            f" {settings.max_megapixels:g} are restored here (--max-megapixels)",
        )
    return whole


def of_photo(error: PhotoError) -> RefusedError:
    """415 for what is no photo of a kind that is read, 413 for too large a one, 422 for a damaged one."""
    kind = str(error).partition(":")[0]
    statuses: dict[str, Status] = {"not a photo": 415, "unusual": 415, "too large": 413}
    return RefusedError(statuses.get(kind, 422), str(error))


def _form_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_form(form: str) -> RefusedError:
    return RefusedError(
        415,
        f"the body is a form ({form}); send the photo's bytes as they are: curl --data-binary @photo.jpg"
        " -H 'Content-Type: image/jpeg'",
    )


def _too_many_bytes(length: int, settings: ServingSettings) -> RefusedError:
    return RefusedError(
        413,
        f"too large: {length / 1e6:.1f} MB, at most {settings.max_mb:g} MB are taken here (--max-mb)",
        {"Connection": "close"},
    )
