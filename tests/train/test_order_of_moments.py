"""What an optimiser remembers of a weight lies as the weight does, whatever order of memory it was kept in:
torch's fused optimisers go through both as they lie.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_training import CPU, LOGITS, a_batch, config
from torch import Tensor

from components.train.step import GanStep
from components.train.step.optimizers import Adam
from components.train.training_state import read_state, write_state
from components.train.warm_start import start_from


def step_in(layout: bool) -> GanStep:
    return GanStep(config(**LOGITS, channels_last=layout), CPU, {})


def resumed(step: GanStep, kept: dict[str, Any], folder: Path) -> None:
    step.load_state(read_state(write_state({"step": kept}))["step"])


def started(step: GanStep, kept: dict[str, Any], folder: Path) -> None:
    from safetensors.torch import save_file

    weights, state = folder / "weights.safetensors", folder / "state.pt"
    save_file({name: value.contiguous() for name, value in kept["generator"].items()}, weights)
    state.write_bytes(write_state({"step": kept}))
    taken = start_from(step, SimpleNamespace(name="a:1", weights=weights, back=None, state=state))  # type: ignore[arg-type]
    assert taken == ("generator", "its moments", "discriminators", "their moments")


def optimizers(step: GanStep) -> list[torch.optim.Optimizer]:
    assert step.update_discriminators is not None
    return [step.update_generator.optimizer, step.update_discriminators.optimizer]


@pytest.mark.parametrize("layout", [False, True], ids=["plane by plane", "px by px"])
@pytest.mark.parametrize("take", [resumed, started])
def test_moments_lie_as_their_weights_do(
    take: Callable[[GanStep, dict[str, Any], Path], None], layout: bool, tmp_path: Path
) -> None:
    before, after = step_in(not layout), step_in(layout)
    phase = before.config.phases[0]
    for turn in range(2):
        before([a_batch()], phase, 2 * turn, 1.0)
    take(after, before.state(), tmp_path)
    turned = 0
    for one, other in zip(optimizers(before), optimizers(after), strict=True):
        for kept, (weight, found) in zip(one.state.values(), other.state.items(), strict=True):
            for name in ("exp_avg", "exp_avg_sq"):
                assert found[name].stride() == weight.stride()
                assert torch.equal(found[name], kept[name])
                turned += kept[name].stride() != weight.stride()
    assert turned > 4, "nothing lay otherwise"
    after([a_batch()], phase, 4, 1.0)


def test_a_fused_step_from_turned_moments_is_that_of_the_plain_optimiser() -> None:
    source = torch.Generator().manual_seed(0)
    weight, *gradients = (torch.randn(4, 3, 3, 3, generator=source) for _ in range(3))

    def stepped(kind: type[torch.optim.Adam]) -> Tensor:
        own = torch.nn.Parameter(weight.clone())
        optimizer = kind([own], lr=0.1, fused=kind is Adam)
        for gradient in gradients:
            own.grad = gradient.clone()
            optimizer.step()
            state = optimizer.state_dict()
            for name in ("exp_avg", "exp_avg_sq"):
                state["state"][0][name] = state["state"][0][name].to(memory_format=torch.channels_last)
            optimizer.load_state_dict(state)
        return own.detach()

    assert torch.allclose(stepped(Adam), stepped(torch.optim.Adam), atol=1e-6)
