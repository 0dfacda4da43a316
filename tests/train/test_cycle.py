"""A cycle: two mappings, what binds them, and what a training of them keeps."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from pydantic import ValidationError
from small_training import CPU, CRITIC, LOGITS, a_batch, config, copy_of

from components.core.errors import LineageError
from components.core.records import Checkpoint
from components.nets.restore import save_generator
from components.train.config import TrainConfig
from components.train.step import GanStep
from components.train.step.weight_average import WeightAverage
from components.train.training_state import write_state
from components.train.warm_start import Parent, start_from
from components.train.worker_group import World

CYCLE = {
    **LOGITS,
    "adversarial": {"kind": "least_squares"},
    # A bias before instance normalisation has a gradient of rounding alone, which Adam makes large.
    "discriminators": [CRITIC | {"norm": "none"}],
    "content": [],
    "cycle": {
        "consistency": [{"kind": "l1", "weight": 10.0}],
        "identity": [{"kind": "l1", "weight": 5.0}],
    },
    "history": {"size": 3},
    "keep_best": None,
}


def cycle(**changes: Any) -> TrainConfig:
    return config(**CYCLE | changes)


def begun(**changes: Any) -> GanStep:
    """A step whose heads have left zero, so that gradients go through them."""
    step = GanStep(cycle(**changes), CPU, {})
    with torch.no_grad():
        for mapping in step.mappings:
            for weight in mapping.generator.parameters():
                source = torch.Generator().manual_seed(weight.numel())
                weight.add_(torch.randn(weight.shape, generator=source), alpha=0.05)
    return step


def all_weights(step: GanStep) -> list[torch.Tensor]:
    nets = [net for one in step.mappings for net in (one.generator, one.average, *one.discriminators.nets)]
    return [weight for net in nets for weight in copy_of(net)]


def test_the_two_ways_begin_with_weights_of_their_own_and_read_each_others_domain() -> None:
    there, back = GanStep(cycle(), CPU, {}).mappings
    assert there.direction.view(("input", "target")) == ("input", "target")
    assert back.direction.view(("input", "target")) == ("target", "input")
    for ours, theirs in (
        (there.generator, back.generator),
        (there.discriminators.nets[0], back.discriminators.nets[0]),
    ):
        assert not torch.equal(next(ours.parameters()), next(theirs.parameters()))


@pytest.mark.parametrize("kept", ["consistency", "identity"])
def test_each_binding_loss_reaches_the_first_layers_it_must_and_no_discriminator(kept: str) -> None:
    other = {"consistency": "identity_l1", "identity": "cycle_l1"}[kept]
    names = [name for name, _ in cycle().content_losses() if name != other]
    phases = [
        {"name": "bound", "images": 4, "crop_px": 16, "batch": 2, "adversarial": False, "content": names},
        {"name": "joint", "images": 4, "crop_px": 16, "batch": 2},
    ]
    step = begun(phases=phases)
    before = [copy_of(one.discriminators.nets[0]) for one in step.mappings]
    step([a_batch()], step.config.phases[0], 0, 1.0)
    for one, kept_weights in zip(step.mappings, before, strict=True):
        first = next(one.generator.parameters()).grad
        assert first is not None
        assert first.abs().sum() > 0
        now = copy_of(one.discriminators.nets[0])
        assert all(torch.equal(old, new) for old, new in zip(kept_weights, now, strict=True))
        assert all(weight.grad is None for weight in one.discriminators.nets[0].parameters())


def test_a_cycles_terms_are_what_they_are_when_written_out() -> None:
    step = begun(history=None, ema=0.0)
    (there, back), (input, target) = step.mappings, a_batch()
    with torch.no_grad():
        restored, worsened = there.generator(input), back.generator(target)
        wanted = {
            "cycle_l1": (back.generator(restored) - input).abs().mean(),
            "cycle_l1_back": (there.generator(worsened) - target).abs().mean(),
            "identity_l1": (there.generator(target) - target).abs().mean(),
            "identity_l1_back": (back.generator(input) - input).abs().mean(),
        }
    terms = step([a_batch()], step.config.phases[0], 0, 1.0)
    for name, value in wanted.items():
        torch.testing.assert_close(terms[f"generator/{name}"], value)
    weighted = [value for name, value in terms.items() if name.endswith("_weighted")]
    assert len(weighted) == 6  # two adversarial, two of the cycle, two of identity
    torch.testing.assert_close(terms["generator/total"], torch.stack(weighted).sum())
    assert {
        "discriminator_0/real",
        "discriminator_back_0/real",
        "generator_back/gradient_norm",
    } <= terms.keys()


def test_each_discriminator_sees_its_own_domain_and_what_is_made_for_it() -> None:
    step = begun(history=None)
    input, target = a_batch()
    seen: list[list[torch.Tensor]] = [[], []]  # real and restored pictures may come in one pass
    for shown, one in zip(seen, step.mappings, strict=True):
        one.discriminators.nets[0].register_forward_pre_hook(
            lambda net, given, shown=shown: shown.extend(given[0].detach().clone().split(len(input)))
        )
    with torch.no_grad():
        made = [step.mappings[0].generator(input), step.mappings[1].generator(target)]
    step([a_batch()], step.config.phases[0], 0, 1.0)
    for shown, real, restored in zip(seen, (target, input), made, strict=True):
        assert torch.equal(shown[0], real)
        torch.testing.assert_close(shown[1], restored)


def test_ten_steps_are_five_and_five_more_with_both_pools() -> None:
    whole, first = GanStep(cycle(), CPU, {}), GanStep(cycle(), CPU, {})
    phase = whole.config.phases[0]
    for turn in range(10):
        whole([a_batch()], phase, 2 * turn, 1.0)
    for turn in range(5):
        first([a_batch()], phase, 2 * turn, 1.0)
    resumed = GanStep(cycle(), CPU, {})
    resumed.load_state(first.state())
    for turn in range(5, 10):
        resumed([a_batch()], phase, 2 * turn, 1.0)
    assert all(torch.equal(*pair) for pair in zip(all_weights(whole), all_weights(resumed), strict=True))
    assert len(whole.state()["further"]) == 1


@pytest.mark.parametrize(
    "tricks", [{}, {"instance_noise": {"std": 0.1, "restored": True}, "diff_augment": {}}]
)
def test_a_batch_in_parts_makes_the_same_step(tricks: dict[str, Any]) -> None:
    joint = config().phases[0].model_dump() | {"batch": 4}
    found = []
    for accumulate in (1, 2):
        step = begun(**tricks, phases=[joint | {"accumulate": accumulate}])
        terms = step([a_batch(4)], step.config.phases[0], 0, 1.0)
        found.append(
            [terms["generator/total"], *(p.grad for m in step.mappings for p in m.generator.parameters())]
        )
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-6)


def _three_steps(rank: int, size: int, place: str) -> None:
    torch.set_num_threads(1)
    if size > 1:
        dist.init_process_group("gloo", init_method=f"file://{place}/meet", rank=rank, world_size=size)
    joint = config().phases[0].model_dump() | {"batch": 4}
    step = GanStep(cycle(phases=[joint]), World(rank, size, torch.device("cpu")), {})
    for turn in range(3):
        step([tuple(photos[rank::size] for photos in a_batch(4))], step.config.phases[0], 4 * turn, 1.0)  # type: ignore[list-item]
    torch.save(all_weights(step), f"{place}/{size}-{rank}.pt")
    if size > 1:
        dist.destroy_process_group()


def test_two_workers_make_what_one_makes(tmp_path: Path) -> None:
    _three_steps(0, 1, str(tmp_path))
    spawning = multiprocessing.get_context("spawn")
    workers = [spawning.Process(target=_three_steps, args=(rank, 2, str(tmp_path))) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    alone, *pair = (torch.load(tmp_path / name) for name in ("1-0.pt", "2-0.pt", "2-1.pt"))
    for one, first, second in zip(alone, *pair, strict=True):
        assert torch.equal(first, second)
        torch.testing.assert_close(one, first, rtol=1e-3, atol=1e-5)


def test_the_averages_of_both_ways_follow_their_generators() -> None:
    step = begun(ema=0.0)
    step([a_batch()], step.config.phases[0], 0, 1.0)
    for one in step.mappings:
        assert isinstance(one._weight_average, WeightAverage)
        assert all(
            torch.equal(*pair) for pair in zip(copy_of(one.average), copy_of(one.generator), strict=True)
        )


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(*pair) for pair in zip(copy_of(one), copy_of(other), strict=True))


def left_behind(step: GanStep, folder: Path) -> Parent:
    """What a cycle's training leaves: both generators, and its state."""
    digests = []
    for place, one in zip((folder, folder / Checkpoint.BACK), step.mappings, strict=True):
        digests.append(save_generator(place, one.direction.generator, one.average.state_dict()))
    checkpoint = Checkpoint(
        pairset="0" * 64,
        config_digest="0" * 64,
        code_digest="0" * 64,
        weights_sha256=digests[0][0],
        generator_sha256=digests[0][1],
        images_seen=2,
        back_sha256=digests[1][0],
    ).save(folder)
    (folder / "state.pt").write_bytes(write_state({"step": step.state()}))
    return Parent("cycle:1", checkpoint.verify(), state=folder / "state.pt")


def test_a_cycle_starts_from_both_generators_of_another(tmp_path: Path) -> None:
    theirs = begun(ema=0.0)
    theirs([a_batch()], theirs.config.phases[0], 0, 1.0)
    ours, parent = GanStep(cycle(seed=9), CPU, {}), left_behind(theirs, tmp_path)
    assert start_from(ours, parent) == (
        "generator",
        "the generator back",
        "its moments",
        "discriminators",
        "their moments",
        "discriminators back",
        "their moments back",
    )
    for one, other in zip(ours.mappings, theirs.mappings, strict=True):
        assert same(one.generator, other.average)
        assert same(one.average, other.average)
    fresh = GanStep(cycle(seed=9), CPU, {})
    assert start_from(fresh, replace(parent, state=None)) == ("generator", "the generator back")
    assert same(fresh.mappings[1].generator, theirs.mappings[1].average)


def test_a_training_on_pairs_starts_from_the_generator_of_a_cycle_that_restores(tmp_path: Path) -> None:
    theirs = begun(ema=0.0)
    theirs([a_batch()], theirs.config.phases[0], 0, 1.0)
    parent = left_behind(theirs, tmp_path)
    paired = GanStep(cycle(seed=9, cycle=None, content=[{"kind": "l1"}]), CPU, {})
    assert start_from(paired, parent) == ("generator", "discriminators", "their moments")
    assert same(paired.generator, theirs.average)
    paired([a_batch()], paired.config.phases[0], 0, 1.0)


def test_a_parents_generator_back_is_a_part_of_its_identity(tmp_path: Path) -> None:
    parent = left_behind(begun(), tmp_path)
    other = parent.checkpoint.model_copy(update={"back_sha256": "f" * 64})
    assert replace(parent, checkpoint=other).identity != parent.identity
    (tmp_path / Checkpoint.BACK / Checkpoint.WEIGHTS).unlink()
    with pytest.raises(LineageError, match=r"back/generator\.safetensors is missing or was altered"):
        parent.checkpoint.verify()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cycle": None}, "content needs at least 1 item where there is no cycle"),
        (
            {"discriminators": [CRITIC | {"conditional": True}]},
            "the conditional discriminator patchgan looks at",
        ),
        ({"adversarial": {"kind": "relativistic_average"}}, "relativistic_average looks at an input beside"),
        ({"feature_matching": 10.0}, "feature_matching looks at an input beside its own target: set it to 0"),
        (
            {"generator": {"kind": "srresnet", "width": 4, "blocks": 1}},
            "srresnet enlarges 4 times: choose a generator of scale 1",
        ),
        (
            {"phases": [{"name": "a", "images": 2, "crop_px": 16, "content": ["cycle_l2"]}]},
            "names the content loss",
        ),
        (
            {"cycle": {**CYCLE["cycle"], "generator": {"kind": "unet", "width": 4, "depth": 5}}},  # type: ignore[dict-item]
            "must be a multiple of 32",
        ),
    ],
)
def test_what_a_cycle_cannot_have_is_refused_with_the_remedy(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        cycle(**changes)


def test_pairs_and_a_cycle_may_come_together() -> None:
    both = cycle(content=[{"kind": "l1"}], discriminators=[CRITIC | {"conditional": True}])
    assert [name for name, _ in both.content_losses()] == ["l1", "cycle_l1", "identity_l1"]


def test_a_training_without_a_cycle_keeps_its_digest() -> None:
    assert "cycle" not in config().model_dump(mode="json")
