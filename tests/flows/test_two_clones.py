"""Two clones of one repository, each with a state folder, a cache and a name of its own, as on two
machines: they share a git remote, a bucket for DVC and a tracking store.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_clone import TINY, Clone, clone_into

pytestmark = pytest.mark.services
RUN = ("run", "tiny", "--no-prefect")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, _s3_server: str) -> tuple[Clone, Clone]:
    """Ann's clone, in which the recipe was run once, and Ben's, fresh."""
    import boto3

    place = tmp_path_factory.mktemp("team")
    client = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test").client(
        "s3", endpoint_url=_s3_server, region_name="us-east-1"
    )
    client.create_bucket(Bucket="two-clones")
    subprocess.run(["git", "init", "-q", "--bare", str(place / "git")], check=True)
    ann = member(clone_into(place / "ann"), place, s3_of(_s3_server))
    ann.git("remote", "add", "origin", str(place / "git"))
    ann.git("push", "-q", "origin", "HEAD")
    subprocess.run(["git", "clone", "-q", str(place / "git"), str(place / "ben")], check=True)
    ben = member(Clone(place / "ben", dict(ann.environment)), place, s3_of(_s3_server))
    ann.environment["WORDS"] = ann.refocus(*RUN).stdout
    return ann, ben


def s3_of(endpoint: str) -> dict[str, str]:
    key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return {"AWS_ENDPOINT_URL": endpoint, **key, "AWS_EC2_METADATA_DISABLED": "true"}


def member(clone: Clone, place: Path, services: dict[str, str]) -> Clone:
    """A clone that uses the team's services as README tells."""
    home = place / f"home-of-{clone.root.name}"
    own = {
        "REFOCUS_HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc-site"),
        "PYTHONPATH": str(clone.root),
        "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
        "REFOCUS_ACTOR": clone.root.name,
    }
    clone.environment.update({**services, **own})
    words = [sys.executable, "-m", "dvc", "remote", "add", "--local", "-d", "team", "s3://two-clones/dvc"]
    subprocess.run(words, cwd=clone.root, env=clone.environment, check=True, capture_output=True)
    return clone


def trainings(clone: Clone) -> list[str]:
    """The trainings that left a state in a clone's home."""
    return [path.name for path in (Path(clone.environment["REFOCUS_HOME"]) / "training").glob("*")]


def runs(clone: Clone) -> str:
    return clone.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/refocus/runs")


def test_who_comes_second_makes_and_trains_nothing(team: tuple[Clone, Clone]) -> None:
    ann, ben = team
    assert "registered     tiny version 1" in ann.environment["WORDS"]
    done = ben.refocus(*RUN)
    assert done.stdout.splitlines()[-1].startswith("nothing to do for tiny"), done.stdout + done.stderr
    assert trainings(ann) != []
    assert trainings(ben) == []
    for name in ("pairs/pairset.json", "report/report.html", "checkpoint/generator.safetensors"):
        theirs, ours = (clone.root / "data" / "tiny" / name for clone in (ann, ben))
        assert theirs.read_bytes() == ours.read_bytes()
    assert runs(ben) == runs(ann) != ""
    assert ben.git("status", "--porcelain") == "?? dvc.lock"
    assert ben.git("rev-parse", "HEAD") == ben.git("rev-parse", "origin/HEAD")


def test_a_scheduled_run_with_nothing_new_fetches_no_data(team: tuple[Clone, Clone]) -> None:
    _, ben = team
    cache = ben.root / ".dvc" / "cache"
    away = cache.rename(cache.with_name("away"))
    done = ben.refocus(*RUN, "--worktree")
    assert done.stdout.splitlines()[-1].startswith("nothing to do for tiny"), done.stdout + done.stderr
    assert len(list((cache / "files").rglob("*.dir"))) == 1, "that of the photos, which it looked at itself"
    shutil.rmtree(cache, ignore_errors=True)
    away.rename(cache)


def test_lineage_holds_in_a_clone_that_has_only_the_remotes(team: tuple[Clone, Clone]) -> None:
    _, ben = team
    for ref in runs(ben).splitlines():
        ben.git("update-ref", "-d", ref.split()[0])
    ben.git("gc", "-q", "--prune=now")
    shutil.rmtree(ben.root / ".dvc" / "cache")
    assert "verified" in ben.refocus("lineage", "tiny@champion", "--verify").stdout


def test_a_change_by_one_is_worked_out_once_for_both_and_what_could_not_be_pushed_goes_later(
    team: tuple[Clone, Clone],
) -> None:
    ann, ben = team
    git = Path(ben.git("remote", "get-url", "origin"))
    git.rename(git.with_name("moved"))
    for clone in team:
        recipe = clone.root / "components" / "recipes" / "tiny.yaml"
        recipe.write_text(TINY.replace("tile_px: 256", "tile_px: 512"))
    first = ben.refocus(*RUN)
    assert "could not be pushed to the git remote origin" in first.stdout
    assert "could not be had from the git remote origin" in first.stderr
    assert re.search(r"synthesize reused, train reused, evaluate \d", first.stdout), "only that is done"
    assert trainings(ben) == []

    git.with_name("moved").rename(git)
    assert "nothing to do for tiny" in ben.refocus(*RUN).stdout
    second = ann.refocus(*RUN).stdout
    assert "synthesize reused, train reused, evaluate restored" in second, second
    assert "registered     tiny version 1" in second
    assert {*runs(ben).splitlines()} <= {*runs(ann).splitlines()}
