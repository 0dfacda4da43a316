"""The recipe's `train` section: its fields, whose parts agree."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from components.core.parts import digest_of
from components.train.config.fields import TrainFields
from components.train.config.rules import RULES


class TrainConfig(TrainFields):
    """Everything training depends on."""

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for rule in RULES:
            for sentence in rule.broken(self):
                raise ValueError(sentence)
        return self

    def key_digest(self) -> str:
        """Digest of the settings but for where and how safely it runs: the same training on more
        workers or a GPU is the same training.
        """
        return digest_of(
            self.model_dump(
                mode="json",
                exclude={
                    "workers",
                    "worker_cpus",
                    "placement",
                    "retries",
                    "loader_processes",
                    "gpu",
                    "synthesize_on",
                    "max_left_out",
                },
            )
        )
