"""Make's virtual environment: the tested set of constraints.txt, installed by uv where it can, else by pip.

    python3.12 infra/environment.py .venv

uv takes a third of pip's time. The one on the PATH is used, else pip brings it into the environment. Where
packages come from is said to pip on many machines (a mirror, a folder of wheels, a certificate), and uv reads
none of it: it is told here what pip was told, unless a UV_ variable already says otherwise. Uses nothing but
the standard library, as nothing else is there yet.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PIP = ("-m", "pip", "--disable-pip-version-check")
WANTED = ("-c", "constraints.txt", "-e", ".[dev]")
OWN_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")


def pip_settings(lines: Iterable[str]) -> dict[str, str]:
    """What `pip config list` says, by name: a variable wins over [install], and that over [global]."""
    found: dict[str, tuple[int, str]] = {}
    for line in lines:
        place, equals, value = line.partition("=")
        section, dot, name = place.strip().rpartition(".")
        rank = {"global": 1, "install": 2, ":env:": 3}.get(section, 0)
        if equals and dot and rank > found.get(name, (0, ""))[0]:
            found[name] = rank, str(ast.literal_eval(value))
    return {name: value for name, (_, value) in found.items()}


def uv_variables(pip: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The variables that make uv look where pip looks. `given`: this process's own, which win.

    Variables, not arguments: an index's address may hold a password, and arguments are seen by all.
    """
    told = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_CONSTRAINT": " ".join(pip.get("constraint", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": pip.get("timeout", "") or pip.get("default-timeout", ""),
        "SSL_CERT_FILE": pip.get("cert", ""),
        "ALL_PROXY": pip.get("proxy", ""),
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip does: the best version, from whatever place
    }
    if any(given.get(name) for name in OWN_INDEX):
        told = {name: value for name, value in told.items() if name not in OWN_INDEX}
    return {name: value for name, value in told.items() if value and not given.get(name)}


def find_uv(python: Path) -> Path | None:
    """The uv on the PATH, or one that pip has brought or can bring into the environment."""
    if there := shutil.which("uv"):
        return Path(there)
    own = python.with_name("uv")
    if not own.is_file():
        _run([python, *PIP, "install", "--quiet", *WANTED[:2], "uv"], quietly=True)
    return own if own.is_file() else None


def install(python: Path) -> int:
    """Bring the tested set into the environment of an interpreter; gives the exit code."""
    uv = find_uv(python)
    if uv is not None:
        listed = subprocess.run(
            [python, *PIP, "config", "list"], stdout=subprocess.PIPE, text=True, check=False
        ).stdout
        pip = pip_settings(listed.splitlines())
        alone = ("--no-index",) if pip.get("no-index", "").lower() in ("1", "true", "yes", "on") else ()
        command = [uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode", *alone, *WANTED]
        if _run(command, uv_variables(pip, os.environ)) == 0:
            return 0
    why = "uv is not to be had here" if uv is None else f"{uv} could not install"
    print(f"refocus: {why}; installing with pip, which takes longer", file=sys.stderr)
    return _run([python, *PIP, "install", "--quiet", *WANTED])


def _run(command: list[str | Path], extra: Mapping[str, str] | None = None, *, quietly: bool = False) -> int:
    return subprocess.run(
        command,
        env={**os.environ, **(extra or {})},
        stderr=subprocess.DEVNULL if quietly else None,
        check=False,
    ).returncode


def main(folder: str) -> int:
    """Make the environment and fill it; one that is there already is brought up to date."""
    print(
        f"refocus: making {folder} with {sys.executable} and installing the tested set; the first time this"
        " takes a minute or more",
        file=sys.stderr,
    )
    made = _run([sys.executable, "-m", "venv", folder])
    return made or install(Path(folder).absolute() / "bin" / "python")


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
