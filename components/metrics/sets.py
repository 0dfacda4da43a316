"""How alike two sets of photos are, as sets: distances between clouds of features. Nothing here
knows where features come from.

Both compare what was made with what should have been made without asking which photo belongs to
which, so they see what a mean over photos cannot (a set in which everything is a little blurred),
and miss what it can (the right photo in the wrong place).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from components.core.errors import InputError

Features = npt.NDArray[np.float64]  # (photos, features)
FEWEST = 2  # a spread needs two


def frechet_distance(made: Features, wanted: Features) -> float:
    """The Fréchet distance between two Gaussians fitted to the sets: |m1 - m2|² + tr(C1 + C2 - 2
    (C1 C2)^½); 0 for equal sets.

    made, wanted: (photos, features), at least two photos each. Covariances are the unbiased ones (n
    - 1).
    Raises InputError for other shapes, fewer photos, NaN or infinity.
    Source: Dowson & Landau 1982; Heusel et al., "GANs Trained by a Two Time-Scale Update Rule",
    NeurIPS 2017, eq. 6.

    With C = AᵀA the last trace is the sum of the singular values of A1 A2ᵀ (the eigenvalues of C1
    C2 are their squares). That needs no root of a singular matrix, which goes astray by whole units
    where there are fewer photos than features.
    """
    made, wanted = _checked(made, wanted)
    offset = made.mean(0) - wanted.mean(0)
    first, second = _root(made), _root(wanted)
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    distance = offset @ offset + np.sum(first**2) + np.sum(second**2) - 2.0 * shared
    return max(float(distance), 0.0)


def kernel_distance(made: Features, wanted: Features) -> float:
    """The squared maximum mean discrepancy under the kernel (x·y / d + 1)³, unbiased: around 0 for
    sets of one kind, also below.

    made, wanted: (photos, d), at least two photos each. Over the whole sets, not over drawn
    subsets, so that nothing is random.
    Raises InputError for other shapes, fewer photos, NaN or infinity.
    Source: Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, eq. 3; Bińkowski et al.,
    "Demystifying MMD GANs", ICLR 2018, section 4.
    """
    made, wanted = _checked(made, wanted)
    return float(
        _mean_without_diagonal(made) + _mean_without_diagonal(wanted) - 2.0 * _kernel(made, wanted).mean()
    )


def _kernel(x: Features, y: Features) -> Features:
    return np.asarray((x @ y.T / x.shape[1] + 1.0) ** 3)


def _mean_without_diagonal(x: Features) -> float:
    values = _kernel(x, x)
    return float((values.sum() - np.trace(values)) / (len(x) * (len(x) - 1)))


def _root(features: Features) -> Features:
    """A matrix A with AᵀA the covariance, with no more rows than there are photos or features."""
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(features) > features.shape[1] else centred


def _checked(*sets: npt.NDArray[Any]) -> tuple[Features, ...]:
    if any(each.ndim != 2 for each in sets) or sets[0].shape[1] != sets[1].shape[1]:
        raise InputError(
            "two sets of features are (photos, features) with as many features, got"
            f" {' and '.join(str(each.shape) for each in sets)}"
        )
    if min(len(each) for each in sets) < FEWEST:
        raise InputError(
            f"a set needs at least {FEWEST} photos, got {' and '.join(str(len(each)) for each in sets)}; give"
            " more test photos"
        )
    if not all(np.isfinite(each).all() for each in sets):
        raise InputError(
            "features must be finite, and some are NaN or infinite; replace such pixels before measuring"
        )
    return tuple(np.asarray(each, np.float64) for each in sets)
