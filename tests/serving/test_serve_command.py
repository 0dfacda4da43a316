"""The command `refocus serve` in a process of its own: what it says, how it ends, what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from processes import children_of, ends, wait_for

from components.console import commands
from components.core.decoding import decode
from components.core.encoding import encoded
from components.core.errors import InputError, ServiceError
from components.core.ports import listening, need_port
from components.nets.generators import UNet
from components.nets.restore import load_restorer, save_generator
from components.serving import here
from components.serving.settings import ServingSettings

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
PHOTO = encoded("png", np.random.default_rng(3).integers(0, 256, (40, 56, 3), np.uint8))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    part = UNet(width=4, depth=1, widest=4)
    save_generator(tmp_path / "small", part, part.build(seed=0).state_dict())
    return tmp_path / "small"


def started(checkpoint: Path, port: int, *words: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and its address once it has said so."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "components.console.cli", "serve", str(checkpoint)),
            *("--port", str(port), *words),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+:\d+", line)
    if found is None:
        process.kill()
        raise AssertionError(f"{line}{process.communicate()[1]}")
    return process, found[0]


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop_and_ends_well(
    checkpoint: Path, unused_port: int, number: signal.Signals
) -> None:
    process, address = started(checkpoint, unused_port)
    try:
        assert wait_for(lambda: answers(address), 60)
        restored = httpx.post(f"{address}/restore", content=PHOTO)
        expected = load_restorer(checkpoint, device="cpu").restore_pixels(decode(PHOTO).pixels)
        assert np.array_equal(decode(restored.content).pixels, expected)
    finally:
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


def test_two_replicas_of_ray_serve_give_what_one_process_gives_and_leave_nothing_behind(
    checkpoint: Path, unused_port: int
) -> None:
    pytest.importorskip("grpc_reflection", reason="Ray Serve is not installed: refocus[serve]")
    process, address = started(checkpoint, unused_port, "--replicas", "2")
    try:
        assert wait_for(lambda: answers(address), 60)
        children = children_of(psutil.Process(process.pid))
        for _ in range(4):
            restored = httpx.post(f"{address}/restore", content=PHOTO, timeout=60)
            assert restored.status_code == 200
            assert restored.headers["X-Refocus-Model"] == "small"
        expected = load_restorer(checkpoint, device="cpu").restore_pixels(decode(PHOTO).pixels)
        assert np.array_equal(decode(restored.content).pixels, expected)
        refused = httpx.post(f"{address}/restore", content=b"no photo")
        assert (refused.status_code, "not a photo" in refused.json()["error"]) == (415, True)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert ends(children)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "REFOCUS_SERVE_TOKEN"),
        (["--port", "70000"], "1 to 65535"),
        (["--queue", "-1"], "--queue is -1"),
        (["--max-mb", "0"], "--max-mb is 0"),
        (["--max-mb", "nan"], "--max-mb is nan"),
        (["--replicas", "-2"], "--replicas is -2"),
        (["--tile", "64"], "at least 256"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_listens(
    checkpoint: Path, words: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        commands.run(["serve", str(checkpoint), "--device", "cpu", *words])


def test_a_service_whose_ray_was_signalled_with_it_says_so_and_waits_for_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray")
    from ray._private import worker

    from components.services.cluster.serving import _take_down

    class Node:
        """Ray's, of which a process has ended."""

        def dead_processes(self) -> list[str]:
            return ["raylet"]

    asked = threading.Event()
    _take_down(asked.set)
    assert asked.is_set()
    with pytest.raises(ZeroDivisionError):
        _take_down(lambda: bool(1 / 0))
    monkeypatch.setattr(worker, "_global_node", Node())
    with pytest.raises(ServiceError, match=r"Ray was ended together with the service.*KillMode=mixed"):
        _take_down(lambda: bool(threading.Event().wait()))


def test_of_two_services_that_start_at_once_on_one_port_the_second_is_told(
    checkpoint: Path, unused_port: int
) -> None:
    """Both looked whether the port is free before either listened: as `here` is asked from there on."""
    settings = ServingSettings(model=str(checkpoint), port=unused_port, device="cpu")
    with listening(unused_port), pytest.raises(InputError, match=r"cannot be had .*name another: --port"):
        here.run(settings, lambda *words: pytest.fail(f"said to serve: {words}"))


def test_an_ipv6_address_is_served_and_written_as_browsers_take_it(
    checkpoint: Path, unused_port: int
) -> None:
    try:
        need_port(unused_port, "::1")
    except InputError as error:
        pytest.skip(str(error))
    process, address = started(checkpoint, unused_port, "--host", "[::1]")
    try:
        assert address == f"http://[::1]:{unused_port}"
        assert httpx.post(f"{address}/restore", content=PHOTO, timeout=60).status_code == 200
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
