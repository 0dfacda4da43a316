"""What each status of a refusal means: the one list that answers are made of and that the interface
describes itself by.
"""

from __future__ import annotations

from typing import Any, Literal

from components.core.parts import Part

Status = Literal[401, 403, 404, 405, 408, 413, 415, 422, 499, 500, 503]
MEANS: dict[Status, str] = {
    401: "a token is set and was not sent",
    403: "a page of another site asks; or, without a token, another name than localhost was used",
    404: "no version has that alias",
    405: "the path is there, and is asked for by another method",
    408: "the photo came too slowly",
    413: "too many bytes or pixels",
    415: "no photo of a kind that is read",
    422: "a damaged photo, or a parameter that cannot be",
    499: "the asker has gone: counted, and read by nobody",
    500: "the service failed at it; its log has the rest",
    503: "the queue is full, or the registry does not answer; Retry-After says when to ask again",
}
# Whatever is asked for; 405 is of what is no operation, and so stands at none.
ANYWHERE: tuple[Status, ...] = (403, 500)
WITH_TOKEN: tuple[Status, ...] = (401, *ANYWHERE)  # of what is not open to all
OF_A_MODEL: tuple[Status, ...] = (*WITH_TOKEN, 404, 422, 503)  # of an alias that may be asked for
OF_A_PHOTO: tuple[Status, ...] = (*OF_A_MODEL, 408, 413, 415, 499)


class Refusal(Part):
    """Why not."""

    error: str


def documented(*statuses: Status) -> dict[int | str, dict[str, Any]]:
    """Refusals as FastAPI's `responses` takes them."""
    return {status: {"description": MEANS[status], "model": Refusal} for status in sorted(statuses)}
