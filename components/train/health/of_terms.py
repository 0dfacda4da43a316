"""What the step's own terms tell of a training's health."""

from __future__ import annotations

import math
from collections.abc import Mapping


def health_of_terms(terms: Mapping[str, float]) -> dict[str, float]:
    """The indicators that the step's own terms tell; absent where their terms are, as in a phase
    without discriminators.

    terms: as the step names them (discriminator_0/accuracy_real, generator/l1_weighted, …), read as
    numbers.
    health/discriminator_accuracy: mean over the discriminators and over real and restored, 0 to 1.
    health/gradient_norm: the largest of all nets'. health/adversarial_share: sizes of the weighted
    adversarial terms over those of all, 0 to 1.
    """
    values: dict[str, float] = {}
    accuracies = [
        value for name, value in terms.items() if name.endswith(("/accuracy_real", "/accuracy_restored"))
    ]
    if accuracies:
        values["health/discriminator_accuracy"] = sum(accuracies) / len(accuracies)
    norms = [value for name, value in terms.items() if name.endswith("/gradient_norm")]
    if norms:
        values["health/gradient_norm"] = math.nan if any(math.isnan(norm) for norm in norms) else max(norms)
    sizes = {
        name: abs(value)
        for name, value in terms.items()
        if name.startswith("generator/") and name.endswith("_weighted")
    }
    adversarial = [size for name, size in sizes.items() if name.startswith("generator/adversarial_")]
    if adversarial:
        whole = sum(sizes.values())
        values["health/adversarial_share"] = sum(adversarial) / whole if whole else 0.0
    return values
