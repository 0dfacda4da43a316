"""Ray's door: addresses that are none, a Ray of our own that is nobody else's, a short place for its
sockets.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from components.core import short_folders
from components.core.errors import InputError, ServiceError
from components.services.cluster import map_in_order, start
from components.services.cluster.address import need_cluster

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "a-key-that-nobody-may-see",
    "AWS_ENDPOINT_URL": "http://ann:another-one-of-those@127.0.0.1:9",
    "MLFLOW_TRACKING_PASSWORD": "a-third-of-that-kind",
}
WORDS = [b"a-key-that-nobody-may-see", b"another-one-of-those", b"a-third-of-that-kind"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("head.example", "must be HOST:PORT"),
        ("ray://", "Ray's client.*RAY_ADDRESS=http://HOST:8265"),
        ("ray://head.example:10001", r"=http://head\.example:8265, .* RAY_ADDRESS=head\.example:6379"),
        ("ray://[fd00::2]:10001", r"=http://\[fd00::2\]:8265, .* RAY_ADDRESS=\[fd00::2\]:6379"),
        ("ray://ann:secret@head.example:10001", "Ray's client, whose work ends with its connection"),
        ("6379", "must be HOST:PORT"),
        ("redis://ann:secret@head:6379", "must be HOST:PORT"),
        ("head:sixty", "must be HOST:PORT"),
    ],
)
def test_an_address_that_work_cannot_be_sent_to_is_refused_with_one_that_it_can(
    address: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        need_cluster(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "https://ann:secret@ray.example"])
def test_what_joins_a_cluster_is_not_addressed_by_its_page(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with (
        pytest.raises(InputError, match=r"whole stages are sent.*HOST:6379") as caught,
        start.ray_started(1),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_a_page_that_does_not_answer_is_told(closed_port: int) -> None:
    with pytest.raises(ServiceError, match=r"no Ray cluster answers .* unset it"):
        need_cluster(f"http://127.0.0.1:{closed_port}")


def test_a_closed_port_is_told_before_ray_is_asked(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    monkeypatch.setitem(sys.modules, "ray", None)  # which says nothing for four minutes
    with pytest.raises(ServiceError, match=r"no Ray cluster answers .* unset it"), start.ray_started(1):
        pass


def test_a_listener_that_is_no_ray_is_told() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ServiceError, match="does not speak as the head of a Ray cluster"):
            need_cluster(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("Version mismatch: The cluster was started with Ray: 2.9"), "another version of Ray"),
        (OSError(28, "No space left on device"), "the disk is full"),
        (RuntimeError("Failed to start: can't start new thread"), "no more processes"),
        (ValueError("nobody thought of it"), r"Ray does not start .*workers: 0"),
    ],
)
def test_what_ends_rays_start_is_a_sentence(error: Exception, said: str) -> None:
    with pytest.raises((InputError, ServiceError), match=said):
        raise start._refusal(error, "local")


def test_a_temporary_folder_that_is_too_long_for_sockets_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start.tempfile, "gettempdir", lambda: str(tmp_path / ("long" * 20)))
    place = start.short_place()
    assert len(f"{place}/rf-12345678{start.SOCKET_BELOW}") <= start.SOCKET_BYTES
    monkeypatch.setattr(start.os, "access", lambda *given: False)
    with pytest.raises(InputError, match=r"too long a path for Ray's sockets.*set TMPDIR"):
        start.short_place()


def environment_of_worker(item: int) -> Iterator[dict[str, str]]:
    """What a worker has, in its own process."""
    priority = {"priority": str(os.getpriority(os.PRIO_PROCESS, 0))}
    yield priority | {name: os.environ.get(name, "") for name in (*SECRETS, "REFOCUS_HOME")}


def seen_by_others(place: Path) -> list[str]:
    """Where a secret, or a door to other machines, can be seen of the Ray that runs now."""
    found = []
    folders = {path.parent for path in place.glob("rf-*/r")}
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            if any(word.decode() in " ".join(process.cmdline()) for word in WORDS):
                found.append(f"command line of {process.name()}")
            found += [
                f"{process.name()} listens at {each.laddr}"
                for each in process.net_connections(kind="inet")
                if each.status == psutil.CONN_LISTEN and not each.laddr.ip.endswith("127.0.0.1")
            ]
        except psutil.NoSuchProcess:
            continue
    for folder in folders:
        if folder.stat().st_mode & 0o077:
            found.append(f"{folder} is open to others")
        for path in folder.rglob("*"):
            if path.is_file() and any(word in path.read_bytes() for word in WORDS):
                found.append(str(path))
    return found if folders else ["Ray's folder was not found"]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of the test's own, short enough for Ray's sockets."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    shutil.rmtree(folder)


def test_what_a_process_left_that_was_killed_is_swept_by_the_next(place: Path) -> None:
    gone = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, pathlib, sys; from components.core import short_folders;"
            " short_folders.make(pathlib.Path(sys.argv[1])); os._exit(9)",
            str(place),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert gone.returncode == 9
    (left,) = place.glob("rf-*")
    mine = short_folders.make(place)
    assert list(place.glob("rf-*")) == [mine] != [left]
    short_folders.sweep(place)
    assert mine.is_dir()


@pytest.mark.services
def test_a_ray_of_our_own_gives_workers_secrets_and_priority_and_shows_them_to_nobody(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where workers find the functions above
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    seen: list[str] = []
    for given in map_in_order(environment_of_worker, range(2), megabytes=[1.0] * 2, workers=1, title="test"):
        mine = {"priority": str(os.getpriority(os.PRIO_PROCESS, 0))}
        assert given == {**SECRETS, **mine, "REFOCUS_HOME": os.environ["REFOCUS_HOME"]}
        seen += seen_by_others(place)
    assert seen == []
    assert not list(place.glob("rf-*"))
