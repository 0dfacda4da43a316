"""The optimisers: which rate each layer gets, which weights decay, how a rate warms up, and that torch's
compiler stays away.
"""

from __future__ import annotations

import sys

import pytest
import torch
from pairs import make_pairs
from small_training import CPU, LEARNING, Memory, a_batch, config, content_phase, run
from torch import nn

from components.core.records import PairSet
from components.nets.generators import ConvUNet, ResNet, UNet
from components.nets.modules.dead_biases import dead_biases, last_bias
from components.train.config import Adam, AdamW
from components.train.precision import computing
from components.train.step import GanStep, optimizers
from components.train.step.parameter_groups import set_learning_rate

WIDE = UNet(width=32, depth=3, widest=192, fold=2)


def rates(net: nn.Module, part: Adam, learning_rate: float) -> dict[int, float]:
    """Rate of each weight, by its identity."""
    optimizer = part.build([net])
    set_learning_rate(optimizer, learning_rate)
    return {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}


def test_no_step_adds_more_to_a_layers_spectral_norm_than_it_may() -> None:
    net, part = WIDE.build(1), Adam(lr=1e-3, spectral_step=0.1)
    optimizer = part.build([net])
    set_learning_rate(optimizer, 1e-3)
    before = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    for weight in net.parameters():  # all weights of a layer move alike, the worst that can come
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    added = [
        float(torch.linalg.matrix_norm((weight.detach() - before[name]).flatten(1), 2))
        for name, weight in net.named_parameters()
        if weight.dim() == 4
    ]
    assert max(added) == pytest.approx(0.1, rel=1e-3)


def test_a_rate_falls_in_wide_layers_alone_and_never_above_the_schedule() -> None:
    net = WIDE.build(1)
    found = rates(net, Adam(), 1e-3)
    named = dict(net.named_parameters())
    assert found[id(named["body.stem.2.weight"])] == 1e-3
    assert found[id(named["body.down.2.2.weight"])] == pytest.approx(0.1 / (192 * 192 * 9) ** 0.5)
    assert found[id(named["body.down.2.2.bias"])] == 1e-3
    assert set(rates(net, Adam(), 1e-5).values()) == {1e-5}
    assert set(rates(net, Adam(spectral_step=None), 1e-3).values()) == {1e-3}


@pytest.mark.parametrize(
    "part", [ResNet(width=8, blocks=1), ConvUNet(width=8, depth=2, dropout=0.0)], ids=lambda part: part.kind
)
def test_a_net_with_normalisation_has_one_rate(part: ResNet | ConvUNet) -> None:
    assert set(rates(part.build(1), Adam(spectral_step=1e-6), 1e-3).values()) == {1e-3}


def test_adamw_takes_its_share_off_weights_and_leaves_biases() -> None:
    net = nn.Linear(2, 2)
    nn.init.ones_(net.weight)
    nn.init.ones_(net.bias)
    optimizer = AdamW(lr=0.1, weight_decay=0.5, spectral_step=None).build([net])
    for weight in net.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    torch.testing.assert_close(net.weight.detach(), torch.full((2, 2), 0.95))
    torch.testing.assert_close(net.bias.detach(), torch.ones(2))


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def test_a_phase_warms_up_before_its_schedule(pairset: PairSet) -> None:
    memory = Memory()
    phases = [content_phase("first", 8, warm_up_images=4), content_phase("second", 4)]
    run(
        config(**LEARNING | {"log_every": 1}, phases=phases, generator_optimizer={"lr": 1e-4}),
        pairset,
        memory,
    )
    logged = [memory.values[seen]["learning_rate/generator"] for seen in (2, 4, 6, 8, 10)]
    assert logged == pytest.approx([0.5e-4, 1e-4, 1e-4, 1e-4, 1e-4])


def test_biases_that_a_normalisation_takes_away_rest_and_the_others_learn() -> None:
    generator = {"kind": "resnet", "width": 4, "blocks": 1, "norm": "instance"}
    step = GanStep(config(generator=generator), CPU, {})
    nets = (step.generator, step.discriminators[0])
    dead = [*last_bias(nets[1]), *(bias for net in nets for bias in dead_biases(net))]
    assert len(dead) == 1 + 7 + 1
    before = [weight.detach().clone() for net in nets for weight in net.parameters()]
    for seen in (0, 2):
        step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
    after = [weight for net in nets for weight in net.parameters()]
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old, new) == any(new is bias for bias in dead)


DISCRIMINATORS: dict[str, dict[str, object]] = {
    "patchgan": {"layers": 1, "width": 4},
    "pixel": {"width": 4},
    "unet": {"width": 4},
    "srgan": {"width": 4, "dense": 8, "crop_px": 16, "norm": "none"},
    "patch_dense": {
        "width": 4,
        "dense": 8,
        "crop_px": 16,
        "sigmoid": False,
        "layers": 2,
        "norm": "none",
    },
}


@pytest.mark.parametrize("kind", DISCRIMINATORS)
@pytest.mark.parametrize(
    ("adversarial", "rests"),
    [
        ({"kind": "wgan_gp"}, True),
        ({"kind": "wasserstein"}, True),
        ({"kind": "relativistic_average"}, True),
        ({"kind": "cross_entropy"}, False),
        ({"kind": "least_squares"}, False),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_the_level_of_all_logits_rests_where_only_their_differences_count(
    kind: str, adversarial: dict[str, object], rests: bool
) -> None:
    discriminator = {"kind": kind, **DISCRIMINATORS[kind]}
    step = GanStep(config(discriminators=[discriminator], adversarial=adversarial), CPU, {})
    (level,) = last_bias(step.discriminators[0])
    before = level.item()
    for seen in (0, 2):
        step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
    assert (level.item() == before) == rests


def test_a_sigmoids_level_counts_in_every_loss() -> None:
    dense = {"kind": "patch_dense", **DISCRIMINATORS["patch_dense"], "sigmoid": True}
    step = GanStep(config(discriminators=[dense], adversarial={"kind": "wasserstein"}), CPU, {})
    (level,) = last_bias(step.discriminators[0])
    step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert level.item() != 0


@pytest.mark.parametrize("kind", ["adam", "adamw"])
@pytest.mark.parametrize("adversarial", ["wgan_gp", "least_squares"])
def test_a_training_steps_and_goes_on_without_torchs_compiler(
    kind: str, adversarial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # whose import takes 1.4 s
    optimizer = {"kind": kind}
    changes = {"generator_optimizer": optimizer, "discriminator_optimizer": optimizer}
    settings = config(**changes, adversarial={"kind": adversarial})
    with computing(settings.precision, deterministic=settings.deterministic):
        step = GanStep(settings, CPU, {})
        step([a_batch(), a_batch()], settings.phases[0], 0, 1.0)
        other = GanStep(settings, CPU, {})
        other.load_state(step.state())
        other([a_batch(), a_batch()], settings.phases[0], 2, 1.0)


ORDERS = {"plane by plane": torch.contiguous_format, "px by px": torch.channels_last}


@pytest.mark.parametrize("gradients", ORDERS)
@pytest.mark.parametrize("weights", ORDERS)
@pytest.mark.parametrize("kind", [optimizers.Adam, optimizers.AdamW])
def test_in_any_order_of_memory_a_weight_moves_by_its_own_gradient(
    kind: type[torch.optim.Adam], weights: str, gradients: str
) -> None:
    (theirs,) = (each for each in kind.__mro__[1:] if each.__name__ == kind.__name__)
    source = torch.Generator().manual_seed(1)
    start, *slopes = (torch.randn(8, 5, 4, 3, generator=source) for _ in range(4))
    moved = []
    for make, fused in ((kind, True), (theirs, False)):
        weight = nn.Parameter(start.clone(memory_format=ORDERS[weights]))
        optimizer = make([weight], lr=0.1, fused=fused)
        for slope in slopes:
            weight.grad = slope.clone(memory_format=ORDERS[gradients])
            optimizer.step()
        assert weight.stride() == optimizer.state[weight]["exp_avg"].stride()
        assert weight.shape == start.shape
        moved.append(weight.detach())
    torch.testing.assert_close(*moved, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_no_gradient_is_copied_before_a_step(order: str) -> None:
    weight = nn.Parameter(torch.ones(8, 5, 4, 3).to(memory_format=ORDERS[order]))
    optimizer = optimizers.Adam([weight], lr=0.1, fused=True)
    weight.grad = torch.ones_like(weight)
    with torch.profiler.profile() as profile:
        optimizer.step()
    assert {event.key for event in profile.key_averages()} & {"aten::clone", "aten::contiguous"} == set()


@pytest.mark.parametrize("kind", [optimizers.Adam, optimizers.AdamW])
def test_it_does_what_torchs_own_does(kind: type[torch.optim.Adam]) -> None:
    (theirs,) = (each for each in kind.__mro__[1:] if each.__name__ == kind.__name__)
    nets = [nn.Linear(3, 2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    for net, make in zip(nets, (kind, theirs), strict=True):
        optimizer = make(net.parameters(), lr=0.1, weight_decay=0.1, fused=True)
        for value in (1.0, -2.0, 0.5):
            optimizer.zero_grad()
            net(torch.full((1, 3), value)).square().sum().backward()
            optimizer.step()
        assert optimizer.state_dict()["state"][0]["step"] == 3
        assert all(weight.requires_grad for weight in net.parameters())
    assert all(map(torch.equal, *(net.state_dict().values() for net in nets)))
