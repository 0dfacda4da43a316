"""Real Ray workers: two train what one trains, and a training killed with -9 goes on to the same
weights.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from pairs import make_pairs
from processes import children_of, ends, wait_for
from safetensors.torch import load_file

from components.core.progress import Progress
from components.core.records import Checkpoint, PairSet
from components.nets.generators import ResNet
from components.nets.norms import Batch
from components.services.cluster import RayStore, Workers, run_on_workers
from components.train.adversarial import WGANGP
from components.train.training_state import is_whole, read_state
from components.train.worker_group import World

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def start(pairset: PairSet, place: Path, workers: int, *more: str) -> subprocess.Popen[str]:
    # As many threads in one process as one Ray worker gets: the same sums in the same order. They
    # sleep while they wait for each other: where something else is at work too, those that turn in
    # circles meanwhile take four times as long.
    threads = {"OMP_NUM_THREADS": str(os.cpu_count()), "OMP_WAIT_POLICY": "passive"}
    environment = {**os.environ, "REFOCUS_HOME": str(place / "home"), "PYTHONWARNINGS": "ignore", **threads}
    command = [
        sys.executable,
        str(Path(__file__).with_name("train_once.py")),
        str(pairset.folder),
        str(place / "out"),
        str(workers),
        *more,
    ]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def weights(place: Path) -> dict[str, torch.Tensor]:
    return load_file(place / "out" / Checkpoint.WEIGHTS)


@pytest.fixture(scope="module")
def alone(pairset: PairSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training in one process, without Ray and without a break."""
    place = tmp_path_factory.mktemp("alone")
    finish(start(pairset, place, 0))
    return place


def kill_tree(process: subprocess.Popen[str]) -> None:
    """kill -9 for the process and everything it started."""
    tree = [*children_of(psutil.Process(process.pid)), psutil.Process(process.pid)]
    for victim in tree:
        with suppress(
            psutil.NoSuchProcess
        ):  # Ray's own processes end by themselves when one they need has gone
            victim.kill()
    process.wait()
    assert ends(tree)
    assert process.stdout is not None
    process.stdout.close()


def wait_for_file(place: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    assert wait_for(
        lambda: bool(list((place / "home" / "training").glob(pattern))) or process.poll() is not None, 600
    ), "it trains no more"
    assert process.poll() is None, process.communicate()[0]


def test_killed_with_9_and_run_again_gives_the_same_weights(
    pairset: PairSet, alone: Path, tmp_path: Path
) -> None:
    process = start(pairset, tmp_path, 1)
    wait_for_file(tmp_path, "*/checkpoint_*/state.pt", process)
    kill_tree(process)
    assert not (tmp_path / "out" / Checkpoint.FILE).exists()
    finish(start(pairset, tmp_path, 1))
    whole, resumed = weights(alone), weights(tmp_path)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert Checkpoint.load(tmp_path / "out").verify().images_seen == 160
    # The same with its last state zeroed, as a full disk or a crash of the machine leaves it.
    newest = max((tmp_path / "home" / "training").glob("*/checkpoint_*/state.pt"))
    newest.write_bytes(bytes(newest.stat().st_size))
    finish(start(pairset, tmp_path, 1))
    again = weights(tmp_path)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_with_its_last_state_cut_a_training_goes_on_from_the_one_before(
    pairset: PairSet, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone / "home" / "training", tmp_path / "home" / "training")
    newest = max((tmp_path / "home" / "training").glob("*/state-*.pt"))
    newest.write_bytes(newest.read_bytes()[:1000])
    assert "it is set aside" in finish(start(pairset, tmp_path, 0))
    whole, again = weights(alone), weights(tmp_path)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_training_goes_on_with_a_worker_of_ray_or_without_one_from_what_the_other_left(
    pairset: PairSet, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone / "home" / "training", tmp_path / "home" / "training")
    (training,) = (tmp_path / "home" / "training").iterdir()
    (training / "state-000000000160.pt").unlink()
    finish(start(pairset, tmp_path, 1))
    assert len(list(training.glob("checkpoint_*/state.pt"))) == 1, (
        "from image 120 to the end there is one validation"
    )
    whole, gone_on = weights(alone), weights(tmp_path)
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)
    # Ray's state of the end is taken by a process without Ray, which has the older one of its own.
    shutil.rmtree(tmp_path / "out")
    finish(start(pairset, tmp_path, 0))
    assert [path.name for path in training.glob("state-*.pt")] == ["state-000000000120.pt"]
    taken = weights(tmp_path)
    assert all(torch.equal(whole[name], taken[name]) for name in whole)


def test_a_training_that_runs_away_on_a_worker_is_told_with_its_remedy(
    pairset: PairSet, tmp_path: Path
) -> None:
    said, _ = (process := start(pairset, tmp_path, 1, "0.001")).communicate()
    assert process.returncode == 1
    last = said.strip().splitlines()[-1]
    assert "DivergenceError: training small-" in last
    assert "/total was" in last
    assert "Lower the learning rate" in last
    assert not (tmp_path / "out").exists()


def seen_by_its_newest_state(place: Path) -> int:
    newest = max((place / "home" / "training").glob("*/checkpoint_*/state.pt"))
    return int(read_state(newest.read_bytes())["progress"]["images_seen"])


@pytest.mark.team  # three trainings on two workers: a minute and more
def test_two_workers_that_are_asked_to_end_lose_no_image_and_change_no_bit(
    pairset: PairSet, tmp_path: Path
) -> None:
    whole, ended = (tmp_path / name for name in ("whole", "ended"))
    long = ("1e6", "200")
    finish(start(pairset, whole, 2, *long))
    process = start(pairset, ended, 2, *long)
    wait_for_file(ended, "*/checkpoint_*/state.pt", process)
    family = children_of(psutil.Process(process.pid))
    process.send_signal(signal.SIGINT)  # Ray has a handler of its own for it
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGINT, said
    assert ends(family), "a process of Ray was left behind"
    assert not (ended / "out").exists()
    at = seen_by_its_newest_state(ended)
    assert 40 <= at < 200
    finish(start(pairset, ended, 2, *long))
    assert seen_by_its_newest_state(ended) == 200
    undisturbed, gone_on = weights(whole), weights(ended)
    assert all(torch.equal(undisturbed[name], gone_on[name]) for name in undisturbed)


def test_two_workers_train_what_one_trains(pairset: PairSet, tmp_path: Path) -> None:
    # Ten generator and twenty critic steps with the penalty. Much later, rounding alone parts two
    # trainings, even on one and on two threads.
    one, two = (tmp_path / name for name in ("one", "two"))
    for place, workers in ((one, 0), (two, 2)):
        finish(start(pairset, place, workers, "1e6", "40"))
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(two)[name], value, atol=2e-6, rtol=1e-4)
    start_weights = ResNet(width=4, blocks=1, norm=Batch(), bias=False).build(5).state_dict()
    assert any((value - start_weights[name]).abs().max() > 1e-4 for name, value in weights(one).items()), (
        "they were to learn something"
    )


def test_running_again_after_the_end_takes_what_is_there(pairset: PairSet, alone: Path) -> None:
    before = (alone / "out" / Checkpoint.FILE).read_bytes()
    said = finish(start(pairset, alone, 0))
    assert "160/160" in said
    assert (alone / "out" / Checkpoint.FILE).read_bytes() == before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, at its start
def test_the_penalty_of_a_linear_critic_has_its_known_value_on_two_workers(
    tmp_path: Path,
) -> None:
    # Inside the test, so that it travels whole: the workers do not know this file.
    def penalty_of_a_linear_critic(settings: dict[str, float]) -> dict[str, float]:
        """What each worker runs: the penalty of D(x) = w·x with |w| = 3 on its own photos, averaged
        over the workers.
        """
        world = World.of_process_group(torch.device("cpu"))
        source = torch.Generator().manual_seed(world.rank)
        direction = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(9))
        weights = (settings["length"] * direction / direction.norm()).requires_grad_()
        real, restored = torch.randn(2, 2, 3, 5, 5, generator=source).unbind()
        loss = WGANGP(penalty_weight=10).build()
        penalty = loss.penalty(
            lambda photo: (photo * weights).sum((1, 2, 3), keepdim=True),
            real,
            restored,
            torch.rand(2, generator=source),
        )
        assert penalty is not None
        penalty.backward()
        assert weights.grad is not None
        value, gradient = penalty.detach().reshape(1), weights.grad.clone()
        world.average([value, gradient])
        assert world.size == 2
        return {"penalty": float(value), "slope": float(gradient.norm()), "look": look_s()}

    def look_s() -> float:
        """Seconds from one look of Ray Train's controller to the next, as itself has it."""
        import ray
        from ray.train.v2._internal.execution.context import get_train_context

        controller = get_train_context().controller_actor
        return float(ray.get(controller.__ray_call__.remote(lambda self: self._health_check_interval_s)))

    # λ (|w| - 1)² = 10 · 4 = 40, and its slope along w is 2 λ (|w| - 1) = 40.
    with Progress("penalty", 1) as bar:
        found, _ = run_on_workers(
            penalty_of_a_linear_critic,
            lambda threads, mailed: {"length": 3.0},
            store=RayStore(is_whole),
            name="penalty",
            storage=str(tmp_path),
            workers=Workers(2, 2, gpu="never"),
            retries=0,
            bar=bar,
        )
    assert found == pytest.approx({"penalty": 40.0, "slope": 40.0, "look": 0.5}, rel=1e-4)
