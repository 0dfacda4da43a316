"""How near a restored photo is to its target: named variants, because "PSNR" and "SSIM" alone
are not numbers one can compare.

A metric is a function per photo: (N, 3, H, W) floats in [0, 1] twice -> (N,) float64. Means over
photos add across workers. A metric of sets (FID, KID) compares all photos made with all photos
wanted and has no value per photo. On the shared GoPro pairs the Y channel reads 1.3 to 1.5 dB above
RGB, and SSIM moves by up to 0.03 with its window and border; therefore a metric's name carries its
variant, and `words` spells it out for the report. This module does not import torch, so that
recipes can name metrics cheaply.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from components.core.errors import InputError, nearest
from components.metrics.faithfulness import SHRUNK, rmse_shrunk4_rgb
from components.metrics.lpips import FILES as LPIPS_FILES
from components.metrics.lpips import SMALLEST_PX as LPIPS_PX
from components.metrics.lpips import lpips_alex, lpips_missing
from components.metrics.luma import BORDER_PX, psnr_y_crop4, ssim_y_crop4
from components.metrics.natural_scenes import SMALLEST_PX as NSS_PX
from components.metrics.natural_scenes import nss_of_set, unfitted
from components.metrics.psnr import psnr_rgb
from components.metrics.set_kinds import SET_METRICS
from components.metrics.sets import FEWEST, frechet_distance, kernel_distance
from components.metrics.shown import Metric, SetMetric, Shown
from components.metrics.ssim import WINDOW_PX, ssim_gauss11_rgb
from components.metrics.temporal import SMALLEST_PX as TEMPORAL_PX
from components.metrics.temporal import of_frames_alone, tof_dis, warping_error_dis

PRIMARY = "psnr_rgb"


def primary_of(names: Collection[str]) -> str:
    """The metric by which pictures are put in order: PSNR, or the first of a set without pairs.

    >>> primary_of(("lpips_alex", "psnr_rgb")), primary_of(("nss_of_set", "rmse_shrunk4_rgb"))
    ('psnr_rgb', 'nss_of_set')
    """
    return PRIMARY if PRIMARY in names else next(iter(names))


_ALL = (
    Metric(
        name="psnr_rgb",
        title="PSNR",
        better="higher",
        unit="dB",
        digits=2,
        words=(
            "peak signal-to-noise ratio over the three RGB channels together, 8-bit photos, data range 255,"
            " no border cut; identical photos (infinite) are kept as 100 dB"
        ),
        function=psnr_rgb,
        ceiling=100.0,
    ),
    Metric(
        name="ssim_gauss11_rgb",
        title="SSIM",
        better="higher",
        unit="",
        digits=4,
        words=(
            "structural similarity (Wang et al. 2004), 11×11 Gaussian window with sigma 1.5, windows wholly"
            " inside the photo, biased covariance, mean over the RGB channels, 8-bit photos"
        ),
        function=ssim_gauss11_rgb,
        smallest_px=WINDOW_PX,
    ),
    Metric(
        name="lpips_alex",
        title="LPIPS",
        better="lower",
        unit="",
        digits=4,
        words=(
            "learned perceptual distance (Zhang et al. 2018), version 0.1, AlexNet with its linear layer,"
            " whole photo, mean over positions"
        ),
        function=lpips_alex,
        smallest_px=LPIPS_PX,
        missing=lpips_missing,
        weights=LPIPS_FILES,
    ),
    Metric(
        name="psnr_y_crop4",
        title="PSNR-Y",
        better="higher",
        unit="dB",
        digits=2,
        words=(
            "peak signal-to-noise ratio of brightness alone, super-resolution's convention: Y of BT.601 as"
            " MATLAB's rgb2ycbcr (16 to 235, rounded), 4 px cut at each border, data range 255; identical"
            " photos (infinite) are kept as 100 dB"
        ),
        function=psnr_y_crop4,
        smallest_px=2 * BORDER_PX + 1,
        ceiling=100.0,
    ),
    Metric(
        name="ssim_y_crop4",
        title="SSIM-Y",
        better="higher",
        unit="",
        digits=4,
        words=(
            "structural similarity (Wang et al. 2004) of brightness alone, super-resolution's convention: Y"
            " of BT.601 as MATLAB's rgb2ycbcr (16 to 235, rounded), 4 px cut at each border, 11×11 Gaussian"
            " window with sigma 1.5 wholly inside, data range 255"
        ),
        function=ssim_y_crop4,
        smallest_px=2 * BORDER_PX + WINDOW_PX,
    ),
    Metric(
        name="rmse_shrunk4_rgb",
        title="change",
        better="lower",
        unit="levels",
        digits=2,
        words=(
            "root mean square difference of both photos shrunk 4 times by averaging, in levels of 255 (5 are"
            " 34 dB): where there is no target, how far the restored photo strays from its own input in what"
            " blur leaves alone"
        ),
        function=rmse_shrunk4_rgb,
        smallest_px=SHRUNK,
        needs_target=False,
    ),
    Metric(
        name="nss_of_set",
        title="NSS of the set",
        better="lower",
        unit="",
        digits=2,
        words=(
            "distance of a photo's natural-scene statistics from those of the set's own sharp training photos"
            " (the method of Mittal et al. 2013, 96 px patches at two scales, fitted anew): not the published"
            " NIQE, and comparable within one set alone; looks at no target"
        ),
        function=unfitted,
        smallest_px=NSS_PX,
        needs_target=False,
        fit=nss_of_set,
    ),
    Metric(
        name="warping_error_dis",
        title="warping error",
        better="lower",
        unit="levels",
        digits=2,
        words=(
            "temporal consistency (Lai et al. 2018): RMS difference, in levels of 255, of a frame from the"
            " one before it moved along the sharp video's flow (DIS, medium), px of doubtful flow weighed"
            " down by exp(-50 d²); the first frame of a clip beside the second"
        ),
        function=of_frames_alone,
        over_time=warping_error_dis,
        smallest_px=TEMPORAL_PX,
    ),
    Metric(
        name="tof_dis",
        title="tOF",
        better="lower",
        unit="px",
        digits=3,
        words=(
            "motion (Chu et al. 2020, TecoGAN): mean length of the difference between the restored and the"
            " sharp video's flow (DIS, medium) from a frame to the next; the first frame of a clip beside"
            " the second"
        ),
        function=of_frames_alone,
        over_time=tof_dis,
        smallest_px=TEMPORAL_PX,
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metric_named(name: str) -> Metric:
    """The metric of that name. Raises InputError, pointing to the nearest, when there is none."""
    if name not in METRICS:
        other = (
            f" {name} is measured on whole sets: name it in evaluate.set_metrics."
            if name in SET_METRICS
            else nearest(name, METRICS)
        )
        raise InputError(f'no metric is called "{name}"; there are {", ".join(METRICS)}.{other}')
    return METRICS[name]


def set_metric_named(name: str) -> SetMetric:
    """The metric of whole sets of that name. Raises InputError, pointing to the nearest, when there
    is none.
    """
    if name not in SET_METRICS:
        raise InputError(
            f'no metric of whole sets is called "{name}"; there are'
            f" {', '.join(SET_METRICS)}.{nearest(name, SET_METRICS)}"
        )
    return SET_METRICS[name]


def any_metric(name: str) -> Shown:
    """A metric of photos or of sets, by its name, to show its values. Raises InputError when there
    is none.
    """
    return SET_METRICS[name] if name in SET_METRICS else metric_named(name)


def measurable(names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Split metric names into those that can be measured on this machine and {name: why not and the
    remedy}.
    """
    skipped = {name: reason for name in names if (reason := metric_named(name).missing()) is not None}
    return tuple(name for name in names if name not in skipped), skipped


def of_frames(names: Sequence[str]) -> tuple[str, ...]:
    """Those metrics that compare neighbouring frames."""
    return tuple(name for name in names if METRICS[name].over_time is not None)


def measurable_sets(names: Sequence[str], photos: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """The same of metrics of whole sets, for a set of so many photos: a single one has no spread."""
    few = (
        f"needs at least {FEWEST} test photos, there is {photos}; give more photos, or a larger test share"
        if photos < FEWEST
        else None
    )
    skipped = {
        name: reason for name in names if (reason := set_metric_named(name).missing() or few) is not None
    }
    return tuple(name for name in names if name not in skipped), skipped


__all__ = [
    "METRICS",
    "PRIMARY",
    "SET_METRICS",
    "Metric",
    "SetMetric",
    "Shown",
    "any_metric",
    "frechet_distance",
    "kernel_distance",
    "lpips_alex",
    "lpips_missing",
    "measurable",
    "measurable_sets",
    "metric_named",
    "of_frames",
    "primary_of",
    "psnr_rgb",
    "psnr_y_crop4",
    "set_metric_named",
    "ssim_gauss11_rgb",
    "ssim_y_crop4",
]
