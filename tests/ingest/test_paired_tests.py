"""A paired test set beside two domains: taken in apart from them, measured against its targets, judged by."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from ingest_photos import config_of, picture, write, write_many
from pair_sets import blurred, pair_at
from pydantic import ValidationError
from untrained_checkpoints import checkpoint_of

from components.core.errors import PhotoError
from components.core.images import to_uint8
from components.core.quarantine import Quarantine
from components.core.records import EvalReport, PairSet, PhotoScore, PhotoSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.measure import measure
from components.evaluate.run import run as evaluate
from components.evaluate.tables import terminal_table
from components.ingest.config import IngestConfig
from components.ingest.run import run
from components.metrics import METRICS
from components.nets.generators import UNet
from components.register.gate import GatePolicy, Measured, decide
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run as synthesize

DOMAINS = {"input": "blurred", "target": "sharp"}
PAIRS = {"kind": "two_folders", "input": "known/blur", "target": "known/sharp"}
NAMES = ("rmse_shrunk4_rgb", "psnr_rgb", "ssim_gauss11_rgb")
BETTER: Any = {name: metric.better for name, metric in METRICS.items()}
PRIMARY = GatePolicy(
    primary="psnr_rgb", margins={"rmse_shrunk4_rgb": 6.0}, class_margins={"rmse_shrunk4_rgb": 6.0}
)


def domains_and_pairs(folder: Path, *, pairs: int = 5, inputs: int = 6, targets: int = 6) -> IngestConfig:
    for seed in range(inputs):
        write(folder / f"blurred/{seed:03d}.png", blurred(picture(100 + seed)))
    write_many(folder / "sharp", targets)
    for seed in range(pairs):
        pair_at(folder / f"known/sharp/{seed}.png", folder / f"known/blur/{seed}.png", seed=200 + seed)
    return config_of(folder, domains=DOMAINS, pairs=PAIRS)


def left_out(folder: Path) -> dict[str, str]:
    found = Quarantine.model_validate_json((folder / "quarantine.json").read_bytes())
    return {one.name: one.reason for one in found.left_out}


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    place = tmp_path_factory.mktemp("tested")
    photos = run(domains_and_pairs(place / "in"), out=place / "photos")
    return synthesize(SynthesizeConfig(), photos, out=place / "pairs")


@pytest.fixture(scope="module")
def report(tested: PairSet, tmp_path_factory: pytest.TempPathFactory) -> EvalReport:
    """Of a generator that changes nothing."""
    place = tmp_path_factory.mktemp("report")
    checkpoint = checkpoint_of(UNet(width=4, depth=1), tested, place / "net")
    return evaluate(EvaluateConfig(metrics=NAMES), tested, checkpoint, out=place / "report")


def measured(tested: PairSet, names: tuple[str, ...] = NAMES, *, sharpened: float) -> tuple[PhotoScore, ...]:
    """Rows of an unsharp mask of that strength."""

    def restore(photo: Any) -> Any:
        return photo + sharpened * (photo - blurred(to_uint8(photo)).astype("float32") / 255)

    return measure(restore, tested, names)


def test_all_pairs_are_test_pairs_and_the_domains_are_what_they_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run(domains_and_pairs(tmp_path / "in"), out=tmp_path / "out").photos()
    pairs = [row for row in rows if row.inputs]
    assert {(row.split, row.domain, row.name.split("/")[0]) for row in pairs} == {("test", None, "known")}
    assert len(pairs) == 5
    assert "6 input, 6 target; no scene stands in both domains; 5 test pairs" in capsys.readouterr().err
    alone = tmp_path / "alone"
    without = domains_and_pairs(alone / "in", pairs=0).model_copy(update={"pairs": None})
    assert [row for row in rows if not row.inputs] == list(run(without, out=alone / "out").photos())
    for row in rows:
        assert all((tmp_path / "out" / file).is_file() for file in row.files)


def test_what_a_test_pair_shows_stands_in_no_domain(tmp_path: Path) -> None:
    config = domains_and_pairs(tmp_path / "in")
    write(tmp_path / "in/sharp/again.png", picture(200))
    write(tmp_path / "in/blurred/again.png", blurred(picture(201)))  # the bytes of known/blur/1.png
    rows = run(config, out=tmp_path / "out").photos()
    assert sum(bool(row.inputs) for row in rows) == 5
    reasons = left_out(tmp_path / "out")
    assert reasons["sharp/again.png"] == "near duplicate: of known/sharp/0.png, which is in a test pair"
    assert reasons["blurred/again.png"] == "near duplicate: of known/blur/1.png, which is in a test pair"
    assert not any("again" in row.name for row in rows)


def test_pairs_that_cannot_be_used_are_left_out_with_their_reason_and_none_at_all_is_refused(
    tmp_path: Path,
) -> None:
    config = domains_and_pairs(tmp_path / "in")
    write(tmp_path / "in/known/blur/other.png", picture(900))
    write(tmp_path / "in/known/sharp/other.png", picture(901))
    write(tmp_path / "in/known/blur/alone.png", picture(902))
    write(tmp_path / "in/elsewhere.png", picture(903))
    run(config, out=tmp_path / "out")
    reasons = left_out(tmp_path / "out")
    assert reasons["known/blur/other.png"].startswith("not alike: correlation")
    assert reasons["known/blur/alone.png"].startswith("unmatched: no sharp picture goes with it")
    assert reasons["elsewhere.png"].startswith("no domain: it lies in neither")
    config = domains_and_pairs(tmp_path / "none", pairs=0)
    with pytest.raises(PhotoError, match=r"no usable test pair at .*nothing lies there.*leave ingest\.pairs"):
        run(config, out=tmp_path / "out2")
    assert not (tmp_path / "out2" / PhotoSet.FILE).exists()


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"kind": "hide"}, "test set of photos in two folders more, got hide: set pairs to"),
        (PAIRS | {"clips": True}, "got two_folders with clips"),
        (PAIRS | {"input": "blurred/known"}, "'blurred/known' is not apart from the domain 'blurred'"),
        (PAIRS | {"target": "sharp"}, "'sharp' is not apart from the domain 'sharp'"),
    ],
)
def test_pairs_that_cannot_stand_beside_domains_are_refused(pairs: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        IngestConfig.model_validate({"photos": "x", "domains": DOMAINS, "pairs": pairs})


def test_test_pairs_have_targets_in_the_set_and_inputs_none(tested: PairSet) -> None:
    pairs = tested.pairs("test")
    assert sum(pair.paired for pair in pairs) == 5
    assert all((pair.input != pair.target) == pair.paired for pair in tested.pairs())
    assert not any(pair.paired for pair in (*tested.pairs("train"), *tested.pairs("val")))
    assert tested.unpaired is not None
    assert sum(tested.unpaired.targets.values()) == 6


def test_each_test_photo_has_the_metrics_that_say_something_of_it(report: EvalReport) -> None:
    for score in report.scores():
        assert set(score.restored) == ({"psnr_rgb", "ssim_gauss11_rgb"} if score.paired else {NAMES[0]})
    pairs = [score for score in report.scores() if score.paired]
    mean = math.fsum(score.do_nothing["psnr_rgb"] for score in pairs) / len(pairs)
    assert report.restored["psnr_rgb"] == pytest.approx(mean)
    assert report.restored["rmse_shrunk4_rgb"] == 0.0
    assert not report.paired


def test_the_report_shows_test_pairs_and_photos_without_a_target_apart(report: EvalReport) -> None:
    page, words = (report.folder / "report.html").read_text(), terminal_table(report)
    alone = sum(not score.paired for score in report.scores())
    told = f"{alone} of {alone + 5} test photos have no target"
    assert told in page
    assert told in words
    assert "Test photos without a target" in page
    assert "with 95 % over 5 groups" in page
    assert "0 of 5 pairs improved" in words
    assert f"0 of {alone} photos without a target improved" in words
    sheets = {path.stem for path in (report.folder / "sheets").iterdir()}
    assert sheets == {f"{place}{name}" for place in ("", "unpaired_") for name in ("best", "median", "worst")}


def test_a_gate_on_the_test_pairs_promotes_what_restores_them_and_says_what_it_cannot_know(
    tested: PairSet,
) -> None:
    sharper = Measured(scores=measured(tested, sharpened=0.8), seconds_per_megapixel=0.0)
    verdict = decide(PRIMARY, sharper, None, BETTER)
    assert verdict.passed, verdict.words
    alone = sum(not score.paired for score in sharper.scores)
    assert "psnr_rgb +" in verdict.words
    assert "over 5 groups) against doing nothing" in verdict.words
    assert f"added to test photos without a target ({alone}) was there, nobody knows" in verdict.words
    worse = Measured(scores=measured(tested, sharpened=-0.8), seconds_per_megapixel=0.0)
    assert "better than doing nothing: psnr_rgb" in [
        check.name for check in decide(PRIMARY, worse, None, BETTER).checks if not check.passed
    ]


def test_a_champion_is_measured_on_the_same_test_pairs(tested: PairSet) -> None:
    champion, rival = (
        Measured(scores=measured(tested, sharpened=strength), seconds_per_megapixel=0.0)
        for strength in (0.4, 0.8)
    )
    policy = PRIMARY.model_copy(update={"least_groups": 4})
    verdict = decide(policy, rival, champion, BETTER)
    checks = {check.name: check for check in verdict.checks}
    gains = [
        ours.restored["psnr_rgb"] - theirs.restored["psnr_rgb"]
        for ours, theirs in zip(rival.scores, champion.scores, strict=True)
        if ours.paired
    ]
    assert checks["better than the champion: psnr_rgb"].value == pytest.approx(sum(gains) / len(gains))
    assert "no worse than the champion: rmse_shrunk4_rgb" in checks
    assert verdict.look is not None
    assert len(verdict.look.groups) == 5, "the photos without a target are no look at the primary metric"
    only = Measured(scores=measured(tested, ("psnr_rgb",), sharpened=0.4), seconds_per_megapixel=0.0)
    assert all(score.paired for score in only.scores)


def test_other_test_pairs_are_another_set(tested: PairSet, tmp_path: Path) -> None:
    photos = run(domains_and_pairs(tmp_path / "in", pairs=4), out=tmp_path / "photos")
    other = synthesize(SynthesizeConfig(), photos, out=tmp_path / "pairs")
    assert other.digest != tested.digest
