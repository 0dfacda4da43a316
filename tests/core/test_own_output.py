"""What is printed and cannot be written is told as that, and not as the disk of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="/dev/full is Linux's")
CODE = "import sys; from components.console.cli import main; sys.exit(main(sys.argv[1:]))"
COMMANDS = (
    ["--help"],
    ["--version"],
    ["recipes"],
    ["run", "--help"],
    ["run", "demo", "--dry-run"],
    ["blur-atlas", "srgan_seed"],
    ["doctor"],
)


def started(
    words: list[str], *, unbuffered: bool = False, **streams: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(["-u"] if unbuffered else []), "-c", CODE, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        text=True,
        check=False,
        **streams,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "as it comes"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: "-".join(words).strip("-"))
def test_a_full_stdout_is_not_the_projects_disk(words: list[str], unbuffered: bool, tmp_path: Path) -> None:
    with FULL.open("w") as full:
        ended = started(words, unbuffered=unbuffered, stdout=full, stderr=subprocess.PIPE)
    last = ended.stderr.splitlines()[-1]
    assert last == (
        "refocus: error: stdout cannot be written (/dev/full): No space left on device; send it to a file"
        " with room, and run the same command again"
    )
    assert ended.returncode == 2
    assert "disk" not in ended.stderr


@pytest.mark.parametrize("words", [["nothing"], ["describe", "demo", "--crop", "1"]], ids=["command", "crop"])
def test_a_full_stderr_changes_no_exit_code(words: list[str]) -> None:
    with FULL.open("w") as full:
        ended = started(words, stdout=subprocess.PIPE, stderr=full)
    assert ended.returncode == 2


def test_a_reader_that_has_gone_is_a_way_to_be_stopped() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = started(["recipes"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_print_in_the_middle_of_a_file_is_not_taken_for_the_files_disk(stream: str, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from components.core import own_output\n"
        "from components.core.causes import explained\n"
        "from components.core.files import atomic_path\n"
        "own_output.mark()\n"
        "try:\n"
        "    with atomic_path(Path(sys.argv[1]) / 'made') as temporary:\n"
        f"        print('half', file=sys.{stream}, flush=True)\n"
        "except OSError as error:\n"
        "    (Path(sys.argv[1]) / 'told').write_text(str(explained(error)))\n"
        "import os; os._exit(0)\n"
    )
    with FULL.open("w") as full:
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            **{stream: full},
        )
    assert (
        (tmp_path / "told").read_text().startswith(f"{stream} cannot be written (/dev/full): No space left")
    )
    assert [path.name for path in tmp_path.iterdir()] == ["told"]
