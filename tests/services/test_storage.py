"""S3 through its door: a real store on this machine, and each way it can fail in one paragraph."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.core.errors import InputError, RefocusError, ServiceError
from components.core.images import png_bytes
from components.core.quarantine import Quarantine
from components.ingest.config import IngestConfig
from components.ingest.run import run
from components.services import storage


@pytest.fixture
def refusing_store() -> Iterator[str]:
    """A store that answers every request with 403."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def picture(seed: int) -> bytes:
    return png_bytes(np.random.default_rng(seed).integers(0, 256, (70, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("uri", "expected"), [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/x/y.png", ("b", "x/y.png"))]
)
def test_an_address_is_bucket_and_key(uri: str, expected: tuple[str, str]) -> None:
    assert storage.is_s3(uri)
    assert storage.split_uri(uri) == expected


@pytest.mark.parametrize("uri", ["s3://", "s3:///x", "photos/2024", "http://b/x"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="write s3://BUCKET/PREFIX"):
        storage.split_uri(uri)


@pytest.mark.services
def test_what_is_put_is_listed_read_and_downloaded(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"from a file")
    storage.put(b"from memory", f"{bucket}/in/a b.bin")
    storage.put(tmp_path / "b.bin", f"{bucket}/in/deep/b.bin")
    storage.put(b"", f"{bucket}/in/")
    storage.put(b"elsewhere", f"{bucket}/inside/c.bin")
    assert (
        storage.list_objects(f"{bucket}/in")
        == storage.list_objects(f"{bucket}/in/")
        == [("a b.bin", 11), ("deep/b.bin", 11)]
    )
    assert [name for name, _ in storage.list_objects(bucket)] == [
        "in/a b.bin",
        "in/deep/b.bin",
        "inside/c.bin",
    ]
    assert storage.read_object(storage.join(f"{bucket}/in", "a b.bin")) == b"from memory"
    storage.download(f"{bucket}/in/deep/b.bin", tmp_path / "new" / "c.bin")
    assert (tmp_path / "new" / "c.bin").read_bytes() == b"from a file"


@pytest.mark.services
def test_more_than_a_page_of_objects_is_listed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "MOTO_S3_DEFAULT_MAX_KEYS", "10"
    )  # the store's page: 1000 in the world, and slow to fill
    for number in range(25):
        storage.put(b"x", f"{bucket}/{number:04d}.bin")
    assert [name for name, _ in storage.list_objects(bucket)] == [f"{number:04d}.bin" for number in range(25)]


@pytest.mark.services
def test_photos_from_a_bucket_are_the_photos_from_a_folder(bucket: str, tmp_path: Path) -> None:
    for seed in range(5):
        data = picture(seed)
        storage.put(data, f"{bucket}/2024/{seed}.png")
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{seed}.png").write_bytes(data)
    storage.put(b"text", f"{bucket}/2024/no photo.jpg")
    storage.put(b"text", f"{bucket}/2024/notes.txt")
    from_bucket = run(IngestConfig(photos=f"{bucket}/2024"), out=tmp_path / "a")
    from_folder = run(IngestConfig(photos=str(tmp_path / "in")), out=tmp_path / "b")
    assert from_bucket.digest == from_folder.digest
    report = Quarantine.load(tmp_path / "a")
    assert ([row.name for row in report.left_out], report.ignored) == (["no photo.jpg"], {".txt": 1})


@pytest.mark.services
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (
            lambda bucket: storage.list_objects("s3://no-such-bucket-here/x"),
            'no bucket "no-such-bucket-here" at http',
        ),
        (lambda bucket: storage.read_object(f"{bucket}/gone.png"), "no object s3://.*/gone.png"),
        (lambda bucket: storage.put(b"", "s3://no-such-bucket-here/x"), "no bucket"),
        (lambda bucket: storage.put(Path(__file__), "s3://no-such-bucket-here/x"), "no-such-bucket-here"),
        (lambda bucket: storage.download(f"{bucket}/gone.png", Path("never-written.png")), "no object"),
    ],
)
def test_what_is_missing_is_named(bucket: str, act: object, said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        act(bucket)  # type: ignore[operator]
    assert not Path("never-written.png").exists()


def said_by_ingest(uri: str, out: Path) -> str:
    with pytest.raises(RefocusError) as caught:
        run(IngestConfig(photos=uri), out=out)
    assert isinstance(caught.value, ServiceError)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def set_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str, *, key: str | None = "test"
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    settings |= {
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    for name, value in (
        settings | ({"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key} if key else {})
    ).items():
        monkeypatch.setenv(name, value)


def test_a_store_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    set_store(monkeypatch, tmp_path, f"http://127.0.0.1:{closed_port}")
    said = said_by_ingest("s3://photos/2024", tmp_path / "out")
    assert f"http://127.0.0.1:{closed_port} does not answer, so s3://photos/2024 cannot be reached" in said
    assert "check AWS_ENDPOINT_URL" in said


def test_missing_credentials_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    set_store(monkeypatch, tmp_path, f"http://127.0.0.1:{closed_port}", key=None)
    assert "no credentials for s3://photos; set AWS_ACCESS_KEY_ID" in said_by_ingest(
        "s3://photos", tmp_path / "out"
    )


def test_refused_access_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing_store: str
) -> None:
    set_store(monkeypatch, tmp_path, refusing_store)
    assert "refuses access to s3://photos (AccessDenied); check the credentials" in said_by_ingest(
        "s3://photos", tmp_path / "out"
    )


def test_an_endpoint_that_is_no_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_store(monkeypatch, tmp_path, "not an address")
    assert (
        'AWS_ENDPOINT_URL must be an address such as http://127.0.0.1:9000, got "not an address"'
        in said_by_ingest("s3://photos", tmp_path / "out")
    )


def test_a_profile_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_store(monkeypatch, tmp_path, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in said_by_ingest("s3://photos", tmp_path / "out")
