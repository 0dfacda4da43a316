"""Steps on a GPU that is not there (fake_gpu.py): everything lies on it, no step waits for it, Adam is the
fused one, and convolutions get photos in the order that was asked for. test_step_on_device.py says what a
real one says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from backward_in_python import run_backward
from bundled import RECIPES
from fake_gpu import GPU, fake_gpu
from small_training import config
from test_compile import KINDS as COMPILED
from test_content import KINDS as CONTENT
from test_full_size import CROP_PX
from test_step_on_device import KINDS as ON_DEVICE
from test_step_on_device import stepped
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.utils._pytree import tree_leaves
from watched_operations import BACK, LAST, WaitError, Watched, order_of

from components import recipes
from components.train.config import TrainConfig
from components.train.content.part import ContentPart
from components.train.precision import computing
from components.train.step import GanStep
from components.train.step.gradient_guard import LEAST_NORMS
from components.train.step.terms import Terms
from components.train.step.weight_average import LastSteps
from components.train.worker_group import World

# To the first layer of these photos come out of a Fourier transform or torch's grid_sample, plane by plane.
ONE_ORDER = {"unet.py", "flow.py"}
PHASE = {"name": "joint", "images": 20, "crop_px": 16, "batch": 2}
ENTROPY = {"adversarial": {"kind": "cross_entropy"}, "discriminator_updates": 1}
TRICKS: dict[str, dict[str, Any]] = {
    "two nets, split updates": {
        "discriminators": [{"kind": "patchgan", "layers": 1, "width": 4}, {"kind": "pixel", "width": 4}],
        "adversarial": {"kind": "wasserstein", "clip": 0.01},
        "split_updates": True,
    },
    "simultaneous": {"simultaneous": True, "discriminator_updates": 1, "ema": 0.0},
    "reused": {"discriminator_reuse": True},
    "limits of gradients": ENTROPY | {"gradients": {"clip_norm": 1.0, "clip_times": 2.0}},
    "a pool of one": ENTROPY | {"history": {"size": 1}, "instance_noise": {"std": 0.1}},
    "AdamW": ENTROPY | {"generator_optimizer": {"kind": "adamw"}, "average_last": 0.5},
}
KINDS = ON_DEVICE | COMPILED | TRICKS
# Below 16 channels torch's kernel that doubles a photo's side leaves channels_last.
KINDS["U-Net that discriminates"] = ENTROPY | {"discriminators": [{"kind": "unet", "width": 8}]}
HOW = {"precision": "bf16", "channels_last": True}


@pytest.fixture
def watched() -> Iterator[Watched]:
    with fake_gpu() as found:
        yield found


def files(made: TrainConfig, vgg: dict[str, Path]) -> dict[int, Path]:
    losses = enumerate(part.weights() for _, part in made.content_losses())
    return {place: vgg[weights.backbone] for place, weights in losses if weights is not None}


def batches(made: TrainConfig, crop_px: int, photos: int) -> list[tuple[Tensor, Tensor]]:
    """Without values, on the GPU."""
    frames, side = made.target_frames, crop_px // made.generator.scale
    window = 3 * (made.generator.window + frames - 1)
    layout = LAST if made.channels_last else torch.contiguous_format
    return [
        (
            torch.empty(photos, window, side, side, device=GPU, memory_format=layout),
            torch.empty(photos, 3 * frames, crop_px, crop_px, device=GPU, memory_format=layout),
        )
        for _ in range(1 if made.discriminator_reuse else made.discriminator_updates)
    ]


def steps(made: TrainConfig, watched: Watched, vgg: dict[str, Path], count: int) -> tuple[GanStep, Terms]:
    """So many, none of which may wait; the terms of the last."""
    phase, last = made.phases[-1], LastSteps(1, 2) if made.average_last else None
    with computing(made.precision, deterministic=False):
        step = GanStep(made, World.alone(GPU), files(made, vgg))
        for turn in range(count):
            shown = batches(made, phase.crop_px, phase.batch)
            with watched.without_a_wait():
                terms = step(shown, phase, phase.batch * turn, 1.0, last=last)
    return step, terms


def need_all_on_the_gpu(step: GanStep, terms: Terms) -> None:
    found = [leaf for leaf in tree_leaves((step.state(), dict(terms))) if isinstance(leaf, Tensor)]
    assert len(found) > len(terms) + 10
    assert {leaf.device for leaf in found} == {GPU}


def need_order(step: GanStep, watched: Watched) -> None:
    """Channels last: all weights, and what comes to each convolution but from kernels that know one order."""
    for mapping in step.mappings:
        for net in (mapping.generator, mapping.average, *mapping.discriminators.nets):
            layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
            assert layers
            assert {order_of(layer.weight) for layer in layers} <= {"last", "either"}
    forward = {seen for seen in watched.convolutions if seen[2] != BACK}
    assert forward
    assert not any(weights == "first" for _, weights, _ in forward), forward
    seen = {photos for photos, _, place in forward if place.split(":")[0] not in ONE_ORDER}
    assert seen <= {"last", "either"}, forward


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_stays_on_the_gpu_and_waits_for_nothing(
    kind: str, watched: Watched, vgg: dict[str, Path]
) -> None:
    made = config(**({"phases": [PHASE | {"crop_px": 32}]} | KINDS[kind] | HOW))
    step, terms = steps(made, watched, vgg, 1 if kind in COMPILED else 2)  # which differ by a pass alone
    need_all_on_the_gpu(step, terms)
    need_order(step, watched)


def shortened(name: str) -> TrainConfig:
    """A recipe with small crops, and one residual block; the rest is its own."""
    plain = recipes.load(name).train.model_dump(mode="json")
    if isinstance(plain["generator"].get("blocks"), int):
        plain["generator"]["blocks"] = 1
    for phase in plain["phases"]:
        phase.update({"images": 2, "epochs": None, "crop_px": CROP_PX.get(name, 256), "batch": 2})
    return TrainConfig.model_validate(plain | {"workers": 0, "discriminator_updates": 1})


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_stays_on_the_gpu_and_waits_for_nothing(
    name: str, watched: Watched, vgg: dict[str, Path]
) -> None:
    made = shortened(name)
    step, terms = steps(made, watched, vgg, 1)  # what a second one adds, the kinds above show
    need_all_on_the_gpu(step, terms)
    if made.channels_last:
        need_order(step, watched)


def test_a_step_in_parts_with_the_median_known_waits_for_nothing(
    watched: Watched, vgg: dict[str, Path]
) -> None:
    phase = PHASE | {"batch": 4, "accumulate": 2}
    limits = {"clip_times": 2.0, "skip_times": 10.0, "clip_norm": 1.0}
    made = config(**ENTROPY, phases=[phase], gradients=limits, diff_augment={}, r1={"every": 3})
    step, _ = steps(made, watched, vgg, 1)
    assert not watched.counts["nanmedian"]
    state = step.state()
    for guard in ("generator_guard", "discriminator_guard"):
        state[guard]["known"] = LEAST_NORMS
    step.load_state(state)
    with watched.without_a_wait():
        terms = step(batches(made, 16, 4), made.phases[0], 4, 1.0)
    need_all_on_the_gpu(step, terms)
    assert watched.counts["nanmedian"] == 2


@pytest.mark.parametrize("part", CONTENT, ids=[str(place) for place in range(len(CONTENT))])
def test_a_loss_is_computed_on_the_gpu_without_a_wait(
    part: ContentPart, watched: Watched, vgg: dict[str, Path]
) -> None:
    weights = part.weights()
    loss = part.build(GPU, None if weights is None else vgg[weights.backbone])
    side = max(16, part.smallest_px)
    restored, target = (torch.empty(2, 3, side, side, device=GPU).requires_grad_() for _ in range(2))
    with watched.without_a_wait():
        loss(restored, target).backward()
    assert restored.grad is not None
    assert restored.grad.device == GPU


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_adams_step_on_the_gpu_is_one_operation_a_kind_of_weights(
    kind: str, watched: Watched, vgg: dict[str, Path]
) -> None:
    made = config(**ENTROPY, generator_optimizer={"kind": kind}, discriminator_optimizer={"kind": kind})
    step, _ = steps(made, watched, vgg, 1)
    groups = len(step.update_generator.optimizer.param_groups)
    assert step.update_discriminators is not None
    groups += len(step.update_discriminators.optimizer.param_groups)
    assert watched.counts[f"_fused_{kind}_"] == groups
    assert not any(name.startswith("_foreach_add") and "div" in name for name in watched.counts)


class Wrong(nn.Module):
    """Between a discriminator's layers, what a step must not do."""

    def __init__(self, fault: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._fault = fault

    def forward(self, x: Tensor) -> Tensor:
        return self._fault(x)


FAULTS: dict[str, Callable[[Tensor], Tensor]] = {
    "item": lambda x: x * x.mean().item(),
    "truth": lambda x: x if x.mean() > 0 else -x,
    "nonzero": lambda x: x + len(x.detach().nonzero()),
    "mask": lambda x: x + x.detach()[x.detach() > 0].sum(),
    "equal": lambda x: x * float(torch.equal(x, x)),
    "copy to the processor": lambda x: x * x.detach().cpu().shape[0],
    "copy that goes on, to pageable memory": lambda x: x * x.detach().to("cpu", non_blocking=True).shape[0],
    "numbers from the processor": lambda x: x * torch.tensor([2.0], device=x.device),
    "copy from the processor": lambda x: x + torch.zeros(1).to(x.device),
    "copy that goes on, of pageable memory": lambda x: x + torch.zeros(1).to(x.device, non_blocking=True),
    "pinned, waited for": lambda x: x + torch.zeros(1).pin_memory().to(x.device),
    "places from the processor": lambda x: x[torch.arange(len(x))],
    "into the GPU's": lambda x: x + torch.empty_like(x[:1]).copy_(torch.zeros(x[:1].shape)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wait_within_a_step_is_caught(fault: str, watched: Watched) -> None:
    with pytest.raises((WaitError, DataDependentOutputException)):
        faulty(FAULTS[fault], watched)


def faulty(fault: Callable[[Tensor], Tensor], watched: Watched) -> None:
    made = config(**ENTROPY)
    step = GanStep(made, World.alone(GPU), {})
    net = step.discriminators[0]
    assert isinstance(net, nn.Sequential)
    net.insert(0, Wrong(fault))
    with watched.without_a_wait():
        step(batches(made, 16, 2), made.phases[0], 0, 1.0)


def test_what_is_right_is_not_caught(watched: Watched) -> None:
    faulty(lambda x: x + torch.zeros(1).pin_memory().to(x.device, non_blocking=True), watched)
    assert watched.crossings


def test_a_tensor_of_the_processor_among_the_gpus_is_caught(watched: Watched) -> None:
    with pytest.raises(RuntimeError, match=r"cuda:0.*cpu|cpu.*cuda:0"):
        faulty(lambda x: x + torch.zeros(x.shape), watched)


def test_a_state_that_stayed_on_the_processor_is_caught(watched: Watched, vgg: dict[str, Path]) -> None:
    step, terms = steps(config(**ENTROPY), watched, vgg, 1)
    with pytest.raises(AssertionError):
        need_all_on_the_gpu(step, terms | {"another": torch.zeros(())})


@pytest.mark.parametrize("which", ["weights", "photos"])
def test_another_order_of_memory_is_caught(which: str, watched: Watched, vgg: dict[str, Path]) -> None:
    made = config(**ENTROPY, channels_last=True)
    step, _ = steps(made, watched, vgg, 1)
    need_order(step, watched)
    if which == "weights":
        step.discriminators[0].to(memory_format=torch.contiguous_format)
    else:
        with watched.without_a_wait():
            step([tuple(photos.contiguous() for photos in batches(made, 16, 2)[0])], made.phases[0], 2, 1.0)
    with pytest.raises(AssertionError):
        need_order(step, watched)


@pytest.mark.parametrize("kind", ON_DEVICE)
def test_the_backward_pass_in_python_is_torchs_to_the_bit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, wanted = stepped("cpu", **ON_DEVICE[kind])
    monkeypatch.setattr(torch.autograd, "_engine_run_backward", run_backward)
    _, found = stepped("cpu", **ON_DEVICE[kind])
    assert found == wanted
