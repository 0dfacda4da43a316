"""A second generator that maps targets back to inputs, so that pictures need no partner."""

from __future__ import annotations

from pydantic import Field

from components.core.parts import Part
from components.nets.generators import Generator
from components.train.content import Content


class Cycle(Part):
    """The way back, and what binds the two ways (Zhu, Park, Isola & Efros 2017, arXiv 1703.10593, eq. 2 and
    sec. 5.2). Discriminators, their loss and `history` are those of `train`, built for each way.
    """

    generator: Generator | None = Field(
        None, description="the net from target to input; null: as train.generator"
    )
    consistency: tuple[Content, ...] = Field(
        min_length=1,
        description=(
            "losses of what went there and back against what it was, of both domains; named cycle_KIND; the"
            " paper: l1, weight 10"
        ),
    )
    identity: tuple[Content, ...] = Field(
        (),
        description=(
            "losses of what a generator makes of a picture that is in its target domain already, against that"
            " picture; named identity_KIND; the authors' code: l1, weight 5"
        ),
    )
