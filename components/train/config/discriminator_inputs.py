"""What the discriminators are shown beside plain photos: noise on them, and restored ones of earlier
steps.
"""

from __future__ import annotations

from pydantic import Field

from components.core.parts import Part


class InstanceNoise(Part):
    """Gaussian noise on what the discriminators see, so that they cannot win by trifles (Sønderby
    et al. 2017, sec. 3.2).
    """

    std: float = Field(0.05, gt=0, le=1, description="standard deviation, photos being in [-1, 1]")
    restored: bool = Field(
        False,
        description=(
            "also on restored photos, as in the paper; false: on real ones alone, as the guides have it"
        ),
    )
    fade: bool = Field(True, description="falls to nothing over each phase")

    def std_at(self, phase_fraction: float) -> float:
        """The standard deviation when so much of the phase (0 to 1) is done."""
        return self.std * (1.0 - phase_fraction if self.fade else 1.0)


class History(Part):
    """Show the discriminators restored photos of earlier steps too (Shrivastava et al. 2017, sec.
    2.3).
    """

    size: int = Field(
        50,
        ge=1,
        le=10_000,
        description="restored photos that are kept; half of what the discriminators see comes from them",
    )
