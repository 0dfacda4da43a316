"""The registry is other people's too: what they delete, the next command works without, or says so."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from chain import Chain, make_chain
from house import BareHouse

from components.console import commands
from components.core.errors import LineageError, ServiceError
from components.core.records import ModelVersion
from components.register.config import RegisterConfig
from components.register.own_words import _TOLD, with_tags
from components.register.run import run
from components.register.whole import missing_files
from components.registry.promotion import promote
from components.registry.rollback import rollback
from components.services import tracking
from components.services.tracking import ledger, registry
from components.services.tracking import store as door

pytestmark = pytest.mark.services
CHANGES = (
    "create_registered_model",
    "create_logged_model",
    "create_model_version",
    "set_registered_model_alias",
)


class Killed(BaseException):
    """Caught by nobody."""


def register(chain: Chain, name: str, out: Path) -> int:
    config = RegisterConfig(name=name, load_test=False)
    records = (chain.recipe, chain.photoset, chain.pairset, chain.checkpoint, chain.report, chain.provenance)
    return run(config, *records, out=out).version


def test_figures_for_a_run_that_was_deleted_go_nowhere(store: Path) -> None:
    run_id = (
        door.client().create_run(door.experiment(tracking.tracking_uri(), door.experiment_name())).info.run_id
    )
    door.client().delete_run(run_id)
    tracking.log_results(run_id, metrics={"test/psnr_rgb": 1.0}, step=1)
    tracking.log_results("0" * 32, metrics={"test/psnr_rgb": 1.0}, step=1)


def test_a_version_whose_files_were_collected_is_registered_again(store: Path, tmp_path: Path) -> None:
    chain = make_chain(tmp_path / "chain", seed=71)
    assert register(chain, "collected", tmp_path / "out") == 1
    assert register(chain, "collected", tmp_path / "out") == 1
    place = door.client().get_model_version_download_uri("collected", "1")
    shutil.rmtree(Path(place.removeprefix("file://")))
    assert register(chain, "collected", tmp_path / "out") == 2
    with tracking.fetch(tracking.get_version("collected", 2), "") as folder:
        assert any(folder.iterdir())


@pytest.mark.parametrize("lost", ["records/pairset.json", "files.json", "MODEL_CARD.md", "all"])
def test_a_version_that_lost_files_is_replaced_and_can_not_be_promoted(
    lost: str, store: Path, tmp_path: Path
) -> None:
    name = f"lost-{Path(lost).stem}"
    chain = make_chain(tmp_path / "chain", seed=73)
    assert register(chain, name, tmp_path / "out") == 1
    place = Path(door.client().get_model_version_download_uri(name, "1").removeprefix("file://"))
    shutil.rmtree(place) if lost == "all" else (place / lost).unlink()
    assert register(chain, name, tmp_path / "out") == 2
    assert register(chain, name, tmp_path / "out") == 2
    old, new = (tracking.get_version(name, number) for number in (1, 2))
    assert not missing_files(new)
    assert (old.tags[tracking.STATUS], new.tags[tracking.STATUS]) == ("failed", "pending")
    assert f"{name} version 2 takes its place" in old.tags["refocus.incomplete"]


@pytest.mark.parametrize("step", [*CHANGES, "log_model_artifacts", "finalize_logged_model", "log_outputs"])
def test_a_registering_killed_before_any_step_leaves_no_version_without_its_files(
    step: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nothing catches stands for the kill; benchmarks/kill_sweep.py kills outright."""
    chain, name = make_chain(tmp_path / "chain", seed=74), f"cut-{step.replace('_', '-')}"

    def killed(*given: object, **named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(door.mlflow().MlflowClient, step, killed)
        with suppress(Killed):  # a step that this way has not, as a chain without a run has no outputs
            register(chain, name, tmp_path / "out")
    assert [found for found in tracking.newest_versions(name) if missing_files(found)] == []
    number = register(chain, name, tmp_path / "out")
    assert number == 1
    assert tracking.at_alias(name, tracking.CHALLENGER) == tracking.get_version(name, 1)
    assert not missing_files(tracking.get_version(name, 1))


@pytest.mark.parametrize("harm", ["cut", "left out"])
def test_what_a_store_did_not_take_whole_becomes_no_version(
    harm: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, name = make_chain(tmp_path / "chain", seed=75), f"short-{harm.replace(' ', '-')}"
    send = door.mlflow().MlflowClient.log_model_artifacts

    def lossy(client: object, model_id: str, folder: str) -> None:
        send(client, model_id, folder)
        place = door.client().get_logged_model(model_id).artifact_location.removeprefix("file://")
        record = Path(place) / "records" / "pairset.json"
        record.write_bytes(b"{") if harm == "cut" else record.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(door.mlflow().MlflowClient, "log_model_artifacts", lossy)
        with pytest.raises(ServiceError, match=r"took \d+ of \d+ files .*pairset.json is not whole"):
            register(chain, name, tmp_path / "out")
    assert tracking.newest_versions(name) == ()
    assert register(chain, name, tmp_path / "out") == 1


def test_a_deleted_version_is_registered_again(store: Path, tmp_path: Path) -> None:
    chain = make_chain(tmp_path / "chain", seed=72)
    assert register(chain, "deleted", tmp_path / "out") == 1
    door.client().delete_model_version("deleted", "1")
    again = register(chain, "deleted", tmp_path / "out")
    assert tracking.get_version("deleted", again).tags["refocus.checkpoint"] == chain.checkpoint.digest


def test_a_champion_before_that_was_deleted_is_told(store: Path, chain: Chain, tmp_path: Path) -> None:
    model = BareHouse("gone-before", chain, [1.0, 1.5], tmp_path)
    model.promote(1)
    model.promote(2)
    door.client().delete_model_version(model.name, "1")
    with pytest.raises(LineageError, match="no previous champion to go back to"):
        rollback(model.name, "halos")


def test_a_deleted_champion_leaves_the_place_free(store: Path, chain: Chain, tmp_path: Path) -> None:
    model = BareHouse("gone-champion", chain, [1.0, 1.5], tmp_path)
    model.promote(1)
    door.client().delete_model_version(model.name, "1")
    assert model.promote(2).promoted
    assert model.alias("champion") == 2


def test_a_deleted_table_of_decisions_begins_anew(store: Path, chain: Chain, tmp_path: Path) -> None:
    model = BareHouse("gone-table", chain, [1.0, 1.5], tmp_path)
    model.promote(1)
    door.client().delete_registered_model(model.name + ledger.SUFFIX)
    assert model.promote(2).promoted
    assert model.audit() == ["promote"]


LOST = [*_TOLD, tracking.STATUS]


@pytest.mark.parametrize("tag", LOST)
def test_a_tag_that_was_deleted_is_read_in_the_versions_own_records(
    tag: str, store: Path, chain: Chain, tmp_path: Path
) -> None:
    assert register(chain, "tags", tmp_path / "out") == 1
    before = tracking.get_version("tags", 1).tags
    door.client().delete_model_version_tag("tags", "1", tag)
    assert with_tags(tracking.get_version("tags", 1)).tags == before
    door.client().delete_model_version_tag("tags", "1", tag)
    if tag != registry.CHECKPOINT:  # by that the next run finds it
        assert register(chain, "tags", tmp_path / "out") == 1
        assert tracking.get_version("tags", 1).tags == before
    else:
        with_tags(tracking.get_version("tags", 1))


def test_a_champion_that_another_program_registered_is_told(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    number = register(chain, "elses", tmp_path / "out")
    door.client().create_model_version("elses", str(tmp_path / "out"), None)
    door.client().set_registered_model_alias("elses", tracking.CHAMPION, "2")
    version = ModelVersion.load(tmp_path / "out")
    config = RegisterConfig(name="elses", load_test=False)
    with pytest.raises(LineageError, match=r"elses version 2 lacks .*another program .*rollback elses --to"):
        promote(config, chain.pairset, chain.report, version)
    assert number == 1


def test_a_name_about_which_nothing_was_decided_is_told(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(["history", "nosuch"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err.split(" (")[0]) == ("", "refocus: nothing is decided about nosuch so far")
