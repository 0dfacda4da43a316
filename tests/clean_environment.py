"""What a user may have around a clone, kept away from the tests: variables that point at servers, stores and
other repositories, and the settings files of a home folder.

Called before any library is imported, as many read their variables at that moment. What a test starts
inherits the same.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

# Whose variables count in no test but in those that set them.
OF_TOOLS = ("AWS_", "DVC_", "GIT_", "MLFLOW_", "PREFECT_", "RAY_", "REFOCUS_", "XDG_")
OF_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
OTHERS = ("TORCH_HOME", "MPLCONFIGDIR", "MATPLOTLIBRC", "COLUMNS", "LANGUAGE", "PYTHONWARNINGS", "NETRC")
# With it each of some hundred processes that tests start would compile all our modules again.
UNCOMPILED = "PYTHONDONTWRITEBYTECODE"
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SWITCHES = ("REFOCUS_ALL_RECIPES",)  # said to the tests themselves
THREADS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
IN_TWO_PROCESSES = "PYTEST_XDIST_WORKER"


def leave_out_the_users(environment: MutableMapping[str, str], home: Path) -> None:
    """Take the user's settings out of an environment, and give it an empty home folder."""
    for name in list(environment):
        others = (*OTHERS, *CERTIFICATES, UNCOMPILED)
        foreign = name.startswith(OF_TOOLS) or name.lower() in OF_PROXIES or name in others
        if foreign and name not in SWITCHES:
            del environment[name]
    environment.update(
        HOME=str(home),
        GIT_CONFIG_GLOBAL=os.devnull,
        GIT_CONFIG_NOSYSTEM="1",
        DVC_SYSTEM_CONFIG_DIR=str(home),
        DVC_SITE_CACHE_DIR=str(home / "dvc-site"),
        LC_ALL="C.UTF-8",  # git's words, too
    )
    if IN_TWO_PROCESSES in environment:
        # Each of the processes has its core; with a thread for every core they would take turns.
        environment.update(dict.fromkeys(THREADS, "1"))


def leave_out_this_users() -> None:
    """The same for this process, whose home folder goes when it ends."""
    home, owner = Path(tempfile.mkdtemp(prefix="refocus-home-")), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # and not a copy of it that ends before
            shutil.rmtree(home, ignore_errors=True)

    atexit.register(remove)
    leave_out_the_users(os.environ, home)
    sys.dont_write_bytecode = False
