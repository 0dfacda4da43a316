"""One decision about a version, and what the registry holds of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field, ValidationError

from components.core.record import Record
from components.register.gate import Check
from components.registry.actor import owner
from components.registry.looks import CountedLook
from components.services import tracking

DECISION, ROLLED_BACK, REASON, PROMOTED_FROM, PROMOTED_AT, PROVISIONAL = (
    "refocus.decision",
    "rolled_back",
    "rollback.reason",
    "promoted_from",
    "promoted_at",
    "provisional",
)


# `ask`: the gate says yes and a person is asked; `approve`, `reject`: the answer; `lapse`: none came in time,
# or another champion did.
Action = Literal["promote", "rollback", "ask", "approve", "reject", "lapse"]


class Decision(Record):
    """What was decided about one version, against which champion, and why. `about` says when, by
    whom, and whether it is news.
    """

    FILE = "decision.json"
    name: str
    version: int
    promoted: bool
    action: Action = "promote"
    reason: str | None = Field(None, description="why a person took the champion out, approved or rejected")
    expires_at: str | None = Field(None, description="of an ask: until when a person may answer, UTC")
    against: int | None = Field(description="the champion it was compared with; None when none served")
    words: str
    checks: tuple[Check, ...] = ()
    outcome: str = Field("", description="the gate's: promoted, provisional, refused, not proved; else empty")
    look: CountedLook | None = Field(None, description="the look at the test set that this decision was")
    champion_figures: dict[str, float] = Field(
        default_factory=dict, description="means of the champion's metrics on the same pairs"
    )
    question: str = Field(description="digest of what was asked: gate, report, pairs")

    @property
    def unchanged(self) -> bool:
        """True when this was decided before and nothing has changed since."""
        return self.about.get("unchanged") is True

    @property
    def waits(self) -> bool:
        """True when a person is asked, whether or not there is still time."""
        return self.action == "ask"

    @property
    def told(self) -> str:
        """The words; with their date where they were measured before: "no champion serves yet" was
        true then.
        """
        earlier = self.unchanged and (self.checks or self.action != "promote")
        return (
            f"decided at {self.about.get('at', 'an unknown time')}, and nothing has changed since:"
            f" {self.words}"
            if earlier
            else self.words
        )

    def again(self) -> Decision:
        """The same decision, marked as no news."""
        return self.model_copy(update={"about": {**self.about, "unchanged": True}})


def decision_on(
    candidate: tracking.Version,
    champion: tracking.Version | None,
    promoted: bool,
    words: str,
    question: str,
    checks: tuple[Check, ...] = (),
    *,
    action: Action = "promote",
    reason: str | None = None,
    by: str | None = None,
) -> Decision:
    """A decision made now, by this process, or by the person `by`. reason: a person's."""
    against = champion.number if champion else None
    about = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "by": by or owner()}
    return Decision(
        name=candidate.name,
        version=candidate.number,
        promoted=promoted,
        against=against,
        words=words,
        checks=checks,
        question=question,
        action=action,
        reason=reason,
        about={**about},
    )


def recorded_on(version: tracking.Version) -> Decision | None:
    """What was decided about a version last, as its tag has it."""
    text = version.tags.get(DECISION)
    try:
        return None if text is None else Decision.model_validate_json(text)
    except ValidationError:
        return None  # written by another version of this program: decide anew
