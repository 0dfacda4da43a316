"""The progress bar tells share, speed and time left."""

from __future__ import annotations

import io
import time

import pytest

from components.core.progress import RELAYED, Progress, tracked


def test_the_line_tells_share_count_speed_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = Progress("synthesize", 480, unit="photos", stream=io.StringIO())
    now[0] += 10
    bar.advance(120)
    assert bar.line() == "synthesize [######------------------]  25% 120/480 photos 12.0 photos/s 0:30 left"
    now[0] += 30
    bar.advance(360)
    assert bar.line() == "synthesize [########################] 100% 480/480 photos 12.0 photos/s took 0:40"


def test_a_resumed_run_counts_its_speed_from_where_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = Progress("train", 1000, done=900, stream=io.StringIO())
    now[0] = 10.0
    bar.advance(50)
    assert "950/1000 images 5.0 images/s 0:10 left" in bar.line()


@pytest.mark.parametrize(("relayed", "after_one_s"), [("", ""), ("1", "\r")])
def test_a_log_gets_a_line_now_and_then_a_relay_gets_carriage_returns(
    monkeypatch: pytest.MonkeyPatch, relayed: str, after_one_s: str
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setenv(RELAYED, relayed)
    stream = io.StringIO()
    with Progress("train", 3, stream=stream) as bar:
        now[0] = 1.0
        bar.advance(1)
        assert stream.getvalue()[-1:] == after_one_s
        now[0] = 12.0
        bar.advance(1)
        assert stream.getvalue().count("train") == (2 if relayed else 1)
    assert stream.getvalue().endswith("\n")


def test_a_log_says_once_that_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.delenv(RELAYED, raising=False)
    stream = io.StringIO()
    with Progress("synthesize", 2, stream=stream) as bar:
        for now[0] in (20.0, 40.0):
            bar.advance(1)
    assert [line.count("100%") for line in stream.getvalue().splitlines()] == [0, 1]


def test_what_came_before_the_work_counts_neither_in_the_speed_nor_as_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    before = Progress.worked_s
    with Progress("train", 100, stream=io.StringIO()) as bar:
        now[0] = 30.0  # workers are starting
        bar.begin(40)
        now[0] = 40.0
        bar.advance(20)
        now[0] = 45.0  # workers are ending
        assert "60/100 images 1.3 images/s" in bar.line()
    assert Progress.worked_s - before == 10.0


def test_nothing_is_announced_as_done_when_it_failed() -> None:
    stream = io.StringIO()

    def failing() -> None:
        with Progress("train", 2, stream=stream):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        failing()
    assert stream.getvalue() == ""


def test_tracking_gives_every_item_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked(iter("abc"), "ingest", 3, "photos")) == ["a", "b", "c"]
    assert "3/3 photos" in capsys.readouterr().err


def test_nothing_to_do_is_wholly_done() -> None:
    assert "100% 0/0" in Progress("ingest", 0, stream=io.StringIO()).line()
