"""What the discriminators are shown beside plain photos (noise on them, changes, restored ones of earlier
steps), and what keeps them smooth.
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


class DiffAugment(Part):
    """Change what the discriminators see, real and restored alike and with a gradient, so that they cannot
    learn few photos by heart (Zhao, Liu, Lin, Zhu & Han 2020, "Differentiable Augmentation for
    Data-Efficient GAN Training").
    """

    colour: bool = Field(True, description="brightness, saturation and contrast of each photo")
    translation: float = Field(
        0.125, ge=0, lt=1, description="most that a photo is moved, as a share of its side; zeros follow"
    )
    cutout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="side of a square of zeros, as a share of the photo's; may lie half outside",
    )


class R1(Part):
    """A penalty on the discriminators' slope at real photos: gamma / 2 · |∇D(real)|² (Mescheder, Geiger &
    Nowozin 2018, eq. 9), now and then and as much more (lazy: Karras et al. 2020, sec. 3.1).
    """

    gamma: float = Field(1.0, gt=0, description="weight; 10 in the paper for 256 px faces")
    every: int = Field(
        16, ge=1, le=1000, description="steps from one penalty to the next, which counts as many times"
    )
