"""What was decided about a model, by whom and when: `refocus history NAME`. Read from the registry alone."""

from __future__ import annotations

from dataclasses import dataclass

from components.registry import turns
from components.registry.decision import Decision
from components.registry.lineage import need_name
from components.registry.reasons import one_line
from components.services.tracking import Version, ledger


@dataclass(frozen=True)
class Line:
    """One row of the history. state: done, decided (under way, or its caller died), waiting."""

    number: int
    state: str
    owner: str
    at: str
    decision: Decision | None

    @property
    def action(self) -> str:
        """What was done: promote, refuse or rollback."""
        if self.decision is None:
            return self.state
        refused = self.decision.action == "promote" and not self.decision.promoted
        return "refuse" if refused else self.decision.action

    def __str__(self) -> str:
        """One line, as the command prints it."""
        words = "" if self.decision is None else one_line(self.decision.words)
        state = "" if self.state == turns.DONE else f" ({self.state})"
        version = "-" if self.decision is None else str(self.decision.version)
        what = f"{self.number:>4}  {self.at:<24}  {self.action + state:<10}  {version:>4}"
        return f"{what}  {self.owner}  {words}"


def history(name: str) -> tuple[Line, ...]:
    """Every decision about a model, oldest first; calls that ended without one are left out. Raises
    InputError for what is no model's name.
    """
    need_name(name)
    lines = (_line(row) for row in ledger.rows(name))
    return tuple(line for line in lines if line.state != turns.DROPPED)


def last_done(name: str, *, after: int = 0) -> Decision | None:
    """The last decision that was carried out and moved the champion, None when there was none.

    after: only those with a larger number in the ledger.
    """
    for row in ledger.newest_rows(name):
        if row.number <= after:
            return None
        line = _line(row)
        if line.state == turns.DONE and line.decision is not None and line.decision.promoted:
            return line.decision
    return None


def _line(row: Version) -> Line:
    text = row.tags.get(turns.INTENT)
    decision = None if text is None else Decision.model_validate_json(text)
    at = str(decision.about.get("at", "")) if decision else row.tags.get(turns.SINCE, "")
    return Line(
        row.number, row.tags.get(turns.STATE, "unknown"), row.tags.get(turns.OWNER, "unknown"), at, decision
    )
