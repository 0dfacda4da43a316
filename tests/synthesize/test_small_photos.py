"""Photos that training could not crop are refused when they have come in, not after their pairs
were made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from one_stage import run_stage
from photosets import photoset_of

from components.core.errors import InputError
from components.core.records import PhotoSet
from components.pipeline.project import Project, Run, folder_of, project_root


@pytest.mark.parametrize(
    ("more", "size", "said"),
    [
        (
            {},
            (400, 100),
            (
                r"phase joint crops 128 px, but 1 of 4 photos are smaller: .* is 400 × 100 px\. Leave them"
                r" out \(ingest\.min_px: 128\), or lower"
            ),
        ),
        (
            {"max_side_px": 200},
            (400, 200),
            r"is 400 × 200 px, its target 200 × 100 px\. Leave them out \(of the folder that is ingested\)",
        ),
        (
            {"translate": {"kind": "side_by_side", "input": "right"}},
            (240, 140),
            r"is 240 × 140 px, its target 120 × 140 px\.",
        ),
    ],
)
def test_photos_that_training_cannot_crop_are_told_before_pairs_are_made(
    tmp_path: Path, more: dict[str, Any], size: tuple[int, int], said: str
) -> None:
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    plain = yaml.safe_load((project_root() / "components" / "recipes" / "demo.yaml").read_text())
    first, last = plain["train"]["phases"]
    first["crop_px"], last["crop_px"] = 64, 128
    plain["synthesize"] = {**({} if "translate" in more else plain["synthesize"]), **more}
    if "translate" in more:
        plain["train"]["generator"] = {"kind": "resnet"}
    (folder / "demo.yaml").write_text(yaml.safe_dump(plain))
    photoset_of(folder_of(tmp_path, "demo", PhotoSet), sizes=(size, (640, 480), (640, 480), (640, 480)))
    with pytest.raises(InputError, match=said):
        run_stage("synthesize", Run.of(Project.at(tmp_path), "demo"))
