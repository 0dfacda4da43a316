"""The recipe's `train` section: its fields, whose parts agree."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from components.core.parts import digest_of
from components.train.config.arithmetic import Arithmetic
from components.train.config.fields import TrainFields
from components.train.config.health import OF_DISCRIMINATORS
from components.train.config.loading import Loading
from components.train.config.rules import RULES
from components.train.config.rules.discriminators import NEED_DISCRIMINATORS

# Fields that a training without an adversarial phase leaves at their defaults.
OF_THE_GAN = ("discriminators", "adversarial", *NEED_DISCRIMINATORS)


class TrainConfig(Arithmetic, Loading, TrainFields):
    """Everything training depends on."""

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for rule in RULES:
            for sentence in rule.broken(self):
                raise ValueError(sentence)
        if self.finetune:
            self.from_known()
        return self

    def from_known(self) -> Self:
        """The same training when it starts from a known model. Raises ValueError where the phases of
        finetune do not fit the rest.
        """
        if not self.finetune:
            return self
        plain = self.model_dump(mode="json", exclude={"phases", "finetune"})
        if not any(phase.adversarial for phase in self.finetune):
            plain = {name: value for name, value in plain.items() if name not in OF_THE_GAN}
            if self.rollback is not None:
                on = [name for name in self.rollback.on if name not in OF_DISCRIMINATORS]
                plain["rollback"] |= {"on": on}
        return type(self).model_validate(
            plain | {"phases": [phase.model_dump(mode="json") for phase in self.finetune]}
        )

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
                    "keep_decoded_gb",
                    "state_every_s",
                    "gpu",
                    "synthesize_on",
                    "max_left_out",
                    "start",  # what it comes to is in the training's key
                },
            )
        )
