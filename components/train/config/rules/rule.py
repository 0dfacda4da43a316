"""What a rule is: which facts break it, what is said then, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from components.train.config.fields import TrainFields

Facts = dict[str, object]  # what goes into a rule's words, by name
Breaches = Iterator[Facts]


@dataclass(frozen=True)
class Rule:
    """One rule. `breaches` finds what breaks it; `words` and `remedy` say so, with the facts found in
    braces.
    """

    name: str
    breaches: Callable[[TrainFields], Breaches]
    words: str
    remedy: str
    joint: str = ": "  # what stands between the two

    def broken(self, config: TrainFields) -> Iterator[str]:
        """A sentence for each breach; none when the rule is kept."""
        for facts in self.breaches(config):
            yield (self.words + self.joint + self.remedy).format(**facts)
