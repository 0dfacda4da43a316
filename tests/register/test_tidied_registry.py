"""The registry is other people's too: what they delete, the next command works without, or says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from chain import Chain, make_chain
from house import BareHouse

from components.core.errors import LineageError
from components.register.config import RegisterConfig
from components.register.run import run
from components.registry.rollback import rollback
from components.services import tracking
from components.services.tracking import ledger
from components.services.tracking import store as door

pytestmark = pytest.mark.services


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
