"""Two domains of photos without partners: each split by content, no scene on two sides."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from ingest_photos import config_of, everything_below, picture, write, write_many
from pydantic import ValidationError

from components.core.errors import InputError, PhotoError
from components.core.quarantine import Quarantine
from components.core.records import SPLITS, PairSet, PhotoSet
from components.ingest.config import IngestConfig
from components.ingest.run import run
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run as synthesize

DOMAINS = {"input": "blurred", "target": "sharp"}


def two_domains(folder: Path, *, inputs: int = 6, targets: int = 9) -> IngestConfig:
    write_many(folder / "blurred", inputs, first=100)
    write_many(folder / "sharp", targets)
    return config_of(folder, domains=DOMAINS)


def left_out(folder: Path) -> dict[str, str]:
    found = Quarantine.model_validate_json((folder / "quarantine.json").read_bytes())
    return {one.name: one.reason for one in found.left_out}


def test_every_photo_has_the_domain_of_its_folder_and_each_domain_every_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run(two_domains(tmp_path / "in"), out=tmp_path / "out").photos()
    assert {(row.domain, row.name.split("/")[0]) for row in rows} == {
        ("input", "blurred"),
        ("target", "sharp"),
    }
    for domain, count in (("input", 6), ("target", 9)):
        own = [row for row in rows if row.domain == domain]
        assert len(own) == count
        assert {row.split for row in own} == set(SPLITS)
    assert "6 input, 9 target; no scene stands in both domains" in capsys.readouterr().err


def test_a_scene_in_both_domains_is_told_and_stands_in_one_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = two_domains(tmp_path / "in", inputs=12, targets=12)
    for seed in range(4):  # the same scenes, a little blurred
        write(tmp_path / "in/blurred" / f"again{seed}.png", cv2.GaussianBlur(picture(seed), (5, 5), 1.0))
    rows = run(config, out=tmp_path / "out").photos()
    sides = {row.name: row.split for row in rows}
    reasons = left_out(tmp_path / "out")
    for seed in range(4):
        sharp, blurred = f"sharp/{seed:03d}.png", f"blurred/again{seed}.png"
        assert sharp in sides or blurred in sides
        if sharp in sides and blurred in sides:
            assert sides[sharp] == sides[blurred]
        else:
            (gone,) = {sharp, blurred} - sides.keys()
            assert reasons[gone].startswith("near duplicate: of")
    together = sum(
        f"sharp/{seed:03d}.png" in sides and f"blurred/again{seed}.png" in sides for seed in range(4)
    )
    assert together
    assert f"{together} scene" in capsys.readouterr().err
    made = synthesize(SynthesizeConfig(), PhotoSet.load(tmp_path / "out"), out=tmp_path / "pairs")
    assert made.unpaired is not None
    assert made.unpaired.scenes_in_both == together


def test_what_lies_in_neither_folder_or_in_both_is_left_out_with_its_reason(tmp_path: Path) -> None:
    config = two_domains(tmp_path / "in")
    write(tmp_path / "in/elsewhere.png", picture(500))
    write(tmp_path / "in/sharp/copy.png", picture(100))
    run(config, out=tmp_path / "out")
    reasons = left_out(tmp_path / "out")
    assert reasons["elsewhere.png"] == "no domain: it lies in neither blurred/ nor sharp/"
    assert reasons["sharp/copy.png"].startswith("both domains: the same bytes as blurred/100.png")


def test_the_same_photos_give_the_same_set_byte_for_byte(tmp_path: Path) -> None:
    config = two_domains(tmp_path / "in")
    for out in ("one", "two"):
        photos = run(config, out=tmp_path / out / "photos")
        synthesize(SynthesizeConfig(), photos, out=tmp_path / out / "pairs")
    assert everything_below(tmp_path / "one") == everything_below(tmp_path / "two")


def test_a_set_of_two_domains_has_inputs_and_a_table_of_targets_and_is_verified(tmp_path: Path) -> None:
    photos = run(two_domains(tmp_path / "in"), out=tmp_path / "photos")
    made = synthesize(SynthesizeConfig(), photos, out=tmp_path / "pairs")
    assert sum(made.counts.values()) == len(made.pairs()) == 6
    assert made.unpaired is not None
    assert sum(made.unpaired.targets.values()) == len(made.targets()) == 9
    assert all(pair.input == pair.target for pair in made.pairs())
    assert {row.target.split("/")[1] for row in made.targets()} == {"target"}
    again = PairSet.load(made.folder).verify(*SPLITS)
    assert again.digest == made.digest
    row = made.targets("train")[0]
    (made.folder / row.target).write_bytes(b"another")
    with pytest.raises(Exception, match="missing or was altered"):
        made.verify("train")


def test_another_targets_table_is_another_set(tmp_path: Path) -> None:
    photos = run(two_domains(tmp_path / "in"), out=tmp_path / "photos")
    made = synthesize(SynthesizeConfig(), photos, out=tmp_path / "pairs")
    assert made.unpaired is not None
    other = made.model_copy(
        update={"unpaired": made.unpaired.model_copy(update={"targets_sha256": "0" * 64})}
    )
    assert other.digest != made.digest
    assert set(made.tables) == {PairSet.TABLE, PairSet.TARGETS}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"photos": "bundled", "domains": DOMAINS}, "two folders below photos of your own"),
        ({"photos": "x", "domains": {"input": "a", "target": "a/b"}}, "neither within the other"),
        ({"photos": "x", "domains": DOMAINS, "split": {"kind": "by_folder"}}, "split by their content"),
        ({"photos": "x", "domains": DOMAINS, "group_by": "folder"}, "leave group_by folder out"),
    ],
)
def test_domains_that_cannot_be_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        IngestConfig.model_validate(settings)


def test_a_domain_without_photos_or_with_too_few_is_named(tmp_path: Path) -> None:
    write_many(tmp_path / "in/sharp", 9)
    config = config_of(tmp_path / "in", domains=DOMAINS)
    with pytest.raises(PhotoError, match=r"no photo lies in blurred/, which ingest\.domains\.input names"):
        run(config, out=tmp_path / "out")
    write_many(tmp_path / "in/blurred", 2, first=100)
    with pytest.raises(PhotoError, match="has 2 usable of the domain input"):
        run(config, out=tmp_path / "out")


def test_nothing_is_made_of_photos_in_two_domains(tmp_path: Path) -> None:
    photos = run(two_domains(tmp_path / "in"), out=tmp_path / "photos")
    with pytest.raises(
        InputError, match=r"came in two domains, so nothing is made of them: leave synthesize\.max"
    ):
        synthesize(SynthesizeConfig(max_side_px=64), photos, out=tmp_path / "pairs")
