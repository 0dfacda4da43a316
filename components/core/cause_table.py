"""The classes of what goes wrong around us: how the machine and its tools say it, and what a person
can do. What is done with them stands in causes.py.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from components.core.errors import BusyError, InputError, RefocusError, ServiceError
from components.core.memory import SPENT


@dataclass(frozen=True)
class Cause:
    """One class of what goes wrong around us.

    errnos: how the operating system says it; words: how tools write it, in small letters;
    said: with {place}, {free} and {owner}; kind: the error it becomes.
    """

    name: str
    errnos: tuple[int, ...]
    words: tuple[str, ...]
    said: str
    remedy: str
    kind: type[RefocusError] = InputError


CAUSES: tuple[Cause, ...] = (
    Cause(
        "full disk",
        (errno.ENOSPC, errno.EDQUOT),
        ("no space left on device", "disk quota exceeded", "database or disk is full", " requested and "),
        "the disk is full: {free} are free at {place}, more are needed",
        "free some and run the same command again",
    ),
    Cause(
        "file too large",
        (errno.EFBIG,),
        ("file too large",),
        "the file system under {place}, or this user's limit (ulimit -f), allows no file as large"
        " as is needed",
        "raise the limit, or use another file system",
    ),
    Cause(
        "read-only",
        (errno.EROFS,),
        ("read-only file system", "attempt to write a readonly database"),
        "{place} cannot be written: it lies on a read-only file system, or its database may only be read",
        "mount it for writing, or work in a copy elsewhere (REFOCUS_HOME moves the state folder alone)",
    ),
    Cause(
        "no right",
        (errno.EACCES, errno.EPERM),
        ("permission denied", "operation not permitted", "insufficient permission"),
        "this user may not use {place}{owner}",
        "let this user write there (sudo chown -R $(id -u):$(id -g) FOLDER gives it back), or choose another"
        " folder",
    ),
    Cause(
        "broken disk",
        (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN),
        ("input/output error", "stale file handle", "transport endpoint is not connected", "disk i/o error"),
        "the disk under {place} does not answer as a disk should",
        "look whether the drive or network share is still there (dmesg, df), and run the same command again",
    ),
    Cause(
        "too many open files",
        (errno.EMFILE, errno.ENFILE),
        ("too many open files", "unable to open database file: too many"),
        "this user may not open more files at once",
        "raise the limit (ulimit -n 4096) and run the same command again",
    ),
    Cause(
        "no memory",
        (errno.ENOMEM,),
        (
            *SPENT,
            "failed to map segment from shared object",
        ),
        "this machine has not enough free memory",
        "close other programs, or lower the recipe's train.workers, batch or crop, or --tile where photos are"
        " restored",
    ),
    Cause(
        "no more processes",
        (errno.EAGAIN,),
        ("resource temporarily unavailable", "can't start new thread", "cannot fork"),
        "this user may start no more processes or threads",
        "end some, or raise the limit (ulimit -u; in a container --pids-limit), and run the same command"
        " again",
    ),
    Cause(
        "name too long",
        (errno.ENAMETOOLONG,),
        ("file name too long", "af_unix path length cannot exceed", "af_unix path too long"),
        "the path {place} is longer than this machine allows",
        "move the project, TMPDIR or the file to a shorter path",
    ),
    Cause(
        "no locks",
        (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP),
        ("no locks available", "does not appear to support flock", "function not implemented"),
        "the file system under {place} has no file locks (some network shares do not), and two runs at once"
        " would spoil each other",
        "set REFOCUS_HOME to a folder on a local disk",
    ),
    Cause(
        "busy",
        (errno.EBUSY, errno.ETXTBSY),
        ("device or resource busy", "database is locked"),
        "{place} is in use by another program",
        "wait for it, or close it, and run the same command again",
        BusyError,
    ),
    Cause(
        "no temporary folder",
        (),
        ("no usable temporary directory found", "no usable temporary file name found"),
        "there is no folder for temporary files that this user may write and that has room",
        "set TMPDIR to one",
    ),
    Cause(
        "nameless user",
        (),
        ("getpwuid(): uid not found", "could not determine home directory", "determine the home directory"),
        "this user has a number and no name (no entry in the machine's passwd), which a library wants",
        "set HOME to a folder that this user may write and USER to any name (docker run -e HOME=/tmp -e"
        " USER=me), or give the user an entry",
    ),
    Cause(
        "proxy",
        (),
        ("cannot connect to proxy", "unable to connect to proxy", "proxyerror", "socks proxy", "proxy url"),
        "the proxy that the environment names (http_proxy, https_proxy, all_proxy) did not serve",
        "correct or unset it, or add the host to no_proxy",
        ServiceError,
    ),
    Cause(
        "certificate",
        (),
        ("certificate verify failed", "certificate_verify_failed", "sslerror", "ssl: "),
        "the other side's certificate is not trusted here (a company's proxy may stand between)",
        "name the company's certificate (SSL_CERT_FILE, REQUESTS_CA_BUNDLE, AWS_CA_BUNDLE)",
        ServiceError,
    ),
    Cause(
        "no answer",
        (
            *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
            *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL),
        ),
        (
            *("connection refused", "connection reset by peer", "no route to host", "network is unreachable"),
            *("name or service not known", "temporary failure in name resolution", "connecterror"),
            *("all connection attempts failed", "connection timed out", "nodename nor servname"),
        ),
        "a service that this command needs does not answer",
        "see that it runs and that its address is right; `refocus doctor` asks each one",
        ServiceError,
    ),
    Cause(
        "in the way",
        (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY),
        ("file exists", "not a directory", "is a directory", "directory not empty"),
        "a file stands where a folder is wanted, or the other way round: {place}",
        "move it, or choose another folder",
    ),
    Cause(
        "link loop",
        (errno.ELOOP,),
        ("symlink loop from", "too many levels of symbolic links"),
        "the links that lead to {place} go round in a circle",
        "correct the link (ls -l shows where it points), or choose another folder",
    ),
    Cause(
        "missing",
        (errno.ENOENT,),
        ("no such file or directory", "unable to open database file"),
        "there is no {place}, or what leads to it is gone",
        "see whether it was moved or deleted meanwhile, and run the same command again",
    ),
)
