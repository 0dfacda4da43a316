"""train.compile changes how fast the generator is, not what it learns."""

from __future__ import annotations

import shutil

import pytest
import torch
from small_training import CPU, LOGITS, a_batch, config

from components.core.errors import InputError
from components.train.run import preflight
from components.train.step import GanStep


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a processor needs g++")
@pytest.mark.filterwarnings("default")  # the compiler's own
def test_a_compiled_generator_learns_what_the_plain_one_does() -> None:
    plain, compiled = (GanStep(config(**LOGITS, compile=switch), CPU, {}) for switch in (False, True))
    batch = a_batch()
    for turn in range(3):
        terms = [step([batch], step.config.phases[0], 2 * turn, 1.0) for step in (plain, compiled)]
        assert terms[0]["generator/total"].item() == pytest.approx(
            terms[1]["generator/total"].item(), rel=1e-4
        )
    assert type(compiled.restoring._forward) is not type(plain.restoring._forward), (
        "the second one was compiled"
    )
    for (name, one), other in zip(
        plain.generator.state_dict().items(), compiled.generator.state_dict().values(), strict=True
    ):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5), name


def test_compiling_without_a_compiler_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    preflight(config())
    with pytest.raises(
        InputError, match=r"train.compile needs a C\+\+ compiler, and neither g\+\+ nor clang\+\+ was found"
    ):
        preflight(config(compile=True))
