"""Carry out a decision on the registry: aliases, then tags. Doing it twice is doing it once, so that
whoever comes next may finish what another began.
"""

from __future__ import annotations

from components.core.errors import BusyError
from components.core.parts import canonical_json
from components.registry import looks
from components.registry.decision import (
    DECISION,
    PROMOTED_AT,
    PROMOTED_FROM,
    PROVISIONAL,
    REASON,
    ROLLED_BACK,
    Decision,
)
from components.registry.history import last_done
from components.registry.turns import Turn
from components.services import tracking


def carry_out(turn: Turn, decision: Decision) -> None:
    """Write a decision into the ledger, then do it; a crash in between is finished by who comes next.

    Raises BusyError, with the champion as the ledger has it, when the turn was taken away meanwhile.
    """
    turn.decide(canonical_json(decision.model_dump(mode="json")), words_of(decision))
    _mark(decision)
    turn.need_open()  # as late as can be: what follows moves what serves
    _move(decision)
    _finish(decision)
    if (newer := last_done(turn.name, after=turn.number)) is not None:
        _move(newer)
        raise BusyError(
            f"decision {turn.number} about {decision.name} came too late: version {newer.version} was chosen"
            " meanwhile and serves; run the same command again"
        )


def finish(intent: str) -> None:
    """Carry out what a dead caller had written down."""
    decision = Decision.model_validate_json(intent)
    _mark(decision)
    _move(decision)
    _finish(decision)


def words_of(decision: Decision) -> str:
    """A decision as its row in the registry says it, at most 5000 characters."""
    return f"version {decision.version}: {decision.words}"[:5000]


def _mark(decision: Decision) -> None:
    """What must stand before an alias moves: the decision; that a version was taken out, so that whatever
    happens next no schedule brings it back.
    """
    if decision.action == "rollback":
        assert decision.against is not None, "a rollback takes a champion out"
        out = {ROLLED_BACK: "true", REASON: str(decision.reason), **_demotion(decision)}
        tracking.add_tags(decision.name, decision.against, out)
    else:
        if decision.look is not None and decision.against is not None:
            once = f"{decision.version} at {decision.about.get('at')}"
            looks.note(decision.name, decision.against, decision.look, once)
        text = canonical_json(decision.model_dump(mode="json"))
        tracking.add_tags(decision.name, decision.version, {DECISION: text})


def _move(decision: Decision) -> None:
    """Point `previous` to the old champion, then `champion` to the new one (the one step that
    counts), and read back.
    """
    if not decision.promoted:
        return
    if decision.against is not None:
        tracking.set_alias(decision.name, tracking.PREVIOUS, decision.against)
    tracking.set_alias(decision.name, tracking.CHAMPION, decision.version)
    now = tracking.at_alias(decision.name, tracking.CHAMPION)
    if now is None or now.number != decision.version:
        raise BusyError(
            f"the champion of {decision.name} is not version {decision.version}, which was just set: another"
            " writer is at work; find it and promote again"
        )


def _finish(decision: Decision) -> None:
    """Tags of a decision that was carried out."""
    if decision.action == "rollback":
        back = tracking.get_version(decision.name, decision.version)
        if back.tags.get(ROLLED_BACK) == "true":
            tracking.add_tags(decision.name, decision.version, {ROLLED_BACK: "false"})
        return
    status = "waiting" if decision.waits else "passed" if decision.promoted else "failed"
    tags = {tracking.STATUS: status, "gate.words": decision.words}
    if decision.promoted:
        before = "none" if decision.against is None else str(decision.against)
        tags |= {
            "promoted_by": str(decision.about["by"]),
            PROMOTED_FROM: before,
            PROMOTED_AT: str(decision.about["at"]),
            PROVISIONAL: str(decision.outcome == "provisional").lower(),
        }
        if decision.against is not None:
            tracking.add_tags(decision.name, decision.against, _demotion(decision))
    tracking.add_tags(decision.name, decision.version, tags)


def _demotion(decision: Decision) -> dict[str, str]:
    return {"demoted_at": str(decision.about["at"]), "demoted_by": str(decision.about["by"])}
