"""Models side by side: on what they share and nothing else, with intervals, and what differs told."""

from __future__ import annotations

from pathlib import Path

import pytest
from chain import METRIC, Chain, make_chain, report_of, score

from components.compare.contenders import Contender
from components.compare.on_pairs import measured_on, pictures
from components.compare.page import lines, render_page
from components.compare.side_by_side import compare, settings_that_differ
from components.core.errors import LineageError
from components.core.records import PhotoScore


def contender(
    name: str, chain: Chain, scores: tuple[PhotoScore, ...] | None = None, **other: object
) -> Contender:
    """A model whose rows are those of a chain's report, or given ones."""
    return Contender(
        name=name,
        recipe=chain.recipe.model_copy(update={"sections": {**chain.recipe.sections, **other}}),
        checkpoint=chain.checkpoint,
        report=chain.report,
        scores=scores or chain.report.scores(),
        seen=frozenset(photo.id for photo in chain.photoset.photos() if photo.split == "train"),
        commit="0" * 40,
        version=None,
        weights=chain.checkpoint.folder,
    )


def rows(gains: list[float], **named: object) -> tuple[PhotoScore, ...]:
    """A row a pair, each of a photo of its own."""
    return tuple(score(f"{index:016x}-00", gain, **named) for index, gain in enumerate(gains))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("chain"))


def compared(chain: Chain, *scores: tuple[PhotoScore, ...]):  # type: ignore[no-untyped-def]
    found = [contender(f"m:{index}", chain, each) for index, each in enumerate(scores, 1)]
    return compare(found, [each.scores for each in found])


def test_a_gain_over_the_first_has_students_interval_over_groups(chain: Chain) -> None:
    # Differences 0.1, 0.2, 0.3, 0.4, 0.5: mean 0.3, standard error 0.0707, t(4) at 95 % 2.776.
    found = compared(chain, rows([1.0] * 5), rows([1.1, 1.2, 1.3, 1.4, 1.5]))
    line = found.lines[0]
    assert (line.metric, line.nothing, line.beside[0]) == (METRIC, pytest.approx(24.0), None)
    assert line.values == pytest.approx((25.0, 25.3))
    beside = line.beside[1]
    assert beside is not None
    assert (beside.mean, beside.low, beside.high) == pytest.approx((0.3, 0.1037, 0.4963), abs=1e-4)
    text = "\n".join(lines(found))
    assert "+0.30 dB (+0.10 to +0.50)" in text
    assert "5 test pairs of 5 groups" in text


def test_of_several_each_interval_is_wider_so_that_all_hold_at_once(chain: Chain) -> None:
    better = rows([1.1, 1.2, 1.3, 1.4, 1.5])
    two, three = compared(chain, rows([1.0] * 5), better), compared(chain, rows([1.0] * 5), better, better)
    assert three.confidence == pytest.approx(0.975)
    assert three.lines[0].beside[1].low < two.lines[0].beside[1].low
    assert three.lines[0].beside[1].mean == pytest.approx(two.lines[0].beside[1].mean)


def test_only_shared_pairs_that_were_given_alike_count_and_it_is_told(chain: Chain) -> None:
    first, second = rows([1.0] * 8), rows([1.5] * 10)
    other_blur = (score(f"{0:016x}-00", 1.5, psnr=30.0), *second[1:])
    found = compared(chain, first, other_blur)
    assert len(found.pairs) == 7
    assert (
        "compared on the 7 test pairs that all share; not counted: m:1 1 of 8, m:2 3 of 10" in found.remarks
    )


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (
            tuple(score(f"{index + 50:016x}-00", 1.0) for index in range(4)),
            r"other test pairs \(5, 4 of them",
        ),
        (rows([1.0] * 5, psnr=30.0), "none in common and given alike"),
    ],
)
def test_different_test_sets_are_refused_with_the_remedy(
    chain: Chain, theirs: tuple[PhotoScore, ...], words: str
) -> None:
    with pytest.raises(LineageError, match=words + r".*--on RECIPE"):
        compared(chain, rows([1.0] * 5), theirs)


def test_figures_of_two_devices_are_refused(chain: Chain) -> None:
    one, two = contender("a", chain), contender("b", chain)
    there = two.report.model_copy(update={"measured_on": "NVIDIA H100, IEEE float32"})
    here = one.report.model_copy(update={"measured_on": "CPU, IEEE float32"})
    pair = [
        Contender(**{**vars(one), "report": here}),
        Contender(**{**vars(two), "report": there, "scores": one.scores}),
    ]
    with pytest.raises(LineageError, match=r"different devices \(a on CPU.*; b on NVIDIA H100.*--on RECIPE"):
        compare(pair, [each.scores for each in pair])


def test_settings_that_differ_are_listed_and_no_others(chain: Chain) -> None:
    found = [
        contender("a", chain, train={"seed": 1, "lr": 0.1}),
        contender("b", chain, train={"seed": 1, "lr": 0.2}),
    ]
    settings = dict(compare(found, [each.scores for each in found]).settings)
    assert settings == {"train.lr": ("0.1", "0.2")}


@pytest.mark.parametrize(
    ("computed", "torch", "told"),
    [
        ({"device": "NVIDIA H200", "precision": "fp32"}, "2.14.1", {"trained on": "NVIDIA H200, fp32"}),
        ({"device": "CPU (x86_64)", "precision": "fp32"}, "2.11.0", {"torch of the report": "2.11"}),
        (
            {"device": "CPU (x86_64)", "precision": "fp32", "deterministic": True},
            "2.14.1",
            {"trained on": "CPU (x86_64), fp32, deterministic"},
        ),
        (None, "2.14.1", {"trained on": "not recorded"}),
    ],
)
def test_what_figures_were_made_with_is_told_where_it_differs(
    computed: dict[str, object] | None, torch: str, told: dict[str, str], chain: Chain
) -> None:
    def made_with(computed: dict[str, object] | None, torch: str) -> Contender:
        one = contender("a", chain)
        checkpoint = one.checkpoint.model_copy(update={"about": {"computed": computed} if computed else {}})
        report = one.report.model_copy(update={"about": {"torch": torch}})
        return Contender(**{**vars(one), "checkpoint": checkpoint, "report": report})

    first = made_with({"device": "CPU (x86_64)", "precision": "fp32", "deterministic": False}, "2.14.1")
    found = settings_that_differ([first, made_with(computed, torch)])
    assert {name: values[1] for name, values in found} == told


def test_measured_anew_on_pairs_none_was_trained_on_with_pictures_and_a_page_of_its_own(
    chain: Chain, tmp_path: Path
) -> None:
    other = make_chain(tmp_path / "other", seed=2)
    test = chain.pairset.pairs("test")
    pair = [contender("a", chain), contender("b", other)]
    pair[1] = Contender(**{**vars(pair[1]), "seen": pair[1].seen | {test[0].photo}})
    scores, remarks = measured_on(pair, chain.pairset)
    found = compare(pair, scores, remarks)
    assert len(found.pairs) == len(test) - 1
    assert any("1 of its 8 test pairs are left out: one of them was trained on" in words for words in remarks)
    sheets = pictures(found, chain.pairset)
    assert list(sheets) == ["gains most", "median", "gains least"]
    page = render_page(found, sheets, None)
    assert page.count("data:image/jpeg;base64,") == 3
    assert 'src="http' not in page
    assert "<svg" in page


def test_nothing_is_measured_where_all_pairs_were_trained_on(chain: Chain) -> None:
    pair = [contender("a", chain), contender("b", chain)]
    seen = frozenset(row.photo for row in chain.pairset.pairs("test"))
    pair[1] = Contender(**{**vars(pair[1]), "seen": seen})
    with pytest.raises(LineageError, match="one of them was trained on"):
        measured_on(pair, chain.pairset)


def test_reports_of_one_set_need_no_measuring(chain: Chain, tmp_path: Path) -> None:
    better = report_of(tmp_path / "better", chain.pairset, chain.checkpoint, 1.5)
    found = [contender("a", chain), contender("b", chain, better.scores())]
    done = compare(found, [each.scores for each in found])
    assert done.lines[0].beside[1].mean == pytest.approx(0.5)
    assert done.groups == 8
