"""Photos that a recipe cannot use are left out with their reasons, and the work goes on; unless too
many are, or a split loses its last.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from one_stage import run_stage
from photosets import photoset_of

from components.core.errors import PhotoError
from components.core.quarantine import LATER_FILE, Quarantine
from components.core.records import PairSet, PhotoSet
from components.optics.blurs import RandomTrajectory
from components.pipeline.project import Project, Run, folder_of, project_root
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

BLUR = RandomTrajectory(canvas_px=32, max_len_px=20)
WHOLE = (96, 80)


def reasons(folder: Path) -> dict[str, str]:
    report = Quarantine.model_validate_json((folder / LATER_FILE).read_bytes())
    return {row.name: row.kind for row in report.left_out}


@pytest.mark.parametrize(
    ("config", "odd", "kind"),
    [
        ({"blurs": [BLUR.model_dump()]}, (200, 20), "too small"),
        ({"downscale": {"scale": 4}}, (200, 20), "too small"),
        ({"translate": {"kind": "side_by_side", "input": "right"}}, (97, 80), "no use"),
        ({"blurs": [BLUR.model_dump()], "camera": {"webp": {}}}, (17000, 40), "too large"),
    ],
)
def test_one_photo_that_cannot_be_used_stops_no_other(
    tmp_path: Path, config: dict[str, Any], odd: tuple[int, int], kind: str
) -> None:
    photoset = photoset_of(tmp_path / "in", sizes=(odd, *[WHOLE] * 8))
    settings = SynthesizeConfig.model_validate(
        {"blurs": [BLUR.model_dump()], **config} if "translate" not in config else config
    )
    pairset = run(settings, photoset, out=tmp_path / "out")
    (unfit,) = [photo for photo in photoset.photos() if (photo.width, photo.height) == odd]
    assert reasons(tmp_path / "out") == {unfit.name: kind}
    assert {pair.photo for pair in pairset.pairs()} == {photo.id for photo in photoset.photos()} - {unfit.id}
    assert pairset.about["left_out"] == {kind: 1}


def test_all_of_them_are_named_when_they_are_too_many(tmp_path: Path) -> None:
    photoset = photoset_of(tmp_path / "in", sizes=((200, 20), (20, 200), (21, 200), *[WHOLE] * 6))
    small = sorted(photo.name for photo in photoset.photos() if min(photo.width, photo.height) < 32)
    with pytest.raises(
        PhotoError,
        match=rf"3 of 9 would be left out, more than synthesize\.max_left_out = 0\.2 .*{', '.join(small)}",
    ):
        run(SynthesizeConfig(blurs=(BLUR,)), photoset, out=tmp_path / "out")
    more = SynthesizeConfig(blurs=(BLUR,), max_left_out=0.5)
    assert {*reasons(run(more, photoset, out=tmp_path / "out").folder)} == {*small}


def test_a_folder_of_which_nothing_is_left_out_has_no_list(tmp_path: Path) -> None:
    config = SynthesizeConfig(blurs=(BLUR,))
    photoset = photoset_of(tmp_path / "in", sizes=((200, 20), *[WHOLE] * 8))
    run(config, photoset, out=tmp_path / "out")
    run(config, photoset_of(tmp_path / "other", sizes=(WHOLE,) * 4), out=tmp_path / "out")
    assert not (tmp_path / "out" / LATER_FILE).exists()


def test_what_may_be_missing_is_no_part_of_the_pairs_identity() -> None:
    assert SynthesizeConfig().identity == SynthesizeConfig(max_left_out=0.7).identity


def test_a_photo_that_cannot_be_decoded_any_more_is_left_out(tmp_path: Path) -> None:
    """As with a newer library, which sees damage that the one at ingest did not."""
    from components.core.files import sha256_of_bytes

    photoset = photoset_of(tmp_path / "in", sizes=(WHOLE,) * 9)
    rows = list(photoset.photos())
    victim = next(place for place, row in enumerate(rows) if row.split == "train")
    path = photoset.folder / rows[victim].file
    path.write_bytes(path.read_bytes()[:200])
    digest = sha256_of_bytes(path.read_bytes())
    cut = rows[victim].model_copy(update={"id": digest, "group": digest})
    rows[victim] = cut
    table = PhotoSet.write_table(photoset.folder, tuple(rows))
    changed = photoset.model_copy(update={"table_sha256": table}).save(photoset.folder)
    pairset = run(SynthesizeConfig(blurs=(BLUR,)), changed, out=tmp_path / "out")
    assert digest not in {pair.photo for pair in pairset.pairs()}
    assert [*reasons(tmp_path / "out")] == [cut.name]


def test_panoramas_stop_neither_synthesize_nor_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    demo = project_root() / "components" / "recipes" / "demo.yaml"
    plain = yaml.safe_load(demo.read_text())
    plain["synthesize"] = {"blurs": [json.loads(BLUR.model_dump_json())]}
    plain["train"]["phases"][-1]["crop_px"] = 128
    (folder / "demo.yaml").write_text(yaml.safe_dump(plain))
    photoset_of(folder_of(tmp_path, "demo", PhotoSet), sizes=((600, 80), *[(160, 140)] * 13))
    made = run_stage("synthesize", Run.of(Project.at(tmp_path), "demo"))
    assert isinstance(made, PairSet)
    assert sum(made.counts.values()) == 14, "training alone cannot crop it"
    assert "training will leave out 1 too small (" in capsys.readouterr().err
