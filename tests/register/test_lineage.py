from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chain import Chain, make_chain

from components.core.errors import InputError, LineageError
from components.core.records import Provenance
from components.register.config import RegisterConfig
from components.register.run import run
from components.registry import lineage
from components.services import tracking
from components.services.tracking import store as tracking_store

pytestmark = pytest.mark.services


def _register(name: str, chain: Chain, out: Path, provenance: Provenance | None = None) -> tracking.Version:
    config = RegisterConfig(name=name, load_test=False)
    records = (
        chain.recipe,
        chain.photoset,
        chain.pairset,
        chain.checkpoint,
        chain.report,
        provenance or chain.provenance,
    )
    return tracking.get_version(name, run(config, *records, out=out).version)


def _call(*words: str, folder: Path) -> str:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Provenance]:
    """A git checkout with one commit and one folder in DVC's cache."""
    root = tmp_path_factory.mktemp("checkout")
    _call("git", "init", "--quiet", folder=root)
    dvc = (sys.executable, "-m", "dvc")
    _call(*dvc, "init", "--quiet", folder=root)
    remote = tmp_path_factory.mktemp("remote")
    _call(*dvc, "remote", "add", "--quiet", "--default", "local", str(remote), folder=root)
    (root / "photos").mkdir()
    (root / "photos" / "one.txt").write_text("one")
    _call(*dvc, "add", "--quiet", "photos", folder=root)
    _call("git", "add", "--all", folder=root)
    _call(
        "git",
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "commit",
        "--quiet",
        "--message",
        "photos",
        folder=root,
    )
    md5 = yaml.safe_load((root / "photos.dvc").read_text())["outs"][0]["md5"]
    return root, Provenance(git_commit=_call("git", "rev-parse", "HEAD", folder=root), dvc={"photos": md5})


def _altered(version: tracking.Version, name: str, text: bytes) -> None:
    place = tracking_store.client().get_model_version_download_uri(version.name, str(version.number))
    path = tracking_store._local(place) / name
    path.write_bytes(path.read_bytes() + text)


def test_the_chain_walks_from_the_alias_to_the_photos(store: Path, chain: Chain, tmp_path: Path) -> None:
    _register("walked", chain, tmp_path)
    text = str(lineage.trace("walked@challenger"))
    order = [line[2:].split("  ")[0].strip() for line in text.splitlines()]
    assert order == [
        "model",
        "alias",
        "version",
        "checkpoint",
        "weights",
        "report",
        "recipe",
        "pairs",
        "photos",
        "git commit",
        "DVC pairs",
        "DVC photos",
    ]
    for digest in (
        chain.checkpoint.digest,
        chain.recipe.digest,
        chain.pairset.digest,
        chain.photoset.digest,
        chain.provenance.git_commit,
    ):
        assert digest in text


def test_the_photos_behind_a_version_are_listed_from_the_registry_alone(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    _register("shown", chain, tmp_path)
    assert lineage.photos_of("shown@challenger") == chain.photoset.photos()
    assert lineage.photos_told("shown@challenger") == (chain.photoset.settings, chain.photoset.photos())


def test_a_version_can_be_named_by_number(store: Path, chain: Chain, tmp_path: Path) -> None:
    _register("numbered", chain, tmp_path)
    assert (
        lineage.resolve("numbered:1")
        == lineage.resolve("numbered/v1")
        == lineage.resolve("numbered@challenger")
    )


def test_a_model_without_a_champion_says_which_versions_there_are(
    store: Path, chain: Chain, tmp_path: Path
) -> None:
    _register("waiting", chain, tmp_path)
    with pytest.raises(LineageError, match=r"waiting has no champion in the registry \(versions: 1\)"):
        lineage.trace("waiting")


@pytest.mark.parametrize("reference", ["", "a b", "name@", "name@1", "../x"])
def test_what_names_no_version_is_refused_with_the_ways_to_name_one(reference: str) -> None:
    with pytest.raises(InputError, match="write NAME@champion"):
        lineage.resolve(reference)


def test_a_whole_lineage_has_no_problem(
    store: Path, chain: Chain, checkout: tuple[Path, Provenance], tmp_path: Path
) -> None:
    root, provenance = checkout
    _register("sound", chain, tmp_path, provenance)
    assert lineage.verify("sound:1", root=root) == []


def test_every_break_of_a_lineage_is_named(
    store: Path, checkout: tuple[Path, Provenance], tmp_path: Path
) -> None:
    root, provenance = checkout
    version = _register("broken", make_chain(tmp_path, seed=21), tmp_path / "out", provenance)
    _altered(version, "artifacts/restorer/generator.safetensors", b"x")
    _altered(version, "records/pairs.jsonl", b"{}\n")
    tracking.add_tags(
        "broken", 1, {"refocus.photoset": "f" * 64, "git.commit": "f" * 40, "dvc.photos": "f" * 32}
    )
    problems = "\n".join(lineage.verify("broken:1", root=root))
    for words in (
        "artifacts/restorer/generator.safetensors of broken version 1 was altered",
        "records/pairs.jsonl of broken version 1 was altered",
        "pairs: ",
        "photos: the record's digest is",
        "the git commit " + "f" * 40 + " is not in",
        "photos: object " + "f" * 32,
        "provenance: the record and the tags",
    ):
        assert words in problems
