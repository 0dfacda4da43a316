"""Real pairs: sets whose blurred pictures are given (two cameras, a published set) or made of the
frames of a video. Blurred and sharp come in together.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.ingest.pairs.frame_average import FrameAverage
from components.ingest.pairs.published import Dvd, GoPro, Hide, Koehler, RealBlur, Reds
from components.ingest.pairs.two_folders import TwoFolders

Pairs = Annotated[
    TwoFolders | GoPro | RealBlur | Hide | Koehler | Reds | Dvd | FrameAverage, Field(discriminator="kind")
]
