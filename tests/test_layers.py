"""The architecture as a test: imports go down only, each outside tool has one door, files and
functions fit their size.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("components", "flows") for path in (ROOT / folder).rglob("*.py"))
BESIDE = sorted(path for folder in ("infra", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
STAGES = ("ingest", "synthesize", "train", "evaluate", "register")
FLOORS: dict[str, int] = {
    "components.core": 0,
    "components.optics": 1,
    "components.nets": 1,
    "components.metrics": 2,
    "components.services": 2,
    **{f"components.{name}": 3 for name in STAGES},
    **{
        f"components.{name}": 4
        for name in (
            "recipes",
            "pipeline",
            "registry",
            "describe",
            "atlas",
            "exports",
            "serving",
            "compare",
        )
    },
    "components.console": 5,
    "flows": 5,
}
DOORS: dict[str, tuple[str, ...]] = {
    "prefect": ("flows",),
    "dvc": ("components.services.versioning",),
    "git": ("components.services.versioning",),
    "mlflow": ("components.services.tracking", "components.register.model_file"),
    "boto3": ("components.services.storage",),
    "botocore": ("components.services.storage",),
    "ray": ("components.services.cluster",),
    "fastapi": ("components.serving",),
    "starlette": ("components.serving",),
    "uvicorn": ("components.serving", "flows.private_server"),
    "prometheus_client": ("components.serving",),
    "torch_fidelity": ("components.metrics.inception",),
    "simplejpeg": ("components.core.decoding",),
    "imagecodecs": ("components.core.decoding",),
    "pi_heif": ("components.core.decoding",),
    "onnx": ("components.nets.formats.onnx_writer",),
    "onnxruntime": ("components.nets.onnx_runner",),
    "torchao": ("components.nets.formats.int8",),
    "matplotlib": ("components.evaluate.plots",),
    "albumentations": ("components.train.augment",),
}


@cache
def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@cache
def imports_of(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module that a file imports, wherever in the file, with its line; nothing is left to
    TYPE_CHECKING.
    """
    found: list[tuple[str, int]] = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append((node.module, node.lineno))
            found += ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    return tuple(found)


@cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax; several tests look at each."""
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All that a file's syntax consists of."""
    return tuple(ast.walk(tree_of(path)))


def floor_of(module: str) -> tuple[int, str] | None:
    """The floor of a module, and which part of the house it belongs to."""
    return next(((floor, part) for part, floor in FLOORS.items() if within(module, part)), None)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_down_and_stages_do_not_know_each_other(path: Path) -> None:
    here = floor_of(module_of(path))
    if module_of(path) == "components":
        return
    assert here is not None, f"{module_of(path)} has no floor; add it to FLOORS"
    for name, line in imports_of(path):
        there = floor_of(name)
        if there is None or there[1] == here[1]:
            continue
        allowed = there[0] < here[0] or (there[0] == here[0] != 3)
        assert allowed, f"{path}:{line} floor {here[0]} imports {name} on floor {there[0]}"


def files_imported_by(path: Path, text: str | None = None) -> Iterator[str]:
    """The modules of ours that a file imports; `from package import name` means the module of that
    name where there is one, else the package's own file.
    """
    modules, own = ours(), module_of(path)
    for node in ast.walk(ast.parse(text)) if text else nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules and alias.name != own)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                meant = (f"{node.module}.{alias.name}", node.module)
                yield from [name for name in meant if name in modules and name != own][:1]


@cache
def ours() -> frozenset[str]:
    return frozenset(map(module_of, FILES))


def circle_in(imported: dict[str, set[str]]) -> list[str]:
    """A circle, as the modules on the way from one back to itself; empty when there is none."""
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    found = circle_in({module_of(path): set(files_imported_by(path)) for path in FILES})
    assert not found, f"give what these share a file of its own: {' - '.join(found)}"


@pytest.mark.parametrize(
    ("imported", "wanted"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b"}, "b": {"a"}}, {"a", "b"}),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}, {"a", "b", "c"}),
    ],
)
def test_a_circle_of_any_length_is_found(imported: dict[str, set[str]], wanted: set[str]) -> None:
    assert set(circle_in(imported)) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "from components.core import levels",
        "from components.core.levels import bits_of",
        "import components.core.levels",
        "if TYPE_CHECKING:\n    from components.core.levels import bits_of",
        "def later() -> None:\n    from components.core.levels import bits_of",
    ],
)
def test_an_import_counts_wherever_it_stands(line: str) -> None:
    assert set(files_imported_by(ROOT / "components" / "core" / "files.py", line)) == {
        "components.core.levels"
    }


def variables_of(path: Path) -> dict[str, str]:
    """The REFOCUS_ variables of the environment that a file has as whole strings; the name that it
    gives to each, "" for none.
    """
    tree = tree_of(path)
    found = {
        text: ""
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and re.fullmatch("REFOCUS_[A-Z_]*[A-Z]", text := str(node.value))
    }
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and (text := str(node.value.value)) in found
        ):
            found[text] = ast.unparse(node.targets[0])
    return found


def test_a_variable_of_ours_is_written_and_read_in_one_file() -> None:
    places: dict[str, list[str]] = {}
    for path in FILES:
        for variable, name in variables_of(path).items():
            places.setdefault(variable, []).append(f"{module_of(path)}.{name}")
    assert len(places) >= 4
    assert [place for place in places.items() if len(place[1]) > 1] == []
    names = {name for (name,) in places.values()}
    taken = [f"{path}:{line} {name}" for path in FILES for name, line in imports_of(path) if name in names]
    assert taken == [], "ask the file that has the variable, by a function"


def test_every_file_stands_in_a_room() -> None:
    assert [path.name for path in (ROOT / "components").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_each_outside_tool_has_one_door(path: Path) -> None:
    for name, line in imports_of(path):
        allowed = DOORS.get(name.split(".")[0])
        assert allowed is None or any(within(module_of(path), door) for door in allowed), (
            f"{path}:{line} imports {name}; its door is {allowed}"
        )


@pytest.mark.parametrize("path", [*FILES, *BESIDE], ids=module_of)
def test_files_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 300, f"{path} has {text.count(chr(10))} lines; split it by subject"
    assert ast.get_docstring(tree_of(path)), f"{path} does not say what it is for"
    for node in nodes_of(path):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            (ast.get_docstring(node) or "").encode()  # else Python 3.13 does not compile the file
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, (
                f"{path}:{node.lineno} {node.name} does not fit a screen"
            )


def test_every_name_in_the_tables_is_there() -> None:
    modules = {module_of(path) for path in FILES}
    gone = [
        part
        for part in (*FLOORS, *(door for doors in DOORS.values() for door in doors))
        if part not in modules
    ]
    assert gone == []


def test_no_two_files_of_tests_and_benchmarks_have_one_name() -> None:
    """pytest imports them by name alone: the second of a name would not be collected. Some tests import
    benchmarks, by name too.
    """
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    names = [path.name for path in paths if path.name != "conftest.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []
