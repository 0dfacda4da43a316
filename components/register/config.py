"""The recipe's `register` section: what the model is called and what it must prove before it serves."""

from __future__ import annotations

from pydantic import Field

from components.core.parts import Part
from components.register.gate import GatePolicy


class RegisterConfig(Part):
    """Where a trained model is registered and how it is judged."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", description="name in the MLflow registry: letters, digits, - and _, at most 100")
    load_test: bool = Field(True, description="load the model in a clean process, in another folder, before it is registered (about 10 s)")
    gate: GatePolicy = Field(default_factory=GatePolicy, description="what a version must prove to become champion")
