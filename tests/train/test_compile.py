"""train.compile changes how fast a training is, not what it learns."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import CPU, LEARNING, LOGITS, NET, a_batch, config, content_phase

from components.core.errors import InputError
from components.train import compiled as compiled_functions
from components.train.run import preflight
from components.train.step import GanStep


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a processor needs g++")
@pytest.mark.filterwarnings("default")  # the compiler's own
def test_a_compiled_generator_learns_what_the_plain_one_does() -> None:
    """By torch's own compiler, for which each of a step's loops costs a second; what else of a step is
    compiled is tried below.
    """
    net = NET | {"norm": "none"}
    alone = LEARNING | {"generator": net, "phases": [content_phase("content", 20)]}
    plain, compiled = (GanStep(config(**alone, compile=switch), CPU, {}) for switch in (False, True))
    batch = a_batch()
    for turn in range(3):
        terms = [step([batch], step.config.phases[0], 2 * turn, 1.0) for step in (plain, compiled)]
        assert terms[0]["generator/total"].item() == pytest.approx(
            terms[1]["generator/total"].item(), rel=1e-4
        )
    assert type(compiled.restoring._forward) is not type(plain.restoring._forward), "compiled"
    for (name, one), other in zip(
        plain.generator.state_dict().items(), compiled.generator.state_dict().values(), strict=True
    ):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5), name


PATCH = {"kind": "patchgan", "layers": 1, "width": 4}
KINDS: dict[str, dict[str, Any]] = {
    "penalty beside the input": {"discriminators": [PATCH | {"norm": "instance", "conditional": True}]},
    "penalty of two nets": {"discriminators": [PATCH, PATCH | {"shrink": 2, "norm": "layer"}]},
    "penalty in bf16": {"precision": "bf16", "channels_last": True},
    "R1": LOGITS | {"r1": {"gamma": 1.0, "every": 1}},
    "feature matching": LOGITS | {"feature_matching": 1.0},
    "relativistic, batch normalisation": {
        "adversarial": {"kind": "relativistic_average"},
        "discriminators": [PATCH | {"norm": "batch"}],
    },
    "spectral normalisation": LOGITS | {"discriminators": [PATCH | {"spectral_norm": True}]},
    "U-Net that discriminates": LOGITS | {"discriminators": [{"kind": "unet", "width": 4}]},
    "perceptual": {"content": [{"kind": "l1"}, {"kind": "perceptual", "layer": "conv2_1"}]},
    "dropout": {"generator": {"kind": "resnet", "width": 4, "blocks": 1, "dropout": 0.5}},
    "accumulated": {"phases": [{"name": "joint", "images": 20, "crop_px": 16, "batch": 2, "accumulate": 2}]},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("default")
def test_a_step_learns_the_same_whatever_of_it_is_compiled(
    kind: str, monkeypatch: pytest.MonkeyPatch, vgg: dict[str, Path]
) -> None:
    """Traced as for the compiler, then run by torch's own operations."""
    traced: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        traced.append(graph)
        return aot_eager(graph, inputs)

    aot_eager = torch._dynamo.lookup_backend("aot_eager")
    monkeypatch.setattr(compiled_functions, "BACKEND", backend)
    torch._dynamo.reset()
    weights = {1: vgg["vgg19"]} if kind == "perceptual" else {}
    rounding = 10.0 if kind == "penalty in bf16" else 1.0
    plain, compiled = (
        GanStep(config(compile=switch, **KINDS[kind]), CPU, weights) for switch in (False, True)
    )
    before = torch.cat(weights_in(plain))
    batches = [a_batch()] * plain.config.discriminator_updates
    for turn in range(2):
        terms = [step(batches, step.config.phases[0], 2 * turn, 1.0) for step in (plain, compiled)]
        assert terms[0].keys() == terms[1].keys()
        for name, value in terms[0].items():
            assert value.item() == pytest.approx(terms[1][name].item(), rel=1e-3 * rounding, abs=1e-4), name
    assert traced, "compiled"
    # Adam moves a weight whose gradient is next to nothing by its sign.
    ways = [torch.cat(weights_in(step)) - before for step in (plain, compiled)]
    assert (ways[0] - ways[1]).norm() < 0.02 * rounding * ways[0].norm()


def weights_in(step: GanStep) -> list[torch.Tensor]:
    nets = (step.generator, *step.discriminators)
    return [value.detach().float().flatten() for net in nets for value in net.parameters()]


def test_compiling_without_a_compiler_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    preflight(config())
    with pytest.raises(
        InputError, match=r"train.compile needs a C\+\+ compiler, and neither g\+\+ nor clang\+\+ was found"
    ):
        preflight(config(compile=True))
