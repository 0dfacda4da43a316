"""The recipe's `register` section: what the model is called and what it must prove before it
serves.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.core.errors import InputError
from components.core.parts import Part
from components.metrics import metric_named
from components.nets.formats import Format
from components.register.gate import GatePolicy


class DriftLimits(Part):
    """How far photos and the champion's figures may move from what it was promoted on without a word."""

    photos: float = Field(
        1.0,
        gt=0,
        description=(
            "of a statistic of the photos (size, noise, sharpness, brightness, colour): shift of its median,"
            " in spreads from quartile to quartile"
        ),
    )
    figures: float = Field(
        0.05, gt=0, description="of the champion's metrics on fresh pairs: share by which they got worse"
    )
    sample: int = Field(32, ge=4, le=1000, description="photos that are read for it, of the whole set")


class RegisterConfig(Part):
    """Where a trained model is registered and how it is judged."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
        description="name in the MLflow registry: letters, digits, - and _, at most 100",
    )
    load_test: bool = Field(
        True,
        description=(
            "load the model in a clean process, in another folder, before it is registered (about 10 s)"
        ),
    )
    formats: tuple[Format, ...] = Field(
        (),
        description=(
            "files for other programs that lie beside the weights of each version, each with a parity report:"
            " onnx, onnx_int8, onnx_int8_aware, onnx_without_dropout"
        ),
    )
    gate: GatePolicy = Field(
        default_factory=GatePolicy, description="what a version must prove to become champion"
    )

    approval: Literal["automatic", "person"] = Field(
        "automatic",
        description=(
            "who has the last word on a version that passed the gate: nobody (automatic), or a person, who"
            " approves or rejects it"
        ),
    )
    approval_expires_h: float = Field(
        168, gt=0, le=8760, description="hours a person has to answer; then the version is not promoted"
    )

    drift: DriftLimits = Field(
        default_factory=DriftLimits, description="when a run warns that the world has moved"
    )

    @model_validator(mode="after")
    def _metrics_are_known(self) -> Self:
        for field, names in (
            ("primary", (self.gate.primary,)),
            ("margins", self.gate.margins),
            ("class_margins", self.gate.class_margins),
            ("targets", self.gate.targets),
        ):
            for name in names:
                try:
                    metric_named(name)
                except InputError as error:
                    raise ValueError(f"gate.{field}: {error}") from error
        kinds = [part.kind for part in self.formats]
        if len(set(kinds)) < len(kinds):
            raise ValueError(
                f"formats names a kind twice ({', '.join(kinds)}); a version has one file of each"
            )
        return self
