"""`refocus clean` and the team's store: what nobody has used for long goes; whatever a kept run, a registered
version or this checkout needs stays, and so does all of it while that is not known.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.console.clean import clean, look
from components.console.clean.items import Item, Retention
from components.console.clean.store import KIND
from components.console.doctor import sizes
from components.core.files import sha256_of_bytes, state_kept_in
from components.pipeline.project import Project
from components.services import storage
from components.services.content import MANIFEST, ContentStore
from components.services.tracking import registry
from components.services.tracking import store as door
from components.services.versioning.git import RUNS

KEEP = Retention(days=30, runs=1, trainings=1)
OUTPUT = "ab" * 16


def git(root: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone with one run long ago, whose pairs lie in shards."""
    root = tmp_path / "refocus"
    (root / ".refocus").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").touch()
    lock = {"stages": {"synthesize@demo": {"outs": [{"path": "data/demo/pairs", "md5": f"{OUTPUT}.dir"}]}}}
    (root / "dvc.lock").write_text(json.dumps(lock))
    git(root, "init", "-q")
    git(root, "add", "dvc.lock")
    git(root, "commit", "-qm", "1")
    monkeypatch.setenv("REFOCUS_HOME", str(root / ".refocus"))
    monkeypatch.chdir(root)
    return Project(root, root / ".refocus")


@pytest.fixture
def store(bucket: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> ContentStore:
    monkeypatch.setenv("REFOCUS_STORE", f"{bucket}/team")
    found = ContentStore.of_environment()
    assert found is not None
    return found


def aged(store: ContentStore, days: float = 100) -> None:
    """Let all that lies in the bucket be as old as that: the store on this machine is asked to say so."""
    from moto.s3.models import s3_backends

    name = storage.split_uri(store.uri)[0]
    for backends in s3_backends.values():
        if name in backends["aws"].buckets:
            for key in backends["aws"].buckets[name].keys.values():
                key.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)


def folder(place: Path, text: str) -> Path:
    place.mkdir(parents=True)
    (place / "a.txt").write_text(text)
    return place


def found(project: Project, keep: Retention = KEEP) -> dict[str, Item]:
    """What clean says of the store's things, by kind and the first letters of the name."""
    items = [item for item in look(project, keep) if item.kind.startswith(KIND)]
    return {f"{item.kind.removeprefix(f'{KIND}: ')}/{item.name[:8]}": item for item in items}


def going(project: Project, keep: Retention = KEEP) -> set[str]:
    return {name for name, item in found(project, keep).items() if item.goes}


def shard_of(store: ContentStore, digest: str) -> str:
    return f"shards/{store.index(digest).shards[0].sha256[:8]}"


def test_sets_files_shards_and_jobs_that_nobody_used_for_long_go_and_nothing_else(
    project: Project, store: ContentStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.send_folder(folder(tmp_path / "one", "one"), "1" * 64)
    (tmp_path / "weights").write_bytes(b"w")
    file = store.send_file(tmp_path / "weights")
    for name in ("jobs/refocus-train-demo-1/task.json", "jobs/refocus-train-demo-1/outcome.json"):
        storage.put(b"{}", f"{store.uri}/{name}")
    for name in ("training/demo-x/state.pt", "notes.txt", "elses/sets/1"):
        storage.put(b"of somebody", f"{store.uri}/{name}")
    assert going(project) == set(), "all of it is young"
    aged(store)
    old = {"sets/11111111", f"files/{file[:8]}", shard_of(store, "1" * 64), "jobs/refocus-"}
    assert going(project) == old
    assert clean(project, KEEP, dry_run=True) == 0
    assert going(project) == old
    assert "team's store: sets: 1 of 1 would go" in capsys.readouterr().out
    clean(project, KEEP, dry_run=False)
    left = [name for name, _ in storage.list_objects(store.uri)]
    assert left == ["elses/sets/1", "notes.txt", "training/demo-x/state.pt"]


def test_what_is_sent_again_or_asked_for_is_young_again(
    project: Project, store: ContentStore, tmp_path: Path
) -> None:
    one = folder(tmp_path / "one", "one")
    store.send_folder(one, "1" * 64)
    store.send_folder(folder(tmp_path / "two", "two"), "2" * 64)
    (tmp_path / "weights").write_bytes(b"w")
    store.send_file(tmp_path / "weights")
    aged(store)
    store.send_folder(one, "1" * 64)
    store.send_file(tmp_path / "weights")
    assert going(project) == {"sets/22222222", shard_of(store, "2" * 64)}
    assert found(project)[shard_of(store, "1" * 64)].why == "a set that stays names it"
    with state_kept_in(tmp_path / "elsewhere"):
        again = ContentStore(store.uri).fetch_folder("1" * 64)
    assert (again / "a.txt").read_text() == "one"
    assert storage.sha256_told(f"{store.uri}/files/{sha256_of_bytes(b'w')}") == sha256_of_bytes(b"w")


def test_what_was_used_while_clean_looked_stays(
    project: Project, store: ContentStore, tmp_path: Path
) -> None:
    one = folder(tmp_path / "one", "one")
    store.send_folder(one, "1" * 64)
    aged(store)
    items = [item for item in look(project, KEEP) if item.goes]
    assert len(items) == 2
    store.send_folder(one, "1" * 64)
    assert [item.remove() for item in items if item.kind.endswith("sets")] == [False]
    assert store.has_folder("1" * 64)


def test_even_without_retention_what_may_be_under_way_stays(
    project: Project, store: ContentStore, tmp_path: Path
) -> None:
    store.send_folder(folder(tmp_path / "one", "one"), "1" * 64)
    aged(store, days=1.5)
    assert going(project, Retention(days=0)) == set()
    aged(store, days=2.5)
    assert len(going(project, Retention(days=0))) == 2


def test_sets_that_registered_versions_rest_on_stay_with_their_shards(
    project: Project, store: ContentStore, tmp_path: Path
) -> None:
    for digit in "12":
        store.send_folder(folder(tmp_path / digit, digit), digit * 64)
    client = door.client()
    client.create_registered_model("demo")
    client.create_model_version("demo", "s3://nowhere/x", None, tags={registry.PAIRSET: "2" * 64})
    aged(store)
    assert going(project) == {"sets/11111111", shard_of(store, "1" * 64)}
    assert found(project)["sets/22222222"].why == "demo version 1 rests on it"


def in_shards(store: ContentStore, tmp_path: Path, text: str) -> tuple[bytes, str]:
    """A list of shards that no set in the store has, and the name of its shard."""
    index = store.packed(folder(tmp_path / text, text), ["a.txt"])
    return index.to_bytes(), f"shards/{index.shards[0].sha256[:8]}"


def into_dvc(project: Project, listed: bytes) -> None:
    """Lay a folder with that list of shards into DVC's cache, as the output of the run."""
    objects = project.root / ".dvc" / "cache" / "files" / "md5"
    md5 = "cd" * 16
    rows = [{"md5": md5, "relpath": MANIFEST}, {"md5": "ef" * 16, "relpath": "pairs.jsonl"}]
    for name, data in ((f"{OUTPUT}.dir", json.dumps(rows).encode()), (md5, listed)):
        (objects / name[:2]).mkdir(parents=True, exist_ok=True)
        (objects / name[:2] / name[2:]).write_bytes(data)


def test_shards_that_kept_runs_and_this_checkout_list_stay_and_others_go(
    project: Project, store: ContentStore, tmp_path: Path
) -> None:
    listed, kept = in_shards(store, tmp_path, "of the run")
    mine, here = in_shards(store, tmp_path, "of this checkout")
    _, lost = in_shards(store, tmp_path, "of nobody")
    into_dvc(project, listed)
    place = project.root / "data" / "demo" / "pairs" / MANIFEST
    place.parent.mkdir(parents=True)
    place.write_bytes(mine)
    git(project.root, "update-ref", f"{RUNS}/demo-20200101T000000.000000Z", "HEAD")
    aged(store)
    assert going(project) == {lost}
    assert found(project)[kept].why == "the run demo-20200101T000000.000000Z names it"
    assert found(project)[here].why == f"data/demo/pairs/{MANIFEST} names it"


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("lost output", "1 of 1 outputs of past runs are neither in DVC's cache nor in its remote"),
        ("cut list", "is no list of shards"),
        ("commit of a version", "demo version 1 was made by the commit 111111111111, which is not in this"),
        ("git remote", "the runs of others are not known, for want of the git remote origin"),
    ],
)
def test_while_it_is_not_known_what_needs_them_all_shards_stay(
    how: str, why: str, project: Project, store: ContentStore, tmp_path: Path
) -> None:
    _, shard = in_shards(store, tmp_path, "of somebody")
    aged(store)
    assert going(project) == {shard}
    if how == "commit of a version":
        client = door.client()
        client.create_registered_model("demo")
        client.create_model_version("demo", "s3://nowhere/x", None, tags={registry.GIT_COMMIT: "1" * 40})
    elif how == "git remote":
        git(project.root, "remote", "add", "origin", str(tmp_path / "gone"))
        git(project.root, "config", "refocus.runs", "origin")
    else:
        git(project.root, "update-ref", f"{RUNS}/demo-20200101T000000.000000Z", "HEAD")
        if how == "cut list":
            into_dvc(project, b'{"sha')
    assert going(project) == set()
    assert why in found(project)[shard].why


def test_doctor_tells_the_stores_size_by_kind(project: Project, store: ContentStore, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"w" * 1200)
    store.send_file(tmp_path / "weights")
    (told,) = sizes.store_taken(project)
    assert (told.what, told.found) == ("team's store", "1 kB (files 1 kB)")
