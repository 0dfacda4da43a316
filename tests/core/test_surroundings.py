"""What a process inherits: proxies, a hook's git variables, a user without a name, a long TMPDIR."""

from __future__ import annotations

import getpass
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core import surroundings

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
SETTLED = "from components.core.surroundings import settle; settle()\n"
# How each library of ours comes to its proxy for an address of this machine.
ASK = {
    "urllib (Prefect's health)": "import urllib.request; urllib.request.urlopen(url, timeout=5)",
    "requests (MLflow)": "import requests; requests.get(url, timeout=5)",
    "httpx (Prefect)": "import httpx; httpx.get(url, timeout=5)",
    "botocore (S3)": (
        "from botocore.httpsession import URLLib3Session\n"
        "from botocore.utils import get_environ_proxies as found\n"
        "from botocore.awsrequest import AWSRequest\n"
        "URLLib3Session(proxies=found(url)).send(AWSRequest('GET', url).prepare())"
    ),
}


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "no_proxy"):
        for each in (name, name.upper()):
            monkeypatch.delenv(each, raising=False)


@pytest.fixture
def service() -> Iterator[int]:
    """The port of a service of this machine that answers everything."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *words: object) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**kept, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore", **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("library", ASK)
def test_no_library_asks_this_machine_by_a_proxy(
    library: str, host: str, service: int, closed_port: int
) -> None:
    dead = f"http://127.0.0.1:{closed_port}"
    code = f"{SETTLED}url = 'http://{host}:{service}/x'\n{ASK[library]}"
    for given in (PROXIES, [name.upper() for name in PROXIES]):
        done = run(code, **dict.fromkeys(given, dead))
        assert done.returncode == 0, done.stderr[-500:]


def test_a_socks_proxy_that_no_library_speaks_to_stops_none_of_them(service: int) -> None:
    code = f"{SETTLED}url = 'http://127.0.0.1:{service}/x'\n{ASK['httpx (Prefect)']}"
    assert run(code, ALL_PROXY="socks5://127.0.0.1:9").returncode == 0


# What of our own asks by libraries that find no number of IPv6 in no_proxy.
DOORS = {
    "Prefect's health": "from flows.prefect_address import need_answer; need_answer(url)",
    "clocks": "from components.console.doctor.remotes import skew_s; assert skew_s(url) is not None",
    "S3": (
        "import os\n"
        "os.environ.update(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID='a', AWS_SECRET_ACCESS_KEY='b')\n"
        "from components.services import storage; assert storage.list_objects('s3://a/b') == []"
    ),
}


class OverIPv6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Empty(http.server.BaseHTTPRequestHandler):
    """An empty bucket, to whoever asks."""

    def do_GET(self) -> None:
        body = b"<ListBucketResult/>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Silent."""


@pytest.fixture
def over_ipv6() -> Iterator[str]:
    """The address of a server at ::1."""
    try:
        server = OverIPv6(("::1", 0), Empty)
    except OSError:
        pytest.skip("no IPv6 here")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://[::1]:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("door", DOORS)
def test_none_of_our_doors_asks_this_machine_by_a_proxy_over_ipv6(
    door: str, over_ipv6: str, closed_port: int
) -> None:
    code = f"{SETTLED}url = {over_ipv6!r}\n{DOORS[door]}"
    done = run(code, **dict.fromkeys(PROXIES, f"http://127.0.0.1:{closed_port}"))
    assert done.returncode == 0, done.stderr[-500:]


# How others' code, in a process of its own, asks; and then a stage that it started.
OF_OTHERS = {
    **{name: way for name, way in ASK.items() if "httpx" not in name},
    "a stage": DOORS["Prefect's health"],
}


@pytest.mark.parametrize("way", OF_OTHERS)
def test_no_child_of_others_asks_this_machine_by_a_proxy_over_ipv6(
    way: str, over_ipv6: str, closed_port: int
) -> None:
    child = f"url = {over_ipv6!r}\n{OF_OTHERS[way]}"
    child = (SETTLED if way == "a stage" else "") + child
    code = (
        f"{SETTLED}import subprocess, sys\n"
        "from components.services.versioning.process import child_environment\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], env=child_environment(), check=True)"
    )
    done = run(code, **dict.fromkeys(PROXIES, f"http://127.0.0.1:{closed_port}"))
    assert done.returncode == 0, done.stderr[-500:]


def test_a_childs_no_proxy_has_numbers_of_ipv6_both_ways_and_is_otherwise_ours() -> None:
    ours = {"no_proxy": "localhost,::1,fd00::7", "NO_PROXY": "localhost,::1,fd00::7", "HOME": "/x"}
    wanted = "localhost,::1,fd00::7,[::1],[fd00::7]"
    assert surroundings.for_others(ours) == {**ours, "no_proxy": wanted, "NO_PROXY": wanted}
    assert surroundings.for_others(surroundings.for_others(ours)) == surroundings.for_others(ours)
    for plain in ({"HOME": "/x"}, {"no_proxy": "*"}):
        assert surroundings.for_others(plain) == plain


UNREADABLE = (
    "SOCKS5://127.0.0.1:9",
    "socks4://x:1",
    "http://x:abc",
    "http://[::1",
    "ftp://x:1",
    "://",
    "http://x:1;y:2",
)


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_read_stops_no_library_and_is_named(
    name: str, service: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    monkeypatch.setattr(surroundings, "_left_out", {})
    for said in UNREADABLE:
        monkeypatch.setenv(name, said)
        with pytest.raises((ValueError, ImportError, httpx.InvalidURL)):
            httpx.get(f"http://127.0.0.1:{service}/x")
        surroundings.keep_loopback_direct()
        assert httpx.get(f"http://127.0.0.1:{service}/x").text == "ok"
        assert surroundings.inherited()[name] == said


@pytest.mark.usefixtures("_no_proxies")
def test_a_proxy_as_settings_files_have_it_is_read_as_it_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, meant in (
        (" http://proxy.corp:3128\n", "http://proxy.corp:3128"),
        ('"http://proxy.corp:3128"', "http://proxy.corp:3128"),
        ("HTTP://user:p@ss@proxy.corp:3128", "http://user:p@ss@proxy.corp:3128"),
        ("proxy.corp:3128", "http://proxy.corp:3128"),  # an address, in which a password is hidden
    ):
        monkeypatch.setenv("https_proxy", said)
        surroundings.keep_loopback_direct()
        assert os.environ["https_proxy"] == meant


@pytest.mark.parametrize(
    "given", ["[::1]", "fd00::/8", "10.0.0.0/8,*.corp,.corp", "host:8080", " , ", "*", "büro.example,*.büro"]
)
def test_nothing_that_stands_in_no_proxy_stops_a_library(given: str, service: int, closed_port: int) -> None:
    code = f"{SETTLED}url = 'http://127.0.0.1:{service}/x'\n{ASK['httpx (Prefect)']}"
    done = run(code, http_proxy=f"http://127.0.0.1:{closed_port}", no_proxy=given)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize("name", surroundings.CERTIFICATES)
def test_certificates_that_are_gone_stop_no_library_and_those_that_are_there_stay(
    name: str, service: int, tmp_path: Path
) -> None:
    told = f"import os; print(os.environ.get({name!r}))"
    asked = "\n".join([f"url = 'http://127.0.0.1:{service}/x'", *ASK.values()])
    done = run(f"{SETTLED}{asked}\n{told}", **{name: str(tmp_path / "gone.pem")})
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr[-500:]
    (tmp_path / "there.pem").touch()
    assert run(f"{SETTLED}{told}", **{name: str(tmp_path / "there.pem")}).stdout.strip().endswith("there.pem")


@pytest.mark.usefixtures("_no_proxies")
def test_what_a_person_excluded_stays_excluded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "intern.example, .corp")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.1.1:5000")
    surroundings.keep_loopback_direct()
    once = os.environ["no_proxy"]
    surroundings.keep_loopback_direct()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == once
    assert once.split(",")[:2] == ["intern.example", ".corp"]
    assert {"localhost", "127.0.0.1", "::1", "127.0.1.1"} <= set(once.split(","))


@pytest.mark.usefixtures("_no_proxies")
def test_without_a_proxy_nothing_is_set() -> None:
    surroundings.keep_loopback_direct()
    assert "no_proxy" not in os.environ


@pytest.mark.usefixtures("_no_proxies")
def test_the_way_to_an_address_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "near.example")
    assert surroundings.proxy_for("http://mlflow.example:5000") == "http://proxy:3128"
    for straight in (
        "http://near.example",
        "http://127.0.0.1:1",
        "https://mlflow.example",
        "postgresql://x/y",
    ):
        assert surroundings.proxy_for(straight) is None


def test_a_hooks_variables_are_left_out_and_settings_stay() -> None:
    code = f"{SETTLED}import json, os; print(json.dumps(dict(os.environ)))"
    given = {"GIT_DIR": "/elsewhere", "GIT_INDEX_FILE": "x", "GIT_PREFIX": "y", "GIT_WORK_TREE": "/z"}
    found = json.loads(run(code, **given, GIT_CONFIG_COUNT="0").stdout)
    assert not given.keys() & found.keys()
    assert found["GIT_CONFIG_COUNT"] == "0"


def test_a_user_without_an_entry_in_passwd_has_a_name_for_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(surroundings.os, "getuid", lambda: 2_000_054_321)
    assert not surroundings.has_name()
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    surroundings.give_a_name()
    assert getpass.getuser() == "uid2000054321"


def test_a_long_temporary_folder_has_a_short_second_name_for_the_length_of_the_process(
    tmp_path: Path,
) -> None:
    long = tmp_path / ("long" * 20) / ("longer" * 12)
    long.mkdir(parents=True)
    code = SETTLED + (
        "import os, socket, tempfile\n"
        "place = tempfile.mkdtemp()\n"
        "socket.socket(socket.AF_UNIX).bind(place + '/' + 's' * 60)\n"
        "print(tempfile.gettempdir()); print(os.path.realpath(place))"
    )
    done = run(code, TMPDIR=str(long))
    assert done.returncode == 0, done.stderr
    short, real = done.stdout.split()
    assert len(short) <= surroundings.SHORT_BYTES
    assert real.startswith(str(long)), "the disk that was chosen is the one that is used"
    assert not Path(short).parent.exists()


def test_a_socket_below_the_long_name_is_what_fails(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="AF_UNIX path too long"), socket.socket(socket.AF_UNIX) as each:
        each.bind(str(tmp_path / ("long" * 30)))


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_a_file_never_stands_in_the_place_of_a_closed_stream(closed: tuple[int, ...], tmp_path: Path) -> None:
    code = SETTLED + (
        "import os, sys\n"
        "with open('kept', 'w') as kept:\n"
        "    assert kept.fileno() > 2, kept.fileno()\n"
        "    for stream in (sys.stdout, sys.stderr):\n"
        "        print('said', file=stream, flush=True)\n"
        "        stream.isatty()\n"
        "    os.system('echo said; echo said >&2')\n"
        "    assert sys.stdin.read() == ''\n"
        "    kept.write('whole')\n"
    )
    shell = 'exec "$0" -c "$1" ' + " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, code],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kept").read_text() == "whole"
    assert done.stdout == (b"" if 1 in closed else b"said\nsaid\n")
    assert done.stderr == (b"" if 2 in closed else b"said\nsaid\n")


def test_a_folder_that_was_deleted_is_a_sentence_of_every_command(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    shell = 'rmdir "$PWD"; exec "$0" -m components.console.cli recipes'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(Path(surroundings.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("refocus: error: the folder in which this was started is no longer there")
    assert len(done.stderr.splitlines()) == 1
