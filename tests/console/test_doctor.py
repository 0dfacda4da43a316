"""`refocus doctor` names every broken surrounding, by the question that the commands ask, and is
stopped by none.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.console import doctor
from components.console.doctor import machine, places, services
from components.console.doctor.findings import Check, Finding, looked_at
from components.core import causes, surroundings
from components.core.locks import locked
from components.pipeline.project import Project

PASSWORD = "a-password-of-somebody"
HERE = "127.0.0.1:{port}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "refocus"
    (root / "components" / "recipes").mkdir(parents=True)
    (root / "dvc.yaml").write_text("vars:\n  - recipes: []\nstages: {}\n")
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "1"],
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    state = root / ".refocus"
    state.mkdir()
    monkeypatch.setenv("REFOCUS_HOME", str(state))
    monkeypatch.chdir(root)
    for name in (*surroundings.ADDRESSES, *surroundings.PROXIES, *map(str.upper, surroundings.PROXIES)):
        monkeypatch.delenv(name, raising=False)
    return Project(root, state)


def found(check: Check, project: Project) -> str:
    """What needs doing, as it is printed."""
    return "\n".join(
        f"{each.what}: {each.found} -> {each.remedy}" for each in looked_at(check, project) if each.remedy
    )


def dead_env_file(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    (project.root / ".env").write_text(f"PREFECT_API_URL=http://ann:{PASSWORD}@127.0.0.1:{port}/api\n")


def variable(name: str, value: str) -> Callable[[Project, int, pytest.MonkeyPatch], None]:
    return lambda project, port, patch: patch.setenv(name, value.format(port=port))


def other_owner(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")


def global_ignore(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    (project.state / "ignore").write_text("*.lock\n")
    (project.state / "config").write_text(f"[core]\n\texcludesFile = {project.state}/ignore\n")
    patch.setenv("GIT_CONFIG_GLOBAL", str(project.state / "config"))


def no_commit(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "update-ref", "-d", "HEAD"], cwd=project.root, check=True)


def roots_files(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    (project.state / "locks").mkdir()
    (project.state / "locks" / "demo.lock").touch()
    patch.setattr(os, "getuid", lambda: project.state.stat().st_uid + 1)
    patch.setattr(places.os, "access", lambda *given: False)


def database_of_root(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    (project.state / "mlflow.db").mkdir()  # nothing that can be opened for writing, for root either


def nameless(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "getuid", lambda: 2_000_054_321)
    patch.setenv("HOME", "/proc/1/nowhere")


def no_place_for_sockets(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    from components.services.cluster import start

    patch.setattr(start.os, "access", lambda *given: False)


def colon(project: Project, port: int, patch: pytest.MonkeyPatch) -> None:
    object.__setattr__(project, "root", project.root.parent / "a:b")


@pytest.mark.parametrize(
    ("check", "broken", "said"),
    [
        (
            services.proxy,
            variable("http_proxy", f"http://ann:{PASSWORD}@{HERE}"),
            "http_proxy: .*does not answer.*correct or unset",
        ),
        (services.proxy, variable("HTTPS_PROXY", f"http://{HERE}"), "https_proxy: .*does not answer"),
        (
            services.prefect,
            variable("PREFECT_API_URL", f"http://{HERE}/api"),
            "PREFECT_API_URL: .*does not answer",
        ),
        (services.prefect, dead_env_file, r"PREFECT_API_URL: .*\(from \.env.*does not answer"),
        (
            services.mlflow,
            variable("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@{HERE}"),
            "does not answer",
        ),
        (services.mlflow, variable("MLFLOW_TRACKING_URI", "./mlruns"), "it must be http"),
        (services.mlflow, database_of_root, "tracking file: .*cannot be opened for writing"),
        (
            services.s3,
            variable("AWS_ENDPOINT_URL", f"http://{HERE}"),
            "AWS_ENDPOINT_URL: .*(does not answer|no credentials)",
        ),
        (services.ray, variable("RAY_ADDRESS", f"http://{HERE}"), "RAY_ADDRESS: .*no Ray cluster answers"),
        (services.ray, variable("RAY_ADDRESS", "head.example"), "RAY_ADDRESS: .*HOST:8265"),
        (services.ray, variable("RAY_ADDRESS", HERE), "RAY_ADDRESS: .*no Ray cluster answers"),
        (services.ray, no_place_for_sockets, "RAY_ADDRESS: .*set TMPDIR"),
        (places.git, other_owner, "git: .*another user.*safe.directory"),
        (places.git, global_ignore, "git ignore: dvc.lock ignored -> .*!/dvc.lock"),
        (places.git, no_commit, "git: .*without a commit"),
        (places.path, colon, "path: .*a colon"),
        (places.owners, roots_files, r"rights, .refocus: .*belongs? to .*sudo chown"),
        (machine.user, nameless, "user: number 2000054321 without an entry .*set HOME"),
    ],
)
def test_each_broken_surrounding_is_named_with_its_remedy(
    check: Check,
    broken: Callable[[Project, int, pytest.MonkeyPatch], None],
    said: str,
    project: Project,
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        broken(project, closed_port, patch)
        words = found(check, project).replace("\n", " ")
    assert PASSWORD not in words
    assert re.search(said, words), words


def test_a_lock_is_held_free_or_told_whose_it_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = project.state / "locks" / "demo.lock"
    with locked(lock, patience_s=0):
        assert [each.found for each in places.locks(project)] == ["held now: demo"]
    assert [each.found for each in places.locks(project)] == ["free"]
    lock.unlink()
    lock.mkdir()
    assert "cannot be had" in found(places.locks, project)


def test_a_hooks_variables_are_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setattr(surroundings, "_left_out", {})
    surroundings.settle()
    assert "GIT_DIR left out" in next(places.git(project)).found


def test_what_a_check_ends_with_stops_no_other(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(project: Project) -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/somewhere")
        yield

    def well(project: Project) -> Iterator[Finding]:
        yield Finding("last", "well")

    monkeypatch.setattr(doctor, "CHECKS", (broken, well))
    assert doctor.examine(project.root) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("!!  broken  cannot be looked at")
    assert causes.cause_named("no right").remedy in lines[1]
    assert lines[2:] == ["ok  last    well", "1 thing to do"]


def test_a_state_folder_that_cannot_be_made_is_a_finding(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "file").touch()
    monkeypatch.setenv("REFOCUS_HOME", str(project.root / "file" / "state"))
    monkeypatch.setattr(doctor, "CHECKS", (places.path,))
    assert doctor.examine(project.root) == 1
    assert "state folder" in capsys.readouterr().out.splitlines()[0]


def test_where_all_is_well_nothing_needs_doing(project: Project) -> None:
    checks = (*places.CHECKS, *services.CHECKS)
    assert len(checks) == 11
    assert [found(check, project) for check in checks] == [""] * 11
