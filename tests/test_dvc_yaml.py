"""dvc.yaml against the code: every stage lists the code it imports, its own section of the recipe,
and the results of the stages before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from bundled import RECIPES
from test_layers import ROOT, imports_of, module_of

from components import recipes
from components.pipeline import project, stages
from components.services import versioning

GRAPH: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
NAMES = [stage.name for stage in stages.STAGES]


def file_of(module: str) -> Path | None:
    base = ROOT / Path(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def code_of(module: str) -> set[str]:
    """The parts of components/ that a module needs, through all it imports: rooms, and of the
    services each door by itself.
    """
    seen: set[Path] = set()
    waiting = [file_of(module)]
    while waiting:
        path = waiting.pop()
        if path is None or path in seen:
            continue
        seen.add(path)
        for name, _ in imports_of(path):
            if name.startswith("components."):
                packages = [name.rsplit(".", count)[0] for count in range(name.count("."))]
                waiting += [file_of(each) for each in packages if each != "components"]
    parts = {tuple(module_of(path).split(".")[1:]) for path in seen}
    places = {"/".join(part[:2] if part[0] == "services" else part[:1]) for part in parts} - {"services"}
    return {
        f"components/{place}" if (ROOT / "components" / place).is_dir() else f"components/{place}.py"
        for place in places
    }


def outs_of(stage: str) -> list[str]:
    return [out if isinstance(out, str) else next(iter(out)) for out in GRAPH[stage]["outs"]]


def test_the_graph_has_the_stages_of_the_table_in_its_order() -> None:
    assert versioning.stage_order(ROOT) == tuple(NAMES)


def test_every_bundled_recipe_is_there_and_has_stages() -> None:
    assert set(RECIPES) <= set(recipes.names(ROOT))
    assert set(RECIPES) <= set(versioning.recipes_in_graph(ROOT))


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_depends_on_the_code_it_imports_and_no_other(name: str) -> None:
    code = {dep for dep in GRAPH[name]["deps"] if dep.startswith("components/")}
    assert code == code_of(f"components.{name}.run")


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_depends_on_the_records_it_takes_and_gives_its_own(name: str) -> None:
    stage = stages.stage_named(name)
    data = [dep for dep in GRAPH[name]["deps"] if dep.startswith("data/")]
    assert data == [f"data/${{item.recipe}}/{project.FOLDERS[kind]}" for kind in stage.takes]
    assert outs_of(name) == [f"data/${{item.recipe}}/{project.FOLDERS[stage.gives]}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_is_one_plain_call_on_its_own_section(name: str) -> None:
    assert GRAPH[name]["cmd"] == f"python -m components.console.cli {name} ${{item.recipe}}"
    assert GRAPH[name]["params"] == [{"components/recipes/${item.recipe}.yaml": [name]}]


def test_only_ingest_looks_at_the_world() -> None:
    assert [name for name in NAMES if GRAPH[name].get("always_changed")] == ["ingest"]
