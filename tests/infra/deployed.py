"""What infra/ deploys, as data: the objects of its YAML files and the variables that they set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).resolve().parents[2] / "infra"
OBJECTS = sorted(path for path in (INFRA / "k8s").glob("*.yaml") if not path.name.startswith("values-"))
VALUES = sorted((INFRA / "k8s").glob("values-*.yaml"))


def objects_of(path: Path) -> list[dict[str, Any]]:
    """Each alone: what YAML shares between them is copied, as kubectl would see it."""
    return [json.loads(json.dumps(one)) for one in yaml.safe_load_all(path.read_text())]


def compose() -> dict[str, Any]:
    return dict(json.loads(json.dumps(yaml.safe_load((INFRA / "compose.yaml").read_text()))))


def maps_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a tree."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from maps_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from maps_in(value)


def pods_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every pod's specification in a tree."""
    for one in maps_in(node):
        if "containers" in one:
            yield one


def variables() -> dict[str, str]:
    """Every variable of an environment that is set for a container, with a place where."""
    found: dict[str, str] = {}
    for name, service in compose()["services"].items():
        found |= dict.fromkeys(service.get("environment", {}), f"compose.yaml, {name}")
    for path in (*OBJECTS, *VALUES):
        for one in maps_in(objects_of(path)):
            for key in ("env", "extraEnvVars"):
                given = one.get(key, {})
                names = given if isinstance(given, dict) else [each["name"] for each in given]
                found |= dict.fromkeys(names, path.name)
    for line in (INFRA.parent / ".env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            found.setdefault(line.partition("=")[0], ".env.example")
    return found
