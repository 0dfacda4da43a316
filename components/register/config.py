"""The recipe's `register` section: what the model is called and what it must prove before it
serves.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from components.core.errors import InputError
from components.core.parts import Part
from components.metrics import metric_named
from components.nets.formats import Format
from components.register.gate import GatePolicy


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
            " onnx, onnx_int8, onnx_without_dropout"
        ),
    )
    gate: GatePolicy = Field(
        default_factory=GatePolicy, description="what a version must prove to become champion"
    )

    @model_validator(mode="after")
    def _metrics_are_known(self) -> Self:
        for field, names in (
            ("primary", (self.gate.primary,)),
            ("margins", self.gate.margins),
            ("class_margins", self.gate.class_margins),
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
