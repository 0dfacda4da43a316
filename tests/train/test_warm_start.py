"""A training that starts from a known model: what it takes, what it refuses, what it replays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pairs import make_pairs
from pydantic import ValidationError
from small_training import CPU, LOGITS, NET, Memory, a_batch, config, content_phase, data_of

from components.core.errors import InputError
from components.core.records import Checkpoint, PairSet, RecipeRecord
from components.core.releases import releases
from components.train.config import TrainConfig
from components.train.loop import Loop
from components.train.run import run
from components.train.step import GanStep
from components.train.training_state import write_state
from components.train.warm_start import Parent, kept_state, replayed, start_from


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFOCUS_HOME", str(folder / "state"))
        yield folder


RECIPE = RecipeRecord(name="small", sections={})
SETTINGS: dict[str, Any] = {
    **LOGITS,
    "workers": 0,
    "validate_every": 4,
    "phases": [{"name": "joint", "images": 8, "crop_px": 16, "batch": 2}],
}


def trained(settings: TrainConfig, pairset: PairSet, out: Path, parent: Parent | None = None) -> Checkpoint:
    return run(settings, RECIPE, pairset, out=out, parent=parent)


@pytest.fixture(scope="module")
def first(pairset: PairSet, home: Path) -> Checkpoint:
    return trained(config(**SETTINGS), pairset, home / "first")


def test_a_warm_training_goes_on_from_all_that_its_parents_left(
    first: Checkpoint, pairset: PairSet, home: Path
) -> None:
    storage = home / "state" / "training"
    parent = Parent("small:1", first, state=kept_state(storage, first))
    assert parent.state is not None
    step = GanStep(config(**SETTINGS), CPU, {})
    assert start_from(step, parent) == ("generator", "its moments", "discriminators", "their moments")
    from safetensors.torch import load_file

    weights = load_file(first.folder / Checkpoint.WEIGHTS)
    assert all(torch.equal(step.generator.state_dict()[name], value) for name, value in weights.items())
    assert all(torch.equal(step.average.state_dict()[name], value) for name, value in weights.items())

    second = trained(config(**SETTINGS), pairset, home / "second", parent)
    assert second.about["releases"] == releases()
    assert second.parent == first.digest
    assert second.about["parent"] == "small:1"
    assert second.about["train_key"] != first.about["train_key"]
    assert second.digest != second.model_copy(update={"parent": None}).digest


def test_what_a_parent_gives_is_its_identity(first: Checkpoint, home: Path) -> None:
    state = kept_state(home / "state" / "training", first)
    others = [
        Parent("b", first.model_copy(update={"weights_sha256": "0" * 64})),
        Parent("b", first, frozenset({"photo"})),
        Parent("b", first, state=state),
    ]
    assert len({Parent("a", first).identity, *(other.identity for other in others)}) == 4
    assert Parent("a", first).identity == Parent("b", first).identity


def test_a_resumed_warm_training_does_not_start_from_its_parent_again(
    first: Checkpoint, pairset: PairSet
) -> None:
    parent, memory = Parent("small:1", first), Memory()
    loop = Loop(config(**SETTINGS), data_of(pairset), CPU, memory, memory, {}, parent)
    loop.run()
    again = Loop(config(**SETTINGS), data_of(pairset), CPU, memory, memory, {}, parent)
    again.run()
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(
            loop.step.generator.parameters(), again.step.generator.parameters(), strict=True
        )
    )


@pytest.mark.parametrize(
    "other", [NET | {"width": 8}, NET | {"depth": 2}, {"kind": "resnet", "width": 4, "blocks": 1}]
)
def test_another_net_is_refused_with_the_remedy(other: dict[str, Any], first: Checkpoint) -> None:
    step = GanStep(config(**SETTINGS | {"generator": other}), CPU, {})
    with pytest.raises(InputError, match=r"small:1 has another net .* set train\.start to scratch"):
        start_from(step, Parent("small:1", first))


def test_discriminators_of_another_shape_begin_anew(first: Checkpoint, home: Path) -> None:
    state = kept_state(home / "state" / "training", first)
    wider = [{"kind": "patchgan", "layers": 1, "width": 8}]
    step = GanStep(config(**SETTINGS | {"discriminators": wider}), CPU, {})
    before = [weight.clone() for weight in step.discriminators[0].parameters()]
    assert start_from(step, Parent("small:1", first, state=state)) == ("generator", "its moments")
    after = step.discriminators[0].parameters()
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    step([a_batch()], step.config.phases[0], 0, 1.0)


def test_only_whole_states_of_that_training_are_taken(first: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / f"small-{str(first.about['train_key'])[:20]}"
    folder.mkdir()
    whole = write_state({})
    (folder / "state-000000000004.pt").write_bytes(whole)
    (folder / "state-000000000008.pt").write_bytes(whole[:-1])
    assert kept_state(tmp_path, first) == folder / "state-000000000004.pt"
    elsewhere = first.model_copy(update={"about": {"train_key": "0" * 64}})
    assert kept_state(tmp_path, elsewhere) is None
    there = tmp_path / f"small-{'0' * 20}" / "checkpoint_1"
    there.mkdir(parents=True)
    (there / "state.pt").write_bytes(whole)
    assert kept_state(tmp_path, elsewhere) == there / "state.pt"


@pytest.mark.parametrize(
    ("share", "old", "new"), [(0.5, 4, 4), (0.8, 8, 2), (0.2, 4, 16), (0.0, 0, 2), (1.0, 4, 0)]
)
def test_old_photos_are_replayed_in_their_share(share: float, old: int, new: int, pairset: PairSet) -> None:
    pairs = pairset.pairs("train")
    known = frozenset(pair.photo for pair in pairs[:4])
    mixed = replayed(pairs, known, share)
    counts = [sum((pair.photo in known) is seen for pair in mixed) for seen in (True, False)]
    assert counts == [old, new]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"test1", "test0", "train0"}, "from 2 of the photos that are tested on here, such as test0"),
        ({"val1", "train0"}, "from 1 of the photos that are validated on here, such as val1"),
    ],
)
def test_a_parent_that_has_seen_what_is_measured_on_is_refused_before_any_work(
    known: set[str], words: str, first: Checkpoint, pairset: PairSet, tmp_path: Path
) -> None:
    parent = Parent("small:1", first, frozenset(known))
    with pytest.raises(InputError, match=rf"small:1 has learned {words}.*scratch or to a model that"):
        trained(config(**SETTINGS), pairset, tmp_path / "out", parent)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("known", [frozenset(), frozenset({f"train{index}" for index in range(6)})])
def test_without_old_or_new_photos_the_pairs_stay_as_they_are(
    known: frozenset[str], pairset: PairSet
) -> None:
    pairs = pairset.pairs("train")
    assert replayed(pairs, known, 0.9) == pairs


def test_a_known_start_has_the_phases_of_finetune() -> None:
    tuned = config(
        finetune=[content_phase("short", 4)],
        discriminators=[],
        adversarial=None,
        phases=[content_phase("long", 40)],
    )
    assert [phase.name for phase in tuned.from_known().phases] == ["short"]
    assert [phase.name for phase in tuned.phases] == ["long"]
    assert config().from_known() == config()


def test_a_gan_may_be_refined_on_its_content_alone() -> None:
    tuned = config(**LOGITS, finetune=[content_phase("short", 4)], history={}, feature_matching=1.0)
    refined = tuned.from_known()
    assert (refined.discriminators, refined.adversarial, refined.history) == ((), None, None)
    assert tuned.discriminators


def test_phases_of_finetune_keep_the_rules_of_all_phases() -> None:
    with pytest.raises(ValidationError, match="crop_px 17 of phase short must be a multiple of 2"):
        config(finetune=[content_phase("short", 4) | {"crop_px": 17}, config().phases[0].model_dump()])
