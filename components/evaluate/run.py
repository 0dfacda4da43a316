"""The evaluate stage: checkpoint and test pairs in, EvalReport, sheets and HTML page out. Run by
`refocus evaluate RECIPE`.
"""

from __future__ import annotations

import functools
import platform
import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import JsonValue

from components.core.baseline import do_nothing, words_for
from components.core.files import write_bytes, write_text
from components.core.images import Bytes8, rgb_of, to_float, write_png
from components.core.levels import Pixels, at_bits, bits_of
from components.core.parts import digest_of
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoScore
from components.core.releases import NAME as RELEASES
from components.core.releases import releases
from components.core.windows import Windows, clips_of
from components.evaluate.clip import looped, shown_clip
from components.evaluate.config import EvaluateConfig
from components.evaluate.elsewhere import done_elsewhere, is_elsewhere
from components.evaluate.measure import Restore, as_saved, measure, read_pair, read_window
from components.evaluate.report import Compared, render_html
from components.evaluate.sets import WholeSet
from components.evaluate.sheets import draw_sheet, picked
from components.evaluate.summary import apart, seconds_per_megapixel, whole
from components.evaluate.unfit import counted
from components.metrics import METRICS, measurable, measurable_sets, of_frames
from components.nets.devices import device_for
from components.nets.precision import place_of
from components.nets.restore import Restorer, load_restorer
from components.services.content import reader_of

SHEETS = "sheets"
PAGE, CLIP = "report.html", "clip.webm"


def run(config: EvaluateConfig, pairset: PairSet, checkpoint: Checkpoint, *, out: Path) -> EvalReport:
    """Measure a checkpoint and doing nothing on the test pairs.

    Writes report.json, scores.jsonl, sheets/{best,median,worst}.png and report.html below `out`.
    The record is written last, so that a folder with a report.json is complete. On a cluster's node
    without a GPU another, which has one, does the work.
    Raises LineageError when the checkpoint's or a pair's file is not the one its record names,
    InputError when there is no test pair.
    """
    if is_elsewhere(config.gpu):
        names = (*config.metrics, *config.set_metrics)
        work = functools.partial(_files_of_report, config)
        folder = checkpoint.verify().folder
        made = done_elsewhere(work, pairset, folder, checkpoint.digest, names, config.gpu)
        if made is not None:
            _clear(out)
            for name, data in made[0].items():
                write_bytes(out / name, data)
            return EvalReport.load(out)
    return _here(config, pairset, checkpoint, out)


def _files_of_report(config: EvaluateConfig, pairset: PairSet, folder: Path) -> dict[str, bytes]:
    """All files of a report on a checkpoint's folder, the record last."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        _here(config, pairset, Checkpoint.load(folder), out)
        found = sorted(
            (path for path in out.rglob("*") if path.is_file()), key=lambda path: path.name == EvalReport.FILE
        )
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def _here(config: EvaluateConfig, pairset: PairSet, checkpoint: Checkpoint, out: Path) -> EvalReport:
    """The report, of this machine's device."""
    device = device_for(config.gpu, "evaluate.gpu")
    restorer = load_restorer(
        checkpoint.verify().folder, device=str(device), tile_px=config.tile_px, precision=config.precision
    )
    names, skipped = measurable(config.metrics)
    names, skipped = _of_clips(names, skipped, pairset)
    names, skipped = _of_targets(names, skipped, pairset)
    fewest = pairset.counts["test"]
    if pairset.unpaired is not None:
        alone = sum(not pair.paired for pair in pairset.pairs("test"))
        fewest = min(alone, pairset.unpaired.targets["test"])
    set_names, set_skipped = measurable_sets(config.set_metrics, fewest)
    together = WholeSet(set_names)
    scores = measure(
        restorer.restore, pairset, names, see=together.see, window=restorer.window, device=str(device)
    )
    for name in {row.target: row for row in pairset.targets("test")} if set_names else ():
        together.see_target(at_bits(rgb_of(reader_of(pairset).read(name), name), 8))
    total, (set_restored, set_do_nothing) = whole(counted(scores)), together.values()
    sheets, compared = draw_sheets(config, restorer.restore, pairset, scores, window=restorer.window)
    clip = _clip(restorer, pairset)
    _clear(out)  # all is measured and drawn: only now does an older report go
    report = EvalReport(
        about=_about(restorer, pairset, checkpoint),
        table_sha256=EvalReport.write_table(out, scores),
        checkpoint=checkpoint.digest,
        pairset=pairset.digest,
        config_digest=digest_of(config),
        task=pairset.task,
        baseline=pairset.baseline,
        metrics=names,
        skipped=skipped | set_skipped,
        restored=total.restored,
        do_nothing=total.do_nothing,
        set_restored=set_restored,
        set_do_nothing=set_do_nothing,
        seconds_per_megapixel=seconds_per_megapixel(scores),
        measured_on=place_of(device, config.precision),
        paired=pairset.unpaired is None,
    )
    for name, picture in sheets.items():
        write_png(out / SHEETS / f"{name}.png", picture)
    if clip is not None:
        write_bytes(out / SHEETS / CLIP, clip)
    write_text(out / PAGE, render_html(report, scores, sheets, compared, clip))
    return report.save(out)


def _clear(out: Path) -> None:
    """Take an earlier report away, its record first: its pictures are not this one's."""
    (out / EvalReport.FILE).unlink(missing_ok=True)
    shutil.rmtree(out / SHEETS, ignore_errors=True)


def _clip(restorer: Restorer, pairset: PairSet) -> bytes | None:
    """A test clip before and after, where there is one."""
    shown = shown_clip(pairset)
    if not shown:
        return None

    def restored(window: Pixels) -> Bytes8:
        return at_bits(as_saved(restorer.restore(to_float(window)), 8), 8)

    return looped(restored, lambda pairs: read_window(pairset, pairs), pairset, shown, restorer.window)


def _of_clips(
    names: tuple[str, ...], skipped: dict[str, str], pairset: PairSet
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Without clips nothing is measured between frames."""
    if any(len(clip) > 1 for clip in clips_of(pairset.pairs("test"))):
        return names, skipped
    why = "it compares neighbouring frames, and the test pairs are of single photos"
    timed = of_frames(names)
    return tuple(name for name in names if name not in timed), skipped | dict.fromkeys(timed, why)


def _of_targets(
    names: tuple[str, ...], skipped: dict[str, str], pairset: PairSet
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Without test pairs beside two domains nothing is measured against a target."""
    if pairset.unpaired is None or any(pair.paired for pair in pairset.pairs("test")):
        return names, skipped
    why = "it needs a photo's own target, and no test photo has one (ingest.pairs names a paired test set)"
    blind = dict.fromkeys((name for name in names if METRICS[name].needs_target), why)
    return tuple(name for name in names if name not in blind), skipped | blind


def draw_sheets(
    config: EvaluateConfig,
    restore: Restore,
    pairset: PairSet,
    scores: tuple[PhotoScore, ...],
    *,
    window: int = 1,
) -> tuple[dict[str, npt.NDArray[np.uint8]], dict[str, Compared]]:
    """Restore the chosen photos once more and lay them side by side, and input and restored one over
    the other: cheaper than to keep every restored photo. Of photos without a target beside test pairs the
    names begin with unpaired_.
    """
    words = words_for(pairset.task, pairset.baseline)
    pairs = {pair.id: pair for pair in pairset.pairs("test")}
    windows = Windows(pairs.values(), window)
    sheets: dict[str, npt.NDArray[np.uint8]] = {}
    compared: dict[str, Compared] = {}
    parts = apart(scores)
    chosen = [
        (f"unpaired_{name}" if place else name, score, f"{name} of {len(part)}")
        for place, part in enumerate(parts)
        for name, score in picked(counted(part), config.sheets).items()
    ]
    for name, score, title in chosen:
        small, target = read_pair(pairset, pairs[score.pair])
        frames = read_window(pairset, windows[pairs[score.pair]])
        restored = as_saved(restore(to_float(frames)), bits_of(target))
        input = small if words.input == "input" else do_nothing(pairset, small)
        pictures = Compared(at_bits(input, 8), at_bits(restored, 8))
        sheets[name] = draw_sheet(
            title,
            score,
            words,
            input=pictures.input,
            restored=pictures.restored,
            target=at_bits(target, 8) if score.paired else None,
            error_gain=config.error_gain,
        )
        compared[name] = pictures
    return sheets, compared


def _about(restorer: Restorer, pairset: PairSet, checkpoint: Checkpoint) -> dict[str, JsonValue]:
    """What people want to know beside the numbers: where the time was measured, and whether the
    photos are this checkpoint's own.
    """
    device = restorer.device
    return {
        "device": (
            torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
        ),
        "precision": restorer.precision,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        RELEASES: dict(releases()),
        "tile_px": restorer.tile_px,
        "scale": pairset.scale,
        "foreign_pairs": checkpoint.pairset != pairset.digest,
    }
