"""What a train section may say, and what is refused before work starts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_training import config, content_phase

from components.core.errors import WeightsError
from components.train.config.schedules import Constant, Cosine, Linear, Schedule, Step
from components.train.loop import longest
from components.train.run import preflight

ALONE = {
    "discriminators": [],
    "adversarial": None,
    "phases": [{"name": "content", "images": 2, "crop_px": 16, "batch": 2, "adversarial": False}],
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adversarial": None}, "discriminators and adversarial go together"),
        (
            {"discriminators": [], "adversarial": None},
            "a phase is adversarial, yet there are no discriminators",
        ),
        ({"phases": [{"name": "joint", "images": 2, "crop_px": 17}]}, "must be a multiple of 2"),
        ({"phases": [{"name": "joint", "crop_px": 16}]}, "needs its length as epochs or as images"),
        (
            {"workers": 2, "phases": [{"name": "joint", "images": 6, "crop_px": 16, "batch": 3}]},
            "batch 3 of phase joint must divide evenly over 2 workers",
        ),
        ({"content": []}, "at least 1 item"),
        (
            {**ALONE, "history": {}},
            "history changes what discriminators see or how they learn, and there are none",
        ),
        (
            {"discriminators": [{"kind": "patchgan", "layers": 1, "norm": "batch"}]},
            "a gradient penalty is taken per photo, which batch normalisation in patchgan",
        ),
        ({"simultaneous": True}, "simultaneous means one step of each: set discriminator_updates to 1"),
        (
            {"split_updates": True, "adversarial": {"kind": "relativistic_average"}},
            "split_updates cannot go with relativistic_average",
        ),
        (
            {"rollback": {"on": ["diversity"]}, "health": {"diversity": None}},
            "rollback.on names diversity, which health.diversity has switched off",
        ),
        ({"rollback": {"on": ["discriminator_wins"]}}, "says nothing of a critic such as wgan_gp"),
        (
            {**ALONE, "rollback": {"on": ["adversarial_share"]}},
            "which tells of discriminators, and there are none",
        ),
        (
            {"keep_best": "psnr"},
            (
                r"keep_best is psnr, which is not validated: add it to validate_metrics, which has psnr_rgb,"
                r" ssim_gauss11_rgb. Did you mean \"psnr_rgb\""
            ),
        ),
        ({"validate_metrics": ["psnr"]}, "no metric is called"),
        (
            {"phases": [{"name": "a", "images": 2, "crop_px": 16, "content": ["l2"]}]},
            "phase a names the content loss l2; there are l1",
        ),
        (
            {
                "phases": [
                    {"name": "a", "images": 2, "crop_px": 16, "early_stopping": {"metric": "lpips_alex"}}
                ]
            },
            "early_stopping.metric of phase a is lpips_alex",
        ),
        (
            {"content": [{"kind": "ms_ssim"}]},
            "crop_px 16 of phase joint is too small for ms_ssim: it needs 161 px",
        ),
        (
            {"discriminators": [{"kind": "patch_dense", "crop_px": 256, "norm": "instance"}]},
            "crop_px 16 of phase joint must be 256: the dense head of patch_dense takes that size",
        ),
        (
            {"discriminators": [{"kind": "patchgan", "layers": 5}]},
            "crop_px 16 of phase joint is too small for patchgan: it needs",
        ),
        (
            {
                "discriminators": [{"kind": "patch_dense", "crop_px": 256}],
                "adversarial": {"kind": "cross_entropy"},
            },
            (
                "cross_entropy takes logits, and patch_dense ends in a sigmoid, which keeps them in 0 to 1:"
                " set its sigmoid to false"
            ),
        ),
        (
            {
                "discriminators": [{"kind": "patchgan", "layers": 1, "spectral_norm": True}],
                "adversarial": {"kind": "wasserstein", "clip": 0.01},
            },
            "adversarial.clip 0.01 cuts the weights that spectral_norm of patchgan divides afterwards",
        ),
        (
            {"phases": [{"name": "a", "images": 2, "crop_px": 16, "adversarial": False}]},
            r"there are discriminators, and no phase \(a\) is adversarial",
        ),
        (
            {
                "content": [{"kind": "l1"}, {"kind": "l2"}],
                "phases": [{"name": "a", "images": 2, "crop_px": 16, "content": ["l1"]}],
            },
            "l2 counts in no phase",
        ),
        (
            {"phases": [{"name": "a", "images": 2, "crop_px": 16}] * 2},
            r"phases has the name a twice \(a, a\)",
        ),
        ({"validate_metrics": ["psnr_rgb", "psnr_rgb"]}, "validate_metrics has the name psnr_rgb twice"),
        ({"rollback": {"factor": 1.0}}, "less than 1"),
        (
            {"generator": {"kind": "srresnet"}, "phases": [{"name": "a", "images": 2, "crop_px": 18}]},
            "crop_px 18 of phase a must be a multiple of 4",
        ),
    ],
)
def test_contradictions_are_refused_at_birth(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**changes)


@pytest.mark.parametrize("kind", ["least_squares", "wasserstein"])
def test_a_bounded_discriminator_is_left_to_losses_that_have_targets_or_are_the_guides(kind: str) -> None:
    discriminator = {"kind": "patch_dense", "crop_px": 64}
    phases = [{"name": "joint", "images": 2, "crop_px": 64, "batch": 2}]
    assert (
        config(discriminators=[discriminator], adversarial={"kind": kind}, phases=phases)
        .discriminators[0]
        .bounded
    )
    logits = config(
        discriminators=[discriminator | {"sigmoid": False}],
        adversarial={"kind": "cross_entropy"},
        phases=phases,
    )
    assert not logits.discriminators[0].bounded


def test_a_loss_that_does_not_count_in_a_phase_may_need_larger_crops() -> None:
    small, large = (
        {"name": str(side), "images": 2, "crop_px": side, "content": [name]}
        for side, name in ((16, "l1"), (176, "ms_ssim"))
    )
    made = config(content=[{"kind": "l1"}, {"kind": "ms_ssim"}], phases=[small, large])
    assert [[phase.counts(name) for name in made.content_names()] for phase in made.phases] == [
        [True, False],
        [False, True],
    ]
    with pytest.raises(ValidationError, match="crop_px 16 of phase 16 is too small for ms_ssim"):
        config(content=[{"kind": "l1"}, {"kind": "ms_ssim"}], phases=[{**small, "content": None}, large])


def test_a_validation_metric_without_its_weights_is_said_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        WeightsError,
        match=r"train\.validate_metrics names lpips_alex, which cannot be measured here: LPIPS needs",
    ):
        preflight(config(validate_metrics=["psnr_rgb", "lpips_alex"]))


def test_where_it_runs_is_no_part_of_what_it_is() -> None:
    assert config(workers=1).key_digest() == config(workers=2, retries=0, gpu="never").key_digest()
    elsewhere = {
        "workers": {"least": 1, "most": 2},
        "worker_cpus": 3,
        "placement": "spread",
        "gpu": "require",
    }
    assert config(workers=0).key_digest() == config(**elsewhere).key_digest()
    assert config(seed=4).key_digest() != config(seed=3).key_digest()


@pytest.mark.parametrize(
    ("workers", "batches", "wanted"),
    [
        (3, [6], (3,)),
        (0, [6], (1,)),
        ({"least": 1, "most": 4}, [8], (1, 2, 4)),
        ({"least": 2, "most": 8}, [8, 32], (2, 4, 8)),
        ({"least": 2, "most": 4}, [12, 8], (2, 4)),
        ({"least": 2, "most": 2}, [2], (2,)),
    ],
)
def test_workers_come_in_numbers_that_part_every_batch(
    workers: object, batches: list[int], wanted: tuple[int, ...]
) -> None:
    phases = [content_phase(f"of {batch}", 64, batch=batch) for batch in batches]
    made = config(workers=workers, phases=phases, discriminators=[], adversarial=None)
    assert made.worker_counts() == wanted


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ({"least": 2, "most": 3}, "batch 2 of phase joint must divide evenly over 3 workers"),
        ({"least": 4, "most": 2}, "workers.least .4. must not exceed workers.most .2."),
        ({"least": 0, "most": 2}, "greater than or equal to 1"),
        (-1, "greater than or equal to 0"),
    ],
)
def test_a_range_of_workers_that_cannot_be_is_refused(workers: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(workers=workers)


def test_epochs_are_whole_batches() -> None:
    phases = [
        {"name": "first", "epochs": 1.5, "crop_px": 16, "batch": 4, "adversarial": False},
        {"name": "second", "images": 10, "crop_px": 32, "batch": 4},
    ]
    made = config(phases=phases)
    assert [phase.length_images(10) for phase in made.phases] == [16, 8]
    assert longest(made, 10) == 24


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (Constant(level=0.1), [0.1, 0.1, 0.1, 0.1]),
        (Linear(hold=0.5), [1.0, 1.0, 0.5, 0.0]),
        (Step(at=(0.5, 0.75), gamma=0.1), [1.0, 0.1, 0.01, 0.01]),
        (Cosine(floor=0.2), [1.0, 0.6, 0.2 + 0.4 * (1 + math.cos(math.pi * 0.75)), 0.2]),
    ],
)
def test_schedules_at_the_start_the_middle_three_quarters_and_the_end(
    schedule: Schedule, wanted: list[float]
) -> None:
    assert [schedule.lr_multiplier(fraction) for fraction in (0.0, 0.5, 0.75, 1.0)] == pytest.approx(wanted)


def test_milestones_must_rise_within_the_phase() -> None:
    with pytest.raises(
        ValidationError, match=r"at must rise and lie between 0 and 1 \(shares of the phase\), got 0.5, 0.2"
    ):
        Step(at=(0.5, 0.2))
