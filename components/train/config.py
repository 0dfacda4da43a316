"""The recipe's `train` section: nets, losses, optimisers, phases. Everything a result depends on, nothing about where it runs but `workers`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.core.parts import Part, digest_of
from components.nets.discriminators import Discriminator
from components.nets.generators import Generator
from components.train.adversarial import Adversarial
from components.train.content import Content


class Adam(Part):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(1e-4, gt=0, le=1, description="learning rate before the phase's schedule")
    beta1: float = Field(0.5, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the squared gradient")
    epsilon: float = Field(1e-8, gt=0)


class Constant(Part):
    """One learning rate for the whole phase."""

    kind: Literal["constant"] = "constant"
    level: float = Field(1.0, gt=0, le=1, description="share of the optimiser's rate, such as 0.1 for a second phase that only refines")

    def factor(self, share: float) -> float:
        """The level, whatever share of the phase is done."""
        return self.level


class Linear(Part):
    """Hold, then fall in a straight line to zero (DeblurGAN and pix2pix: hold half)."""

    kind: Literal["linear"] = "linear"
    hold: float = Field(0.5, ge=0, lt=1, description="share of the phase at full rate")

    def factor(self, share: float) -> float:
        """Multiplier of the learning rate when `share` (0 to 1) of the phase is done."""
        return min(1.0, (1.0 - share) / (1.0 - self.hold))


class Cosine(Part):
    """Half a cosine from 1 to `floor` (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine"] = "cosine"
    floor: float = Field(0.0, ge=0, lt=1, description="share of the rate that is left at the end")

    def factor(self, share: float) -> float:
        """Multiplier of the learning rate when `share` (0 to 1) of the phase is done."""
        import math

        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share))


Schedule = Annotated[Constant | Linear | Cosine, Field(discriminator="kind")]


class Phase(Part):
    """A stretch of training: how long, on what crops, with or without the discriminators."""

    name: str = Field(min_length=1)
    epochs: float | None = Field(None, gt=0, description="length as passes over the training pairs; this or `images`")
    images: int | None = Field(None, gt=0, description="length in images the generator has seen")
    crop_px: int = Field(256, ge=16, le=2048, description="side of the square crops")
    batch: int = Field(1, ge=1, le=4096, description="images a step over all workers together")
    adversarial: bool = Field(True, description="false trains the generator on the content losses alone")
    schedule: Schedule = Field(default_factory=Constant)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.images is None):
            raise ValueError(f'phase "{self.name}" needs its length as epochs or as images, one of the two; got epochs={self.epochs}, images={self.images}')
        return self

    def length_images(self, pairs: int) -> int:
        """Length in images for a training set of so many pairs: whole batches, at least one."""
        wanted = self.images if self.images is not None else (self.epochs or 0) * pairs
        return max(1, round(wanted / self.batch)) * self.batch


class Augment(Part):
    """Changes made to blurred and sharp alike, drawn per image and position in training, never per worker."""

    flip: float = Field(0.5, ge=0, le=1, description="probability of a left-right flip")
    flip_vertical: float = Field(0.0, ge=0, le=1, description="probability of an upside-down flip")
    quarter_turns: float = Field(0.0, ge=0, le=1, description="probability of a turn by 90, 180 or 270 degrees")
    swap_channels: float = Field(0.0, ge=0, le=1, description="probability of red, green and blue in another order: few photos show few colours")
    brightness: float = Field(0.0, ge=0, le=0.9, description="largest change of brightness, share of the range")
    contrast: float = Field(0.0, ge=0, le=0.9, description="largest change of contrast, share of the range")


class TrainConfig(Part):
    """Everything training depends on."""

    seed: int = Field(0, ge=0)
    generator: Generator
    discriminators: tuple[Discriminator, ...] = Field(default=(), description="none trains on the content losses alone")
    adversarial: Adversarial | None = None
    discriminator_updates: int = Field(1, ge=1, le=100, description="discriminator steps before each generator step, each on fresh photos; n_critic in WGAN")
    content: tuple[Content, ...] = Field(min_length=1)
    generator_optimizer: Adam = Field(default_factory=Adam)
    discriminator_optimizer: Adam = Field(default_factory=Adam)
    phases: tuple[Phase, ...] = Field(min_length=1)
    augment: Augment = Field(default_factory=Augment)
    ema: float = Field(0.999, ge=0, lt=1, description="decay per step of the averaged generator, the one that is kept; 0 keeps the last weights")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: forward passes under autocast; weights, losses and the gradient penalty stay fp32")
    channels_last: bool = Field(False, description="memory layout NHWC; measure before use, it hurts some nets")
    compile: bool = Field(False, description="torch.compile of the generator")
    workers: int = Field(1, ge=0, le=1024, description="Ray workers; 0 trains in the stage's own process without Ray. Changes no result beyond rounding")
    gpu: Literal["auto", "never"] = Field("auto", description="auto: one GPU a worker when there is one")
    retries: int = Field(2, ge=0, description="restarts by Ray after a worker died")
    loader_processes: int = Field(0, ge=0, le=64, description="processes a worker that load and augment")
    validate_every: int = Field(1000, ge=1, description="images between validations and checkpoints")
    validate_pairs: int = Field(16, ge=1, description="most validation pairs used each time, the first by id")
    log_every: int = Field(20, ge=1, description="steps between readings of the losses")
    loss_limit: float = Field(1e6, gt=0, description="a generator or discriminator loss beyond this, or NaN, stops the training as diverged")

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if bool(self.discriminators) != (self.adversarial is not None):
            raise ValueError("discriminators and adversarial go together: give both, or neither to train on the content losses alone")
        if any(phase.adversarial for phase in self.phases) and not self.discriminators:
            raise ValueError("a phase is adversarial, yet there are no discriminators: set its adversarial to false, or add a discriminator")
        for phase in self.phases:
            if phase.crop_px % self.generator.stride:
                raise ValueError(f"crop_px {phase.crop_px} of phase {phase.name} must be a multiple of {self.generator.stride}, the generator's stride")
            if self.workers > 1 and phase.batch % self.workers:
                raise ValueError(f"batch {phase.batch} of phase {phase.name} must divide evenly over {self.workers} workers: change one of them")
        return self

    def content_names(self) -> tuple[str, ...]:
        """One name a content loss: its kind, numbered when a kind comes twice."""
        kinds = [part.kind for part in self.content]
        return tuple(kind if kinds.count(kind) == 1 else f"{kind}_{kinds[:index].count(kind) + 1}" for index, kind in enumerate(kinds))

    def key_digest(self) -> str:
        """Digest of all that changes the result: the same training on more workers or with other logging is the same training."""
        return digest_of(self.model_dump(mode="json", exclude={"workers", "retries", "loader_processes", "gpu"}))
