"""The recipe's `train` section: nets, losses, optimisers, phases. Everything a result depends on,
nothing about where it runs but `workers`.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from components.core.errors import nearest
from components.core.parts import Part, digest_of
from components.core.quarantine import MAX_LEFT_OUT
from components.metrics import metric_named
from components.nets.discriminators import Discriminator
from components.nets.generators import Generator
from components.train.adversarial import WGANGP, Adversarial, Wasserstein
from components.train.content import Content
from components.train.health import OF_DISCRIMINATORS, Health, Rollback
from components.train.schedules import Constant, Schedule


class Adam(Part):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    lr: float = Field(1e-4, gt=0, le=1, description="learning rate before the phase's schedule")
    beta1: float = Field(0.5, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the squared gradient")
    epsilon: float = Field(1e-8, gt=0)


class EarlyStopping(Part):
    """End a phase when a validation metric has not improved for a while (Prechelt 1998, "Early
    stopping - but when?").
    """

    metric: str = Field("psnr_rgb", description="one of validate_metrics")
    patience: int = Field(5, ge=1, description="validations in a row without a better value")
    least: float = Field(
        0.0,
        ge=0,
        description=(
            "smallest improvement that counts, in the metric's unit; none counts below its standard error"
            " over the validation photos"
        ),
    )


class Phase(Part):
    """A stretch of training: how long, on what crops, with or without the discriminators."""

    name: str = Field(min_length=1)
    epochs: float | None = Field(
        None, gt=0, description="length as passes over the training pairs; this or `images`"
    )
    images: int | None = Field(None, gt=0, description="length in images the generator has seen")
    crop_px: int = Field(256, ge=16, le=2048, description="side of the square crops")
    batch: int = Field(1, ge=1, le=4096, description="images a step over all workers together")
    adversarial: bool = Field(True, description="false trains the generator on the content losses alone")
    content: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="names of the content losses that count in this phase; null: all of them",
    )
    schedule: Schedule = Field(default_factory=Constant)
    early_stopping: EarlyStopping | None = Field(
        None, description="may end this phase before its length; the next one follows"
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.images is None):
            raise ValueError(
                f'phase "{self.name}" needs its length as epochs or as images, one of the two; got'
                f" epochs={self.epochs}, images={self.images}"
            )
        return self

    def counts(self, content: str) -> bool:
        """Whether the content loss of that name counts in this phase."""
        return self.content is None or content in self.content

    def length_images(self, pairs: int) -> int:
        """Length in images for a training set of so many pairs: whole batches, at least one."""
        wanted = self.images if self.images is not None else (self.epochs or 0) * pairs
        return max(1, round(wanted / self.batch)) * self.batch


class Augment(Part):
    """Changes made to input and target alike, drawn per image and position in training, never per
    worker.
    """

    enlarge: float = Field(
        1.0,
        ge=1,
        le=4,
        description=(
            "both pictures are enlarged by this before the crop: pix2pix's jitter is 286/256. It changes the"
            " blur's size"
        ),
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability of a left-right flip")
    flip_vertical: float = Field(0.0, ge=0, le=1, description="probability of an upside-down flip")
    quarter_turns: float = Field(
        0.0, ge=0, le=1, description="probability of a turn by 0, 90, 180 or 270 degrees, each as likely"
    )
    swap_channels: float = Field(
        0.0,
        ge=0,
        le=1,
        description=(
            "probability of red, green and blue in one of their six orders: few photos show few colours"
        ),
    )
    brightness: float = Field(
        0.0, ge=0, le=0.9, description="largest change of brightness, share of the range"
    )
    contrast: float = Field(0.0, ge=0, le=0.9, description="largest change of contrast, share of the range")

    def smallest_px(self, crop_px: int) -> int:
        """The shortest side that holds a crop once it is enlarged."""
        return math.ceil(crop_px / self.enlarge)


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


class TrainConfig(Part):
    """Everything training depends on."""

    seed: int = Field(0, ge=0)
    generator: Generator
    discriminators: tuple[Discriminator, ...] = Field(
        default=(), description="none trains on the content losses alone"
    )
    adversarial: Adversarial | None = None
    discriminator_updates: int = Field(
        1,
        ge=1,
        le=100,
        description=(
            "n_critic in WGAN: discriminator steps before each of the generator, on fresh photos unless"
            " discriminator_reuse"
        ),
    )
    discriminator_reuse: bool = Field(
        False,
        description=(
            "all discriminator steps on the generator's own batch, as DeblurGAN's code has it, not on fresh"
            " photos"
        ),
    )
    split_updates: bool = Field(
        False,
        description=(
            "one optimiser step for real photos, then one for restored ones, as Keras' train_on_batch called"
            " twice"
        ),
    )
    simultaneous: bool = Field(
        False,
        description=(
            "the generator's step is judged by the discriminators as they were before theirs: one pass, two"
            " tapes"
        ),
    )
    instance_noise: InstanceNoise | None = Field(
        None, description="noise on what the discriminators see; null for none"
    )
    history: History | None = Field(
        None, description="earlier restored photos for the discriminators; null shows the present ones alone"
    )
    content: tuple[Content, ...] = Field(min_length=1)
    generator_optimizer: Adam = Field(default_factory=Adam)
    discriminator_optimizer: Adam = Field(default_factory=Adam)
    phases: tuple[Phase, ...] = Field(min_length=1)
    augment: Augment = Field(default_factory=Augment)
    with_replacement: bool = Field(
        False, description="draw pairs anew each time, instead of every pair once an epoch"
    )
    ema: float = Field(
        0.999,
        ge=0,
        lt=1,
        description=(
            "decay per step of the averaged generator, the one that is kept; 0 keeps the last weights"
        ),
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="bf16: forward passes under autocast; weights, losses and the gradient penalty stay fp32",
    )
    channels_last: bool = Field(
        False, description="memory layout NHWC; measure before use, it hurts some nets"
    )
    compile: bool = Field(False, description="torch.compile of the generator")
    max_left_out: float = MAX_LEFT_OUT
    workers: int = Field(
        1,
        ge=0,
        le=1024,
        description=(
            "Ray workers; 0 trains in the stage's own process without Ray. Changes no result beyond rounding"
        ),
    )
    gpu: Literal["auto", "never"] = Field("auto", description="auto: one GPU a worker when there is one")
    retries: int = Field(2, ge=0, description="restarts by Ray after a worker died")
    loader_processes: int = Field(0, ge=0, le=64, description="processes a worker that load and augment")
    synthesize_on: Literal["auto", "device", "processor"] = Field(
        "auto",
        description=(
            "where pairs of delivery on_the_fly are made: by torch on the device, or in the loader's"
            " processes; auto: on a GPU"
        ),
    )
    validate_every: int = Field(
        1000,
        ge=1,
        description=(
            "images between validations and kept states: what an interrupted training does again at most"
        ),
    )
    validate_pairs: int = Field(
        16,
        ge=1,
        description=(
            "most validation pairs used each time: one of each photo (or scene) before second ones, so that"
            " 16 show 16 photos"
        ),
    )
    validate_metrics: tuple[str, ...] = Field(
        ("psnr_rgb", "ssim_gauss11_rgb"),
        min_length=1,
        description="metrics of the averaged generator at each validation",
    )
    keep_best: str | None = Field(
        None,
        description=(
            "keep the generator of the validation where this metric was best; null keeps the last. Better is"
            " what exceeds its standard error over the validation photos"
        ),
    )
    health: Health = Field(default_factory=Health, description="limits that warn")
    rollback: Rollback | None = Field(
        None,
        description=(
            "on divergence, go back to the last healthy state with a lower rate; null stops with an error"
        ),
    )
    log_every: int = Field(20, ge=1, description="steps between readings of the losses")
    loss_limit: float = Field(
        1e6,
        gt=0,
        description="a generator or discriminator loss beyond this, or NaN, stops the training as diverged",
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if bool(self.discriminators) != (self.adversarial is not None):
            raise ValueError(
                "discriminators and adversarial go together: give both, or neither to train on the content"
                " losses alone"
            )
        if any(phase.adversarial for phase in self.phases) and not self.discriminators:
            raise ValueError(
                "a phase is adversarial, yet there are no discriminators: set its adversarial to false, or"
                " add a discriminator"
            )
        idle = [
            name
            for name in ("instance_noise", "history", "split_updates", "discriminator_reuse", "simultaneous")
            if getattr(self, name)
        ]
        if idle and not self.discriminators:
            raise ValueError(
                f"{' and '.join(idle)} changes what discriminators see or how they learn, and there are none:"
                " leave it out, or add a discriminator"
            )
        if self.split_updates and self.adversarial is not None and self.adversarial.compares:
            raise ValueError(
                f"split_updates cannot go with {self.adversarial.kind}: it judges real photos beside restored"
                " ones, so there is one step for both"
            )
        batched = [
            discriminator.kind for discriminator in self.discriminators if discriminator.norm.kind == "batch"
        ]
        if batched and isinstance(self.adversarial, WGANGP) and self.adversarial.penalty_weight > 0:
            raise ValueError(
                f"a gradient penalty is taken per photo, which batch normalisation in {batched[0]} mixes with"
                " the others (Gulrajani et al. 2017, sec. 4): set its norm to instance or none"
            )
        if self.simultaneous and (self.discriminator_updates > 1 or self.split_updates):
            raise ValueError(
                "simultaneous means one step of each: set discriminator_updates to 1 and split_updates to"
                " false, or simultaneous to false"
            )
        return self

    @model_validator(mode="after")
    def _discriminators_suit_their_loss(self) -> Self:
        adversarial = self.adversarial
        for discriminator in self.discriminators:
            if discriminator.bounded and adversarial is not None and adversarial.unbounded:
                raise ValueError(
                    f"{adversarial.kind} takes logits, and {discriminator.kind} ends in a sigmoid, which"
                    " keeps them in 0 to 1: set its sigmoid to false, or take least_squares"
                )
            if (
                discriminator.spectral_norm
                and isinstance(adversarial, Wasserstein)
                and adversarial.clip is not None
            ):
                raise ValueError(
                    f"adversarial.clip {adversarial.clip:g} cuts the weights that spectral_norm of"
                    f" {discriminator.kind} divides afterwards, so it bounds nothing: keep one of the two"
                )
        return self

    @model_validator(mode="after")
    def _nothing_lies_idle(self) -> Self:
        if self.discriminators and not any(phase.adversarial for phase in self.phases):
            names = ", ".join(phase.name for phase in self.phases)
            raise ValueError(
                f"there are discriminators, and no phase ({names}) is adversarial: set adversarial of a phase"
                " to true, or leave discriminators and train.adversarial out"
            )
        return self

    @model_validator(mode="after")
    def _phases_fit(self) -> Self:
        multiple = self.generator.stride * self.generator.scale
        for phase in self.phases:
            if phase.crop_px % multiple:
                raise ValueError(
                    f"crop_px {phase.crop_px} of phase {phase.name} must be a multiple of {multiple}, the"
                    " generator's stride times its scale"
                )
            if self.workers > 1 and phase.batch % self.workers:
                raise ValueError(
                    f"batch {phase.batch} of phase {phase.name} must divide evenly over {self.workers}"
                    " workers: change one of them"
                )
            for name, part in zip(self.content_names(), self.content, strict=True):
                if phase.counts(name) and phase.crop_px < part.smallest_px:
                    raise ValueError(
                        f"crop_px {phase.crop_px} of phase {phase.name} is too small for {part.kind}: it"
                        f" needs {part.smallest_px} px or more"
                    )
            for discriminator in self.discriminators if phase.adversarial else ():
                if discriminator.fixed_px not in (None, phase.crop_px):
                    raise ValueError(
                        f"crop_px {phase.crop_px} of phase {phase.name} must be {discriminator.fixed_px}: the"
                        f" dense head of {discriminator.kind} takes that size alone"
                    )
                if phase.crop_px < discriminator.smallest_px:
                    raise ValueError(
                        f"crop_px {phase.crop_px} of phase {phase.name} is too small for"
                        f" {discriminator.kind}: it needs {discriminator.smallest_px} px or more"
                    )
        return self

    @model_validator(mode="after")
    def _device_can_synthesize(self) -> Self:
        if self.synthesize_on == "device" and self.augment.enlarge > 1:
            raise ValueError(
                f"augment.enlarge is {self.augment.enlarge:g}, and enlarging before the crop has no form on"
                " the device: set synthesize_on to processor or auto, or enlarge to 1"
            )
        return self

    @model_validator(mode="after")
    def _rollback_can_come(self) -> Self:
        for name in self.rollback.on if self.rollback is not None else ():
            if getattr(self.health, name) is None:
                raise ValueError(
                    f"rollback.on names {name}, which health.{name} has switched off: give it a limit, or"
                    " take it out"
                )
            if name == "discriminator_wins" and self.adversarial is not None and self.adversarial.critic:
                raise ValueError(
                    f"rollback.on names {name}, which says nothing of a critic such as"
                    f" {self.adversarial.kind}: take it out"
                )
            if name in OF_DISCRIMINATORS and not self.discriminators:
                raise ValueError(
                    f"rollback.on names {name}, which tells of discriminators, and there are none: take"
                    " it out"
                )
        return self

    @model_validator(mode="after")
    def _content_of_phases_is_there(self) -> Self:
        known = self.content_names()
        for phase in self.phases:
            for name in phase.content or ():
                if name not in known:
                    raise ValueError(
                        f"phase {phase.name} names the content loss {name}; there are"
                        f" {', '.join(known)}.{nearest(name, known)}"
                    )
        for name in known:
            if not any(phase.counts(name) for phase in self.phases):
                raise ValueError(
                    f"the content loss {name} counts in no phase: name it in a phase's content, or leave"
                    " it out"
                )
        return self

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        named = {
            "phases": tuple(phase.name for phase in self.phases),
            "validate_metrics": self.validate_metrics,
        }
        for field, names in named.items():
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(
                    f"{field} has the name {twice[0]} twice ({', '.join(names)}): each stands there once, so"
                    " that it can be told from the others"
                )
        return self

    @model_validator(mode="after")
    def _metrics_are_known(self) -> Self:
        for name in self.validate_metrics:
            metric_named(name)
        watched = [("keep_best", self.keep_best)] if self.keep_best is not None else []
        watched += [
            (f"early_stopping.metric of phase {phase.name}", phase.early_stopping.metric)
            for phase in self.phases
            if phase.early_stopping
        ]
        for where, name in watched:
            if name not in self.validate_metrics:
                known = ", ".join(self.validate_metrics)
                raise ValueError(
                    f"{where} is {name}, which is not validated: add it to validate_metrics, which has"
                    f" {known}.{nearest(name, self.validate_metrics)}"
                )
        return self

    def content_names(self) -> tuple[str, ...]:
        """One name a content loss: its kind, numbered when a kind comes twice."""
        kinds = [part.kind for part in self.content]
        return tuple(
            kind if kinds.count(kind) == 1 else f"{kind}_{kinds[:index].count(kind) + 1}"
            for index, kind in enumerate(kinds)
        )

    def key_digest(self) -> str:
        """Digest of the settings but for where and how safely it runs: the same training on more
        workers or a GPU is the same training.
        """
        return digest_of(
            self.model_dump(
                mode="json",
                exclude={"workers", "retries", "loader_processes", "gpu", "synthesize_on", "max_left_out"},
            )
        )
