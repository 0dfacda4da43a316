"""How a camera turned light into the values that it stored: `linear` not at all, else by a curve."""

from __future__ import annotations

from typing import Literal

Response = Literal["linear", "gamma_2.2", "srgb"]
