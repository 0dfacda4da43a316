"""Versions and recipes side by side as a Prefect flow: the table and the page on Prefect's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger

from components.compare.command import Compared, compare_all
from components.compare.page import interval
from components.core import surroundings
from components.metrics import METRICS
from components.pipeline.project import Project, project_root


@flow(name="compare", flow_run_name="compare", persist_result=False)
def compare(models: list[str], on: str | None = None, root: str | None = None) -> dict[str, Any]:
    """Compare two or more models, such as ["demo@previous", "demo@champion"].

    on: a recipe whose test pairs, in this checkout, all are measured on; root: the checkout, found from
    the working directory when left out.
    """
    surroundings.settle()
    done = compare_all(models, Project.at(Path(root) if root else project_root()), on=on)
    for line in done.lines:
        get_run_logger().info(line)
    _show(done)
    names = [each.name for each in done.comparison.contenders]
    return {"models": names, "lines": list(done.lines), "page": str(done.page)}


def _show(done: Compared) -> None:
    names = [each.name for each in done.comparison.contenders]
    rows = []
    for line in done.comparison.lines:
        told = [
            METRICS[line.metric].text(value) + ("" if found is None else f", {interval(line, found)}")
            for value, found in zip(line.values, line.beside, strict=True)
        ]
        rows.append({"metric": line.metric, **dict(zip(names, told, strict=True))})
    create_table_artifact(rows, key="compare-metrics", description=f"each beside {names[0]}")
    text = "\n".join(done.lines)
    create_markdown_artifact(f"```text\n{text}\n```\n", key="compare", description=" beside ".join(names))
