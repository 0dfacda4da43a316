"""One bad thing in a bucket stops nothing: an object that is gone, one that is refused, a connection
that breaks. A store that is gone altogether is an error at once.
"""

from __future__ import annotations

import http.client
import http.server
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
from ingest_photos import config_of, picture

from components.core.errors import PhotoError, ServiceError
from components.core.images import png_bytes
from components.core.quarantine import Quarantine
from components.ingest.config import IngestConfig
from components.ingest.examine import bytes_of
from components.ingest.run import run
from components.ingest.source import look
from components.services import storage

pytestmark = pytest.mark.services


class BadStore(http.server.BaseHTTPRequestHandler):
    """Stands before a store and hands on what it says, but for some objects."""

    behind: str
    gone: frozenset[str] = frozenset()  # listed, and deleted before they are read
    refused: frozenset[str] = frozenset()
    breaks: Mapping[str, int] = MappingProxyType({})  # how often the connection breaks inside that object
    asked: Counter[str]

    def do_GET(self) -> None:
        """Answer one request."""
        name = urlsplit(self.path).path.rpartition("/")[2]
        self.asked[name] += 1
        if name in self.gone or name in self.refused:
            code, status = ("NoSuchKey", 404) if name in self.gone else ("AccessDenied", 403)
            self._answer(status, f"<Error><Code>{code}</Code></Error>".encode())
            return
        at = urlsplit(self.behind)
        behind = http.client.HTTPConnection(str(at.hostname), at.port or 80)
        behind.request("GET", self.path, headers=dict(self.headers))
        said = behind.getresponse()
        self._answer(said.status, said.read(), broken=self.asked[name] <= self.breaks.get(name, 0))
        behind.close()

    def _answer(self, status: int, body: bytes, *, broken: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if broken else body)
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Say nothing."""


Photos = tuple[str, type[BadStore]]


@pytest.fixture
def photos(bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Photos]:
    """A bucket of eight photos behind a store that misbehaves as told."""
    for seed in range(8):
        storage.put(png_bytes(picture(seed)), f"{bucket}/{seed}.png")

    class Bad(BadStore):
        behind, asked = s3_endpoint, Counter()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bad)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield bucket, Bad
    server.shutdown()
    server.server_close()
    thread.join()


def test_objects_that_are_gone_or_refused_are_left_out(photos: Photos, tmp_path: Path) -> None:
    place, store = photos
    store.gone, store.refused = frozenset({"3.png"}), frozenset({"5.png"})
    photoset = run(IngestConfig(photos=place), out=tmp_path / "out")
    assert len(photoset.photos()) == 6
    reasons = {row.name: row.reason for row in Quarantine.load(tmp_path / "out").left_out}
    assert {*reasons} == {"3.png", "5.png"}
    assert reasons["3.png"].startswith("unreadable: no object s3://")
    assert "AccessDenied" in reasons["5.png"]


def test_a_connection_that_breaks_is_tried_again(photos: Photos, tmp_path: Path) -> None:
    place, store = photos
    store.breaks = {"3.png": 2, "5.png": 1}
    assert len(run(IngestConfig(photos=place), out=tmp_path / "out").photos()) == 8
    assert (store.asked["3.png"], store.asked["5.png"], store.asked["0.png"]) == (3, 2, 1)


def test_one_whose_connection_always_breaks_is_left_out(photos: Photos, tmp_path: Path) -> None:
    place, store = photos
    store.breaks = {"3.png": 99}
    run(IngestConfig(photos=place), out=tmp_path / "out")
    (left,) = Quarantine.load(tmp_path / "out").left_out
    assert left.name == "3.png"
    assert left.reason.startswith("unreadable: ")


def test_a_store_that_is_gone_is_an_error_at_once(photos: Photos, tmp_path: Path) -> None:
    place, store = photos
    store.breaks = {f"{number}.png": 99 for number in range(2, 8)}
    with pytest.raises(ServiceError, match=r"s3://.*/4\.png"):
        run(IngestConfig(photos=place), out=tmp_path / "out")
    assert store.asked["5.png"] == 0
    assert not (tmp_path / "out").exists()


def test_a_file_that_goes_after_listing_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png_bytes(picture(1)))
    config = config_of(tmp_path / "in")
    (found,) = look(config, out=tmp_path / "out").found
    (tmp_path / "in" / "a.png").unlink()
    with pytest.raises(PhotoError, match="unreadable: No such file"):
        bytes_of(found, config)
