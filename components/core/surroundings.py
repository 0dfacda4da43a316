"""What a process inherits and must not: proxies before its own machine, certificates that are gone, a
git hook's variables, a user without a name. `settle` is called first by every way in, and its result
is inherited by all children.
"""

from __future__ import annotations

import atexit
import getpass
import importlib.util
import ipaddress
import os
import pwd
import socket
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from components.core import short_folders
from components.core.errors import InputError

ADDRESSES = (
    "MLFLOW_TRACKING_URI",
    "PREFECT_API_URL",
    "RAY_ADDRESS",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)
SHORT_BYTES = 28  # of a temporary folder, so that Ray's sockets (66 bytes below their own folder) fit
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# Where libraries look for the certificates that they trust, in place of those that they bring.
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What git sets for hooks and aliases, and what points it at another repository (git rev-parse
# --local-env-vars, less settings such as safe.directory that CI gives by GIT_CONFIG_COUNT).
OF_ANOTHER_REPOSITORY = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_PREFIX", "GIT_NAMESPACE"),
    *(
        "GIT_CONFIG",
        "GIT_GRAFT_FILE",
        "GIT_SHALLOW_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_CEILING_DIRECTORIES",
    ),
    *("GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_REFLOG_ACTION"),
    *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
)
_left_out: dict[str, str] = {}


def settle() -> None:
    """Make this process's environment one that every tool can work in. Twice is the same as once.

    Raises InputError where the working directory is gone.
    """
    open_streams()
    refuse_gone_folder()
    for name in OF_ANOTHER_REPOSITORY:
        _leave_out(name)
    for name in CERTIFICATES:
        # httpx starts with none that is not there, whatever it is to ask; others fail at the first https.
        if (place := os.environ.get(name)) is not None and not Path(place).expanduser().exists():
            _leave_out(name)
    keep_loopback_direct()
    give_a_name()
    shorten_temporary()


def open_streams() -> None:
    """Open what this process was started without of its input, its output and its errors (`>&-`, some
    supervisors), to nowhere: else the next file that is opened stands in its place, a database among
    them, and is written into by whoever says something.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(nowhere, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "w" if number else "r"))


def refuse_gone_folder() -> None:
    """Raises InputError where the working directory was deleted, which each library says in its own way."""
    try:
        Path.cwd()
    except OSError as error:
        raise InputError(
            f"the folder in which this was started is no longer there ({error.strerror}); cd into the project"
            " and run the same command again"
        ) from error


def keep_loopback_direct() -> None:
    """See to it that no proxy stands before this machine's own services, and none that no library
    here can speak to before any.
    """
    for name in PROXIES:
        for each in (name, name.upper()):
            if not (said := os.environ.get(each)):
                continue
            # httpx refuses to start with one that it cannot read or speak to, whatever no_proxy says.
            address = _proxy_address(said)
            if address is None:
                _leave_out(each)
            elif address != said:
                os.environ[each] = address
    if not proxies():
        return
    known: list[str] = []
    for each in ("no_proxy", "NO_PROXY"):
        known += [part for part in map(_plain, os.environ.get(each, "").split(",")) if part]
    own = [
        host
        for name in ADDRESSES
        if (host := host_of(os.environ.get(name, ""))) is not None and is_loopback(host)
    ]
    wanted = ",".join(dict.fromkeys([*known, *LOOPBACK, *own]))
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*" if "*" in known else wanted


def _proxy_address(said: str) -> str | None:
    """A proxy's address as all libraries here read it, without the blanks and quotes of a settings file;
    None for one that none of them takes.
    """
    plain = said.strip().strip("\"'").strip()
    plain = plain if "://" in plain else f"http://{plain}"
    try:
        parts = urllib.parse.urlsplit(plain)
        spoken = ("http", "https", *(("socks5", "socks5h") if _speaks_socks() else ()))
        usable = parts.scheme in spoken and parts.hostname and (parts.port or 0) >= 0
    except ValueError:  # a port that is no number, half a bracket
        return None
    if not usable or not plain.isprintable() or " " in plain:
        return None
    return f"{parts.scheme}{plain[len(parts.scheme) :]}"


def _plain(part: str) -> str:
    """One name of no_proxy; nothing for one that httpx would not start with (networks of IPv6
    addresses, which no library here understands). Umlauts as the network writes them.
    """
    name = part.strip().strip("[]")
    if not name.isascii():
        body = name.lstrip("*.")
        try:
            return name[: len(name) - len(body)] + body.encode("idna").decode()
        except UnicodeError:
            return ""
    if name.count(":") < 2:
        return name
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return ""


def inherited() -> dict[str, str]:
    """The variables that this process was given and that were left out, for `refocus doctor`."""
    return dict(_left_out)


def _leave_out(name: str) -> None:
    if name in os.environ:
        _left_out[name] = os.environ.pop(name)


def proxies() -> dict[str, str]:
    """The proxies that the environment names, by scheme (http, https, all)."""
    return {
        name.removesuffix("_proxy"): value
        for name in PROXIES
        if (value := os.environ.get(name) or os.environ.get(name.upper()))
    }


def proxy_for(address: str) -> str | None:
    """The proxy that a library will take to an http(s) address; None when it goes straight."""
    parts = urllib.parse.urlsplit(address)
    found = proxies()
    chosen = found.get(parts.scheme) or found.get("all")
    if chosen is None or not parts.hostname or is_loopback(parts.hostname):
        return None
    return None if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]) else chosen


def opener_for(address: str) -> urllib.request.OpenerDirector:
    """What asks an http(s) address, by the proxy that `proxy_for` names or straight: urllib itself looks in
    no_proxy for a number of IPv6 in its brackets, with which httpx does not start.
    """
    straight = [] if proxy_for(address) else [urllib.request.ProxyHandler({})]
    return urllib.request.build_opener(*straight)


def for_others(environment: Mapping[str, str]) -> dict[str, str]:
    """This environment for a child whose code is not ours (DVC, MLflow's server): where a proxy is named,
    no_proxy has this machine's number of IPv6 in brackets as well, since urllib, and botocore by it, find it
    no other way. Not for Prefect's server: it asks by httpx, which does not start with them. A stage that
    such a child starts takes them off again (`settle`).
    """
    known = environment.get("no_proxy", "").split(",")
    bracketed = [f"[{name}]" for name in known if name.count(":") > 1 and not name.startswith("[")]
    if not bracketed:
        return dict(environment)
    wanted = ",".join(dict.fromkeys([*known, *bracketed]))
    return {**environment, "no_proxy": wanted, "NO_PROXY": wanted}


def host_of(address: str) -> str | None:
    """The host of SCHEME://HOST… or HOST:PORT; None where there is none."""
    try:
        return urllib.parse.urlsplit(address if "://" in address else f"//{address}").hostname
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or number.

    >>> [is_loopback(host) for host in ("localhost", "127.1.2.3", "::1", "mlflow.example")]
    [True, True, True, False]
    """
    if host == "localhost" or host.endswith((".localhost", ".localdomain")) or host.startswith("ip6-local"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def give_a_name() -> None:
    """Name a user that has a number only (docker run -u): libraries ask for one, and for a home."""
    if has_name():
        return
    for name in ("USER", "LOGNAME"):
        os.environ.setdefault(name, f"uid{os.getuid()}")


def has_name() -> bool:
    """Whether this user has an entry in the machine's passwd."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def shorten_temporary() -> None:
    """Give a temporary folder with a long path (TMPDIR) a short second name, by a link in a folder of
    this user's alone: a socket's whole path has about 100 bytes, and Ray, torch's loader processes
    and Python's own put theirs there.
    """
    own = Path(tempfile.gettempdir()).absolute()
    if len(os.fsencode(own)) <= SHORT_BYTES:
        return
    place = short_folders.first_usable(map(Path, ("/tmp", "/var/tmp", "/dev/shm")))
    if place is not None:
        folder = short_folders.make(place)
        (folder / "t").symlink_to(own)
        os.environ["TMPDIR"] = str(folder / "t")
        tempfile.tempdir = None
        atexit.register(short_folders.remove, folder)


def _speaks_socks() -> bool:
    return importlib.util.find_spec("socksio") is not None


def account() -> str:
    """This user's name and machine, `ann@laptop`; the number of a user without a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
