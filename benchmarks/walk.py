"""The way through the code: how many calls from a command to the line that changes a weight, and
how often the way of a run changes rooms.

    python benchmarks/walk.py            # about a minute; prints both, as tables
    python benchmarks/walk.py --show     # and every call that was counted

Both are counted while the program runs, on the recipe `tiny` of the tests in a clone of its own, by
`sys.setprofile`; frames that are not in components/ or flows/ are left out.

Calls to a weight: `refocus train tiny` in one process. The stack is read where torch's optimiser
begins its step; the number is that of the calls between the first function of ours (`main`) and the
one in which the line `optimizer.step()` stands. One row for the generator (a phase without
discriminators), one for the deepest of all.

Moves and climbs: `refocus run tiny --no-prefect`, from the entry of `follow` in flows/steps.py to
its end. A call is part of the walk when it is handed the run: one of its arguments (or a variable
that it closes over) is `follow`'s own first one, or holds that, or is the recipe read from its
file, or equals the checkout's root or the recipe's name; reading a property is no call. Each pair
of caller and callee is counted once, as one who reads them reads them once. The model has a name
of its own here.

    move    the callee stands in another room than the caller
    climb   a move to a higher floor (tests/test_layers.py), or back into a room that the way has
            left and not yet returned to: a callback

A room is a file, and in the second column a package (components/services/versioning is one).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

HERE = Path(__file__).resolve().parents[1]
OURS = tuple(f"{Path.cwd()}/{folder}/" for folder in ("components", "flows"))


def is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(OURS)


def stack_of(frame: FrameType | None) -> list[FrameType]:
    """Our frames, the outermost first."""
    frames = []
    while frame is not None:
        if is_ours(frame.f_code):
            frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def name_of(code: CodeType) -> str:
    return f"{Path(code.co_filename).relative_to(Path.cwd())}:{code.co_qualname}"


def arguments_of(frame: FrameType) -> Iterator[Any]:
    code = frame.f_code
    for name in (*code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], *code.co_freevars):
        if name in frame.f_locals:
            yield frame.f_locals[name]


def is_property(frame: FrameType) -> bool:
    code = frame.f_code
    owner = type(next(arguments_of(frame), None))
    return isinstance(getattr(owner, code.co_name, None), property | cached_property)


def calls_to_a_weight(words: list[str]) -> dict[str, list[str]]:
    """The stacks at the optimiser's step, by length: {"generator": …, "deepest": …}."""
    found: list[list[str]] = []

    def look(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_name == "step" and "/torch/optim/" in code.co_filename:
            stack = [name_of(each.f_code) for each in stack_of(frame)]
            if stack not in found:
                found.append(stack)

    profiled(words, look)
    return {"generator": found[0], "deepest": max(found, key=len)}


def walk(words: list[str]) -> list[tuple[str, str, bool]]:
    """Every pair of caller and callee that is handed the run, and whether it comes back to a file
    that it had left.
    """
    seen: dict[tuple[str, str], bool] = {}
    inside: list[FrameType] = []
    carried: list[Any] = []

    def carries(value: Any) -> bool:
        run, *names = carried
        return (
            value is run
            or any(held is run for held in getattr(value, "__dict__", {}).values())
            or type(value).__qualname__ == "Recipe"
            or any(type(value) is type(name) and value == name for name in names)
        )

    def look(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "return" and inside and frame is inside[0]:
            inside.clear()
        if event != "call" or not is_ours(code):
            return
        if code.co_name == "follow" and not carried:
            run = next(arguments_of(frame))
            recipe = run.recipe if isinstance(run.recipe, str) else run.recipe.name
            carried.extend((run, run.root, recipe))
            inside.append(frame)
        elif inside and not is_property(frame) and any(map(carries, arguments_of(frame))):
            frames = stack_of(frame)
            start = next((at for at, each in enumerate(frames) if each is inside[0]), None)
            if start is not None and len(frames) > start + 1:
                files = [each.f_code.co_filename for each in frames[start:-1]]
                comes_back = code.co_filename in files[:-1] and files[-1] != code.co_filename
                pair = (name_of(frames[-2].f_code), name_of(code))
                seen[pair] = seen.get(pair, False) or comes_back

    profiled(words, look)
    return [(caller, callee, back) for (caller, callee), back in seen.items()]


def profiled(words: list[str], look: Callable[[FrameType, str, object], None]) -> None:
    """Run one command in this process with somebody looking on."""
    from components.console.cli import main

    sys.setprofile(look)
    try:
        code = main(words)
    finally:
        sys.setprofile(None)
    assert code == 0, f"refocus {' '.join(words)} ended with {code}"


def room(place: str, *, package: bool) -> str:
    file = place.split(":")[0]
    return str(Path(file).parent) if package else file


def floor(place: str, floors: dict[str, int]) -> int:
    module = place.split(":")[0].removesuffix(".py").replace("/", ".")
    return max(
        (height for name, height in floors.items() if module == name or module.startswith(name + ".")),
        default=0,
    )


def counted(pairs: list[tuple[str, str, bool]], *, package: bool) -> tuple[int, int]:
    """Moves and climbs."""
    sys.path.insert(0, str(HERE / "tests"))
    from test_layers import FLOORS

    moves = [
        (caller, callee, back)
        for caller, callee, back in pairs
        if room(caller, package=package) != room(callee, package=package)
    ]
    climbs = [pair for pair in moves if pair[2] or floor(pair[1], FLOORS) > floor(pair[0], FLOORS)]
    return len(moves), len(climbs)


def main() -> None:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print every call that was counted")
    parser.add_argument(
        "--inside", nargs=argparse.REMAINDER, help=argparse.SUPPRESS
    )  # FILE, what, words of a command
    arguments = parser.parse_args()
    if arguments.inside:
        place, what, *words = arguments.inside
        found: Any = calls_to_a_weight(words) if what == "calls" else walk(words)
        Path(place).write_text(json.dumps(found))
        return
    sys.path.insert(0, str(HERE / "tests" / "flows"))
    from tiny_clone import clone_into

    with tempfile.TemporaryDirectory() as folder:
        clone = clone_into(Path(folder).resolve() / "clone")
        recipe = clone.root / "components" / "recipes" / "tiny.yaml"
        recipe.write_text(recipe.read_text().replace("  name: tiny\n", "  name: a-model\n"))
        environment = {**os.environ, **clone.environment}

        def inside(what: str, *words: str) -> Any:
            place = Path(folder) / f"{what}.json"
            command = [sys.executable, str(Path(__file__).resolve()), "--inside", str(place), what, *words]
            subprocess.run(command, cwd=clone.root, env=environment, check=True, stdout=subprocess.DEVNULL)
            return json.loads(place.read_text())

        for stage in ("ingest", "synthesize"):
            clone.refocus(stage, "tiny")
        stacks = inside("calls", "train", "tiny")
        pairs = inside("walk", "run", "tiny", "--no-prefect")
    print("calls from `refocus train` to the line that changes a weight")
    for what, stack in stacks.items():
        print(f"  {what:<10} {len(stack) - 1:3}")
        for line in stack if arguments.show else ():
            print(f"      {line}")
    print("the walk of a run from flows/steps.py:follow      by file   by package")
    (moves, climbs), (wide_moves, wide_climbs) = (
        counted(pairs, package=package) for package in (False, True)
    )
    print(f"  moves {moves:50} {wide_moves:12}\n  climbs {climbs:49} {wide_climbs:12}")
    for caller, callee, back in pairs if arguments.show else ():
        print(f"      {caller} -> {callee}{'  (comes back)' if back else ''}")


if __name__ == "__main__":
    main()
