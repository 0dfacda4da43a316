"""The metrics of whole sets: what each is called, measures, and is weak in."""

from __future__ import annotations

from components.metrics.inception import FILES as INCEPTION_FILES
from components.metrics.inception import inception_features, inception_missing
from components.metrics.sets import frechet_distance, kernel_distance
from components.metrics.shown import SetMetric

_INCEPTION = (
    "between 2048 features of InceptionV3 (weights of 2015, torch-fidelity's port; whole photos resized to"
    " 299 × 299 px without antialiasing) of the photos made and of those wanted; every test pair counts once"
)
_SETS = (
    SetMetric(
        name="fid_inception",
        title="FID",
        better="lower",
        unit="",
        digits=2,
        words=f"Fréchet distance (Heusel et al. 2017) {_INCEPTION}",
        missing=inception_missing,
        weights=INCEPTION_FILES,
        features=inception_features,
        function=frechet_distance,
        weakness=(
            "biased upward, the more the fewer photos: below 2048 the covariances are singular. Comparable"
            " only with values over the same photos"
        ),
    ),
    SetMetric(
        name="kid_inception",
        title="KID",
        better="lower",
        unit="",
        digits=4,
        words=(
            "kernel distance (Bińkowski et al. 2018), unbiased squared MMD with the cubic kernel over the"
            f" whole set, {_INCEPTION}"
        ),
        missing=inception_missing,
        weights=INCEPTION_FILES,
        features=inception_features,
        function=kernel_distance,
        weakness=(
            "unbiased, but scatters widely over few photos and may fall below zero. Several pairs of one"
            " photo bias it upward"
        ),
    ),
)
SET_METRICS: dict[str, SetMetric] = {metric.name: metric for metric in _SETS}
