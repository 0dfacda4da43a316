"""What clients, proxies and a slow registry do to the service beside asking for photos well."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest
from processes import wait_for
from registered import add
from two_nodes import free_port

from components.core.decoding import decode
from components.core.encoding import encoded
from components.core.errors import InputError
from components.nets.generators import UNet
from components.nets.norms import Instance
from components.nets.restore import load_restorer, save_generator
from components.services import tracking
from components.serving import models as of_models
from components.serving import uploads
from components.serving.app import _accepted, models_of
from components.serving.models import Models
from components.serving.readings import Readings
from components.serving.settings import ServingSettings, token_of_environment
from components.serving.turns import Turns

PHOTO = cv2.imencode(".png", np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8))[1].tobytes()
TOKEN = "a-token-of-some-length"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    net = UNet(width=4, depth=1)
    save_generator(tmp_path / "small", net, net.build(seed=0).state_dict())
    return tmp_path / "small"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "png"),
        ("*/*", "png"),
        ("image/jpeg", "jpeg"),
        ("IMAGE/TIFF", "tiff"),
        ("image/webp, image/png", "webp"),
        ("image/webp;q=0.1, image/png", "png"),
        ("image/jpeg;q=0.8, image/tiff; q=0.9", "tiff"),
        ("image/webp;q=0, */*", "png"),
        ("image/jpeg;q=much, */*", "png"),
        ("application/json", "png"),
    ],
)
def test_the_form_that_is_liked_best_is_given(accept: str, form: str) -> None:
    assert _accepted(accept) == form


def test_a_photo_is_taken_by_its_bytes_whatever_it_is_called(served: Any, checkpoint: Path) -> None:
    address = served(ServingSettings(str(checkpoint)))
    for called in ("application/x-www-form-urlencoded", "text/plain", "image/jpeg", "nonsense"):
        answer = httpx.post(f"{address}/restore", content=PHOTO, headers={"Content-Type": called})
        assert (answer.status_code, decode(answer.content).pixels.shape) == (200, (24, 32, 3)), called
    form = httpx.post(f"{address}/restore", data={"photo": "x"})
    assert form.status_code == 415
    assert "--data-binary" in form.json()["error"]


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"GIF89a", {}, "not a photo: a GIF; save it as PNG, TIFF or JPEG"),
        (bytes(5000), {}, "not a photo: it begins with zeros"),
        (b"", {}, "not a photo: the file is empty"),
        (b"photo=@a.jpg&b=1", {}, "the body is a form"),
        (PHOTO, {"Content-Encoding": "gzip"}, "the body is packed (Content-Encoding: gzip)"),
    ],
)
def test_what_curl_sends_is_told_by_what_it_is(
    body: bytes, headers: dict[str, str], words: str, served: Any, checkpoint: Path
) -> None:
    """curl --data-binary calls every body a form."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(
        f"{served(ServingSettings(str(checkpoint)))}/restore", content=body, headers=kind | headers
    )
    assert answer.status_code == 415
    assert answer.json()["error"].startswith(words)


def test_a_photo_whose_tiles_saw_themselves_alone_is_marked(served: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs refocus[onnx]")
    from components.nets.formats.onnx_writer import quiet, write_onnx

    part = UNet(width=4, depth=1, widest=4, norm=Instance())
    save_generator(tmp_path / "net", part, part.build(seed=0).state_dict())
    with quiet():
        write_onnx(load_restorer(tmp_path / "net", device="cpu"), tmp_path / "net.onnx", about={})
    for model, marks in ((tmp_path / "net.onnx", [None, "per_tile 256"]), (tmp_path / "net", [None, None])):
        address = served(ServingSettings(str(model), tile_px=256))
        for side, mark in zip((256, 264), marks, strict=True):
            photo = encoded("png", np.full((side, 256, 3), 90, np.uint8))
            answer = httpx.post(f"{address}/restore", content=photo, timeout=60)
            assert (answer.status_code, answer.headers.get("X-Refocus-Tiles")) == (200, mark)


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/model", "/metrics", "/openapi.json"])
def test_what_can_be_got_can_be_asked_for_without_its_body(served: Any, checkpoint: Path, path: str) -> None:
    answer = httpx.head(served(ServingSettings(str(checkpoint))) + path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "headers", [{"Host": "[::1"}, {"Origin": "http://["}, {"Host": "//"}, {"Origin": "null"}]
)
def test_addresses_that_are_none_are_refused_in_a_sentence(
    served: Any, checkpoint: Path, headers: dict[str, str]
) -> None:
    answer = httpx.get(served(ServingSettings(str(checkpoint))) + "/model", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]


def test_who_hangs_up_while_sending_is_no_failure_of_the_service(
    served: Any, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = served(ServingSettings(str(checkpoint)))
    place = urlsplit(address)
    with caplog.at_level(logging.WARNING), socket.create_connection((place.hostname, place.port)) as asked:
        asked.sendall(b"POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nabc")
        taken = "refocus_queue_places_taken 1.0"
        assert wait_for(lambda: taken in httpx.get(f"{address}/metrics").text, 60)
    gone = 'refocus_answers_total{path="/restore",status="499"} 1.0'
    assert wait_for(lambda: gone in httpx.get(f"{address}/metrics").text, 60)
    assert 'status="500"' not in httpx.get(f"{address}/metrics").text
    assert not [each for each in caplog.records if each.exc_info]


@pytest.mark.parametrize(("within_s", "words"), [(60.0, "no byte of the photo came"), (2.0, "did not come")])
def test_who_begins_to_send_and_stops_gives_its_place_back(
    served: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, within_s: float, words: str
) -> None:
    monkeypatch.setattr(uploads, "SILENCE_S", 3.0)
    address = served(ServingSettings(str(checkpoint), queue=0, upload_s=within_s))
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port)) as stopped:
        stopped.sendall(b"POST /restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n")
        for _ in range(6):  # one at a time is not silence
            stopped.sendall(b"a")
            time.sleep(0.02)
        taken = "refocus_queue_places_taken 1.0"
        assert wait_for(lambda: taken in httpx.get(f"{address}/metrics").text, 60)
        assert httpx.post(f"{address}/restore", content=PHOTO).status_code == 503, "no place is left"
        answer = stopped.makefile("rb").read().decode()  # to its end: the connection is closed
    assert answer.startswith("HTTP/1.1 408")
    assert words in answer
    assert "(6 bytes did)" in answer
    assert httpx.post(f"{address}/restore", content=PHOTO, timeout=60).status_code == 200


class Silent:
    """A registry that does not answer until it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        monkeypatch.setattr(of_models.lineage, "resolve", self._late(of_models.lineage.resolve))

    def _late(self, ask: Any) -> Any:
        def late(*words: Any) -> Any:
            self.go.wait(60)
            return ask(*words)

        return late


def test_a_registry_that_does_not_answer_keeps_nobody_from_the_champion(
    served: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, alias in ((1, tracking.PREVIOUS), (2, tracking.CHAMPION)):
        tracking.set_alias("slow", alias, add("slow", tmp_path, seed=seed).number)
    settings = ServingSettings("slow@champion", follow_s=60, device="cpu")
    models = models_of(settings)
    address = served(settings, models)
    silent = Silent(monkeypatch)
    answers = list[httpx.Response]()

    def ask() -> None:
        answers.append(httpx.post(f"{address}/restore?model=previous", content=PHOTO, timeout=60))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(3):
            champion = httpx.post(f"{address}/restore", content=PHOTO, timeout=30)
            assert champion.headers["X-Refocus-Model"] == "slow:2"
        assert not answers
    finally:
        silent.go.set()
        asker.join(60)
    assert [each.headers["X-Refocus-Model"] for each in answers] == ["slow:1"]


def test_a_question_without_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models("any", "champion", lambda version: pytest.fail("nothing is loaded"), 60)
    begun, go = threading.Event(), threading.Event()

    def late(*words: Any) -> None:
        begun.set()
        go.wait(60)

    monkeypatch.setattr(of_models.tracking, "at_alias", late)
    monkeypatch.setattr(of_models, "SILENT_S", 0.05)
    looking = threading.Thread(target=models.look)
    looking.start()
    try:
        assert begun.wait(60)
        assert wait_for(lambda: models.trouble is not None, 60)
        assert "the registry has not answered for" in str(models.trouble)
        assert b"refocus_model_trouble 1.0" in Readings(models, Turns(1)).text()
    finally:
        go.set()
        looking.join(60)
    assert models.trouble is None


def test_a_file_that_takes_long_to_take_apart_keeps_nobody_waiting(
    served: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    plain = uploads.header

    def slow(data: bytes) -> Any:
        begun.set()
        go.wait(60)
        return plain(data)

    monkeypatch.setattr(uploads, "header", slow)
    address = served(ServingSettings(str(checkpoint)))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.post, f"{address}/restore", content=PHOTO, timeout=60)
        try:
            assert begun.wait(60)
            assert httpx.get(f"{address}/healthz", timeout=20).status_code == 200
        finally:
            go.set()
        assert asked.result().status_code == 200


@pytest.mark.parametrize("name", ["max_mb", "max_megapixels"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_limit_is_a_number(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} is"):
        ServingSettings("demo@champion", **{name: value}).checked()  # type: ignore[arg-type]


def test_a_token_is_what_a_header_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_SERVE_TOKEN", f"{TOKEN}\n")
    assert token_of_environment() == TOKEN
    for token in ("ein-Schlüssel-mit-Umlaut", "two words of a sentence"):
        with pytest.raises(InputError, match="Authorization"):
            ServingSettings("demo@champion", token=token).checked()


SLOW = """
import threading, time
import anyio, uvicorn
from components.serving import here
here.GRACE_S = 1

async def app(scope, receive, send):
    print("asked", flush=True)
    await anyio.to_thread.run_sync(time.sleep, 60)

server = here._Server(uvicorn.Config(app, port=PORT, lifespan="off", timeout_graceful_shutdown=1))
server.run()
"""


def test_what_takes_longer_than_the_grace_is_broken_off() -> None:
    port = free_port()
    code = SLOW.replace("PORT", str(port))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            asking = threading.Thread(target=_ask_until_answered, args=(port,), daemon=True)
            asking.start()
            assert process.stdout is not None
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 1
        finally:
            process.kill()


def _ask_until_answered(port: int) -> None:
    for _ in range(300):
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=60)
        except httpx.ConnectError:
            time.sleep(0.1)
        except httpx.HTTPError:
            return
