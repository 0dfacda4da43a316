"""Decisions about a model have one order, whoever decides and wherever; one that was cut short at any
point is finished or dropped by the next caller, and the same command twice is the same as once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from chain import Chain
from house import BareHouse
from processes import wait_for

from components.core.errors import BusyError
from components.registry import enact, looks, turns
from components.registry.decision import Decision
from components.registry.history import history
from components.registry.rollback import rollback
from components.services import tracking
from components.services.tracking import ledger, registry
from components.services.tracking import store as door

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
MOVE = "set_registered_model_alias"
Act = tuple[str, Any]  # ("promote", number) or ("rollback", reason)
CHANGES = (
    "create_registered_model",
    "create_model_version",
    "update_model_version",
    "set_registered_model_alias",
    "set_model_version_tag",
    "set_registered_model_tag",
)
STILL = ("refocus.beat", "refocus.process", "refocus.since", "refocus.finished_by", "refocus.owner")
TIMES = ("promoted_at", "demoted_at", ledger.OPEN)


@pytest.fixture(scope="session")
def processes() -> Any:
    """Processes that start in no time: their parent has imported everything, and has no connection."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["mlflow", "components.registry.promotion", "components.registry.rollback"]
    )
    return context


def act(home: str, uri: str, model: BareHouse, what: Act, kill_at: str | None, told: Any) -> None:
    """One command in a process of its own; killed outright before it calls `kill_at`."""
    os.environ.update(REFOCUS_HOME=home, MLFLOW_TRACKING_URI=uri)
    if kill_at is not None:
        setattr(door.mlflow().MlflowClient, kill_at, lambda *a, **b: os.kill(os.getpid(), signal.SIGKILL))
    try:
        decision = do(model, what)
    except Exception as error:
        told.put((what, f"{type(error).__name__}: {error}"))
        raise SystemExit(2) from error
    told.put((what, decision.promoted))


def do(model: BareHouse, what: Act) -> Decision:
    return model.promote(what[1]) if what[0] == "promote" else rollback(model.name, what[1])


class Killed(BaseException):
    """Stands for a process that is gone: nothing that it would still do reaches the registry."""


def done_before_change(number: int, model: BareHouse, what: Act) -> bool:
    """Do it as a process that dies before its `number`-th change of the registry; whether it came to
    its end.
    """
    count = 0
    client = door.mlflow().MlflowClient

    def until_then(change: Callable[..., Any]) -> Callable[..., Any]:
        def do_or_die(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count >= number:
                raise Killed
            return change(*given, **named)

        return do_or_die

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_process", lambda: f"{turns._place()} pid 1 0.00")  # not when this one began
        for name in CHANGES:
            patch.setattr(client, name, until_then(getattr(client, name)))
        try:
            do(model, what)
        except Killed:
            return False
    return True


def state_of(model: BareHouse) -> dict[str, Any]:
    """All that a model's decisions leave in the registry, but for times, owners and dropped calls."""
    versions = {
        version.number: {
            key: text for key, text in version.tags.items() if key not in (*TIMES, "refocus.decision")
        }
        for version in tracking.newest_versions(model.name)
    }
    decided = [
        (line.state, line.action, line.decision.version, line.decision.against)
        for line in history(model.name)
        if line.decision
    ]
    aliases = {alias: model.alias(alias) for alias in ("champion", "previous")}
    counted = {
        key: {**json.loads(text), "last": "a time"}
        for key, text in tracking.model_tags(model.name).items()
        if key.startswith(looks.PREFIX)
    }
    return {"aliases": aliases, "decided": decided, "versions": versions, "looks": counted}


CASES: dict[str, tuple[list[float], list[int], Act]] = {
    "a first champion": ([1.0], [], ("promote", 1)),
    "a better one": ([1.0, 1.5], [1], ("promote", 2)),
    "a refusal": ([1.5, 1.0], [1], ("promote", 2)),
    "a rollback": ([1.0, 1.5, 2.0], [1, 2, 3], ("rollback", "colours shift")),
}


@pytest.mark.parametrize("name", CASES)
def test_cut_short_before_any_change_and_run_again_it_is_as_if_never_cut(
    name: str, store: Path, chain: Chain, tmp_path: Path
) -> None:
    whole = house_of(name, "whole", chain, tmp_path)
    do(whole, CASES[name][2])
    points = 0
    while not done_before_change(
        points + 1, model := house_of(name, f"cut-{points}", chain, tmp_path), CASES[name][2]
    ):
        points += 1
        do(model, CASES[name][2])
        assert state_of(model) == state_of(whole), f"cut before change {points}"
        assert ledger.rows(model.name, only_open=True) == ()
    assert points >= 10


@pytest.mark.parametrize("name", ["a better one", "a rollback"])
def test_killed_outright_as_the_alias_moves_and_run_again_it_is_as_if_never_killed(
    name: str, store: Path, chain: Chain, tmp_path: Path, processes: Any
) -> None:
    whole, model = (house_of(name, place, chain, tmp_path) for place in ("lived", "killed"))
    do(whole, CASES[name][2])
    told = processes.Queue()
    words = (str(store), tracking.tracking_uri(), model, CASES[name][2], "set_registered_model_alias")
    process = processes.Process(target=act, args=(*words, told))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert [line.state for line in history(model.name)][-1] == "decided"
    do(model, CASES[name][2])
    assert state_of(model) == state_of(whole)


def house_of(name: str, place: str, chain: Chain, root: Path) -> BareHouse:
    gains, before, _ = CASES[name]
    made = BareHouse(f"{name.replace(' ', '-')}-{place}", chain, gains, root)
    for number in before:
        made.promote(number)
    return made


def test_the_same_rollback_given_again_moves_nothing(store: Path, chain: Chain, tmp_path: Path) -> None:
    model = BareHouse("rolled-back-twice", chain, [1.0, 1.5, 2.0], tmp_path)
    for number in (1, 2, 3):
        model.promote(number)
    first, again = rollback(model.name, "halos"), rollback(model.name, " halos ")
    assert (first.version, again.version, again.unchanged) == (2, 2, True)
    assert again.told.startswith("decided at ")
    assert model.alias("champion") == 2
    assert model.audit() == ["promote", "promote", "promote", "rollback"]


SECOND_CHECKOUT = """
import pickle, sys
from test_turns import act
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import components
assert Path(components.__file__).is_relative_to(Path(sys.argv[1])), "the code of this checkout"
home, server, model, acts = pickle.loads(Path(sys.argv[2]).read_bytes())
class Told:
    def put(self, answer):
        print(answer[1] if isinstance(answer[1], str) else "decided", flush=True)
for what in acts:
    try:
        act(home, server, model, what, None, Told())
    except SystemExit:
        pass
"""


def second_checkout(home: Path, server: str, model: BareHouse, acts: list[Act]) -> subprocess.Popen[str]:
    """Somebody with another clone, whose code is imported from there, and a state folder of their own."""
    clone = home.with_name(f"{home.name}-clone")
    shutil.copytree(ROOT / "components", clone / "components", ignore=shutil.ignore_patterns("__pycache__"))
    told = clone / "acts"
    told.write_bytes(pickle.dumps((str(home), server, model, acts)))
    places = os.pathsep.join([str(clone), *(str(ROOT / "tests" / each) for each in ("register", ""))])
    return subprocess.Popen(
        [sys.executable, "-c", SECOND_CHECKOUT, str(clone), str(told)],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": places},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_promotions_and_rollbacks_at_once_have_one_order_even_when_a_holder_is_killed(
    server: str, chain: Chain, tmp_path: Path, processes: Any
) -> None:
    """From eight state folders and two checkouts, by one server: nothing they share is on a disk. One of
    them is killed outright within its turn, its decision written down and not carried out.
    """
    gains = [0.2 * number for number in range(1, 9)]
    model = BareHouse("crowd", chain, gains, tmp_path)
    model.promote(1)
    acts: list[Act] = [("promote", number) for number in range(2, 6)]
    acts += [("rollback", f"reason {n}") for n in range(3)]
    elsewhere: list[Act] = [("promote", 6), ("rollback", "from elsewhere"), ("promote", 7)]
    told = processes.Queue()
    far = second_checkout(tmp_path / "home-far", server, model, elsewhere)
    crowd = [
        processes.Process(target=act, args=(str(tmp_path / f"home-{index}"), server, model, what, None, told))
        for index, what in enumerate(acts)
    ]
    doomed_words = (str(tmp_path / "home-doomed"), server, model, ("promote", 8), MOVE, processes.Queue())
    doomed = processes.Process(target=act, args=doomed_words)
    for process in (doomed, *crowd):
        process.start()
    answers = [told.get(timeout=300) for _ in crowd]
    for process in (doomed, *crowd):
        process.join(60)
    from_far = (far.communicate(timeout=300)[0]).splitlines()
    assert doomed.exitcode == -signal.SIGKILL, "the best of all moves the alias, and is killed before it"
    assert len(from_far) == len(elsewhere), from_far
    do(model, ("promote", 1))  # whoever comes next finishes what the killed one left
    failed = [answer for _, answer in answers if isinstance(answer, str)]
    failed += [answer for answer in from_far if answer != "decided"]
    # A rollback may find no champion to go back to; every other answer is a decision.
    assert all("no previous champion to go back to" in words for words in failed), failed
    lines = [line for line in history(model.name) if line.decision is not None]
    assert [line.state for line in lines] == ["done"] * len(lines)
    assert 8 in [line.decision.version for line in lines if line.decision], "nothing decided is lost"
    assert len(lines) >= 1 + len(acts) + len(elsewhere) + 1 - len(failed)
    serves = None
    for line in lines:
        assert line.decision is not None
        assert line.decision.against == serves, "each decision knows the champion that the one before it left"
        serves = line.decision.version if line.decision.promoted else serves
    assert model.alias("champion") == serves
    assert ledger.rows(model.name, only_open=True) == ()


def test_of_ten_promotions_at_once_the_best_serves(
    server: str, chain: Chain, tmp_path: Path, processes: Any
) -> None:
    model = BareHouse("best", chain, [0.2 * number for number in range(1, 11)], tmp_path)
    told = processes.Queue()
    crowd = [
        processes.Process(
            target=act,
            args=(str(tmp_path / f"home-{number}"), server, model, ("promote", number), None, told),
        )
        for number in range(1, 11)
    ]
    for process in crowd:
        process.start()
    answers = dict(told.get(timeout=180) for _ in crowd)
    assert answers[("promote", 10)] is True
    assert {type(answer) for answer in answers.values()} == {bool}
    assert model.alias("champion") == 10
    assert len(model.audit()) == 10


def hold(home: str, uri: str, name: str, held: Any) -> None:
    """Take the turn, write an intent down, and sleep in it."""
    os.environ.update(REFOCUS_HOME=home, MLFLOW_TRACKING_URI=uri)
    with turns.turn(name, 1, enact.finish):
        held.set()
        time.sleep(300)


def test_a_holder_killed_outright_holds_nobody_up(
    store: Path, chain: Chain, tmp_path: Path, processes: Any
) -> None:
    model = BareHouse("killed-holder", chain, [1.0], tmp_path)
    held = processes.Event()
    holder = processes.Process(target=hold, args=(str(store), tracking.tracking_uri(), model.name, held))
    holder.start()
    assert held.wait(60)
    holder.kill()
    holder.join(30)
    assert model.promote(1).promoted
    assert [row.tags[turns.STATE] for row in ledger.rows(model.name)] == ["dropped", "done"]


def test_a_holder_elsewhere_has_the_turn_while_its_beat_changes_and_loses_it_with_its_lease(
    store: Path, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = BareHouse("elsewhere", chain, [1.0], tmp_path)
    columns = {
        turns.STATE: "waiting",
        turns.OWNER: "anna@far",
        turns.PROCESS: "far pid 7 0.00",
        turns.BEAT: "0",
    }
    number = ledger.add_row(model.name, 1, columns, "waiting")
    monkeypatch.setattr(turns, "LEASE_S", 1.0)
    over = threading.Event()

    def beat() -> None:
        for count in range(1, 8):
            if over.wait(0.4):
                return
            ledger.note(model.name, number, {turns.BEAT: str(count)})

    far = threading.Thread(target=beat)
    far.start()
    with (
        pytest.raises(BusyError, match="anna@far has been deciding"),
        turns.turn(model.name, 1, enact.finish, patience_s=2.0),
    ):
        pass
    over.set()
    far.join()
    assert model.promote(1).promoted
    assert ledger.row(model.name, number).tags[turns.STATE] == "dropped"


def test_a_holder_that_was_asleep_moves_nothing(store: Path, chain: Chain, tmp_path: Path) -> None:
    model = BareHouse("asleep", chain, [1.0, 1.5], tmp_path)
    model.promote(1)
    with turns.turn(model.name, 2, enact.finish) as mine:
        ledger.note(model.name, mine.number, {turns.STATE: "dropped", ledger.OPEN: "false"})
        with pytest.raises(BusyError, match="another caller went on without it"):
            mine.decide("{}", "too late")
    assert model.alias("champion") == 1


@pytest.fixture
def server(running_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A real MLflow server, for this process too. Set for each test: the environment is cleaned between."""
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running_server)
    return running_server


def test_many_who_write_the_same_new_tag_at_once_all_do(server: str, chain: Chain, tmp_path: Path) -> None:
    """MLflow looks for the row, then adds it: of two that looked at once the store refuses one."""
    model = BareHouse("tagged", chain, [0.2], tmp_path)
    model.promote(1)
    with ThreadPoolExecutor(16) as writers:
        for key in (f"new.{number}" for number in range(3)):
            waiting = [
                writers.submit(write, *of, {key: "same"})
                for _ in range(8)
                for write, of in ((registry.add_tags, ("tagged", 1)), (registry.add_model_tags, ("tagged",)))
            ]
            for each in waiting:
                each.result()
    assert {registry.get_version("tagged", 1).tags[f"new.{number}"] for number in range(3)} == {"same"}


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on loopback."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    words = ["server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--workers", "1"]
    words += [
        "--artifacts-destination",
        str(folder / "artifacts"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words], stdout=log, stderr=log, start_new_session=True
    )

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):
                return True
        except OSError:
            return False

    try:
        assert wait_for(answers, 120), (folder / "log").read_text()[-2000:]
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        if not wait_for(lambda: process.poll() is not None, 20):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        log.close()
