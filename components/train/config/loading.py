"""In which order the training pictures come, and how they get to the step."""

from __future__ import annotations

from pydantic import Field

from components.core.parts import Part


class Loading(Part):
    """Which picture comes when, and who reads, decodes and changes it."""

    with_replacement: bool = Field(
        False, description="draw pairs anew each time, instead of every pair once an epoch"
    )
    # Not written where it is one, so that earlier recipes keep their digest.
    crops_per_visit: int = Field(
        1,
        ge=1,
        le=64,
        exclude_if=lambda count: count == 1,
        description=(
            "steps in a row that take another crop (change, fresh blur) of the same pictures, so that a set"
            " which keep_decoded_gb cannot hold is decoded as many times less often: data echoing before"
            " augmentation (Choi et al. 2019). An epoch stays as many images"
        ),
    )
    loader_processes: int | None = Field(
        None,
        ge=0,
        le=64,
        description=(
            "processes a worker that load and augment; null: none on processors, on a GPU up to 4 of the"
            " worker's processors"
        ),
    )
    keep_decoded_gb: float = Field(
        16.0,
        ge=0,
        description=(
            "gigabytes of decoded pictures that one file on this machine may hold for all its processes; a"
            " set that needs more, or more than half of the free disk, is decoded again and again"
        ),
    )
