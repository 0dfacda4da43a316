"""On which device and in which precision a model is measured: as the recipe says, and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fake_gpu import NAME, fake_gpu
from safetensors.torch import load_file as read_weights
from torch.utils._python_dispatch import _disable_current_modes
from untrained_checkpoints import checkpoint_of
from watched_operations import HALF

from components.core.errors import InputError
from components.core.records import Checkpoint, PairSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.measure import measure
from components.evaluate.run import run
from components.metrics import METRICS, measurable
from components.nets import restore
from components.nets.devices import device_for
from components.nets.generators import ResNet
from components.nets.precision import place_of
from components.pipeline.sending import wants_gpu
from components.registry.measured import gpu_as, place

PROCESSOR = place_of(torch.device("cpu"))
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine whose torch finds a GPU, for what looks no further; its place."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    return "NVIDIA H200, IEEE float32"


def config(**settings: object) -> EvaluateConfig:
    return EvaluateConfig.model_validate({"metrics": ("psnr_rgb",), "sheets": (), **settings})


def test_a_model_is_measured_on_the_processor_where_no_gpu_is_to_be_taken(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    assert run(config(gpu="never"), pairset, untrained, out=tmp_path / "out").measured_on == PROCESSOR


def test_a_model_is_measured_in_bfloat16_beside_the_same_baseline(pairset: PairSet, tmp_path: Path) -> None:
    part = ResNet(width=4, blocks=1, head="direct")  # which leaves no photo as it is
    checkpoint = checkpoint_of(part, pairset, tmp_path / "checkpoint")
    exact, quick = (
        run(config(gpu="never", precision=name), pairset, checkpoint, out=tmp_path / name)
        for name in ("fp32", "bf16")
    )
    assert quick.measured_on == PROCESSOR.replace("IEEE float32", "bfloat16")
    assert (quick.about["precision"], exact.about["precision"]) == ("bf16", "fp32")
    assert quick.do_nothing == exact.do_nothing
    assert quick.restored["psnr_rgb"] != exact.restored["psnr_rgb"]
    assert quick.restored["psnr_rgb"] == pytest.approx(exact.restored["psnr_rgb"], abs=0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_required_and_not_there_is_refused_before_anything_is_restored(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"evaluate\.gpu is require, and torch finds no GPU .* set"):
        run(config(gpu="require"), pairset, untrained, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_gpu_is_taken_where_there_is_one_unless_it_is_never_to_be(card: str) -> None:
    assert [str(device_for(word, "evaluate.gpu")) for word in ("auto", "require", "never")] == [
        "cuda:0",
        "cuda:0",
        "cpu",
    ]


def test_a_champion_is_measured_where_its_challenger_was(card: str) -> None:
    assert place() == card
    assert gpu_as("auto", "fp32", card) == "auto"
    assert gpu_as("auto", "fp32", PROCESSOR) == "never", "this machine's processor is such a one"
    assert gpu_as("auto", "bf16", PROCESSOR) == "auto", "in another precision: that is refused, in words"
    assert gpu_as("auto", "fp32", "CPU (riscv64), IEEE float32") == "auto"
    assert gpu_as("require", "fp32", PROCESSOR) == "require", "a person said so"
    assert gpu_as("auto", "fp32", None) == "auto"


def test_a_job_that_measures_asks_for_a_gpu_as_the_recipe_says() -> None:
    assert [wants_gpu(word, 2) for word in ("auto", "require", "never")] == [True, True, False]
    assert [wants_gpu(word, 0) for word in ("auto", "never")] == [False, False]
    with pytest.raises(InputError, match=r"evaluate\.gpu is require, and the Ray cluster has no GPU"):
        wants_gpu("require", 0)


@pytest.mark.gpu
@needs_gpu
def test_metrics_of_a_gpu_are_the_processors_within_the_stated_tolerance(pairset: PairSet) -> None:
    names = [name for name in measurable(tuple(METRICS))[0] if METRICS[name].over_time is None]

    def worse(photo: np.ndarray) -> np.ndarray:
        return photo * np.float32(0.98)

    there, here = (measure(worse, pairset, names, device=device) for device in ("cuda", "cpu"))
    for one, other in zip(there, here, strict=True):
        assert one.left_out == other.left_out
        for side in ("restored", "do_nothing"):
            for name, value in getattr(other, side).items():
                allowed = 1e-4 if name.startswith("lpips") else 1e-5
                assert getattr(one, side)[name] == pytest.approx(value, abs=allowed), name


@pytest.mark.gpu
@needs_gpu
def test_a_model_measured_on_a_gpu_scores_as_on_the_processor(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    there, here = (
        run(config(gpu=word), pairset, untrained, out=tmp_path / word) for word in ("require", "never")
    )
    assert there.measured_on == place_of(torch.device("cuda"))
    assert there.restored["psnr_rgb"] == pytest.approx(here.restored["psnr_rgb"], abs=1e-3)


def test_a_model_is_measured_on_a_gpu_that_is_not_there(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole stage: net, photos and metrics meet on one device; a value there is zero or a half."""

    def load_file(path: Path) -> dict[str, torch.Tensor]:
        with _disable_current_modes():  # which its reader knows nothing of
            return read_weights(path)

    monkeypatch.setattr(restore, "load_file", load_file)
    names = [name for name in measurable(tuple(METRICS))[0] if METRICS[name].fit is None]
    made = config(gpu="require", precision="bf16", metrics=names)
    with fake_gpu() as watched:
        report = run(made, pairset, untrained, out=tmp_path / "out")
    assert report.measured_on == f"{NAME}, bfloat16"
    assert report.restored["ssim_gauss11_rgb"] == HALF
    assert watched.waits == len(pairset.pairs("test")) + 1, "once a photo, and once to warm up"
