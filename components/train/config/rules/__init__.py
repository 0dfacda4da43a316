"""What the parts of a training must agree on: a table of named rules, each with its words and its
remedy. The first that is broken is told when a recipe is read.
"""

from __future__ import annotations

from components.train.config.rules.average import AVERAGE
from components.train.config.rules.crops import CROPS
from components.train.config.rules.cycle import CYCLE
from components.train.config.rules.discriminators import DISCRIMINATORS
from components.train.config.rules.names import NAMES
from components.train.config.rules.rollback import ROLLBACK
from components.train.config.rules.video import VIDEO

RULES = (*CYCLE, *DISCRIMINATORS, *CROPS, *ROLLBACK, *AVERAGE, *VIDEO, *NAMES)

__all__ = ["RULES"]
