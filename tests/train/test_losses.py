"""One contract over every loss: it reaches the generator, scales with its weight, is nothing at equality, and is a mean over the batch."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from components.nets.generators import UNet
from components.train.adversarial import WGANGP, Adversarial, CrossEntropy, LeastSquares
from components.train.content import L1, L2, Charbonnier, Content, Perceptual

CPU = torch.device("cpu")
ADVERSARIAL: list[Adversarial] = [CrossEntropy(), LeastSquares(), WGANGP()]
CONTENT: list[Content] = [L1(), L2(), Charbonnier(), Perceptual(layer="relu1_2")]


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory):
    """A stand-in weights file made from a seed: the first block of VGG19."""
    source = torch.Generator().manual_seed(7)
    shapes = {"features.0": (64, 3, 3, 3), "features.2": (64, 64, 3, 3)}
    state: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=source) * (2 / math.prod(shape[1:])) ** 0.5
        state[f"{name}.bias"] = torch.zeros(shape[0])
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pt"
    torch.save(state, path)
    return path


@pytest.mark.parametrize("part", CONTENT, ids=lambda part: part.kind)
def test_content_gradient_reaches_the_first_layer(part: Content, vgg) -> None:
    # A popular SRGAN port re-wrapped its content loss, so that it carried none.
    generator = UNet(width=4, depth=1).build(seed=0)
    nn.init.normal_(generator.body.head.weight, std=0.1)
    blurred, sharp = torch.rand(2, 2, 3, 16, 16).mul(2).sub(1).unbind()
    part.build(CPU, vgg)(generator(blurred), sharp).backward()
    first = next(generator.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("part", CONTENT, ids=lambda part: part.kind)
def test_content_loss_is_nothing_at_equality_and_positive_elsewhere(part: Content, vgg) -> None:
    loss = part.build(CPU, vgg)
    photo = torch.rand(2, 3, 16, 16)
    assert loss(photo, photo).item() == pytest.approx(0.0, abs=1e-7)
    assert loss(photo, 1 - photo).item() > 1e-3


@pytest.mark.parametrize("part", CONTENT, ids=lambda part: part.kind)
def test_content_loss_of_two_photos_is_the_mean_of_each(part: Content, vgg) -> None:
    loss = part.build(CPU, vgg)
    restored, sharp = torch.rand(2, 2, 3, 16, 16).unbind()
    alone = [loss(restored[index : index + 1], sharp[index : index + 1]) for index in range(2)]
    torch.testing.assert_close(loss(restored, sharp), torch.stack(alone).mean())


def test_a_tenth_off_everywhere_costs_a_tenth_in_l1_and_a_hundredth_in_l2() -> None:
    sharp = torch.zeros(1, 3, 4, 4)
    assert L1().build(CPU, None)(sharp + 0.1, sharp).item() == pytest.approx(0.1)
    assert L2().build(CPU, None)(sharp + 0.1, sharp).item() == pytest.approx(0.01)
    assert Charbonnier(epsilon=1e-3).build(CPU, None)(sharp + 0.1, sharp).item() == pytest.approx(0.099005, abs=1e-6)


def test_the_scale_of_features_enters_squared(vgg) -> None:
    restored, sharp = torch.rand(2, 1, 3, 16, 16).unbind()
    plain = Perceptual(layer="conv1_1").build(CPU, vgg)(restored, sharp)
    scaled = Perceptual(layer="conv1_1", scale=0.5).build(CPU, vgg)(restored, sharp)
    torch.testing.assert_close(scaled, plain / 4)


def test_a_layer_vgg_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r'"conv3_9" is not in vgg19.*Did you mean "conv'):
        Perceptual(layer="conv3_9")


@pytest.mark.parametrize("part", ADVERSARIAL, ids=lambda part: part.kind)
def test_the_generator_gains_when_the_discriminator_believes_more(part: Adversarial) -> None:
    logits = torch.zeros(2, 1, 3, 3, requires_grad=True)
    part.generator_loss(logits).backward()
    assert logits.grad is not None
    assert (logits.grad < 0).all()


@pytest.mark.parametrize("part", ADVERSARIAL, ids=lambda part: part.kind)
def test_the_discriminator_gains_by_telling_them_apart(part: Adversarial) -> None:
    real, restored = torch.zeros(2, 1, 3, 3, requires_grad=True), torch.zeros(2, 1, 3, 3, requires_grad=True)
    torch.stack(list(part.discriminator_terms(real, restored + 0.25).values())).sum().backward()
    assert real.grad is not None
    assert (real.grad < 0).all()
    assert restored.grad is not None
    assert (restored.grad > 0).all()


@pytest.mark.parametrize("part", ADVERSARIAL, ids=lambda part: part.kind)
def test_adversarial_losses_of_two_are_the_mean_of_each(part: Adversarial) -> None:
    real, restored = torch.randn(2, 2, 1, 3, 3).unbind()
    both = part.discriminator_terms(real, restored)
    alone = [part.discriminator_terms(real[index : index + 1], restored[index : index + 1]) for index in range(2)]
    for name, value in both.items():
        torch.testing.assert_close(value, torch.stack([terms[name] for terms in alone]).mean())
    torch.testing.assert_close(part.generator_loss(restored), torch.stack([part.generator_loss(restored[i : i + 1]) for i in range(2)]).mean())


@pytest.mark.parametrize(("part", "value"), [(CrossEntropy(), math.log(2)), (LeastSquares(), 0.5), (WGANGP(), 0.0)])
def test_an_undecided_discriminator_costs_the_generator_the_known_value(part: Adversarial, value: float) -> None:
    assert part.generator_loss(torch.zeros(1, 1, 2, 2)).item() == pytest.approx(value)


@pytest.mark.parametrize("part", ADVERSARIAL, ids=lambda part: part.kind)
def test_accuracy_is_the_share_on_its_own_side(part: Adversarial) -> None:
    real, restored = torch.tensor([2.0, 2.0, 2.0, -4.0]), torch.tensor([-4.0, -4.0, 2.0, 2.0])
    right_real, right_restored = part.accuracy(real, restored)
    assert right_real.item() == pytest.approx(0.75)
    assert right_restored.item() == pytest.approx(0.5)


def linear_critic(weights: Tensor):
    return lambda photo: (photo * weights).sum(dim=(1, 2, 3), keepdim=True)


@pytest.mark.parametrize("length", [0.0, 0.5, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic_is_its_known_value(length: float) -> None:
    # D(x) = w·x has gradient w everywhere, so the penalty is λ(‖w‖ - 1)²: per sample over all px, not per pixel over channels.
    direction = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    critic = linear_critic(length * direction / direction.norm())
    real, restored = torch.randn(2, 4, 3, 5, 5).unbind()
    penalty = WGANGP(penalty_weight=10).penalty(critic, real, restored, torch.rand(4))
    assert penalty is not None
    assert penalty.item() == pytest.approx(10 * (length - 1) ** 2, abs=1e-4)


def test_penalty_of_two_samples_is_the_mean_of_each() -> None:
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 3))
    real, restored = torch.randn(2, 2, 3, 8, 8).unbind()
    mix = torch.tensor([0.2, 0.9])
    part = WGANGP()
    both = part.penalty(critic, real, restored, mix)
    alone = [part.penalty(critic, real[i : i + 1], restored[i : i + 1], mix[i : i + 1]) for i in range(2)]
    assert both is not None
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)  # type: ignore[operator]


def test_penalty_trains_the_critic_and_leaves_the_generator() -> None:
    critic = nn.Conv2d(3, 1, 3)
    restored = torch.randn(1, 3, 8, 8, requires_grad=True)
    penalty = WGANGP().penalty(critic, torch.randn(1, 3, 8, 8), restored * 1.0, torch.rand(1))
    assert penalty is not None
    penalty.backward()
    assert critic.weight.grad is not None
    assert critic.weight.grad.abs().sum() > 0
    assert restored.grad is None


def test_a_penalty_of_weight_zero_is_left_out() -> None:
    assert WGANGP(penalty_weight=0).penalty(nn.Conv2d(3, 1, 3), torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8), torch.ones(1)) is None
