"""A whole chain of records, small and made from numbers: eight test photos, two training photos, an
untrained little U-Net.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from components.core.files import sha256_of_file
from components.core.images import write_png
from components.core.parts import digest_of
from components.core.records import (
    Checkpoint,
    EvalReport,
    Pair,
    PairSet,
    Photo,
    PhotoScore,
    PhotoSet,
    Provenance,
    RecipeRecord,
)
from components.core.seeds import stream
from components.nets.generators import UNet
from components.nets.restore import save_generator

METRIC, OTHER = "psnr_rgb", "ssim_gauss11_rgb"
GIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Chain:
    recipe: RecipeRecord
    photoset: PhotoSet
    pairset: PairSet
    checkpoint: Checkpoint
    report: EvalReport
    provenance: Provenance


def score(
    pair: str,
    gain: float,
    *,
    kind: str = "mild",
    psnr: float = 24.0,
    ssim: float = 0.8,
    finite: bool = True,
    low: float = 0.0,
    high: float = 1.0,
) -> PhotoScore:
    """One row: `gain` dB better than doing nothing, and a hundredth of it in SSIM."""
    return PhotoScore(
        pair=pair,
        blur_kind="random_trajectory",
        severity=2.0,
        severity_class=kind,
        restored={METRIC: psnr + gain, OTHER: ssim + gain / 100},
        do_nothing={METRIC: psnr, OTHER: ssim},
        output_min=low,
        output_max=high,
        finite=finite,
        seconds=0.1,
        megapixels=0.01,
    )


def _photos(root: Path) -> PhotoSet:
    rows = tuple(
        Photo(
            id=digest_of(index),
            file=f"photos/{index}.png",
            name=f"{index}.png",
            size_bytes=10,
            width=64,
            height=48,
            channels=3,
            bits=8,
            split="test" if index < 8 else "train",
            group=digest_of(index),
            origin="made from numbers" if index else None,
            licence="CC0" if index else None,
        )
        for index in range(10)
    )
    return PhotoSet(
        counts={"train": 2, "val": 0, "test": 8}, table_sha256=PhotoSet.write_table(root, rows)
    ).save(root)


def _pairs(root: Path, photoset: PhotoSet, settings: dict[str, object]) -> PairSet:
    rows = []
    for photo in photoset.photos():
        name = f"{photo.id[:16]}-00"
        target = stream(photo.id).integers(0, 256, size=(48, 64, 3)).astype(np.uint8)
        blurred = ((target.astype(np.uint16) + np.roll(target, 1, axis=1)) // 2).astype(np.uint8)
        paths = {"input": f"{photo.split}/input/{name}.png", "target": f"{photo.split}/target/{name}.png"}
        for kind, picture in (("input", blurred), ("target", target)):
            (root / paths[kind]).parent.mkdir(parents=True, exist_ok=True)
            write_png(root / paths[kind], picture)
        digests = {f"{kind}_sha256": sha256_of_file(root / path) for kind, path in paths.items()}
        rows.append(
            Pair(
                id=name,
                split=photo.split,
                photo=photo.id,
                width=64,
                height=48,
                blur_kind="random_trajectory",
                drawn={},
                severity=2.0,
                severity_class="mild",
                seed=1,
                **paths,
                **digests,
            )
        )
    rows.sort(key=lambda row: row.id)
    settings = {key: value for key, value in settings.items() if key != "workers"}
    table = PairSet.write_table(root, tuple(rows))
    return PairSet(
        photoset=photoset.digest,
        config_digest=digest_of(settings),
        counts=photoset.counts,
        table_sha256=table,
    ).save(root)


def report_of(root: Path, pairset: PairSet, checkpoint: Checkpoint, gain: float) -> EvalReport:
    """A report in which every test photo is `gain` dB better than left alone."""
    rows = tuple(score(pair.id, gain) for pair in pairset.pairs("test"))
    table = EvalReport.write_table(root, rows)
    means = {
        "restored": {METRIC: 24.0 + gain, OTHER: 0.8 + gain / 100},
        "do_nothing": {METRIC: 24.0, OTHER: 0.8},
    }
    return EvalReport(
        checkpoint=checkpoint.digest,
        pairset=pairset.digest,
        config_digest="e" * 64,
        metrics=(METRIC, OTHER),
        skipped={"lpips_alex": "its weights are not here"},
        seconds_per_megapixel=0.5,
        table_sha256=table,
        **means,
    ).save(root)


def make_chain(root: Path, *, seed: int = 1, gain: float = 1.0, about: dict[str, str] | None = None) -> Chain:
    """Write photos, pairs, checkpoint and report below `root`; another seed gives another
    checkpoint on the same pairs.
    """
    settings: dict[str, object] = {"seed": 0, "workers": 2}
    recipe = RecipeRecord(
        name="tiny",
        sections={
            "synthesize": dict(settings),
            "train": {"seed": seed},
            "evaluate": {},
            "register": {"name": "tiny"},
        },
    )
    photoset = _photos(root / "photos")
    pairset = _pairs(root / "pairs", photoset, settings)
    net = UNet(width=4, depth=1, widest=4)
    weights = net.build(seed=seed).state_dict()
    # An untrained U-Net changes nothing; a nudge to its last layer makes it somebody.
    weights = {
        name: tensor + 0.01 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed))
        for name, tensor in weights.items()
    }
    weights_sha256, generator_sha256 = save_generator(root / "checkpoint", net, weights)
    checkpoint = Checkpoint(
        pairset=pairset.digest,
        config_digest=recipe.section_digest("train"),
        code_digest="c" * 64,
        weights_sha256=weights_sha256,
        generator_sha256=generator_sha256,
        images_seen=800,
        about=dict(about or {}),
    ).save(root / "checkpoint")
    report = report_of(root / "report", pairset, checkpoint, gain)
    (root / "photos" / "quarantine.json").write_text("[]\n")
    (root / "report" / "report.html").write_text("<p>figures</p>\n")
    (root / "dvc.lock").write_text("schema: '2.0'\n")
    provenance = Provenance(git_commit=GIT, dvc={"photos": "a" * 32 + ".dir", "pairs": "b" * 32 + ".dir"})
    return Chain(recipe, photoset, pairset, checkpoint, report, provenance)
