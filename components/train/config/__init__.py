"""What a recipe's `train` section may say, beside the kinds of losses (../adversarial, ../content)
and nets. Nothing here imports torch before something is built: recipes are read at once.
"""

from __future__ import annotations

from components.train.config.adam import Adam, AdamW, Optimizer
from components.train.config.augment import Augment
from components.train.config.cycle import Cycle
from components.train.config.discriminator_inputs import R1, DiffAugment, History, InstanceNoise
from components.train.config.gradients import Gradients
from components.train.config.health import Health, Rollback
from components.train.config.phase import EarlyStopping, Phase
from components.train.config.train_config import TrainConfig

__all__ = [
    "R1",
    "Adam",
    "AdamW",
    "Augment",
    "Cycle",
    "DiffAugment",
    "EarlyStopping",
    "Gradients",
    "Health",
    "History",
    "InstanceNoise",
    "Optimizer",
    "Phase",
    "Rollback",
    "TrainConfig",
]
