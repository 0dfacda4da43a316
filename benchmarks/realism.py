"""How near made blur comes to real blur, by its statistics: python benchmarks/realism.py --data DIR
--out DIR [--recipes NAME ...] [--draws 4] [--kinds].

DIR holds gopro_pairs, levin09_part, real_blur_no_sharp and bsds500. From the sharp photos of each
set (of BSDS500 for the set that has none) blurred ones are made by every arm of the ablation, by
the recipes named and, with --kinds, by every kind of blur at its defaults, and compared with the
set's real blurred photos. Yardstick: the sharp photos as they are. Floor: the real photos, one half
against the other, scenes and all. Levin's kernels are known: there the true blur is taken too, and
then only what the camera does is left to differ. Writes OUT/realism.md and OUT/curves.png; a minute
or two on a quiet core, twice that with --kinds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from ablation import ARMS, photos, synthesis
from picture_statistics import (
    TILE_PX,
    Statistics,
    gradient_distance,
    mean_of,
    spectrum_distance,
    statistics_of,
)
from real_sets import ScoredPair, gopro, levin, levin_srgb, read
from realism_curves import REAL, YARDSTICK, draw

from components import recipes
from components.atlas.draws import kinds_of_blur
from components.core.files import write_text
from components.core.images import Bytes8, linear_of
from components.core.seeds import seed_of
from components.optics.blurs import NoBlur
from components.optics.blurs.drawn_blur import Kernel
from components.optics.camera import Camera
from components.optics.degradation import Degradation, plans
from components.optics.light import lit
from components.synthesize.config import SynthesizeConfig

BSDS_PHOTOS = 24
FLOOR = "real, one half against the other"


@dataclass(frozen=True)
class RealSet:
    """Real blurred photos, and sharp ones to make others from."""

    name: str
    blurred: tuple[Bytes8, ...]
    target: tuple[tuple[str, Bytes8], ...]


def sets(data: Path) -> list[RealSet]:
    """The real sets."""
    no_sharp = tuple(read(file) for file in sorted((data / "real_blur_no_sharp").glob("*.png")))
    bsds = tuple((file.stem, read(file)) for file in photos(data, "val")[-BSDS_PHOTOS:])
    return [
        *(
            _with_target(name, pairs)
            for name, pairs in (
                ("gopro", gopro(data)),
                ("levin", levin(data)),
                ("levin_srgb", levin_srgb(data)),
            )
        ),
        RealSet("no_sharp", no_sharp, bsds),
    ]


def _with_target(name: str, pairs: Sequence[ScoredPair]) -> RealSet:
    target = {pair.target.tobytes(): (pair.name, pair.target) for pair in pairs}
    return RealSet(name, tuple(pair.input for pair in pairs), tuple(target.values()))


def made(degradation: Degradation, target: Sequence[tuple[str, Bytes8]], draws: int) -> list[Bytes8]:
    """Blurred photos, `draws` of each sharp one; the same draws whatever the camera."""
    found = []
    for name, photo in target:
        light = _light(photo, linear=degradation.camera.linear_light)
        found += [
            plan.blurred(light)
            for plan in plans(degradation, [seed_of("realism", name, index) for index in range(draws)])
        ]
    return [np.asarray(each, np.uint8) for each in found if min(each.shape[:2]) >= TILE_PX]


def by_true_kernels(data: Path, pairs: Sequence[ScoredPair], camera: Camera) -> list[Bytes8]:
    """Levin's sharp photos with the kernels that were measured, and a camera."""
    found = []
    for pair in pairs:
        shot = camera.shot(seed_of("realism", pair.name))
        light = shot.recovered(_light(pair.target, linear=shot.linear_light))
        found.append(np.asarray(shot.picture(true_kernel(data, pair).apply(light)), np.uint8))
    return found


def true_kernel(data: Path, pair: ScoredPair) -> Kernel:
    """The kernel of one of Levin's photos."""
    taps = read(data / "levin09_part" / "kernel" / f"{pair.name.split('_')[1]}.png")[:, :, 0].astype(
        np.float32
    )
    taps = np.pad(taps, [(0, 1 - side % 2) for side in taps.shape])
    return Kernel(taps / taps.sum())


def _light(photo: Bytes8, *, linear: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Values to blur; a grey photo has one channel, so that its noise is grey."""
    pixels = photo[:, :, 0] if (photo == photo[:, :, :1]).all() else photo
    return lit(pixels, linear=linear)


def degradations(names: Sequence[str], *, kinds: bool) -> dict[str, Degradation]:
    """Everything that is compared: the ablation's arms, recipes, and each kind of blur with the
    camera of arm c.
    """
    found = {f"arm {arm}: {words}": synthesis(arm, 1).degradation for arm, (words, _) in ARMS.items()}
    found |= {f"recipe {name}": recipes.load(name).synthesize.degradation for name in names}
    for kind in kinds_of_blur() if kinds else ():
        if kind is not NoBlur:
            found[f"kind {kind().kind}"] = SynthesizeConfig.model_validate(
                {"blurs": [{"kind": kind().kind}], "camera": {"jpeg": None}}
            ).degradation
    return found


def table(
    title: str, real: Statistics, floor: tuple[Statistics, Statistics], rows: Mapping[str, Statistics]
) -> list[str]:
    """A set's rows: how far each is from the real photos, and what it is like."""
    head = (
        "| | gradients apart | spectrum apart | kurtosis | steep % | slope | fine % | noise | clipped % |"
        " anisotropy |"
    )
    lines = [f"## {title}", "", head, "|---|" + "---:|" * 9]

    def row(name: str, one: Statistics, apart: tuple[Statistics, Statistics] | None) -> str:
        distances = (
            ["", ""]
            if apart is None
            else [f"{distance(*apart):.3f}" for distance in (gradient_distance, spectrum_distance)]
        )
        values = [
            f"{one.kurtosis:.1f}",
            f"{100 * one.steep:.2f}",
            f"{one.slope:.2f}",
            f"{100 * one.fine:.2f}",
        ]
        values += [f"{one.noise:.2f}", f"{100 * one.clipped:.2f}", f"{one.anisotropy:.2f}"]
        return f"| {name} | {' | '.join([*distances, *values])} |"

    lines += [row(REAL, real, None), row(FLOOR, mean_of(floor), floor)]
    lines += [row(name, found, (found, real)) for name, found in rows.items()]
    arms = {name: found for name, found in rows.items() if name.startswith("arm")}
    near = [
        min(arms, key=lambda name: distance(arms[name], real))
        for distance in (gradient_distance, spectrum_distance)
    ]
    return [*lines, "", f"Nearest arm by gradients: {near[0]}; by spectrum: {near[1]}.", ""]


def summary(sets_of_arms: Mapping[str, Mapping[str, Statistics]]) -> list[str]:
    """Every arm's distance from the real photos as a share of the sharp photos' own: 1 is doing
    nothing, 0 the same statistics.
    """
    names = list(
        dict.fromkeys(
            name for found in sets_of_arms.values() for name in found if name not in (REAL, YARDSTICK)
        )
    )
    lines = [
        "## Distance from the real photos, by gradients / by spectrum, the sharp photos' own being 1",
        "",
    ]
    lines += [f"| | {' | '.join(sets_of_arms)} |", f"|---|{'---:|' * len(sets_of_arms)}"]
    for name in names:
        cells = []
        for found in sets_of_arms.values():
            shares = [
                distance(found[name], found[REAL]) / distance(found[YARDSTICK], found[REAL])
                for distance in (gradient_distance, spectrum_distance)
            ]
            cells.append(" / ".join(f"{share:.2f}" for share in shares))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def averaged_in(data: Path) -> list[str]:
    """In which values the blur of the real sets was averaged: those keep their mean, and in those
    the true kernels fit.
    """
    lines = [
        "## In which values was the blur averaged?",
        "",
        "A blur keeps the mean of what it averages, but for what crosses the border.",
        "",
    ]
    lines += [
        "| photo | mean of stored values, blurred / sharp | of linear light, by the sRGB curve |",
        "|---|---:|---:|",
    ]
    for pair in gopro(data):
        ratios = [
            of(pair.input).mean(dtype=np.float64) / of(pair.target).mean(dtype=np.float64)
            for of in (np.asarray, linear_of)
        ]
        lines.append(f"| {pair.group}/{pair.name} | {ratios[0]:.4f} | {ratios[1]:.4f} |")
    lines += [
        "",
        "Levin's sharp photos with the measured kernels, against the blurred ones: PSNR in dB, best shift.",
        "",
    ]
    lines += [
        "| photo | kernel applied to stored values | to linear light, by the sRGB curve |",
        "|---|---:|---:|",
    ]
    cameras = [Camera(linear_light=linear, noise=None, jpeg=None) for linear in (False, True)]
    by_values = [by_true_kernels(data, levin(data), camera) for camera in cameras]
    for place, pair in enumerate(levin(data)):
        fits = [replace(pair, target=pair.input).scores(photos[place])[0] for photos in by_values]
        lines.append(f"| {pair.group}/{pair.name} | {fits[0]:.2f} | {fits[1]:.2f} |")
    return [*lines, ""]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--recipes", nargs="*", default=["demo", "deblurgan"])
    parser.add_argument("--draws", type=int, default=4, help="blurred photos from each sharp one")
    parser.add_argument("--kinds", action="store_true", help="also every kind of blur at its defaults")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    compared = degradations(arguments.recipes, kinds=arguments.kinds)
    lines, panels = averaged_in(arguments.data), {}

    def compare(
        title: str, real_set: RealSet, make: Callable[[Degradation], list[Bytes8]], names: Sequence[str]
    ) -> None:
        each = [statistics_of(photo) for photo in real_set.blurred]
        rows = {YARDSTICK: mean_of([statistics_of(photo) for _, photo in real_set.target])}
        rows |= {name: mean_of([statistics_of(photo) for photo in make(compared[name])]) for name in names}
        lines.extend(table(title, mean_of(each), (mean_of(each[::2]), mean_of(each[1::2])), rows))
        panels[title] = {
            REAL: mean_of(each),
            **{name: found for name, found in rows.items() if name == YARDSTICK or name.startswith("arm")},
        }
        print(f"{title} done", flush=True)

    def with_true_kernels(pairs: Sequence[ScoredPair]) -> Callable[[Degradation], list[Bytes8]]:
        return lambda degradation: by_true_kernels(arguments.data, pairs, degradation.camera)

    true = {"levin": levin(arguments.data), "levin_srgb": levin_srgb(arguments.data)}
    for real_set in sets(arguments.data):
        compare(
            real_set.name,
            real_set,
            partial(made, target=real_set.target, draws=arguments.draws),
            list(compared),
        )
        if real_set.name in true:
            arms = [name for name in compared if name.startswith("arm")]
            compare(
                f"{real_set.name}, true kernels",
                real_set,
                with_true_kernels(true[real_set.name]),
                arms,
            )
    text = "\n".join([*summary(panels), *lines])
    write_text(arguments.out / "realism.md", text)
    draw(arguments.out / "curves.png", panels)
    print(text)


if __name__ == "__main__":
    main()
