"""The evaluate stage as a whole, from a checkpoint folder to report.json, sheets and a page that
needs nothing else.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from components.core.errors import LineageError
from components.core.images import read_rgb
from components.core.records import Checkpoint, EvalReport, PairSet
from components.evaluate.config import EvaluateConfig
from components.evaluate.report import render_html
from components.evaluate.run import run
from components.evaluate.tables import terminal_table


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no_weights"))


@pytest.fixture
def report(pairset: PairSet, untrained: Checkpoint, tmp_path: Path) -> EvalReport:
    return run(EvaluateConfig(), pairset, untrained, out=tmp_path / "report")


class Page(HTMLParser):
    """Collects what a browser would fetch (not places in the page itself), and whether tags close in
    order.
    """

    VOID = ("meta", "img", "br", "input", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [
            value or ""
            for name, value in attrs
            if name in ("src", "href", "srcset", "action", "data") and not (value or "").startswith("#")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"


def test_an_untrained_checkpoint_scores_as_doing_nothing(report: EvalReport) -> None:
    for metric in report.metrics:
        assert report.restored[metric] == pytest.approx(report.do_nothing[metric], abs=1e-6)


def test_the_report_can_be_read_back_and_names_its_parents(
    report: EvalReport, pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    again = EvalReport.load(tmp_path / "report")
    assert again == report
    assert again.digest == report.digest
    assert (again.pairset, again.checkpoint) == (pairset.digest, untrained.digest)
    assert [score.pair for score in again.scores()] == sorted(pair.id for pair in pairset.pairs("test"))
    assert again.about["foreign_pairs"] is False
    json.loads(
        (tmp_path / "report" / "report.json").read_text(),
        parse_constant=lambda name: pytest.fail(f"{name} is no JSON"),
    )


def test_all_outputs_are_there_and_nothing_else(report: EvalReport) -> None:
    found = sorted(
        str(path.relative_to(report.folder)) for path in report.folder.rglob("*") if path.is_file()
    )
    assert found == [
        "report.html",
        "report.json",
        "scores.jsonl",
        "sheets/best.png",
        "sheets/median.png",
        "sheets/worst.png",
    ]


def test_a_default_metric_that_cannot_be_measured_has_its_reason_in_the_report_alone(
    report: EvalReport,
) -> None:
    assert report.metrics == ("psnr_rgb", "ssim_gauss11_rgb")
    assert "AlexNet" in report.skipped["lpips_alex"]
    page = (report.folder / "report.html").read_text()
    assert "LPIPS, skipped" in page
    assert "LPIPS" not in terminal_table(report)


def test_the_page_fetches_nothing_and_runs_only_its_sliders(report: EvalReport) -> None:
    text = (report.folder / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.fetched) == 9  # three sheets, and two photos under each of three sliders
    assert all(value.startswith("data:image/") for value in page.fetched)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert "before-after" in script
    assert text.count('type="range"') == 3
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"\burl\(|@import", text)


def test_the_page_says_the_variants_the_digests_and_every_photo(report: EvalReport, pairset: PairSet) -> None:
    text = (report.folder / "report.html").read_text()
    for words in (
        "11×11 Gaussian window with sigma 1.5",
        "psnr_rgb",
        report.digest,
        report.checkpoint,
        report.pairset,
        "per megapixel",
        "prefers-color-scheme",
    ):
        assert words in text
    for pair in pairset.pairs("test"):
        assert pair.id in text


def test_names_from_outside_are_text_and_never_markup(report: EvalReport) -> None:
    scores = tuple(score.model_copy(update={"blur_kind": "<b onload=x>"}) for score in report.scores())
    page = render_html(report, scores, {})
    assert "<b onload" not in page
    assert "&lt;b onload" in page


def test_the_page_warns_of_nan_and_of_pairs_of_another_training(report: EvalReport) -> None:
    scores = report.scores()
    spoiled = (scores[0].model_copy(update={"finite": False}), *scores[1:])
    page = render_html(report.model_copy(update={"about": {"foreign_pairs": True}}), spoiled, {})
    assert "1 restored photo holds NaN" in page
    assert "Not the PairSet this checkpoint was trained on" in page


def test_the_page_of_one_photo_that_got_neither_better_nor_worse_can_be_drawn(report: EvalReport) -> None:
    page = render_html(report, report.scores()[:1], {})
    assert Page(page).open == []
    assert "nan" not in page.lower().replace("nan or infinity", "")


def test_no_picture_of_an_earlier_report_stays(
    report: EvalReport, pairset: PairSet, untrained: Checkpoint
) -> None:
    (report.folder / "sheets" / "clip.webm").touch()
    run(EvaluateConfig(sheets=("worst",)), pairset, untrained, out=report.folder)
    assert [path.name for path in (report.folder / "sheets").iterdir()] == ["worst.png"]


def test_an_evaluation_that_cannot_begin_leaves_the_report_that_is_there(
    report: EvalReport, pairset: PairSet, untrained: Checkpoint
) -> None:
    (pairset.folder / pairset.pairs("test")[0].input).write_bytes(b"altered")
    with pytest.raises(LineageError):
        run(EvaluateConfig(), pairset, untrained, out=report.folder)
    assert EvalReport.load(report.folder).scores() == report.scores()


def test_sheets_are_pictures_of_four_panels_that_show_the_photos(report: EvalReport) -> None:
    sheet = read_rgb(report.folder / "sheets" / "best.png")
    panels = [
        sheet[92 : 92 + 300, left : left + 384].astype(float)
        for left in range(12, sheet.shape[1] - 12, 384 + 12)
    ]
    assert len(panels) == 4
    assert np.abs(panels[0] - panels[1]).mean() < 1.0  # untrained: restored is blurred
    assert np.abs(panels[0] - panels[2]).mean() > 1.0
    assert panels[3].mean() < panels[2].mean()


def test_the_terminal_table_has_a_row_for_all_and_one_a_severity(report: EvalReport) -> None:
    lines = terminal_table(report).splitlines()
    assert lines[0].split() == [
        "pairs",
        "PSNR",
        "blurred",
        "PSNR",
        "restored",
        "PSNR",
        "gain",
        "SSIM",
        "blurred",
        "SSIM",
        "restored",
        "SSIM",
        "gain",
    ]
    assert [line.split()[0] for line in lines[2:6]] == ["all", "mild", "medium", "strong"]
    assert sum(int(line.split()[2]) for line in lines[3:6]) == 9
    assert max(map(len, lines[:6])) <= 110
    assert "0 of 9 pairs improved" in "\n".join(lines)


def test_two_runs_differ_in_their_seconds_only(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    def plain(name: str) -> tuple[dict[str, object], list[dict[str, object]], list[bytes]]:
        made = run(EvaluateConfig(), pairset, untrained, out=tmp_path / name)
        rows = [score.model_dump(exclude={"seconds"}) for score in made.scores()]
        pictures = [path.read_bytes() for path in sorted(made.folder.rglob("*.png"))]
        return made.model_dump(exclude={"seconds_per_megapixel", "table_sha256"}), rows, pictures

    assert plain("one") == plain("two")


def test_a_checkpoint_whose_weights_were_altered_is_refused_and_nothing_is_written(
    pairset: PairSet, untrained: Checkpoint, tmp_path: Path
) -> None:
    with (untrained.folder / Checkpoint.WEIGHTS).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(LineageError, match=r"generator\.safetensors"):
        run(EvaluateConfig(), pairset, untrained, out=tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_pairs_of_another_training_are_measured_and_said(
    make_pairs, untrained: Checkpoint, tmp_path: Path
) -> None:
    other = make_pairs("other", width=64)
    assert (
        run(EvaluateConfig(sheets=()), other, untrained, out=tmp_path / "report").about["foreign_pairs"]
        is True
    )


@pytest.mark.parametrize(
    ("input", "words"),
    [
        ({"metrics": ["psnr_rbg"]}, 'Did you mean "psnr_rgb"'),
        ({"metrics": ["ssim_gauss11_rgb"]}, "must hold psnr_rgb"),
        ({"metrics": ["psnr_rgb", "psnr_rgb"]}, "names something twice"),
        ({"metrics": []}, "at least 1"),
        ({"tile_px": 100}, "greater than or equal to 256"),
        ({"sheets": ["finest"]}, "'best', 'median' or 'worst'"),
        ({"tile": 512}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused_in_words(input: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EvaluateConfig.model_validate(input)
