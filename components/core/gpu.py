"""The word by which settings ask for a GPU."""

from __future__ import annotations

from typing import Literal

# Where there is one, refused where there is none, or not at all.
Gpu = Literal["auto", "require", "never"]
