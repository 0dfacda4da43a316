"""A training's parent: found in the registry or a folder, and told by card and lineage of its child."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from chain import Chain

from components import recipes
from components.core.errors import InputError, LineageError, ServiceError
from components.core.records import Checkpoint, PhotoSet
from components.nets.generators import UNet
from components.nets.restore import save_generator
from components.pipeline.heritage import learned_by
from components.pipeline.starting import parent_of
from components.register.card import write_card
from components.register.config import RegisterConfig
from components.register.run import run
from components.registry import lineage
from components.services import tracking
from components.train.warm_start import Parent, refuse_leak

pytestmark = pytest.mark.services


def registered(name: str, chain: Chain, out: Path) -> int:
    records = (chain.recipe, chain.photoset, chain.pairset, chain.checkpoint, chain.report, chain.provenance)
    return run(RegisterConfig(name=name, load_test=False), *records, out=out).version


def starting(start: str, store: Path, *, name: str = "parent") -> Parent | None:
    recipe = recipes.load("demo")
    changed = recipe.model_copy(
        update={
            "train": recipe.train.model_copy(update={"start": start}),
            "register_": recipe.register_.model_copy(update={"name": name}),
        }
    )
    return parent_of(changed, store)


def test_a_parent_is_found_by_version_by_champion_and_by_folder(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    number = registered("parent", chain, tmp_path)
    tracking.set_alias("parent", tracking.CHAMPION, number)
    found = [
        starting(start, store)
        for start in (f"parent:{number}", "parent@champion", "champion", str(chain.checkpoint.folder))
    ]
    for parent in found:
        assert parent is not None
        assert parent.checkpoint.digest == chain.checkpoint.digest
        assert parent.checkpoint.folder.is_dir()
        assert (parent.checkpoint.folder / Checkpoint.WEIGHTS).is_file()
    trained_on = {photo.id for photo in chain.photoset.photos() if photo.split == "train"}
    assert [parent.photos for parent in found if parent] == [trained_on] * 3 + [set()]
    assert [parent.name for parent in found if parent][:3] == [f"parent:{number}"] * 3


def with_a_way_back(chain: Chain, folder: Path) -> Chain:
    """The chain as a cycle's training would have left it: with a second generator."""
    net = UNet(width=4, depth=1)
    for name in (Checkpoint.WEIGHTS, Checkpoint.CONFIG):
        (folder / "cycle").mkdir(exist_ok=True)
        (folder / "cycle" / name).write_bytes((chain.checkpoint.folder / name).read_bytes())
    back, _ = save_generator(folder / "cycle" / Checkpoint.BACK, net, net.build(seed=5).state_dict())
    checkpoint = chain.checkpoint.model_copy(update={"back_sha256": back}).save(folder / "cycle")
    report = chain.report.model_copy(update={"checkpoint": checkpoint.digest})
    (folder / "report").mkdir()
    (folder / "report" / "scores.jsonl").write_bytes((chain.report.folder / "scores.jsonl").read_bytes())
    return replace(chain, checkpoint=checkpoint, report=report.save(folder / "report"))


def test_a_registered_cycle_is_a_parent_with_both_its_generators(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    cycle = with_a_way_back(chain, tmp_path)
    number = registered("cycle", cycle, tmp_path / "out")
    parent = starting(f"cycle:{number}", store, name="cycle")
    assert parent is not None
    assert parent.back is not None
    assert parent.back.is_relative_to(store)
    back = cycle.checkpoint.folder / Checkpoint.BACK
    for name in (Checkpoint.WEIGHTS, Checkpoint.CONFIG):
        assert (parent.back.parent / name).read_bytes() == (back / name).read_bytes()
    again = starting(f"cycle:{number}", store, name="cycle")
    assert again == parent, "from where it was kept"


def test_from_scratch_and_before_a_first_champion_there_is_no_parent(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (starting("scratch", store)) is None
    assert (starting("champion", store, name="unborn")) is None
    assert "unborn has no champion yet, so this training starts from scratch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "words", "error"),
    [
        ("some/folder", "holds no checkpoint.json", InputError),
        ("nobody:3", "has no nobody version 3", LineageError),
        ("a b", "names no version", InputError),
    ],
)
def test_a_start_that_is_not_there_is_refused(
    start: str, words: str, error: type[Exception], store: Path
) -> None:
    with pytest.raises(error, match=words):
        (starting(start, store))


def test_card_and_lineage_tell_what_a_training_started_from(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    child = chain.checkpoint.model_copy(update={"parent": "p" * 64, "about": {"parent": "parent:7"}})
    child = child.save(tmp_path / "child")
    for name in (Checkpoint.WEIGHTS, Checkpoint.CONFIG):
        (child.folder / name).write_bytes((chain.checkpoint.folder / name).read_bytes())
    report = chain.report.model_copy(update={"checkpoint": child.digest})
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "scores.jsonl").write_bytes((chain.report.folder / "scores.jsonl").read_bytes())
    report = report.save(tmp_path / "report")
    warm = replace(chain, checkpoint=child, report=report)
    number = registered("child", warm, tmp_path / "out")
    link = next(one for one in lineage.trace(f"child:{number}").links if one.what == "started from")
    assert (link.identity, link.note) == ("p" * 64, "parent:7")
    card = write_card("child", warm.recipe, warm.photoset, warm.pairset, child, report, warm.provenance)
    assert "after starting from `parent:7` (checkpoint pppppppppppp…)" in card


def started_from(digest: str, chain: Chain, folder: Path) -> Checkpoint:
    """A checkpoint in a folder beside photos of its own, one of which it learned from."""
    child = chain.checkpoint.model_copy(update={"parent": digest}).save(folder)
    for name in (Checkpoint.WEIGHTS, Checkpoint.CONFIG):
        (folder / name).write_bytes((chain.checkpoint.folder / name).read_bytes())
    own = [photo.model_copy(update={"split": "train"}) for photo in chain.photoset.photos()[:1]]
    table = PhotoSet.write_table(folder, own)
    PhotoSet(counts={"train": 1, "val": 0, "test": 0}, table_sha256=table).save(folder)
    return child


@pytest.mark.parametrize("generations", [1, 2, 3])
def test_a_parent_has_learned_what_all_that_it_comes_from_have(
    generations: int, store: Path, chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oldest = registered("parent", chain, tmp_path / "out")
    known = {photo.id for photo in chain.photoset.photos() if photo.split == "train"}
    parent = starting(f"parent:{oldest}", store)
    assert parent is not None
    assert parent.learned == parent.photos == known
    for generation in range(2, generations + 1):
        child = started_from(parent.checkpoint.digest, chain, tmp_path / str(generation))
        if generation == 2:  # the registry alone knows what the oldest learned from
            shutil.rmtree(store / "parents")
        parent = starting(str(child.folder), store)
        assert parent is not None
    own = chain.photoset.photos()[0].id
    assert own not in known
    assert parent.learned == (known if generations == 1 else known | {own})
    assert capsys.readouterr().err == ""
    with pytest.raises(InputError, match="learned from 1 of the photos that are tested on"):
        refuse_leak(replace(parent, learned=parent.learned | {own}), chain.pairset)


@pytest.mark.parametrize("all_of_them", [False, True])
def test_of_a_forebears_versions_one_whose_records_can_be_had_is_enough(
    all_of_them: bool, store: Path, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered("one-of-two", chain, tmp_path / "one")
    registered("two-of-two", chain, tmp_path / "two")
    child = started_from(chain.checkpoint.digest, chain, tmp_path / "child")
    true, asked = tracking.fetch, list[str]()

    def out_of_reach(version: tracking.Version, place: str) -> AbstractContextManager[Path]:
        asked.append(version.words)
        if all_of_them or len(asked) == 1:
            raise ServiceError(f"the store of {version.words} does not answer")
        return true(version, place)

    monkeypatch.setattr(tracking, "fetch", out_of_reach)
    if all_of_them:
        with pytest.raises(ServiceError, match="does not answer"):
            learned_by(child, "child", tmp_path / "parents")
        return
    known = {photo.id for photo in chain.photoset.photos() if photo.split == "train"}
    assert learned_by(child, "child", tmp_path / "parents") > known
    assert len(asked) >= 2, "the first did not answer"


def test_a_way_back_that_ends_in_a_model_that_is_gone_is_told(
    store: Path, chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = started_from("9" * 64, chain, tmp_path / "child")
    parent = starting(str(child.folder), store)
    assert parent is not None
    assert parent.learned == parent.photos
    assert "goes back to 1 model of which no version of the registry is left (9999" in capsys.readouterr().err
