"""Two workers average their gradients while the backward pass runs: to the bits of a plain mean, through all
that a step does, and before the pass ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from small_training import CRITIC, config
from torch import Tensor, nn

from components.train.config import TrainConfig
from components.train.gradients_over_workers import GradientsOverWorkers, _in_buckets
from components.train.step import GanStep
from components.train.worker_group import World

Averaging = Callable[[Tensor, bool], None]
SMALL = {"first_bytes": 150, "bucket_bytes": 1024}  # some buckets of nets this small


class Nets(nn.ModuleList):
    """Two nets, the first with a layer that is not used and one that rests, in channels_last as recipes
    have it.
    """

    def __init__(self) -> None:
        torch.manual_seed(1)
        one = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Softplus(), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 1, 3))
        one.register_module("unused", nn.Conv2d(8, 8, 1))
        two = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Tanh(), nn.Conv2d(4, 1, 3, bias=False))
        super().__init__([one.to(memory_format=torch.channels_last), two])
        one[2].requires_grad_(False)
        self.photos = torch.randn(2, 4, 3, 9, 9, generator=torch.Generator().manual_seed(2))

    def logits(self, place: int, photo: Tensor) -> Tensor:
        return nn.Sequential(*(layer for name, layer in self[place].named_children() if name != "unused"))(
            photo
        )


def plain(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    backward(nets.logits(1, photos).square().mean(), True)


def one_that_is_not_used_and_one_that_rests(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    backward(nets.logits(0, photos).square().mean(), True)


def both_in_one_pass(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    there, back = nets.logits(0, photos), nets.logits(1, photos)
    again = nets.logits(0, photos + back.mean())
    backward(there.mean() * back.square().mean() + again.square().mean(), True)


def penalty(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    at = photos.clone().requires_grad_()
    (slope,) = torch.autograd.grad(nets.logits(0, at).sum(), at, create_graph=True)
    backward(nets.logits(0, photos).mean() + slope.flatten(1).norm(dim=1).sub(1).square().mean(), True)


def parts(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    for number in range(4):  # the second net is part of the first one's loss alone
        loss = nets.logits(0, photos[number : number + 1]).square().mean()
        if not number:
            loss = loss + nets.logits(1, photos).square().mean()
        backward(loss, number == 3)


def two_passes_each_with_its_step(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    plain(nets, photos, backward)
    nets.zero_grad()
    both_in_one_pass(nets, photos * 2, backward)


def in_bf16(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = nets.logits(0, photos).float().square().mean()
    backward(loss, True)


def compiled(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    forward = torch.compile(lambda photo: nets.logits(1, photo), backend="aot_eager")
    backward(forward(photos).square().mean(), True)


def after_one_that_raised(nets: Nets, photos: Tensor, backward: Averaging) -> None:
    def fail(gradient: Tensor) -> None:
        raise ZeroDivisionError

    broken = nets[0][0].weight.register_hook(fail)  # the second net's have set out
    with pytest.raises(ZeroDivisionError):
        both_in_one_pass(nets, photos, backward)
    broken.remove()
    assert not any(weight._post_accumulate_grad_hooks for weight in nets.parameters())
    nets.zero_grad()
    plain(nets, photos, lambda loss, last: loss.backward())  # it begins with what is there
    both_in_one_pass(nets, photos, backward)


PASSES = [
    plain,
    one_that_is_not_used_and_one_that_rests,
    both_in_one_pass,
    penalty,
    parts,
    two_passes_each_with_its_step,
    in_bf16,
    compiled,
    after_one_that_raised,
]

LOGITS = {"adversarial": {"kind": "cross_entropy", "weight": 0.1}}
BATCH_NORM = {"kind": "batch"}
PHASE = {"name": "joint", "images": 8, "crop_px": 16, "batch": 4}
STEPS: dict[str, dict[str, Any]] = {
    "wgan_gp, dropout": {"generator": {"kind": "resnet", "width": 4, "blocks": 1, "dropout": 0.5}},
    "two discriminators with R1, feature matching": {
        **LOGITS,
        "discriminators": [CRITIC, {**CRITIC, "conditional": True, "weight": 0.5}],
        "r1": {"gamma": 1.0, "every": 2},
        "feature_matching": 1.0,
    },
    "batch normalisation in all nets": {
        **LOGITS,
        "generator": {"kind": "resnet", "width": 4, "blocks": 1, "norm": BATCH_NORM},
        "discriminators": [{**CRITIC, "layers": 2, "norm": BATCH_NORM}],
    },
    "split updates": {**LOGITS, "split_updates": True, "history": {"size": 4}},
    "simultaneous": {**LOGITS, "simultaneous": True, "discriminator_updates": 1},
    "accumulated parts": {"phases": [{**PHASE, "accumulate": 2}]},
    "content alone, bf16": {
        "discriminators": [],
        "adversarial": None,
        "precision": "bf16",
        "phases": [{**PHASE, "adversarial": False}],
    },
    "cycle": {
        **LOGITS,
        "content": [],
        "cycle": {"consistency": [{"kind": "l1", "weight": 10.0}], "identity": [{"kind": "l1"}]},
    },
    "clipped": {"gradients": {"clip_norm": 0.01}},
}


# 4 · 9 weights behind 3 · 4 · 9, each a bucket; the first is that of what was defined last.
NOTED = {
    (0, 2): ["layer 2", "36 sent", "layer 0", "108 sent"],
    (2, 0): ["layer 2", "layer 0", "108 sent", "36 sent"],
}


class AfterThePass(GradientsOverWorkers):
    """A plain mean of all gradients, one by one, when the backward pass has ended."""

    def backward(self, loss: Tensor, *, last: bool = True) -> None:
        loss.backward()
        for weights in self._weights if last else ():
            for weight in weights:
                if weight.grad is not None:
                    dist.all_reduce(weight.grad)
                    weight.grad.div_(2)


def gradients_of(nets: Nets) -> list[Tensor | None]:
    return [None if weight.grad is None else weight.grad.clone() for weight in nets.parameters()]


def passed(one: Callable[..., None], world: World) -> dict[str, list[Tensor | None]]:
    """A worker's own gradients, and those averaged, after the same passes."""
    own, averaged = Nets(), Nets()
    one(own, own.photos[world.rank], lambda loss, last: loss.backward())
    over_workers = GradientsOverWorkers(list(averaged), world, **SMALL)
    one(averaged, own.photos[world.rank], lambda loss, last: over_workers.backward(loss, last=last))
    return {"own": gradients_of(own), "averaged": gradients_of(averaged)}


def stepped(part: TrainConfig, world: World, kind: type[GradientsOverWorkers]) -> dict[str, Tensor]:
    """All that a state holds after two steps, and the second one's terms."""
    step, phase = GanStep(part, world, {}), part.phases[0]
    step.update_generator.over_workers = kind([one.generator for one in step.mappings], world, **SMALL)
    for one in step.mappings:
        if one.update_discriminators is not None:
            one.update_discriminators.over_workers = kind(one.discriminators.nets, world, **SMALL)
    source = torch.Generator().manual_seed(world.rank)
    terms: dict[str, Tensor] = {}
    for number in range(2):
        photos = torch.rand(part.discriminator_updates, 2, 2, 3, 16, 16, generator=source).mul(2).sub(1)
        batches = [(input, target) for input, target in photos]
        terms = step(batches, phase, number * phase.batch, 1.0)
    nets = [net for one in step.mappings for net in (one.generator, one.average, *one.discriminators.nets)]
    values = [value for net in nets for value in net.state_dict().values()]
    return {str(place): value for place, value in enumerate(values)} | terms


def noted(world: World, defined: tuple[int, int]) -> list[str]:
    """In which order weights get their gradients and messages are sent, in a net whose layers are defined in
    that order.
    """
    nets, notes, send = Nets(), [], dist.all_reduce

    def note_and_send(flat: Tensor, **how: Any) -> Any:
        notes.append(f"{flat.numel()} sent")
        return send(flat, **how)

    for place in defined:
        nets[1][place].weight.register_hook(lambda _, place=place: notes.append(f"layer {place}"))
    loss = nets.logits(1, nets.photos[world.rank]).square().mean()
    dist.all_reduce = note_and_send
    try:
        net = nn.ModuleList([nets[1][place] for place in defined])
        GradientsOverWorkers([net], world, **SMALL).backward(loss)
    finally:
        dist.all_reduce = send
    return notes


def training(case: str) -> TrainConfig:
    return config(**({"phases": [PHASE]} | STEPS[case]))


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    world = World.of_process_group(torch.device("cpu"))
    kinds = {"during": GradientsOverWorkers, "after": AfterThePass}
    found = {
        "passes": {one.__name__: passed(one, world) for one in PASSES},
        "steps": {
            case: {name: stepped(training(case), world, kind) for name, kind in kinds.items()}
            for case in STEPS
        },
        "noted": {defined: noted(world, defined) for defined in NOTED},
    }
    torch.save(found, f"{folder}/{rank}.pt")
    dist.barrier()  # neither leaves while the other still sends
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    place = tmp_path_factory.mktemp("two")
    torch.multiprocessing.spawn(work, (str(place),), nprocs=2)
    return [torch.load(place / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", [one.__name__ for one in PASSES])
def test_the_averaged_gradients_are_the_bits_of_the_workers_mean(
    name: str, found: list[dict[str, Any]]
) -> None:
    one, two = (worker["passes"][name] for worker in found)
    differ = 0
    for own, other, *averaged in zip(one["own"], two["own"], one["averaged"], two["averaged"], strict=True):
        for gradient in averaged:
            assert (gradient is None) == (own is None)
            assert own is None or torch.equal(gradient, (own + other) / 2)
        differ += own is not None and not torch.equal(own, other)
    assert differ, "the workers were to have photos of their own"


@pytest.mark.parametrize("case", STEPS)
def test_steps_end_at_the_bits_of_those_that_average_after_the_pass(
    case: str, found: list[dict[str, Any]]
) -> None:
    for worker in found:
        during, after = (worker["steps"][case][kind] for kind in ("during", "after"))
        assert during.keys() == after.keys()
        for name in during:
            assert torch.equal(during[name], after[name]), name


@pytest.mark.parametrize("defined", NOTED)
def test_a_bucket_is_sent_when_it_and_those_before_it_are_whole(
    defined: tuple[int, int], found: list[dict[str, Any]]
) -> None:
    for worker in found:
        assert worker["noted"][defined] == NOTED[defined]


def test_alone_no_hook_is_registered_and_nothing_is_sent() -> None:
    nets = Nets()
    hooks: list[bool] = []
    nets[1][0].weight.register_hook(
        lambda _: hooks.append(any(weight._post_accumulate_grad_hooks for weight in nets.parameters()))
    )
    alone = GradientsOverWorkers(list(nets), World.alone(torch.device("cpu")))
    alone.backward(nets.logits(1, nets.photos[0]).mean())  # no process group: a message would raise
    assert hooks == [False]


def test_buckets_hold_every_weight_once_in_order_and_no_more_bytes_than_they_may() -> None:
    weights = [nn.Parameter(torch.zeros(count)) for count in (2, 3, 1, 9, 2, 2, 1)]
    buckets = _in_buckets(weights, 24, 16)
    assert [[len(weight) for weight in bucket] for bucket in buckets] == [[2, 3, 1], [9], [2, 2], [1]]
    assert [id(weight) for bucket in buckets for weight in bucket] == [id(weight) for weight in weights]
