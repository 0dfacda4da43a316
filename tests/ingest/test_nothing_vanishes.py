"""Photos do not vanish without a word: what cannot be listed is an error, what was seen is accounted
for, and a set that shrank needs a person's consent.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ingest_photos import config_of, picture, write, write_many
from pair_sets import pair_at

from components.console import commands
from components.core.decoding import heif
from components.core.errors import PhotoError
from components.core.files import state_folder, write_bytes
from components.core.images import png_bytes
from components.core.quarantine import Quarantine
from components.core.records import PhotoSet
from components.ingest.account import ACCEPT_VARIABLE
from components.ingest.config import IngestConfig
from components.ingest.run import run


def too_deep(folder: Path) -> None:
    """Folders below that no path of this system reaches: unreadable for root, too."""
    held = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=held)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = below
    os.close(held)


def test_a_folder_that_cannot_be_listed_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    (source / "lost").mkdir()
    too_deep(source / "lost")
    with pytest.raises(PhotoError, match=r"cannot be listed, .*in/lost/d+.*\(File name too long\)"):
        run(config_of(source), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("obeys_permissions")
@pytest.mark.parametrize("place", [".", "sub", "sub/deep"])
def test_a_folder_that_may_not_be_read_is_an_error_that_names_it(tmp_path: Path, place: str) -> None:
    source = write_many(tmp_path / "in", 6)
    write_many(source / "sub" / "deep", 2, first=6)
    (source / place).chmod(0)
    try:
        with pytest.raises(PhotoError, match=r"cannot be listed.*Permission denied"):
            run(config_of(source), out=tmp_path / "out")
    finally:
        (source / place).chmod(0o755)


@pytest.mark.usefixtures("obeys_permissions")
def test_a_folder_whose_files_may_not_be_reached_leaves_them_out_with_a_reason(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 6)
    write_many(source / "sub", 1, first=6)
    (source / "sub").chmod(0o444)
    try:
        run(config_of(source), out=tmp_path / "out")
    finally:
        (source / "sub").chmod(0o755)
    assert [row.name for row in Quarantine.load(tmp_path / "out").left_out] == ["sub/006.png"]


def closing_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_the_closing_line_accounts_for_everything_that_was_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_many(tmp_path / "in", 6)
    for number in range(30):
        (source / f"{number}.cr3").write_bytes(b"raw")
    (source / "README").write_text("x")
    (source / "copy.png").write_bytes((source / "000.png").read_bytes())
    (source / "text.jpg").write_text("x")
    (source / ".DS_Store").write_text("x")
    (source / ".hidden").mkdir()
    (source / ".hidden" / "a.png").write_text("x")
    (source / "nobody.mask.png").write_bytes(png_bytes(picture(3)))
    os.mkfifo(source / "pipe.jpg")
    run(config_of(source), out=tmp_path / "out")
    line = closing_line(capsys)
    assert re.search(r"took 6 photos \(train \d, val \d, test \d\), 1 more names of the same bytes", line)
    for words in (
        "left out 1 no photo (nobody.mask.png), 1 not a photo (text.jpg)",
        "ignored by extension: 30 .cr3, 1 without one",
        "passed over: 2 hidden, 1 pipes and devices",
        "seen in all: 43",
    ):
        assert words in line
    assert 6 + 1 + 2 + 31 + 3 == 43


def test_with_nothing_left_out_there_is_a_closing_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config_of(write_many(tmp_path / "in", 4)), out=tmp_path / "out")
    assert closing_line(capsys).endswith("; nothing left out; seen in all: 4")


@pytest.mark.parametrize("ending", [".heic", ".HEIF", ".hif", ".avif"])
def test_a_phones_photos_are_never_passed_over(tmp_path: Path, ending: str) -> None:
    source = write_many(tmp_path / "in", 4)
    (source / f"IMG_1{ending}").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    run(config_of(source), out=tmp_path / "out")
    (left,) = Quarantine.load(tmp_path / "out").left_out
    assert left.name == f"IMG_1{ending}"


def test_when_nearly_all_photos_are_of_no_use_that_is_an_error(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 4)
    for number in range(50):
        (source / f"IMG_{number}.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(PhotoError, match=r"50 of 54 photos at .* cannot be used, more than ingest.max_left"):
        run(config_of(source), out=tmp_path / "out")
    assert len(run(config_of(source, max_left_out=1.0), out=tmp_path / "out").photos()) == 4


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08meta"


def phones(folder: Path, settings: dict[str, object]) -> IngestConfig:
    """Photos of a phone where nothing reads them, beside some of another kind."""
    for number in range(9):
        write_bytes(folder / "in" / f"IMG_{number}.heic", HEIC)
    return config_of(folder / "in", **settings)


def of_no_use(folder: Path) -> IngestConfig:
    return phones(folder, {})


def too_many(folder: Path) -> IngestConfig:
    write_many(folder / "in", 4)
    return phones(folder, {"max_left_out": 0.5})


def too_few_splits(folder: Path) -> IngestConfig:
    write_many(folder / "in", 2)
    return phones(folder, {})


def no_pairs(folder: Path) -> IngestConfig:
    for name in ("blur", "sharp"):
        for number in range(9):
            place = folder / "in" / name / f"IMG_{number}.heic"
            write_bytes(place, HEIC)
    return config_of(folder / "in", pairs={"kind": "two_folders"})


@pytest.mark.parametrize("lies_there", [of_no_use, too_many, too_few_splits, no_pairs])
def test_a_refusal_says_a_reason_with_its_remedy_and_where_all_others_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lies_there: Callable[[Path], IngestConfig]
) -> None:
    monkeypatch.setattr(heif, "HEIC_LIBRARIES", ("a_library_that_is_not_there",))
    out = tmp_path / "demo" / "photos"
    with pytest.raises(PhotoError) as refusal:
        run(lies_there(tmp_path), out=out)
    said = str(refusal.value)
    assert re.search(r"9 unusual \(\S*IMG_0.heic: .*python -m pip install pi-heif.*\)", said)
    kept = state_folder() / "ingest" / "refused-demo.json"
    assert f"; all reasons in {kept}" in said
    assert len(Quarantine.model_validate_json(kept.read_bytes()).left_out) == 9
    assert not out.exists(), "nothing new stays behind there"


def test_pairs_are_accounted_for_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(4):
        pair_at(tmp_path / f"in/sharp/{seed}.png", tmp_path / f"in/blur/{seed}.png", seed=seed)
    write(tmp_path / "in" / "elsewhere" / "x.png", picture(9))
    (tmp_path / "in" / "notes.txt").write_text("x")
    (tmp_path / "in" / ".hidden").write_text("x")
    settings = {"pairs": {"kind": "two_folders"}, "min_px": 16}
    run(config_of(tmp_path / "in", **settings), out=tmp_path / "out")
    line = closing_line(capsys)
    assert "4 pairs in 4 scenes" in line
    assert "ignored by extension: 1 .txt, 1 pictures that the layout does not name" in line
    assert line.endswith("passed over: 1 hidden; seen in all: 11")


def shrunk(folder: Path, kept: int) -> None:
    for path in sorted(folder.glob("*.png"))[kept:]:
        path.unlink()


def test_a_set_that_shrank_is_refused_until_a_person_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_many(tmp_path / "in", 12), tmp_path / "demo" / "photos"
    before = run(config_of(source), out=out).digest
    shrunk(source, 8)
    (source / "007.png").write_bytes(b"cut")
    for _ in range(2):
        with pytest.raises(
            PhotoError,
            match=r"has 7 usable photos, the last run took 12: a loss of 42 %, more than ingest.max_shrink ="
            r" 0.2 allows.*007.png \(not a photo: .*\), 008.png, .*refocus ingest demo --accept-fewer",
        ):
            run(config_of(source), out=out)
        assert PhotoSet.load(out).digest == before
    monkeypatch.setenv(ACCEPT_VARIABLE, "1")
    assert len(run(config_of(source), out=out).photos()) == 7
    monkeypatch.delenv(ACCEPT_VARIABLE)
    assert len(run(config_of(source), out=out).photos()) == 7, "agreed once is enough"


@pytest.mark.parametrize(("kept", "most", "passes"), [(10, 0.2, True), (9, 0.2, False), (9, 0.3, True)])
def test_a_set_may_shrink_by_the_share_that_the_recipe_says(
    tmp_path: Path, kept: int, most: float, passes: bool
) -> None:
    source = write_many(tmp_path / "in", 12)
    run(config_of(source, max_shrink=most), out=tmp_path / "out")
    shrunk(source, kept)
    if passes:
        assert len(run(config_of(source, max_shrink=most), out=tmp_path / "out").photos()) == kept
    else:
        with pytest.raises(PhotoError, match="a loss of 25 %"):
            run(config_of(source, max_shrink=most), out=tmp_path / "out")


def test_pairs_that_shrank_are_refused_too(tmp_path: Path) -> None:
    for seed in range(6):
        pair_at(tmp_path / f"in/sharp/{seed}.png", tmp_path / f"in/blur/{seed}.png", seed=seed)
    config = config_of(tmp_path / "in", pairs={"kind": "two_folders"}, min_px=16)
    run(config, out=tmp_path / "out")
    for seed in (0, 1):
        (tmp_path / f"in/blur/{seed}.png").unlink()
    with pytest.raises(PhotoError, match="has 4 usable pairs, the last run took 6: a loss of 33 %"):
        run(config, out=tmp_path / "out")


def test_a_night_in_which_all_test_photos_are_gone_is_refused_however_few_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_many(tmp_path / "in", 30), tmp_path / "demo" / "photos"
    photos = run(config_of(source), out=out).photos()
    tests = sorted(photo.name for photo in photos if photo.split == "test")
    assert 1 < len(tests) < 6, "few enough for ingest.max_shrink to let them go"
    for name in tests[1:]:
        (source / name).unlink()
    assert len(run(config_of(source), out=out).photos()) == 31 - len(tests)
    (source / tests[0]).write_bytes(b"cut")
    for _ in range(2):
        with pytest.raises(
            PhotoError,
            match=rf"of the test photos that the last run took from .* \(1\) none is left, .*{tests[0]}"
            r" \(not a photo: .*\)\. Bring them back; .*refocus ingest demo --accept-fewer",
        ):
            run(config_of(source), out=out)
    monkeypatch.setenv(ACCEPT_VARIABLE, "1")
    assert run(config_of(source), out=out).counts["test"] == 1
    monkeypatch.delenv(ACCEPT_VARIABLE)
    assert run(config_of(source), out=out).counts["test"] == 1


def test_pairs_without_any_of_their_test_pairs_are_refused_too(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        for seed in range(3 * place, 3 * place + (1 if split == "test" else 3)):
            name = f"{split}/{{}}/{seed}.png"
            pair_at(tmp_path / "in" / name.format("sharp"), tmp_path / "in" / name.format("blur"), seed=seed)
    layout = {"kind": "two_folders", "input": "blur", "target": "sharp"}
    config = config_of(tmp_path / "in", pairs=layout, min_px=16, split={"kind": "by_folder"})
    run(config, out=tmp_path / "out")
    for kind in ("blur", "sharp"):
        path = tmp_path / f"in/test/{kind}/6.png"
        path.unlink()
    pair_at(tmp_path / "in/test/sharp/9.png", tmp_path / "in/test/blur/9.png", seed=9)
    with pytest.raises(PhotoError, match=r"of the test pairs .* \(1\) none is left, .*test/blur/6\.png"):
        run(config, out=tmp_path / "out")


def test_what_an_earlier_version_remembered_of_the_last_run_still_counts(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 12)
    run(config_of(source), out=tmp_path / "out")
    (memory,) = (state_folder() / "ingest").glob("taken-*.json")
    memory.write_text(json.dumps({each: name for each, (name, _) in json.loads(memory.read_text()).items()}))
    shrunk(source, 6)
    with pytest.raises(PhotoError, match="a loss of 50 %"):
        run(config_of(source), out=tmp_path / "out")


@pytest.mark.parametrize("broken", [b"", b"[1, 2]", b"{", b"\xff", b'{"a": 1}', b'{"a": [1, 2, 3]}'])
def test_a_broken_memory_of_the_last_run_stops_nothing(tmp_path: Path, broken: bytes) -> None:
    source = write_many(tmp_path / "in", 6)
    run(config_of(source), out=tmp_path / "out")
    (memory,) = (state_folder() / "ingest").glob("taken-*.json")
    memory.write_bytes(broken)
    shrunk(source, 3)
    assert len(run(config_of(source), out=tmp_path / "out").photos()) == 3


def test_the_commands_take_a_persons_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCEPT_VARIABLE, "")
    parser = commands.all_commands()[0]
    for words in (["ingest", "demo", "--accept-fewer"], ["run", "demo", "--accept-fewer"]):
        assert parser.parse_args(words).accept_fewer
    assert IngestConfig().max_shrink == 0.2


NFC, NFD = "gr\u00fcn", "gru\u0308n"


def test_names_go_together_whatever_system_wrote_them(tmp_path: Path) -> None:
    pair_at(tmp_path / f"in/Sch\u00e4rfe/{NFC}.png", tmp_path / f"in/Unscha\u0308rfe/{NFD}.png", seed=1)
    for seed in (2, 3):
        pair_at(
            tmp_path / f"in/Sch\u00e4rfe/{seed}.png", tmp_path / f"in/Unscha\u0308rfe/{seed}.png", seed=seed
        )
    layout = {"kind": "two_folders", "input": "Unsch\u00e4rfe", "target": "Scha\u0308rfe"}
    photoset = run(config_of(tmp_path / "in", pairs=layout, min_px=16), out=tmp_path / "out")
    assert sum(photoset.counts.values()) == 3
    assert f"Sch\u00e4rfe/{NFC}.png" in {photo.name for photo in photoset.photos()}


def test_a_map_goes_with_its_photo_whatever_system_named_either(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 3)
    write(source / f"{NFC}.png", picture(7))
    write(source / f"{NFD}.mask.png", picture(7)[:, :, 0])
    photos = run(config_of(source), out=tmp_path / "out").photos()
    assert [len(photo.maps) for photo in photos if photo.name == f"{NFC}.png"] == [1]


def test_two_files_whose_names_differ_in_that_alone_are_both_seen(tmp_path: Path) -> None:
    source = write_many(tmp_path / "in", 3)
    for seed, name in ((7, NFC), (8, NFD)):
        write(source / f"{name}.png", picture(seed))
    if len(list(source.iterdir())) == 4:
        pytest.skip("this file system takes the two for one name")
    assert len(run(config_of(source), out=tmp_path / "out").photos()) == 5


def test_a_stray_is_left_out_where_folders_decide(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        write_many(tmp_path / "in" / split, 4, first=4 * place)
    write(tmp_path / "in" / "contact sheet.jpg", picture(50))
    photoset = run(config_of(tmp_path / "in", split={"kind": "by_folder"}), out=tmp_path / "out")
    assert len(photoset.photos()) == 12
    (left,) = Quarantine.load(tmp_path / "out").left_out
    assert (left.name, left.kind) == ("contact sheet.jpg", "no split")
