"""Tables and figure of the ablation: means and spreads over seeds, steps from arm to arm, every
photo, and crops to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from real_sets import ScoredPair

from components.core.images import Bytes8

# (group/name, top, left) of the crops in the figure, chosen before any result was seen: text,
# edges, foliage, shake of two strengths.
SHOWN = (
    ("gopro/campus", 300, 500),
    ("gopro/flower", 260, 520),
    ("gopro/istanbul", 280, 560),
    ("gopro/park_path", 300, 500),
)
SHOWN_GREY = (
    ("levin/im1_kernel1", 40, 40),
    ("levin_srgb/im1_kernel1", 40, 40),
    ("levin_srgb/im2_kernel3", 40, 40),
)
CROP_PX = 176

Scores = Mapping[str, tuple[float, float]]  # group/name to PSNR and SSIM


@dataclass(frozen=True)
class Run:
    """One training of one arm: how long it took, and its scores."""

    arm: str
    seed: int
    seconds: float
    scores: Scores


def report(head: str, words: Mapping[str, str], runs: Sequence[Run], nothing: Scores) -> str:
    """All tables as Markdown. words: what each arm is."""
    groups = list(dict.fromkeys(name.split("/")[0] for name in nothing))
    seconds = fmean(run.seconds for run in runs)
    seeds = sorted({run.seed for run in runs})
    lines = [f"{head}; seeds {', '.join(map(str, seeds))}; {seconds:.0f} s a training.", ""]
    lines += [
        (
            f"± is the standard deviation over {len(seeds)}"
            f" seeds{' (one seed has none)' if len(seeds) == 1 else ''}."
        ),
        "",
    ]
    for group in groups:
        lines += _table(group, words, runs, nothing)
    lines += [
        "## PSNR in dB, every real photo",
        "",
        f"| photo | nothing | {' | '.join(words)} |",
        f"|---|---:|{'---:|' * len(words)}",
    ]
    for name, (psnr, _) in nothing.items():
        if not name.startswith("synthetic"):
            cells = " | ".join(
                spread([run.scores[name][0] for run in runs if run.arm == arm], 2) for arm in words
            )
            lines.append(f"| {name} | {psnr:.2f} | {cells} |")
    return "\n".join(lines) + "\n"


def _table(group: str, words: Mapping[str, str], runs: Sequence[Run], nothing: Scores) -> list[str]:
    """Means of one set over its photos, and the step from each arm to the next, seed by seed."""
    mine = [name for name in nothing if name.startswith(f"{group}/")]

    def mean(scores: Scores, which: int) -> float:
        return fmean(scores[name][which] for name in mine)

    lines = [
        f"## {group}: {len(mine)} photos",
        "",
        "| arm | PSNR | gain | step from the arm above | SSIM | gain |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    base = [mean(nothing, 0), mean(nothing, 1)]
    lines.append(f"| nothing | {base[0]:.2f} | | | {base[1]:.4f} | |")
    above: dict[int, float] = {}
    for arm, word in words.items():
        psnr, ssim = (
            {run.seed: mean(run.scores, which) for run in runs if run.arm == arm} for which in (0, 1)
        )
        step = [value - above[seed] for seed, value in psnr.items() if seed in above]
        gains = [
            spread([value - base[which] for value in values], 4 if which else 2, signed=True)
            for which, values in enumerate((psnr.values(), ssim.values()))
        ]
        cells = [
            spread(psnr.values(), 2),
            gains[0],
            spread(step, 2, signed=True) if step else "",
            spread(ssim.values(), 4),
            gains[1],
        ]
        lines.append(f"| {arm}: {word} | {' | '.join(cells)} |")
        above = psnr
    return [*lines, ""]


def spread(values: Iterable[float], digits: int, *, signed: bool = False) -> str:
    """Mean and standard deviation as people read them; the mean alone of a single value.

    >>> spread([1.0, 2.0, 3.0], 1, signed=True), spread([2.0], 2)
    ('+2.0 ± 1.0', '2.00')
    """
    numbers = list(values)
    middle = f"{fmean(numbers):{'+' if signed else ''}.{digits}f}"
    return middle if len(numbers) < 2 else f"{middle} ± {stdev(numbers):.{digits}f}"


def crops(path: Path, made: Sequence[tuple[ScoredPair, Sequence[Bytes8]]], names: Sequence[str]) -> None:
    """A row a crop: blurred, each arm, sharp."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    by_name = {f"{pair.group}/{pair.name}": (pair, results) for pair, results in made}
    places = [place for place in (*SHOWN, *SHOWN_GREY) if place[0] in by_name] or [
        (name, 0, 0) for name in by_name
    ]
    heads = ["blurred", *names, "target"]
    figure, axes = plt.subplots(
        len(places), len(heads), figsize=(2.4 * len(heads), 2.55 * len(places)), squeeze=False
    )
    for number, (row, (name, top, left)) in enumerate(zip(axes, places, strict=True)):
        pair, results = by_name[name]
        for cell, head, photo in zip(row, heads, (pair.input, *results, pair.target), strict=True):
            cell.imshow(photo[top : top + CROP_PX, left : left + CROP_PX], interpolation="nearest")
            cell.set_title(head if number == 0 else "", fontsize=8)
            cell.set_xticks([])
            cell.set_yticks([])
        row[0].set_ylabel(name, fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
