"""The fields of a recipe's `train` section: nets, losses, optimisers, phases. Everything a result
depends on, nothing about where it runs but `workers`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.core.gpu import Gpu
from components.core.parts import Part
from components.core.quarantine import MAX_LEFT_OUT
from components.core.seeds import seed_of
from components.nets.discriminators import Discriminator
from components.nets.generators import Generator
from components.train.adversarial import Adversarial
from components.train.config.adam import Adam, Optimizer
from components.train.config.augment import Augment
from components.train.config.cycle import Cycle
from components.train.config.direction import Direction
from components.train.config.discriminator_inputs import R1, DiffAugment, History, InstanceNoise
from components.train.config.gradients import Gradients
from components.train.config.health import Health, Rollback
from components.train.config.phase import Phase
from components.train.config.workers import AskedWorkers, WorkerRange
from components.train.content import Content, named


class TrainFields(Part):
    """Everything training depends on, field by field; `TrainConfig` adds that the parts agree."""

    seed: int = Field(0, ge=0)
    generator: Generator
    # Not written where it is one, so that earlier recipes keep their digest.
    target_frames: int = Field(
        1,
        ge=1,
        le=15,
        exclude_if=lambda count: count == 1,
        description=(
            "for nets of video: successive frames that are restored and held against their targets, odd, the"
            " drawn one in the middle; each costs what an image does. generator.frames: its whole window"
        ),
    )
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
            "the generator's step goes by the discriminators as they were before theirs: one pass, two tapes"
        ),
    )
    instance_noise: InstanceNoise | None = Field(
        None, description="noise on what the discriminators see; null for none"
    )
    history: History | None = Field(
        None, description="earlier restored photos for the discriminators; null shows the present ones alone"
    )
    diff_augment: DiffAugment | None = Field(
        None, description="changes of all that the discriminators see, for few photos; null for none"
    )
    r1: R1 | None = Field(None, description="penalty on the slope at real photos; null for none")
    feature_matching: float = Field(
        0.0,
        ge=0,
        description=(
            "weight of a loss of the generator: mean absolute difference of what the discriminators' layers"
            " make of restored and of real photos (Wang et al. 2018, pix2pixHD, eq. 4; 10 there); 0: none"
        ),
    )
    content: tuple[Content, ...] = Field(
        (), description="losses against the target; none only with a cycle, where pictures have no partner"
    )
    # Not written where there is none, so that earlier recipes keep their digest.
    cycle: Cycle | None = Field(
        None,
        exclude_if=lambda cycle: cycle is None,
        description="a second generator, from target to input, and losses there and back; null for none",
    )
    generator_optimizer: Optimizer = Field(default_factory=Adam)
    discriminator_optimizer: Optimizer = Field(default_factory=Adam)
    gradients: Gradients = Field(
        default_factory=Gradients, description="limits of a gradient's norm before an optimiser steps"
    )
    start: str = Field(
        "scratch",
        min_length=1,
        description=(
            "scratch; champion: of the recipe's own model, scratch while there is none; NAME:VERSION or"
            " NAME@ALIAS in the registry; or a checkpoint's folder. Of the same net"
        ),
    )
    phases: tuple[Phase, ...] = Field(min_length=1)
    finetune: tuple[Phase, ...] = Field(
        default=(),
        description="phases of a training that starts from a known model; none: those of any other",
    )
    replay: float = Field(
        0.5,
        ge=0,
        le=1,
        description=(
            "such a training's share of crops from photos that the known model has learned from; the rest is"
            " new"
        ),
    )
    augment: Augment = Field(default_factory=Augment)
    ema: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="per-step decay of the averaged generator, which is kept; 0 keeps the last weights",
    )
    # Not written where there is none, so that earlier recipes keep their digest.
    average_last: float = Field(
        0.0,
        ge=0,
        le=1,
        exclude_if=lambda phase_share: phase_share == 0,
        description=(
            "last share of the last phase: there the averaged generator is the plain mean of every step's"
            " weights (Izmailov et al. 2018), for a rate that stays up to the end; 0: ema's to the end"
        ),
    )
    max_left_out: float = MAX_LEFT_OUT
    workers: AskedWorkers = Field(
        1,
        description=(
            "Ray workers, or least and most of them, of which those work that find room on the cluster; 0"
            " trains in the stage's own process without Ray, and on a cluster in one worker. Changes no"
            " result beyond rounding"
        ),
    )
    worker_cpus: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="processors that a worker asks of a cluster; null: one, and one a loader process",
    )
    placement: Literal["pack", "spread"] = Field(
        "pack", description="of workers on a cluster: on as few nodes as hold them, or on as many"
    )
    gpu: Gpu = Field(
        "auto",
        description="one GPU a worker; auto: where there are GPUs; require: refused where there are none",
    )
    retries: int = Field(2, ge=0, description="restarts by Ray after a worker died")
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
        description="images between validations, whose states are what a rollback goes back to",
    )
    state_every_s: float = Field(
        300.0,
        gt=0,
        description=(
            "seconds between states kept to go on from, beside those of validations: what a killed training"
            " does again at most. One that is asked to end (Ctrl-C, SIGTERM) keeps its state first"
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
        default_factory=Rollback,
        description=(
            "on divergence, go back to a healthy state with lower learning rates; null stops with an error"
        ),
    )
    log_every: int = Field(20, ge=1, description="steps between readings of the losses")
    loss_limit: float = Field(
        1e6,
        gt=0,
        description="a generator or discriminator loss beyond this, or NaN, stops the training as diverged",
    )

    def least_workers(self) -> int:
        """The fewest workers that train."""
        return self.workers.least if isinstance(self.workers, WorkerRange) else self.workers

    def most_workers(self) -> int:
        """The most workers that train."""
        return self.workers.most if isinstance(self.workers, WorkerRange) else self.workers

    def worker_counts(self) -> tuple[int, ...]:
        """How many workers may train: those of the range that part the batch of every phase evenly."""
        counts = range(max(1, self.least_workers()), max(1, self.most_workers()) + 1)
        return tuple(count for count in counts if not any(phase.batch % count for phase in self.phases))

    def directions(self) -> tuple[Direction, ...]:
        """The ways between the domains that are learned, first that from input to target."""
        there = Direction(0, self.generator, self.seed)
        if self.cycle is None:
            return (there,)
        net = self.cycle.generator or self.generator
        return there, Direction(1, net, seed_of(self.seed, "back"), "_back")

    def needs_pairs(self) -> tuple[tuple[str, str], ...]:
        """What looks at an input beside its own target, and what to do where there are no such pairs."""
        found = [(f"the content loss {name}", "leave it out") for name in self.content_names()]
        found += [
            (f"the conditional discriminator {part.kind}", "set its conditional to false")
            for part in self.discriminators
            if part.conditional
        ]
        if self.adversarial is not None and self.adversarial.compares:
            found.append((self.adversarial.kind, "take least_squares, cross_entropy or hinge"))
        if self.feature_matching:
            found.append(("feature_matching", "set it to 0"))
        return tuple(found)

    def content_losses(self) -> tuple[tuple[str, Content], ...]:
        """Every content loss with its name: those against the target, then those of the cycle."""
        cycle = (
            ()
            if self.cycle is None
            else (
                *zip(named(self.cycle.consistency, "cycle_"), self.cycle.consistency, strict=True),
                *zip(named(self.cycle.identity, "identity_"), self.cycle.identity, strict=True),
            )
        )
        return (*zip(self.content_names(), self.content, strict=True), *cycle)

    def content_names(self) -> tuple[str, ...]:
        """One name a content loss against the target: its kind, numbered when a kind comes twice."""
        return named(self.content)
