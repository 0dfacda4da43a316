"""A recipe without pairs through every stage: from two folders to a registered model whose lineage holds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import pytest
import yaml
from skimage import data, io
from tiny_clone import TINY, Clone, clone_into

from components import recipes
from components.core.errors import RecipeError
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoScore
from components.evaluate.tables import terminal_table
from components.nets.restore import load_restorer

CYCLE = {
    "consistency": [{"kind": "l1", "weight": 10.0}],
    "identity": [{"kind": "l1", "weight": 5.0}],
}
PAIRS = {"kind": "two_folders", "input": "pairs/blur", "target": "pairs/sharp"}
PLACES = {
    "blurred": [("astronaut", 0, 0), ("coffee", 0, 0), ("chelsea", 0, 0), ("rocket", 0, 0)],
    "sharp": [
        ("astronaut", 300, 300),
        ("coffee", 190, 380),
        ("chelsea", 90, 240),
        ("rocket", 210, 210),
        ("rocket", 0, 400),
    ],
}


def domains_into(folder: Path) -> None:
    """Four blurred photos, and five sharp ones of other places."""
    for domain, places in PLACES.items():
        (folder / domain).mkdir(parents=True)
        for name, top, left in places:
            photo = getattr(data, name)()[top : top + 200, left : left + 200]
            photo = cv2.GaussianBlur(photo, (0, 0), 2.0) if domain == "blurred" else photo
            io.imsave(folder / domain / f"{name}-{top}-{left}.png", photo, check_contrast=False)


def unpaired_recipe() -> dict[str, object]:
    plain = yaml.safe_load(TINY)
    plain["ingest"] = {"photos": "photos", "domains": {"input": "blurred", "target": "sharp"}}
    plain["synthesize"] = {}
    plain["train"] |= {
        "content": [],
        "cycle": CYCLE,
        "history": {"size": 4},
        "adversarial": {"kind": "least_squares"},
        "phases": [{"name": "joint", "images": 16, "crop_px": 32, "batch": 4}],
        "validate_every": 8,
        "validate_metrics": ["rmse_shrunk4_rgb", "nss_of_set"],
    }
    plain["evaluate"] |= {"metrics": ["nss_of_set", "rmse_shrunk4_rgb"]}
    plain["register"]["gate"] = {"primary": "nss_of_set", "margins": {"rmse_shrunk4_rgb": 6.0}}
    return plain


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = clone_into(tmp_path_factory.mktemp("domains") / "clone")
    shutil.rmtree(clone.root / "photos")
    domains_into(clone.root / "photos")
    (clone.root / "components/recipes/tiny.yaml").write_text(yaml.safe_dump(unpaired_recipe()))
    clone.git("add", "-A")
    clone.git("commit", "-qm", "two domains")
    clone.environment["WORDS"] = clone.refocus("run", "tiny", "--no-prefect").stdout
    return clone


@pytest.mark.services
def test_a_recipe_without_pairs_runs_whole_and_keeps_both_generators(ran: Clone) -> None:
    assert re.search(r"registered +tiny version 1", ran.environment["WORDS"]), ran.environment["WORDS"]
    data = ran.root / "data" / "tiny"
    pairset, checkpoint = PairSet.load(data / "pairs"), Checkpoint.load(data / "checkpoint").verify()
    assert pairset.unpaired is not None
    assert sum(pairset.counts.values()) == 4
    assert sum(pairset.unpaired.targets.values()) == 5
    assert checkpoint.back_sha256 is not None
    load_restorer(data / "checkpoint" / Checkpoint.BACK, device="cpu")


@pytest.mark.services
def test_its_report_and_card_say_what_they_cannot_know(ran: Clone) -> None:
    report = EvalReport.load(ran.root / "data" / "tiny" / "report")
    assert not report.paired
    assert set(report.restored) == {"nss_of_set", "rmse_shrunk4_rgb"}
    assert report.do_nothing["rmse_shrunk4_rgb"] == 0.0
    page = (report.folder / "report.html").read_text()
    assert "No photo of this set has a target" in page
    assert "No photo of this set has a target" in terminal_table(report)
    assert "nss_of_set looks at no target" in ran.environment["WORDS"]
    cards = [path.read_text() for path in ran.root.rglob("MODEL_CARD.md")]
    assert cards
    assert all("No photo of this set has a target" in card for card in cards)
    assert all("sharp ones of other scenes" in card for card in cards)


@pytest.mark.services
def test_its_lineage_is_verified_from_the_registry(ran: Clone) -> None:
    said = ran.refocus("lineage", "tiny:1", "--verify").stdout
    assert "photos" in said


@pytest.fixture(scope="module")
def tested(ran: Clone) -> str:
    """The same model's next version, of a recipe that names a paired test set too; what the run said."""
    shutil.copytree(ran.root / "photos", ran.root / "known")
    for name, top, left in (
        ("astronaut", 0, 300),
        ("astronaut", 300, 0),
        ("coffee", 200, 0),
        ("coffee", 0, 390),
    ):
        photo = getattr(data, name)()[top : top + 200, left : left + 200]
        for side, shown in (("sharp", photo), ("blur", cv2.GaussianBlur(photo, (0, 0), 2.0))):
            (ran.root / "known/pairs" / side).mkdir(parents=True, exist_ok=True)
            io.imsave(ran.root / f"known/pairs/{side}/{name}-{top}-{left}.png", shown, check_contrast=False)
    plain = unpaired_recipe() | {"name": "tested"}
    plain["ingest"] |= {"photos": "known", "pairs": PAIRS}  # type: ignore[operator]
    plain["train"] |= {"seed": 2}  # type: ignore[operator]
    plain["evaluate"] |= {"metrics": ["psnr_rgb", "nss_of_set", "rmse_shrunk4_rgb"]}  # type: ignore[operator]
    plain["register"]["gate"] |= {"primary": "psnr_rgb"}  # type: ignore[index]
    (ran.root / "components/recipes/tested.yaml").write_text(yaml.safe_dump(plain))
    graph = ran.root / "dvc.yaml"
    graph.write_text(graph.read_text().replace("recipes: [tiny,", "recipes: [tested, tiny,"))
    ran.git("add", "-A")
    ran.git("commit", "-qm", "a paired test set")
    return ran.refocus("run", "tested", "--no-prefect").stdout


@pytest.mark.services
def test_a_paired_test_set_beside_the_domains_is_measured_for_champion_and_challenger(
    ran: Clone, tested: str
) -> None:
    assert re.search(r"registered +tiny version 2", tested), tested
    assert re.search(
        r"psnr_rgb \S+ \(mean of 4 groups, too few for an interval\) against the champion", tested
    )
    assert "psnr_rgb is known of the 4 test pairs alone" in tested
    report = EvalReport.load(ran.root / "data/tested/report")
    assert set(report.restored) == {"psnr_rgb", "nss_of_set", "rmse_shrunk4_rgb"}
    (champion,) = (ran.root / ".refocus/measured").glob("*.jsonl")
    rows = [PhotoScore.model_validate_json(line) for line in champion.read_text().splitlines()]
    assert [row.pair for row in rows] == [row.pair for row in report.scores()]
    assert sum(set(row.restored) == {"psnr_rgb"} for row in rows) == 4
    photos = ran.refocus("lineage", "tiny:2", "--photos", "--verify").stdout
    assert "pairs/sharp/coffee-200-0.png" in photos


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"evaluate": {"metrics": ["psnr_rgb", "nss_of_set"]}}, "or name a paired test set"),
        ({"evaluate": {"metrics": ["psnr_rgb"]}}, "names nothing that measures them: add rmse_shrunk4_rgb"),
        ({"ingest": {"pairs": PAIRS}}, "has nothing that looks at its targets: add psnr_rgb"),
        ({"train": {"cycle": None, "content": [{"kind": "l1"}]}}, r"train\.cycle is not set"),
        ({"train": {"content": [{"kind": "l1"}]}}, "the content loss l1 looks at an input beside its own"),
        ({"train": {"validate_metrics": ["psnr_rgb"]}}, "names psnr_rgb, which needs a photo's own target"),
        ({"synthesize": {"max_side_px": 300}}, r"leave synthesize\.max_side_px out"),
    ],
)
def test_a_recipe_of_two_domains_that_needs_pairs_is_refused_when_it_is_read(
    change: dict[str, dict[str, object]], words: str, tmp_path: Path
) -> None:
    plain = unpaired_recipe()
    for section, settings in change.items():
        plain[section] |= settings  # type: ignore[operator]
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(RecipeError, match=words):
        recipes.load(str(path))
