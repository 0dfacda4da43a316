"""One contract over every adversarial loss: who gains by what, values known by hand, a mean over
the batch, on one worker or two.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from components.train.adversarial import (
    WGANGP,
    Adversarial,
    CrossEntropy,
    Hinge,
    LeastSquares,
    RelativisticAverage,
    Wasserstein,
)

KINDS: list[Adversarial] = [
    CrossEntropy(),
    CrossEntropy(real_label=0.9),
    LeastSquares(),
    LeastSquares(real_label=0.9),
    Hinge(),
    Wasserstein(),
    Wasserstein(real_label=1),
    Wasserstein(clip=0.01),
    WGANGP(),
    RelativisticAverage(),
]
EVERY = pytest.mark.parametrize(
    "part", KINDS, ids=lambda part: f"{part.kind}-{getattr(part, 'real_label', '')}"
)
ALONE = pytest.mark.parametrize(
    "part",
    [part for part in KINDS if not part.compares],
    ids=lambda part: f"{part.kind}-{getattr(part, 'real_label', '')}",
)


def discriminator_loss(part: Adversarial, real: Tensor, restored: Tensor) -> Tensor:
    return torch.stack(list(part.build().discriminator_terms(real, restored).values())).sum()


def slope(loss: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(loss, logits)[0]


def high_is_real(part: Adversarial) -> int:
    return -1 if isinstance(part, Wasserstein) and part.real_label == 1 else 1


def test_the_contract_covers_every_kind() -> None:
    assert {type(part) for part in KINDS} == set(get_args(get_args(Adversarial)[0]))


@EVERY
def test_the_generator_gains_when_the_discriminator_believes_more(part: Adversarial) -> None:
    logits = torch.zeros(2, 1, 3, 3, requires_grad=True)
    assert (
        high_is_real(part) * slope(part.build().generator_loss(logits, torch.zeros(2, 1, 3, 3)), logits) < 0
    ).all()


@EVERY
def test_the_discriminator_gains_by_telling_them_apart(part: Adversarial) -> None:
    real, restored = (
        torch.zeros(2, 1, 3, 3, requires_grad=True),
        torch.full((2, 1, 3, 3), 0.25, requires_grad=True),
    )
    assert (high_is_real(part) * slope(discriminator_loss(part, real, restored), real) < 0).all()
    assert (high_is_real(part) * slope(discriminator_loss(part, real, restored), restored) > 0).all()


@ALONE
def test_losses_of_two_are_the_mean_of_each(part: Adversarial) -> None:
    real, restored = torch.randn(2, 2, 1, 3, 3).unbind()
    both = part.build().discriminator_terms(real, restored)
    alone = [
        part.build().discriminator_terms(real[index : index + 1], restored[index : index + 1])
        for index in range(2)
    ]
    for name, value in both.items():
        torch.testing.assert_close(value, torch.stack([terms[name] for terms in alone]).mean())
    torch.testing.assert_close(
        part.build().generator_loss(restored),
        torch.stack([part.build().generator_loss(restored[i : i + 1]) for i in range(2)]).mean(),
    )


@EVERY
def test_a_batch_shown_twice_costs_what_it_costs_once(part: Adversarial) -> None:
    real, restored = torch.randn(2, 2, 1, 3, 3).unbind()
    torch.testing.assert_close(
        discriminator_loss(part, real.repeat(2, 1, 1, 1), restored.repeat(2, 1, 1, 1)),
        discriminator_loss(part, real, restored),
    )
    twice = part.build().generator_loss(restored.repeat(2, 1, 1, 1), real.repeat(2, 1, 1, 1))
    torch.testing.assert_close(twice, part.build().generator_loss(restored, real))


def test_the_relativistic_loss_sees_differences_alone() -> None:
    real, restored = torch.randn(2, 4, 1, 3, 3).unbind()
    part = RelativisticAverage()
    torch.testing.assert_close(
        part.build().generator_loss(restored + 7, real + 7), part.build().generator_loss(restored, real)
    )
    torch.testing.assert_close(
        discriminator_loss(part, real + 7, restored + 7), discriminator_loss(part, real, restored)
    )


def test_the_relativistic_loss_looks_at_a_photo_beside_the_whole_batch() -> None:
    # Real 0 and restored 2 and -2: beside the batch's mean (0) the real photo costs ln 2; beside
    # each alone, on average more.
    part, real, restored = RelativisticAverage(), torch.zeros(2, 1), torch.tensor([[2.0], [-2.0]])
    assert part.build().discriminator_terms(real, restored)["real"].item() == pytest.approx(math.log(2))
    alone = [
        part.build().discriminator_terms(real[i : i + 1], restored[i : i + 1])["real"].item()
        for i in range(2)
    ]
    assert sum(alone) / 2 == pytest.approx((math.log(1 + math.exp(2)) + math.log(1 + math.exp(-2))) / 2)


def test_the_relativistic_generator_and_discriminator_exchange_roles() -> None:
    part, (one, other) = RelativisticAverage(), torch.randn(2, 3, 1).unbind()
    torch.testing.assert_close(part.build().generator_loss(one, other), discriminator_loss(part, one, other))


@pytest.mark.parametrize(
    ("part", "generator", "discriminator"),
    [
        (CrossEntropy(), math.log(2), 2 * math.log(2)),
        (CrossEntropy(real_label=0.9), math.log(2), 2 * math.log(2)),
        (LeastSquares(), 0.5, 0.5),
        (LeastSquares(real_label=0.9), 0.405, 0.405),
        (Hinge(), 0.0, 2.0),
        (Wasserstein(), 0.0, 0.0),
        (WGANGP(), 0.0, 0.0),
        (RelativisticAverage(), 2 * math.log(2), 2 * math.log(2)),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_an_undecided_discriminator_costs_the_known_values(
    part: Adversarial, generator: float, discriminator: float
) -> None:
    zeros = torch.zeros(1, 1, 2, 2)
    assert part.build().generator_loss(zeros, zeros).item() == pytest.approx(generator)
    assert discriminator_loss(part, zeros, zeros).item() == pytest.approx(discriminator)


def test_cross_entropy_of_a_logit_of_log_three_is_that_of_three_quarters() -> None:
    logits = torch.full((1, 1), math.log(3))
    terms = CrossEntropy().build().discriminator_terms(logits, logits)
    assert terms["real"].item() == pytest.approx(-math.log(0.75))
    assert terms["restored"].item() == pytest.approx(-math.log(0.25))
    smoothed = CrossEntropy(real_label=0.9).build().discriminator_terms(logits, logits)
    assert smoothed["real"].item() == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


def test_label_smoothing_moves_the_optimum_to_nine_to_one() -> None:
    logits = torch.tensor(
        [math.log(0.9 / 0.1) - 0.1, math.log(0.9 / 0.1), math.log(0.9 / 0.1) + 0.1], requires_grad=True
    )
    below, at, above = slope(
        CrossEntropy(real_label=0.9).build().discriminator_terms(logits, logits)["real"], logits
    ).tolist()
    assert below < 0 < above
    assert at == pytest.approx(0.0, abs=1e-7)
    assert (slope(CrossEntropy().build().discriminator_terms(logits, logits)["real"], logits) < 0).all()


def test_label_smoothing_is_one_sided() -> None:
    logits = torch.randn(4, 1)
    plain, smoothed = CrossEntropy(), CrossEntropy(real_label=0.9)
    assert smoothed.build().generator_loss(logits) == plain.build().generator_loss(logits)
    assert (
        smoothed.build().discriminator_terms(logits, logits)["restored"]
        == plain.build().discriminator_terms(logits, logits)["restored"]
    )


def test_smoothed_least_squares_pull_both_sides_to_the_same_target() -> None:
    logits, part = torch.full((1, 1), 0.9, requires_grad=True), LeastSquares(real_label=0.9)
    assert slope(part.build().discriminator_terms(logits, logits)["real"], logits).item() == 0
    assert slope(part.build().generator_loss(logits), logits).item() == 0


def test_hinge_leaves_in_peace_who_is_right_by_the_margin() -> None:
    real, restored = (
        torch.tensor([1.5, 0.5], requires_grad=True),
        torch.tensor([-1.5, -0.5], requires_grad=True),
    )
    loss = discriminator_loss(Hinge(), real, restored)
    assert loss.item() == pytest.approx(0.5)
    assert slope(discriminator_loss(Hinge(), real, restored), real).tolist() == [0.0, -0.5]
    assert slope(loss, restored).tolist() == [0.0, 0.5]


def test_wasserstein_is_the_mean_of_label_times_logit() -> None:
    real, restored = torch.tensor([1.0, 3.0]), torch.tensor([5.0, -1.0])
    paper, keras = Wasserstein(), Wasserstein(real_label=1)
    assert {
        name: value.item() for name, value in paper.build().discriminator_terms(real, restored).items()
    } == {
        "real": -2.0,
        "restored": 2.0,
    }
    assert {
        name: value.item() for name, value in keras.build().discriminator_terms(real, restored).items()
    } == {
        "real": 2.0,
        "restored": -2.0,
    }
    assert (paper.build().generator_loss(restored).item(), keras.build().generator_loss(restored).item()) == (
        -2.0,
        2.0,
    )


@pytest.mark.parametrize(("label", "side"), [(-1, 1), (1, -1)])
def test_a_critic_learns_the_side_its_label_names_and_the_generator_follows(label: int, side: int) -> None:
    part, critic = Wasserstein(real_label=label, clip=0.5), nn.Linear(1, 1)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        discriminator_loss(part, critic(torch.ones(1, 1)), critic(-torch.ones(1, 1))).backward()
        optimizer.step()
        part.build().constrain(critic.parameters())
    assert side * (critic(torch.ones(1, 1)) - critic(-torch.ones(1, 1))).item() == pytest.approx(1.0)
    restored = -torch.ones(1, 1, requires_grad=True)
    # Against the slope is toward the real photo at +1.
    assert slope(part.build().generator_loss(critic(restored)), restored).item() == pytest.approx(-0.5)


@pytest.mark.parametrize("label", [0, 0.5, "real"])
def test_a_wasserstein_label_that_is_no_sign_is_refused_with_the_reason(label: object) -> None:
    with pytest.raises(
        ValidationError, match=r"real_label is -1 .* or 1 .*a label of 0 multiplies the judgement away"
    ):
        Wasserstein(real_label=label)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [CrossEntropy, LeastSquares])
@pytest.mark.parametrize("label", [0.5, 1.1])
def test_a_smoothed_label_stays_on_the_real_side(kind: type, label: float) -> None:
    with pytest.raises(ValidationError, match="real_label"):
        kind(real_label=label)


def test_clipping_cuts_large_weights_and_leaves_small_ones() -> None:
    weights = [nn.Parameter(torch.tensor([0.5, -0.5, 0.004])), nn.Parameter(torch.tensor([-0.02]))]
    Wasserstein(clip=0.01).build().constrain(weights)
    assert [weight.tolist() for weight in weights] == [
        pytest.approx([0.01, -0.01, 0.004]),
        pytest.approx([-0.01]),
    ]


@pytest.mark.parametrize(
    "part", [part for part in KINDS if getattr(part, "clip", None) is None], ids=lambda part: part.kind
)
def test_without_clipping_weights_stay(part: Adversarial) -> None:
    weights = [nn.Parameter(torch.tensor([0.5, -30.0]))]
    part.build().constrain(weights)
    assert weights[0].tolist() == [0.5, -30.0]


@EVERY
def test_accuracy_is_the_share_on_its_own_side(part: Adversarial) -> None:
    real, restored = torch.tensor([2.0, 2.0, 2.0, -4.0]), torch.tensor([-4.0, -4.0, 2.0, 2.0])
    right_real, right_restored = part.build().accuracy(
        high_is_real(part) * real, high_is_real(part) * restored
    )
    assert right_real.item() == pytest.approx(0.75)
    assert right_restored.item() == pytest.approx(0.5)


@EVERY
def test_one_answer_to_everything_is_right_about_half_at_most(part: Adversarial) -> None:
    constant = torch.full((4, 1), 0.3)
    assert sum(share.item() for share in part.build().accuracy(constant, constant)) <= 1.0


def linear_critic(weights: Tensor):
    return lambda photo: (photo * weights).sum(dim=(1, 2, 3), keepdim=True)


@pytest.mark.parametrize("length", [0.0, 0.5, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic_is_its_known_value(length: float) -> None:
    # D(x) = w·x has gradient w everywhere, so the penalty is λ(‖w‖ - 1)²: per sample over all px,
    # not per pixel over channels.
    direction = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    critic = linear_critic(length * direction / direction.norm())
    real, restored = torch.randn(2, 4, 3, 5, 5).unbind()
    penalty = WGANGP(penalty_weight=10).build().penalty(critic, real, restored, torch.rand(4))
    assert penalty is not None
    assert penalty.item() == pytest.approx(10 * (length - 1) ** 2, abs=1e-4)


def test_the_penalty_is_taken_between_real_and_restored_where_the_mix_says() -> None:
    # D(x) = |x|² / 2 has the gradient x. Both photos lie on one line, so that the length between
    # them is that of the mixed place.
    direction = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    real, restored = 4.0 * direction / direction.norm(), 2.0 * direction / direction.norm()
    penalties = [
        WGANGP(penalty_weight=1)
        .build()
        .penalty(
            lambda photo: photo.square().flatten(1).sum(1)[:, None] / 2, real, restored, torch.tensor([mix])
        )
        for mix in (0.0, 0.25, 1.0)
    ]
    assert [value.item() for value in penalties if value is not None] == pytest.approx([1.0, 1.5**2, 9.0])


def test_the_penalty_of_a_map_is_that_of_its_mean_logit() -> None:
    # Sixteen logits alike are one.
    critic = linear_critic(torch.full((1, 3, 4, 4), 2.0 / 48**0.5))
    real, restored = torch.randn(2, 1, 3, 4, 4).unbind()
    penalty = (
        WGANGP(penalty_weight=1)
        .build()
        .penalty(lambda photo: critic(photo).expand(-1, -1, 4, 4), real, restored, torch.rand(1))
    )
    assert penalty is not None
    assert penalty.item() == pytest.approx(1.0, abs=1e-4)


def test_penalty_of_two_samples_is_the_mean_of_each() -> None:
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 3))
    real, restored = torch.randn(2, 2, 3, 8, 8).unbind()
    mix = torch.tensor([0.2, 0.9])
    part = WGANGP()
    both = part.build().penalty(critic, real, restored, mix)
    alone = [
        part.build().penalty(critic, real[i : i + 1], restored[i : i + 1], mix[i : i + 1]) for i in range(2)
    ]
    assert both is not None
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)  # type: ignore[operator]


def test_penalty_trains_the_critic_and_leaves_the_generator() -> None:
    critic = nn.Conv2d(3, 1, 3)
    restored = torch.randn(1, 3, 8, 8, requires_grad=True)
    penalty = WGANGP().build().penalty(critic, torch.randn(1, 3, 8, 8), restored * 1.0, torch.rand(1))
    assert penalty is not None
    penalty.backward()
    assert critic.weight.grad is not None
    assert critic.weight.grad.abs().sum() > 0
    assert restored.grad is None


def test_a_penalty_of_weight_zero_is_left_out() -> None:
    assert (
        WGANGP(penalty_weight=0)
        .build()
        .penalty(nn.Conv2d(3, 1, 3), torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8), torch.ones(1))
        is None
    )


def relativistic_slopes(real: Tensor, restored: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes of the two losses by each sample's logit, and the accuracies."""
    part, real, restored = (
        RelativisticAverage(),
        real.clone().requires_grad_(),
        restored.clone().requires_grad_(),
    )
    of_real, of_restored = torch.autograd.grad(discriminator_loss(part, real, restored), (real, restored))
    return torch.stack(
        [of_real, of_restored, slope(part.build().generator_loss(restored, real.detach()), restored)]
    ), *part.build().accuracy(real.detach(), restored.detach())


def one_of_two_workers(rank: int, folder: str) -> None:
    """Take this worker's half of the logits and leave what came out."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    real, restored = torch.load(f"{folder}/logits.pt", weights_only=True)
    torch.save(relativistic_slopes(real[rank::2], restored[rank::2]), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_workers_compare_with_the_whole_batch_as_one_does(tmp_path: Path) -> None:
    logits = torch.randn(2, 4, 1, generator=torch.Generator().manual_seed(3))
    torch.save(logits, tmp_path / "logits.pt")
    torch.multiprocessing.spawn(one_of_two_workers, (str(tmp_path),), nprocs=2)
    slopes, *accuracies = relativistic_slopes(*logits)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for rank, (own, *_) in enumerate(parts):
        # A worker's loss is the mean of half as many; the step averages over the workers.
        torch.testing.assert_close(own / 2, slopes[:, rank::2])
    for place, accuracy in enumerate(accuracies, 1):
        assert (parts[0][place] + parts[1][place]).item() / 2 == pytest.approx(accuracy.item())
