"""How make's environment is installed: uv is told what pip was told, and where uv cannot, pip does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundled import CLONE

sys.path.insert(0, str(CLONE / "infra"))
import environment

LISTED = """
global.index-url='https://mirror.example/simple'
global.find-links='/srv/wheels\\nhttps://mirror.example/wheels'
global.trusted-host='mirror.example'
global.no-color='true'
install.find-links='/srv/own'
:env:.index-url='https://ann:secret@mirror.example/simple'
:env:.timeout='60'
"""


def test_of_pips_settings_a_variable_wins_and_install_over_global() -> None:
    found = environment.pip_settings(LISTED.splitlines())
    assert found["index-url"] == "https://ann:secret@mirror.example/simple"
    assert found["find-links"] == "/srv/own"
    assert found["trusted-host"] == "mirror.example"


@pytest.mark.parametrize(
    ("name", "value", "variable", "told"),
    [
        ("index-url", "https://mirror.example/simple", "UV_DEFAULT_INDEX", "https://mirror.example/simple"),
        (
            "extra-index-url",
            "https://a.example\nhttps://b.example",
            "UV_INDEX",
            "https://a.example https://b.example",
        ),
        ("find-links", "/srv/wheels /srv/more", "UV_FIND_LINKS", "/srv/wheels,/srv/more"),
        ("constraint", "/etc/ours.txt", "UV_CONSTRAINT", "/etc/ours.txt"),
        ("trusted-host", "mirror.example", "UV_INSECURE_HOST", "mirror.example"),
        ("timeout", "60", "UV_HTTP_TIMEOUT", "60"),
        ("default-timeout", "180", "UV_HTTP_TIMEOUT", "180"),
        ("cert", "/etc/ours.pem", "SSL_CERT_FILE", "/etc/ours.pem"),
        ("proxy", "http://proxy.example:3128", "ALL_PROXY", "http://proxy.example:3128"),
    ],
)
def test_uv_looks_where_pip_looks(name: str, value: str, variable: str, told: str) -> None:
    assert environment.uv_variables({name: value}, {})[variable] == told


def test_places_said_to_uv_itself_win() -> None:
    pip = {"index-url": "https://pip.example", "extra-index-url": "https://more.example", "cert": "/pip.pem"}
    given = {"UV_INDEX_URL": "https://uv.example", "SSL_CERT_FILE": "/uv.pem"}
    assert environment.uv_variables(pip, given) == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_what_pip_itself_lists_is_understood(tmp_path: Path) -> None:
    variables = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "/srv/it's here /srv/more"}
    listed = subprocess.run(
        [sys.executable, *environment.PIP, "config", "list"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert environment.pip_settings(listed.splitlines())["find-links"] == "/srv/it's here /srv/more"


def tool(path: Path, body: str) -> None:
    """A program that notes how it was called, in calls.txt beside the folder it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> {path.parent.parent}/calls.txt\n{body}\n')
    path.chmod(0o755)


@pytest.mark.parametrize("uv_ends_with", [0, 2])
def test_pip_installs_the_same_set_where_uv_cannot(
    uv_ends_with: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "bin" / "python"
    tool(python, "")
    tool(tmp_path / "bin" / "uv", f"exit {uv_ends_with}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert environment.install(python) == 0
    installs = [
        line.split(" ")[0]
        for line in (tmp_path / "calls.txt").read_text().splitlines()
        if line.endswith("-c constraints.txt -e .[dev]")
    ]
    assert installs == (["uv"] if uv_ends_with == 0 else ["uv", "python"])
    said = capfd.readouterr().err
    assert said.count("\n") == (uv_ends_with != 0)
    assert ("installing with pip" in said) == (uv_ends_with != 0)


def test_without_uv_pip_brings_it_into_the_environment_and_it_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, uv = tmp_path / "bin" / "python", tmp_path / "bin" / "uv"
    tool(tmp_path / "ready" / "uv", "")
    tool(python, f'case "$*" in *" uv") cp {tmp_path}/ready/uv {uv};; esac')
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert environment.install(python) == 0
    calls = (tmp_path / "calls.txt").read_text().splitlines()
    assert calls[0] == "python -m pip --disable-pip-version-check install --quiet -c constraints.txt uv"
    assert calls[-1].startswith("uv pip install ")
    assert f"--python {python} --compile-bytecode" in calls[-1]


def test_the_tested_set_names_the_uv_that_installs_it() -> None:
    pinned = (CLONE / "constraints.txt").read_text().splitlines()
    assert [line for line in pinned if line.startswith("uv==")]
