"""What `refocus deploy` puts onto a server, as a plan; that a server takes it, tests/flows/test_scheduled.py
says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bundled import bundled_into

from components import recipes
from components.core.errors import DivergenceError, InputError, ServiceError, StageError
from components.pipeline.project import Project
from components.services import versioning
from flows.deployments import Planned, deploy, plan
from flows.patience import patiently
from flows.schedule import PLACE, Schedule, read_schedule, recipes_to_deploy

ROOT = Path(__file__).resolve().parents[2]


def schedule_of(text: str, root: Path) -> Schedule:
    """The schedule of a checkout whose file says that."""
    folder = root / "components" / "recipes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "demo.yaml").write_text((ROOT / "components" / "recipes" / "demo.yaml").read_text())
    (root / PLACE).parent.mkdir(exist_ok=True)
    (root / PLACE).write_text(text)
    return read_schedule(root)


def by_name(planned: tuple[Planned, ...]) -> dict[str, Planned]:
    return {each.name: each for each in planned}


def test_the_bundled_schedule_names_recipes_that_are_there() -> None:
    schedule = read_schedule(ROOT)
    assert set(schedule.recipes) <= set(versioning.recipes_in_graph(ROOT))
    assert yaml.safe_load((ROOT / PLACE).read_text())["recipes"], "it is an example to be copied"


def test_each_recipe_has_a_deployment_on_the_last_commit_with_one_slot_and_a_queue() -> None:
    names = versioning.recipes_in_graph(ROOT)
    found = by_name(plan(read_schedule(ROOT), names))
    for name in names:
        assert found[name].parameters == {"recipe": name, "worktree": True}
        assert (found[name].alone, found[name].queues) == (True, True)
    assert {"promote", "approve", "compare", "watch"} <= set(found)
    assert not found["approve"].alone, "who waits for a person keeps nobody from being asked"


def test_timers_photos_and_triggers_are_those_of_the_schedule(tmp_path: Path) -> None:
    text = "timezone: Europe/Berlin\nrecipes:\n  demo: {cron: '0 2 * * 1', photos: 's3://a/b', watch: true}\n"
    demo = by_name(plan(schedule_of(text, tmp_path), ("demo",)))["demo"]
    assert (demo.cron, demo.timezone, demo.watched) == ("0 2 * * 1", "Europe/Berlin", "demo")
    assert demo.parameters["photos"] == "s3://a/b"
    assert demo.words == "retrain/demo: cron 0 2 * * 1 Europe/Berlin and when its photos change"


def test_without_a_file_everything_is_run_by_hand_and_nobody_watches(tmp_path: Path) -> None:
    planned = plan(read_schedule(tmp_path), ("demo",))
    assert [each.words for each in planned] == [
        "retrain/demo: by hand",
        "promote/promote: by hand",
        "approve/approve: by hand",
        "compare/compare: by hand",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("recipes:\n  dmo: {}\n", 'recipes.dmo is no recipe; there are demo. Did you mean "demo"?'),
        ("recipes:\n  demo: {cron: daily}\n", "must have five fields"),
        ("timezone: Berlin\n", "is no time zone"),
        ("recipes:\n  demo: {cron: '0 2 * * *', timezone: Europe/Berln}\n", "Europe/Berlin"),
        ("retry_after_s: [60, -1]\n", "retry_after_s"),
        ("watch: {every_s: 0}\n", "watch.every_s"),
        ("alarms: {waiting_s: 1.0e+12}\n", "alarms.waiting_s"),
        ("alarms: {notify: team}\n", "alarms.notify"),
        ("watch: {every: 60}\n", "allowed here: every_s, settled_s"),
        ("- demo\n", "must be a mapping"),
    ],
)
def test_a_wrong_schedule_is_refused_naming_the_field(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        schedule_of(text, tmp_path)
    assert told in str(refused.value)
    assert "schedule.yaml" in str(refused.value)


def test_a_recipe_that_cannot_be_read_is_said_when_deploying_and_not_at_night(tmp_path: Path) -> None:
    project = Project.at(bundled_into(tmp_path / "clone"))
    assert recipes_to_deploy(project, ()) == versioning.recipes_in_graph(project.root)
    (project.root / "components" / "recipes" / "demo.yaml").write_text("name: demo\n")
    with pytest.raises(InputError, match=r"demo\.yaml"):
        recipes_to_deploy(project, ("demo",))
    with pytest.raises(InputError, match="Did you mean"):
        recipes_to_deploy(project, ("deblurgn",))


def test_without_a_server_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.at(bundled_into(tmp_path / "clone"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    with pytest.raises(InputError, match="need a Prefect server that stays"):
        deploy(project, ("demo",))
    assert recipes.names(project.root)


class Trouble:
    """Work that fails a few times, then gives 7."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.said, self.tries = list(errors), [], 0  # type: ignore[var-annotated]

    def work(self) -> int:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


def of_a_stage(code: int) -> StageError:
    error = StageError("train of demo: the bucket does not answer")
    error.exit_code = code
    return error


def test_a_service_that_does_not_answer_is_asked_again_also_when_a_stage_met_it() -> None:
    trouble = Trouble(ServiceError("no answer"), of_a_stage(ServiceError.exit_code))
    assert patiently(trouble.work, trouble.said.append, [0, 0]) == 7
    assert trouble.said == [
        "no answer. Tried again in 0 s (1 of 2)",
        "train of demo: the bucket does not answer. Tried again in 0 s (2 of 2)",
    ]


@pytest.mark.parametrize(
    "error", [DivergenceError("NaN"), of_a_stage(7), InputError("no"), ValueError("a bug")]
)
def test_whatever_else_went_wrong_is_not_tried_again(error: Exception) -> None:
    trouble = Trouble(error)
    with pytest.raises(type(error)):
        patiently(trouble.work, trouble.said.append, [0, 0, 0])
    assert trouble.tries == 1


def test_a_service_that_stays_away_ends_the_run_with_its_own_words() -> None:
    trouble = Trouble(*[ServiceError("no answer")] * 3)
    with pytest.raises(ServiceError, match="no answer"):
        patiently(trouble.work, trouble.said.append, [0, 0])
    assert trouble.tries == 3


# A process of its own: Prefect warns at import, and warnings are errors here.
READ = """
import sys
from components.core.errors import InputError
from flows.deployments import Planned, _schedules
for cron in sys.argv[1:]:
    try:
        _schedules(Planned(flow="retrain.py:retrain", name="demo", about="", cron=cron))
    except InputError as error:
        print(error)
"""


def test_a_cron_that_cannot_be_read_or_never_fires_is_told_with_its_value(
    tmp_path: Path,
) -> None:
    wrong = {
        **dict.fromkeys(("99 2 * * *", "0 2 * * 8", "a b c d e", "0 2 H * *"), "which Prefect cannot read"),
        **dict.fromkeys(("0 2 31 2 *", "0 2 30 2 *", "0 2 31 4,6 *"), "which never comes"),
        **dict.fromkeys(("*/70 * * * *", "0 */30 * * *", "0-59/60 * * * *"), "whose step of"),
    }
    right = ("0 2 * * 1", "0 2 29 2 *", "0 0 31 */2 *", "0 2 L * *", "*/15 6-22 * jan-jun mon-fri")
    done = subprocess.run(
        [sys.executable, "-c", READ, *right, *wrong],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert len(said) == len(wrong)
    for words, (cron, why) in zip(said, wrong.items(), strict=True):
        assert words.startswith(f"{PLACE}: recipes.demo.cron is {cron!r}, {why}")
