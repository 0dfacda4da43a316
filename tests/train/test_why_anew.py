"""A training that does not go on from one that was broken off says what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.train import why_anew

BEFORE = {"settings": "1", "pairs": "2", "code or libraries": "3", "device": "cpu"}
OLD, NEW = (f"demo-{number:020x}" for number in (1, 2))


def begun(storage: Path, name: str, rests_on: dict[str, str], state: str | None) -> None:
    why_anew.note(str(storage), "demo", name, rests_on)
    if state is not None:
        (storage / name / state).parent.mkdir(parents=True, exist_ok=True)
        (storage / name / state).write_bytes(b"a state")


@pytest.mark.parametrize("state", ["state-000000000008.pt", "checkpoint_2026/state.pt"])
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pairs": "9"}, "by its pairs"),
        ({"settings": "9", "code or libraries": "9"}, "by its settings, code or libraries"),
        ({"parent": "9"}, "by its parent"),
    ],
)
def test_what_differs_is_told(
    state: str, changed: dict[str, str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(tmp_path, OLD, BEFORE, state)
    begun(tmp_path, NEW, BEFORE | changed, None)
    said = capsys.readouterr().err
    assert said.startswith("train: demo begins anew: its training that was broken off (")
    assert said.strip().endswith(told)


@pytest.mark.parametrize("why", ["it ended", "it had no state", "another recipe's", "the new one has states"])
def test_nothing_is_told_where_nothing_is_lost(
    why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = f"demo_seed-{1:020x}" if why == "another recipe's" else OLD
    begun(tmp_path, old, BEFORE, None if why == "it had no state" else "state-000000000008.pt")
    if why == "it ended":
        why_anew.ended(str(tmp_path), OLD)
    if why == "the new one has states":
        (tmp_path / NEW).mkdir()
        (tmp_path / NEW / "state-000000000004.pt").write_bytes(b"a state")
    begun(tmp_path, NEW, BEFORE | {"pairs": "9"}, None)
    assert capsys.readouterr().err == ""
    assert (tmp_path / NEW / why_anew.FILE).is_file()
