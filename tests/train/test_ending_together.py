"""Two workers, of whom one hears that the end is asked for: both keep one state at one step, and go on from
it to the same weights.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from pairs import make_pairs
from small_training import Memory, config, data_of, weights_of

from components.core.records import PairSet
from components.train.loop import Loop, Outcome
from components.train.states import FolderStore
from components.train.training_state import read_state
from components.train.worker_group import World

ASKED = {"the first": (0, 2), "the second": (1, 5), "the second, before a validation": (1, 3)}
TRAINING = config(validate_every=8, log_every=3, keep_best="psnr_rgb")


class Shared(FolderStore):
    """One folder for both: the leader writes."""

    def save(self, state: bytes | None, images_seen: int) -> None:
        if state is not None:
            super().save(state, images_seen)


def train(pairs: str, place: Path, world: World, *, hears_before_step: int | None = None) -> Outcome:
    asks = itertools.count()
    try:
        return Loop(
            TRAINING,
            data_of(PairSet.load(Path(pairs))),
            world,
            Shared(place),
            Memory(),
            {},
            asked=lambda: next(asks) == hears_before_step,
        ).run()
    finally:
        dist.barrier()  # the leader has written


def work(rank: int, folder: str, pairs: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    world, told = World.of_process_group(torch.device("cpu")), {}
    train(pairs, Path(folder) / "undisturbed", world)
    for name, (who, step) in ASKED.items():
        place = Path(folder) / name
        ended = train(pairs, place, world, hears_before_step=step if rank == who else None)
        kept = Shared(place).load()
        dist.barrier()  # both have looked
        gone_on = train(pairs, place, world)
        told[name] = (ended, read_state(kept or b"")["progress"], gone_on)
    torch.save(told, f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("two")
    pairset = make_pairs(place / "pairs")
    torch.multiprocessing.spawn(work, (str(place), str(pairset.folder)), nprocs=2)
    return place


@pytest.mark.parametrize("case", ASKED)
def test_both_end_at_one_step_and_go_on_to_the_same_weights(case: str, folder: Path) -> None:
    _, step = ASKED[case]
    images = TRAINING.phases[0].batch * (step + 1)
    for rank in range(2):
        ended, progress, gone_on = torch.load(folder / f"{rank}.pt", weights_only=False)[case]
        assert (ended.stopped, ended.images_seen) == (True, images)
        assert progress["images_seen"] == images
        assert progress["validation_due"] == (images % TRAINING.validate_every == 0)
        assert (gone_on.stopped, gone_on.images_seen) == (False, 20)
    whole, again = (FolderStore(folder / name).load() or b"" for name in ("undisturbed", case))
    for one, other in zip(weights_of(whole), weights_of(again), strict=True):
        assert torch.equal(one, other)
    assert read_state(whole)["progress"]["best"]["value"] == read_state(again)["progress"]["best"]["value"]
