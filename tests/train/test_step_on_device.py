"""One step on a processor and on a GPU, in every order of memory and every precision: the same within
rounding, and on a GPU without a moment in which the processor waits for it.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_training import CPU, CRITIC, config

from components.train.adversarial import WGANGP
from components.train.precision import autocast, computing
from components.train.step import GanStep
from components.train.worker_group import World

CUDA = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]
RESNET = {"kind": "resnet", "width": 8, "blocks": 1, "dropout": 0.0}
PAIRED = [CRITIC | {"conditional": True, "norm": "batch", "bias": "ends"}]
KINDS: dict[str, dict[str, Any]] = {
    "a critic with its penalty": {"generator": RESNET},
    "conditional, batch statistics, noise, a pool": {
        "generator": RESNET | {"norm": "batch"},
        "discriminators": PAIRED,
        "adversarial": {"kind": "cross_entropy"},
        "discriminator_updates": 1,
        "instance_noise": {"std": 0.1, "restored": True},
        "history": {"size": 4},
    },
    "relativistic, changed photos, features": {
        "generator": {"kind": "unet", "width": 8, "depth": 1},
        "adversarial": {"kind": "relativistic_average"},
        "discriminator_updates": 1,
        "diff_augment": {},
        "feature_matching": 1.0,
        "r1": {"every": 1},
    },
}


def batches(device: torch.device, count: int, layout: torch.memory_format) -> list[Any]:
    source = torch.Generator().manual_seed(1)
    return [
        tuple(
            (torch.rand(2, 3, 32, 32, generator=source) * 2 - 1).to(device, memory_format=layout)
            for _ in range(2)
        )
        for _ in range(count)
    ]


def stepped(device: str, **settings: Any) -> tuple[GanStep, dict[str, float]]:
    """Three steps, and the terms of the last."""
    made = config(phases=[{"name": "joint", "images": 20, "crop_px": 32, "batch": 2}], **settings)
    place = torch.device(device)
    layout = torch.channels_last if made.channels_last else torch.contiguous_format
    with computing(made.precision, deterministic=False):
        step = GanStep(made, World.alone(place), {})
        for turn in range(3):
            terms = step(batches(place, made.discriminator_updates, layout), made.phases[0], 2 * turn, 1.0)
    return step, {name: value.item() for name, value in terms.items()}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("way", "close"),
    [
        ({}, 2e-3),
        ({"channels_last": True}, 2e-3),
        ({"precision": "bf16"}, 0.1),
        ({"precision": "bf16", "channels_last": True}, 0.1),
    ],
)
def test_a_step_is_that_of_the_processor_in_float32(
    device: str, kind: str, way: dict[str, Any], close: float
) -> None:
    _, wanted = stepped("cpu", **KINDS[kind])
    _, found = stepped(device, **KINDS[kind], **way)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        if "accuracy" not in name:
            assert found[name] == pytest.approx(value, rel=close, abs=close), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("default")  # the compiler's own
def test_a_compiled_step_on_a_gpu_is_that_of_the_processor(kind: str) -> None:
    """On a processor: test_compile.py, without code for the device."""
    _, wanted = stepped("cpu", **KINDS[kind])
    _, found = stepped("cuda", **KINDS[kind], compile=True)
    for name, value in wanted.items():
        if "accuracy" not in name:
            assert found[name] == pytest.approx(value, rel=2e-3, abs=2e-3), name


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-4), ("bf16", 0.15)])
def test_the_penalty_of_a_linear_critic_is_its_known_value_in_every_precision(
    device: str, length: float, precision: str, close: float
) -> None:
    source = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 8, 8, generator=source)
    weight = (weight * length / weight.norm()).to(device)
    real, restored = (torch.rand(4, 3, 8, 8, generator=source).to(device) for _ in range(2))
    with computing(precision, deterministic=False), autocast(precision, torch.device(device)):
        penalty = (
            WGANGP(penalty_weight=10)
            .build()
            .penalty(
                lambda photo: torch.nn.functional.conv2d(photo, weight[None]),
                real,
                restored,
                torch.rand(4).to(device),
            )
        )
    assert penalty is not None
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx(10 * (length - 1) ** 2, rel=close, abs=close / 10)


def test_the_penaltys_gradient_in_bfloat16_points_where_that_in_float32_does() -> None:
    """cosine above 0.98 for each layer of a small critic, 0.99 for all together."""
    gradients = []
    for precision in ("fp32", "bf16"):
        made = config(generator=RESNET, precision=precision)
        step = GanStep(made, CPU, {})
        update, (pair,) = step.update_discriminators, batches(CPU.device, 1, torch.contiguous_format)
        assert update is not None
        mix = torch.tensor([0.3, 0.8])
        update._penalty(0, pair, (pair[0], pair[1].flip(3)), mix).backward()
        gradients.append([weight.grad for weight in step.discriminators[0].parameters() if weight.dim() > 1])
    for one, other in zip(*gradients, strict=True):
        assert torch.cosine_similarity(one.flatten(), other.flatten(), 0) > 0.98
    ours, theirs = (torch.cat([one.flatten() for one in found]) for found in gradients)
    assert torch.cosine_similarity(ours, theirs, 0) > 0.99


def test_precision_and_determinism_are_set_in_one_place_and_come_back() -> None:
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    for precision, rounded in (("fp32", False), ("tf32", True), ("bf16", False)):
        with computing(precision, deterministic=True):
            assert (cuda.allow_tf32, cudnn.allow_tf32) == (rounded, rounded)
            assert not cudnn.benchmark
            assert torch.are_deterministic_algorithms_enabled()
    with computing("fp32", deterministic=False):
        assert cudnn.benchmark
    after = cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    assert after == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_no_step_waits_for_the_gpu(kind: str) -> None:
    step, _ = stepped("cuda", **KINDS[kind], precision="bf16", channels_last=True)
    made, place = step.config, step.world.device
    again = batches(place, made.discriminator_updates, torch.channels_last)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(again, made.phases[0], 6, 1.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_two_deterministic_trainings_on_a_gpu_have_the_same_bits() -> None:
    found = []
    for _ in range(2):
        with computing("bf16", deterministic=True):
            step, _ = stepped("cuda", generator={"kind": "unet", "width": 8, "depth": 1}, precision="bf16")
        found.append([weight.detach().cpu() for weight in step.generator.parameters()])
    assert all(map(torch.equal, *found))
