"""The step and the loop: what each trick does to the weights, that stopping and going on changes nothing, that trouble stops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pairs import make_pairs
from pydantic import ValidationError

from components.core.errors import InputError, LineageError
from components.core.records import PairSet
from components.train.config import TrainConfig
from components.train.data import pair_at, places_of_step
from components.train.loop import Data, Loop, Outcome, read_state, spans
from components.train.step import GanStep
from components.train.world import World

CPU = World.alone(torch.device("cpu"))
NET = {"kind": "unet", "width": 4, "depth": 1}
CRITIC = {"kind": "patchgan", "layers": 1, "width": 4}


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def config(**changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "seed": 3,
        "generator": NET,
        "discriminators": [CRITIC],
        "adversarial": {"kind": "wgan_gp", "weight": 0.1},
        "discriminator_updates": 2,
        "content": [{"kind": "l1"}],
        "phases": [{"name": "joint", "images": 20, "crop_px": 16, "batch": 2}],
        "validate_every": 8,
        "log_every": 2,
    }
    return TrainConfig.model_validate(settings | changes)


class KilledError(Exception):
    """Stands for kill -9 in the middle of a training."""


class Memory:
    """A store and an observer that remember."""

    def __init__(self, die_after: int | None = None) -> None:
        self.states: list[bytes] = []
        self.values: dict[int, dict[str, float]] = {}
        self.pictures: list[int] = []
        self.images = 0
        self._die_after = die_after

    def load(self) -> bytes | None:
        return self.states[-1] if self.states else None

    def save(self, state: bytes | None, images_seen: int) -> None:
        assert state is not None
        self.states.append(state)

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        self.values.setdefault(images_seen, {}).update(values)

    def picture(self, picture: Any, images_seen: int) -> None:
        self.pictures.append(images_seen)

    def begin(self, images_seen: int) -> None:
        self.began = images_seen

    def advance(self, images: int, note: str) -> None:
        self.images += images
        if self._die_after is not None and self.images >= self._die_after:
            raise KilledError


def data_of(pairset: PairSet) -> Data:
    return Data(pairset.folder, pairset.pairs("train"), pairset.pairs("val"))


def run(settings: TrainConfig, pairset: PairSet, memory: Memory) -> Outcome:
    return Loop(settings, data_of(pairset), CPU, memory, memory, {}).run()


def weights_of(state: bytes) -> list[torch.Tensor]:
    step = read_state(state)["step"]
    return [*step["generator"].values(), *step["average"].values(), *step["discriminators"][0].values()]


def a_batch(share: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    return torch.rand(share, 3, 16, 16, generator=source) * 2 - 1, torch.rand(share, 3, 16, 16, generator=source) * 2 - 1


def copy_of(net: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in net.parameters()]


def test_ten_steps_equal_five_plus_five(pairset: PairSet) -> None:
    dropping = {"generator": {"kind": "resnet", "width": 8, "blocks": 1, "dropout": 0.5}}
    whole, halves, rest = Memory(), Memory(die_after=13), Memory()
    run(config(**dropping), pairset, whole)
    with pytest.raises(KilledError):
        run(config(**dropping), pairset, halves)
    assert read_state(halves.states[-1])["images_seen"] == 8
    rest.states = halves.states
    assert run(config(**dropping), pairset, rest).images_seen == 20
    assert (rest.began, rest.images) == (8, 12)
    for ours, theirs in zip(weights_of(rest.states[-1]), weights_of(whole.states[-1]), strict=True):
        assert torch.equal(ours, theirs)


def test_a_finished_training_trains_nothing_more(pairset: PairSet) -> None:
    memory = Memory()
    run(config(), pairset, memory)
    done = len(memory.states)
    run(config(), pairset, memory)
    assert len(memory.states) == done


def test_the_state_holds_nets_optimisers_average_and_position(pairset: PairSet) -> None:
    memory = Memory()
    run(config(), pairset, memory)
    state = read_state(memory.states[-1])
    assert state["images_seen"] == 20
    assert state["step"]["steps_done"] == 10
    assert set(state["step"]) == {"steps_done", "generator", "average", "discriminators", "generator_optimizer", "discriminator_optimizer"}
    assert state["step"]["discriminator_optimizer"]["state"][0]["step"].item() == 20  # two updates a step


def test_readings_name_every_term_weighted_and_not(pairset: PairSet) -> None:
    memory = Memory()
    run(config(content=[{"kind": "l1", "weight": 3.0}, {"kind": "l2"}]), pairset, memory)
    values = memory.values[4]
    assert values["generator/l1_weighted"] == pytest.approx(3 * values["generator/l1"])
    assert values["generator/adversarial_0_weighted"] == pytest.approx(0.1 * values["generator/adversarial_0"], rel=1e-5)
    total = sum(value for name, value in values.items() if name.startswith("generator/") and name.endswith("_weighted"))
    assert values["generator/total"] == pytest.approx(total, rel=1e-5)
    wanted = {
        "discriminator_0/real",
        "discriminator_0/restored",
        "discriminator_0/penalty",
        "discriminator_0/accuracy_real",
        "discriminator_0/accuracy_restored",
    }
    assert wanted <= set(values)
    assert {"generator/gradient_norm", "discriminator/gradient_norm", "rate/generator", "speed/images_per_second", "speed/data_wait_share"} <= set(values)


def test_validation_happens_at_the_start_and_at_every_state(pairset: PairSet) -> None:
    memory = Memory()
    run(config(), pairset, memory)
    assert memory.pictures == [0, 8, 16, 20]
    # An untrained residual U-Net does nothing, so its gain over doing nothing is zero.
    assert memory.values[0]["validation/psnr_rgb_gain"] == pytest.approx(0.0, abs=1e-9)
    assert memory.values[0]["validation/ssim_gauss11_rgb_gain"] == pytest.approx(0.0, abs=1e-9)


def test_the_generator_learns_to_undo_a_fixed_blur(pairset: PairSet) -> None:
    memory = Memory()
    net = {**NET, "width": 8}
    optimizer = {"lr": 0.003, "beta1": 0.9}
    changes = {"discriminators": [], "adversarial": None, "content": [{"kind": "l2"}], "generator": net, "generator_optimizer": optimizer, "ema": 0.9}
    phase = {"name": "content", "images": 600, "crop_px": 32, "batch": 4, "adversarial": False}
    run(config(**changes, phases=[phase], validate_every=600, log_every=50), pairset, memory)
    assert memory.values[600]["validation/psnr_rgb_gain"] > 1.0


def test_the_discriminator_rests_while_the_generator_steps() -> None:
    step = GanStep(config(phases=[{"name": "content", "images": 2, "crop_px": 16, "batch": 2, "adversarial": False}]), CPU, {})
    before = copy_of(step.discriminators[0])
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert all(torch.equal(old, new) for old, new in zip(before, step.discriminators[0].parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in step.discriminators[0].parameters())


def test_the_generators_update_leaves_no_gradient_in_the_discriminator() -> None:
    step = GanStep(config(), CPU, {})
    step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    kept = [None if parameter.grad is None else parameter.grad.clone() for parameter in step.discriminators[0].parameters()]
    step._update_generator(a_batch(), step.config.phases[0])
    for before, parameter in zip(kept, step.discriminators[0].parameters(), strict=True):
        assert before is not None
        assert parameter.grad is not None
        assert torch.equal(before, parameter.grad)


def test_an_adversarial_phase_moves_both_nets() -> None:
    step = GanStep(config(), CPU, {})
    generator, critic = copy_of(step.generator), copy_of(step.discriminators[0])
    for seen in (0, 2):  # the head begins at zero: it moves first, the layers before it in the next step
        step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
    assert not any(torch.equal(old, new) for old, new in zip(generator, step.generator.parameters(), strict=True))
    assert not torch.equal(critic[0], next(step.discriminators[0].parameters()))


def test_the_average_lags_behind_and_a_high_decay_lags_more() -> None:
    distances = []
    for decay in (0.5, 0.1, 0.0):
        step = GanStep(config(ema=decay), CPU, {})
        for seen in range(0, 12, 2):
            step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
        distances.append(sum((kept - now).abs().sum().item() for kept, now in zip(step.average.parameters(), step.generator.parameters(), strict=True)))
    assert distances[0] > distances[1] > distances[2] == 0


def test_the_average_moves_by_the_published_amount() -> None:
    step = GanStep(config(ema=0.9), CPU, {})
    step.steps_done = 1000  # beyond the faster beginning
    before, now = copy_of(step.average), copy_of(step.generator)
    with torch.no_grad():
        for parameter in step.generator.parameters():
            parameter.add_(1.0)
    step._update_average()
    for kept, old, present in zip(step.average.parameters(), before, now, strict=True):
        torch.testing.assert_close(kept.detach(), 0.9 * old + 0.1 * (present + 1.0))


def test_bfloat16_keeps_weights_and_losses_in_float32() -> None:
    step = GanStep(config(precision="bf16"), CPU, {})
    terms = step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert {parameter.dtype for parameter in step.generator.parameters()} == {torch.float32}
    assert {value.dtype for value in terms.values()} == {torch.float32}


def test_a_conditional_discriminator_sees_the_input_beside_the_photo() -> None:
    step = GanStep(config(discriminators=[CRITIC | {"conditional": True}, CRITIC | {"shrink": 2, "weight": 0.4}]), CPU, {})
    terms = step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert next(step.discriminators[0].parameters()).shape[1] == 6
    assert {"discriminator_0/real", "discriminator_1/real", "generator/adversarial_1"} <= set(terms)
    assert terms["generator/adversarial_1_weighted"].item() == pytest.approx(0.4 * 0.1 * terms["generator/adversarial_1"].item(), rel=1e-5)


def test_a_runaway_loss_stops_and_the_last_healthy_state_is_kept(pairset: PairSet) -> None:
    memory = Memory()
    phase = {"name": "joint", "images": 200, "crop_px": 16, "batch": 2}
    outcome = run(config(generator_optimizer={"lr": 1.0}, loss_limit=2.0, phases=[phase]), pairset, memory)
    assert outcome.diverged is not None
    assert "/total was" in outcome.diverged
    assert outcome.images_seen < 200
    for state in memory.states:
        assert all(torch.isfinite(tensor).all() for tensor in weights_of(state))


def test_nan_stops_the_training(pairset: PairSet) -> None:
    loop = Loop(config(), data_of(pairset), CPU, (memory := Memory()), memory, {})
    with torch.no_grad():
        next(loop.step.generator.parameters()).fill_(float("nan"))
    outcome = loop.run()
    assert outcome.diverged is not None
    assert "nan" in outcome.diverged
    assert memory.states == []


def test_rates_follow_the_schedule(pairset: PairSet) -> None:
    memory = Memory()
    phase = {"name": "joint", "images": 20, "crop_px": 16, "batch": 2, "schedule": {"kind": "linear", "hold": 0.5}}
    run(config(phases=[phase], log_every=1, generator_optimizer={"lr": 0.01}), pairset, memory)
    rates = [memory.values[images]["rate/generator"] for images in range(2, 22, 2)]
    assert rates == pytest.approx([0.01] * 6 + [0.008, 0.006, 0.004, 0.002])


def test_a_constant_rate_may_be_a_share_of_the_optimisers(pairset: PairSet) -> None:
    memory = Memory()
    phase = {"name": "joint", "images": 4, "crop_px": 16, "batch": 2, "schedule": {"kind": "constant", "level": 0.1}}
    run(config(phases=[phase], log_every=1, generator_optimizer={"lr": 0.01}), pairset, memory)
    assert [memory.values[images]["rate/generator"] for images in (2, 4)] == pytest.approx([0.001, 0.001])


def test_phases_follow_each_other_and_epochs_are_whole_batches() -> None:
    phases = [{"name": "first", "epochs": 1.5, "crop_px": 16, "batch": 4, "adversarial": False}, {"name": "second", "images": 10, "crop_px": 32, "batch": 4}]
    assert [(phase.name, start, stop) for phase, start, stop in spans(config(phases=phases), 10)] == [("first", 0, 16), ("second", 16, 24)]


def test_every_epoch_shows_every_pair_once_in_another_order() -> None:
    epochs = [[pair_at(1, ("generator", position), 7) for position in range(7 * epoch, 7 * epoch + 7)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_workers_together_take_what_one_would() -> None:
    alone = places_of_step(8, 4, 3, 0, 1)
    shared = [places_of_step(8, 4, 3, rank, 2) for rank in range(2)]
    assert sorted(alone) == sorted([*shared[0], *shared[1]])
    assert alone[-4:] == [("generator", position) for position in range(8, 12)]


def test_a_crop_larger_than_the_photos_is_refused_with_the_remedy(pairset: PairSet) -> None:
    with pytest.raises(InputError, match=r"phase joint crops 64 px, but pair .* is 48×48: set its crop_px to 48 or less"):
        run(config(phases=[{"name": "joint", "images": 2, "crop_px": 64, "batch": 2}]), pairset, Memory())


def test_no_training_pairs_are_refused(pairset: PairSet) -> None:
    with pytest.raises(LineageError, match="no training pairs"):
        Loop(config(), Data(pairset.folder, (), ()), CPU, (memory := Memory()), memory, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adversarial": None}, "discriminators and adversarial go together"),
        ({"discriminators": [], "adversarial": None}, "a phase is adversarial, yet there are no discriminators"),
        ({"phases": [{"name": "joint", "images": 2, "crop_px": 17}]}, "must be a multiple of 2"),
        ({"phases": [{"name": "joint", "crop_px": 16}]}, "needs its length as epochs or as images"),
        ({"workers": 2, "phases": [{"name": "joint", "images": 6, "crop_px": 16, "batch": 3}]}, "batch 3 of phase joint must divide evenly over 2 workers"),
        ({"content": []}, "at least 1 item"),
    ],
)
def test_contradictions_are_refused_at_birth(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**changes)


def test_where_it_runs_is_no_part_of_what_it_is() -> None:
    assert config(workers=1).key_digest() == config(workers=2, retries=0, gpu="never").key_digest()
    assert config(seed=4).key_digest() != config(seed=3).key_digest()


def test_the_loader_gives_both_pictures_the_same_crop(tmp_path: Path) -> None:
    import numpy as np

    from components.core.images import write_png
    from components.train.data import PairDataset

    pairset = make_pairs(tmp_path)
    pair = pairset.pairs("train")[0]
    ramp = np.arange(48 * 48, dtype=np.uint32)
    picture = np.stack([ramp % 251, ramp // 48, ramp % 48], axis=1).astype(np.uint8).reshape(48, 48, 3)
    for name in (pair.blurred, pair.sharp):
        write_png(tmp_path / name, picture)
    dataset = PairDataset(tmp_path, (pair,), 1, config().augment.model_copy(update={"quarter_turns": 1.0, "brightness": 0.2, "contrast": 0.2}), 16)
    samples = [dataset[("generator", position)] for position in range(8)]
    assert all(torch.equal(blurred, sharp) for blurred, sharp in samples)
    assert len({bytes(blurred.numpy().tobytes()) for blurred, _ in samples}) == 8
    again = PairDataset(tmp_path, (pair,), 1, config().augment.model_copy(update={"quarter_turns": 1.0, "brightness": 0.2, "contrast": 0.2}), 16)
    assert torch.equal(again[("generator", 5)][0], samples[5][0])
