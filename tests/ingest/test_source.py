"""What a source lists: folders as they are met in the world."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ingest_photos import config_of, picture, write, write_many

from components.core.errors import PhotoError
from components.ingest import bundled
from components.ingest.config import IngestConfig
from components.ingest.source import look


def names(folder: Path, out: Path | None = None) -> list[str]:
    return [found.name for found in look(config_of(folder), out=out or folder.parent / "out").found]


def test_a_tree_is_walked_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a.png", "b/c/x.JPG"):
        write(tmp_path / "in" / name, picture(1))
    assert names(tmp_path / "in") == ["a.png", "b/10.png", "b/2.png", "b/c/x.JPG"]


def test_hidden_files_and_folders_are_not_seen(tmp_path: Path) -> None:
    for name in (".hidden.png", ".git/a.png", "b/._a.png", "seen.png"):
        write(tmp_path / "in" / name, picture(1))
    assert names(tmp_path / "in") == ["seen.png"]


def test_links_to_files_and_folders_are_followed_circles_are_not(tmp_path: Path) -> None:
    write_many(tmp_path / "elsewhere", 1)
    source = write_many(tmp_path / "in", 1, first=1)
    (source / "folder").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (source / "file.png").symlink_to(tmp_path / "elsewhere" / "000.png")
    (source / "circle").symlink_to(source, target_is_directory=True)
    assert names(source) == ["001.png", "file.png", "folder/000.png"]


def test_a_linked_source_is_followed(tmp_path: Path) -> None:
    write_many(tmp_path / "in", 2)
    (tmp_path / "link").symlink_to(tmp_path / "in", target_is_directory=True)
    assert names(tmp_path / "link") == ["000.png", "001.png"]


def test_the_stages_own_output_is_no_source(tmp_path: Path) -> None:
    write_many(tmp_path, 1)
    write_many(tmp_path / "data", 2)
    assert names(tmp_path, out=tmp_path / "data") == ["000.png"]
    with pytest.raises(PhotoError, match="own output folder"):
        names(tmp_path / "data", out=tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes only there")
def test_a_name_that_is_no_utf8_is_made_printable(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 1)
    os.rename(bytes(source / "000.png"), bytes(source) + b"/caf\xe9.png")  # noqa: PTH104
    (found,) = look(config_of(source), out=tmp_path / "out").found
    assert found.name == "caf\\xe9.png"
    assert found.read()


def test_other_extensions_are_counted(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 1)
    for name in ("a.TXT", "b.txt", "Makefile"):
        (source / name).write_text("x")
    assert look(config_of(source), out=tmp_path / "out").ignored == {"": 1, ".txt": 2}


def test_at_least_eight_bundled_colour_photos_with_terms_are_found() -> None:
    found = look(IngestConfig(), out=Path("nowhere")).found
    assert len(found) >= 8
    assert all(photo.origin and photo.licence and photo.split and photo.size_bytes for photo in found)


def test_a_missing_bundled_photo_is_named() -> None:
    with pytest.raises(PhotoError, match=r"skimage/data/none\.png is not in this installation"):
        bundled.path_of(bundled.Bundled("skimage", "data/none.png", "train", "", ""))
    with pytest.raises(PhotoError, match="no_such_package"):
        bundled.path_of(bundled.Bundled("no_such_package", "a.png", "train", "", ""))
