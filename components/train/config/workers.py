"""How many workers train: a number, or a range within which the cluster decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Discriminator, Field, Tag, model_validator

from components.core.parts import Part

WorkerCount = Annotated[int, Field(ge=0, le=1024)]


class WorkerRange(Part):
    """As many workers as find room on a cluster, in a number that parts every batch evenly. They come
    and go with its nodes; each time the training goes on from its last state. The batch stays.
    """

    least: int = Field(ge=1, le=1024, description="it waits until there is room for these")
    most: int = Field(ge=1, le=1024)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"workers.least ({self.least}) must not exceed workers.most ({self.most})")
        return self


def _which(value: object) -> str:
    return WorkerRange.__name__ if isinstance(value, Mapping | WorkerRange) else int.__name__


# Told apart by what stands there, so that a wrong one is told as what it was meant for.
AskedWorkers = Annotated[
    Annotated[WorkerCount, Tag(int.__name__)] | Annotated[WorkerRange, Tag(WorkerRange.__name__)],
    Discriminator(_which),
]
