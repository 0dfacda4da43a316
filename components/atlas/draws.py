"""What the atlas shows, drawn as a run of the recipe would draw it: the recipe's mix of blurs and
shots, and each kind by itself.

Every pair seed is (recipe seed, "blur atlas", number): the same page each time, and no photo has a
say in it.
"""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from components.core import seeds
from components.core.images import linear_of, linear_to_srgb
from components.optics.blurs import Blur, NoBlur
from components.optics.blurs.drawn_blur import Floats
from components.optics.camera import Shot
from components.optics.degradation import Plan, plans
from components.optics.develop import developed
from components.optics.sensor_noise import NoiseLevel
from components.synthesize.config import SeverityClass, SynthesizeConfig

DRAWS = 400
OF_EACH_KIND = (
    101  # with these, the tenth from below, the middle one and the tenth from above are exact percentiles
)
SHOWN = (10, 50, 90)  # percentiles by severity
CLASSES: tuple[SeverityClass, ...] = ("mild", "medium", "strong")
FAINT = 0.01  # of a kernel's brightest pixel; less is not seen as part of the blur
MID_GREY = 128 / 255
GREY_PX = 40  # side of a grey square: its 4800 values tell the noise within 2 %


@dataclass(frozen=True)
class Mix:
    """Pairs drawn from the whole recipe; all lists have one value a pair, but for steps of the
    camera that are off.
    """

    blurs: tuple[int, ...]  # which of the recipe's blurs
    severity_px: tuple[float, ...]
    extent_px: tuple[int, ...]
    classes: tuple[SeverityClass, ...]
    noise_levels: tuple[float, ...]
    extra_light: tuple[float, ...]
    jpeg_quality: tuple[int, ...]
    webp_quality: tuple[int, ...]

    @property
    def blurred(self) -> bool:
        """Whether any pair is, by a blur or by a downscale that takes more than its size."""
        return max(self.severity_px) > 0

    @property
    def counts(self) -> dict[SeverityClass, int]:
        """Pairs of each class."""
        found = Counter(self.classes)
        return {name: found[name] for name in CLASSES}


@dataclass(frozen=True)
class Example:
    """One drawn pair, and how it stands among others of its kind."""

    plan: Plan
    percentile: int | None  # by severity; None where all are the same
    severity_px: float
    extent_px: int
    severity_class: SeverityClass


@dataclass(frozen=True)
class Kind:
    """One kind of blur by itself: OF_EACH_KIND draws in the order of their severity."""

    blur: Blur
    share: float | None  # of the recipe's pairs; None for a kind that the recipe leaves out
    examples: tuple[Example, ...]

    @property
    def title(self) -> str:
        # Where no blur comes before it, a downscale that blurs is the kind.
        shown = self.blur.kind if self.examples[-1].severity_px == 0 else self.examples[0].plan.kind
        return "no blur" if shown == NoBlur().kind else shown.replace("_", " ")

    @property
    def varied(self) -> bool:
        """Whether the draws differ in severity."""
        return self.examples[0].severity_px < self.examples[-1].severity_px

    @cached_property
    def shown(self) -> tuple[Example, ...]:
        """The draws that the page has pictures of: three percentiles, or one where all are the
        same.
        """
        return (
            tuple(example for example in self.examples if example.percentile is not None)
            if self.varied
            else self.examples[:1]
        )

    @property
    def severity_px(self) -> tuple[float, ...]:
        """Of every draw, rising."""
        return tuple(example.severity_px for example in self.examples)

    @property
    def extent_px(self) -> float:
        """The median one."""
        return float(np.median([example.extent_px for example in self.examples]))


def pair_seeds(config: SynthesizeConfig, count: int) -> list[int]:
    """Seeds of the atlas's pairs."""
    return [seeds.seed_of(config.seed, "blur atlas", number) for number in range(count)]


def drawn_mix(config: SynthesizeConfig) -> Mix:
    """DRAWS pairs of the recipe."""
    made = plans(config.degradation, pair_seeds(config, DRAWS))
    severities = tuple(plan.severity_px for plan in made)
    shots = [plan.shot for plan in made]
    return Mix(
        tuple(next(place for place, blur in enumerate(config.blurs) if blur is plan.blur) for plan in made),
        severities,
        tuple(extent_px(plan.effect.psf) for plan in made),
        tuple(config.severity_class(severity) for severity in severities),
        tuple(shot_levels(shot) for shot in shots if shot.noise is not None),
        tuple(shot.highlights.extra for shot in shots if shot.highlights is not None),
        tuple(shot.jpeg_quality for shot in shots if shot.jpeg_quality is not None),
        tuple(shot.webp_quality for shot in shots if shot.webp_quality is not None),
    )


def drawn_kinds(config: SynthesizeConfig, *, others: bool = False) -> tuple[Kind, ...]:
    """Every blur of the recipe; with `others` also the kinds it leaves out, at their defaults."""
    total = sum(blur.weight for blur in config.blurs)
    found = (
        []
        if config.translate is not None
        else [_drawn_kind(config, blur, blur.weight / total) for blur in config.blurs]
    )
    names = {kind.blur.kind for kind in found}
    if others:
        found += [
            _drawn_kind(config, kind(), None)
            for kind in kinds_of_blur()
            if kind is not NoBlur and kind.model_fields["kind"].default not in names
        ]
    return tuple(found)


def kinds_of_blur() -> tuple[type[Blur], ...]:
    """The classes of the union."""
    members: tuple[type[Blur], ...] = typing.get_args(typing.get_args(Blur)[0])
    return members


def _drawn_kind(config: SynthesizeConfig, blur: Blur, share: float | None) -> Kind:
    alone = config.model_copy(update={"blurs": (blur,), "translate": None})
    made = sorted(
        plans(alone.degradation, pair_seeds(config, OF_EACH_KIND)), key=lambda plan: plan.severity_px
    )
    examples = [
        Example(
            plan,
            place if place in SHOWN else None,
            severity,
            extent_px(plan.effect.psf),
            config.severity_class(severity),
        )
        for place, plan in enumerate(made)
        for severity in (plan.severity_px,)
    ]
    return Kind(blur, share, tuple(examples))


def extent_px(psf: Floats) -> int:
    """Longer side of the upright box around the pixels that have a hundredth of the brightest one's
    light, or more.

    >>> extent_px(np.array([[0.001, 0.5, 0.499]], np.float32))
    2
    """
    seen = psf >= FAINT * psf.max()
    sides = (np.flatnonzero(seen.any(axis=axis)) for axis in (0, 1))
    return max(int(side[-1] - side[0]) + 1 for side in sides)


def shot_levels(shot: Shot) -> float:
    """Noise of a shot at mid grey, in levels: as its formula says; through a sensor, which mixes
    pixels and colours, as a grey square shows it.
    """
    assert shot.noise is not None, "no noise was drawn"
    if shot.sensor is None:
        return noise_levels(shot.noise, linear=shot.linear_light)
    grey = np.full((GREY_PX, GREY_PX, 3), linear_of(np.array(128, np.uint8)), np.float32)
    seen = linear_to_srgb(developed(grey, shot.sensor, shot.noise, shot.seed, None, top=0, left=0))
    return float(255 * seen.std(axis=(0, 1)).mean())


def noise_levels(noise: NoiseLevel, *, linear: bool) -> float:
    """Standard deviation of the noise on a mid-grey surface, in levels of the stored picture's 255.

    linear: noise was added to linear light, whose sRGB curve is as steep at mid grey as its
    derivative says (IEC 61966-2-1).
    """
    light = ((MID_GREY + 0.055) / 1.055) ** 2.4 if linear else MID_GREY
    slope = 1.055 / 2.4 * light ** (1 / 2.4 - 1) if linear else 1.0
    return float(255 * slope * np.sqrt(noise.shot * light + noise.read))


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The tenth, fiftieth and ninetieth of a hundred."""
    low, middle, high = (float(value) for value in np.percentile(values, SHOWN))
    return low, middle, high
