"""What infra/ deploys is what the tools that read it accept: checked offline, by the schemas and the linter
that packages bring.
"""

from __future__ import annotations

import importlib.resources
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from deployed import INFRA, OBJECTS, VALUES, compose, objects_of, pods_of

KUBERNETES = "1.37"
RAY_OBJECTS = json.loads((Path(__file__).parent / "ray_objects.json").read_text())


def compose_schema() -> dict[str, Any]:
    place = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    return dict(json.loads(place.read_text()))


def test_compose_reads_our_file_and_would_refuse_a_wrong_word() -> None:
    jsonschema.validate(compose(), compose_schema())
    wrong = compose()
    wrong["services"]["mlflow"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, compose_schema())


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_kubernetes_and_kuberay_read_our_objects(path: Path) -> None:
    for one in objects_of(path):
        if one["apiVersion"] == "ray.io/v1":
            jsonschema.validate(one, RAY_OBJECTS)
        else:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
        for number, pod in enumerate(pods_of(one)):
            as_pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}"}, "spec": pod}
            kubernetes_validate.validate(as_pod, KUBERNETES, strict=True)


def test_a_wrong_word_in_an_object_is_found() -> None:
    (cluster,) = objects_of(INFRA / "k8s" / "raycluster.yaml")
    cluster["spec"]["headGroupSpec"]["rayStartParam"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(cluster, RAY_OBJECTS)
    (pod,) = list(pods_of(objects_of(INFRA / "k8s" / "scheduler.yaml")))
    pod["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod},
            KUBERNETES,
            strict=True,
        )


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    hadolint = shutil.which("hadolint") or str(Path(sys.executable).parent / "hadolint")
    done = subprocess.run([hadolint, INFRA / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.name)
def test_values_say_of_which_chart_they_are(path: Path) -> None:
    assert isinstance(objects_of(path)[0], dict)
    assert path.read_text().startswith("# helm install ")
    assert f"--values infra/k8s/{path.name}" in path.read_text()
