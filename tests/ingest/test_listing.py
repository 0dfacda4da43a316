"""Whether photos have changed is told from their listing, and no photo is read for it."""

from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest

from components.core.errors import PhotoError, ServiceError
from components.ingest.config import IngestConfig
from components.ingest.listing import Listing, listing


def listed(photos: object, out: Path = Path("nowhere")) -> Listing:
    return listing(IngestConfig(photos=str(photos)), out=out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files that are photos by name alone: a look must not read them."""
    for name in ("a.png", "b.jpg", "deep/c.tif"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


def test_the_same_folder_is_the_same_listing(folder: Path) -> None:
    assert listed(folder) == listed(folder)
    assert listed(folder).count == 3


@pytest.mark.parametrize("change", ["come", "go", "grow", "other bytes", "rename"])
def test_whatever_happens_to_a_file_is_seen(folder: Path, change: str) -> None:
    before, path = listed(folder), folder / "a.png"
    if change == "come":
        (folder / "new.png").write_bytes(b"new")
    elif change == "go":
        path.unlink()
    elif change == "grow":
        path.write_bytes(b"a.png and more")
    elif change == "other bytes":  # of the same length, and the time set back: the change time tells
        told = path.stat()
        path.write_bytes(b"A.PNG")
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    else:
        path.rename(folder / "z.png")
    assert listed(folder) != before


def test_hidden_files_and_a_stages_own_output_are_no_photos(folder: Path) -> None:
    before = listed(folder, folder / "out")
    (folder / ".upload-1").write_bytes(b"half")
    (folder / "out").mkdir()
    (folder / "out" / "x.png").write_bytes(b"x")
    assert listed(folder, folder / "out") == before


def test_objects_count_by_their_etag(bucket: str) -> None:
    name = bucket.removeprefix("s3://")
    client = boto3.session.Session().client("s3")
    client.put_object(Bucket=name, Key="set/a.png", Body=b"one")
    before = listed(f"{bucket}/set")
    assert listed(f"{bucket}/set") == before
    client.put_object(Bucket=name, Key="other/b.png", Body=b"elsewhere")
    assert listed(f"{bucket}/set") == before
    client.put_object(Bucket=name, Key="set/a.png", Body=b"two")
    assert listed(f"{bucket}/set") != before


def test_the_bundled_photos_are_always_the_same() -> None:
    assert listed("bundled") == listed("bundled")


def test_a_place_that_is_not_there_is_told(tmp_path: Path, bucket: str) -> None:
    with pytest.raises(PhotoError, match="no folder"):
        listed(tmp_path / "gone")
    with pytest.raises(ServiceError):
        listed("s3://refocus-no-such-bucket/set")
