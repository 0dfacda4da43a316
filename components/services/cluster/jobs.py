"""Work sent to a cluster from outside, over its page (http://HOST:8265): one job a piece of work.

A job is known by what it does: whoever sends the same work while it is under way joins it, also after
the process that sent it has died. Its words come line by line, and it ends when its sender is
stopped. A sender that only lost the connection leaves it running.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from components.core import stopping
from components.core.addresses import shown, without_secrets
from components.core.errors import ServiceError
from components.core.surroundings import keep_loopback_direct
from components.services.cluster import address as addresses
from components.services.cluster import code, given

SEALED_VARIABLE = "REFOCUS_SEALED"
LOOK_S, PATIENCE_S = 2.0, 120.0
STOP_S = 18  # for a job to end in order, before Ray kills it
OVER = ("SUCCEEDED", "FAILED", "STOPPED")
RAYS_OWN = re.compile(r"Running entrypoint for job |[-0-9]+ [:,0-9]+\tINFO job_manager\.py")


@dataclass(frozen=True)
class Wish:
    """What a job's own process asks of the cluster, beside what its workers ask later."""

    cpus: int = 0
    gpu: bool = False


class Cluster:
    """The cluster at $RAY_ADDRESS, seen from outside."""

    def __init__(self) -> None:
        """Raises ServiceError when it does not answer, or wants another token."""
        self.address = addresses.of_environment().rstrip("/")
        addresses.need_cluster(self.address)
        keep_loopback_direct()
        from ray.job_submission import JobSubmissionClient

        for name in ("dashboard_sdk", "job.sdk"):
            logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.WARNING)
        self._client = JobSubmissionClient(self.address)

    def gpus(self) -> int:
        """How many GPUs its nodes have in all."""
        answer = self._client._do_request("GET", "/api/v0/nodes?detail=true")
        found = answer.json()["data"]["result"]["result"] if answer.status_code == 200 else ()
        return int(sum(node["resources_total"].get("GPU", 0) for node in found if node["state"] == "ALIVE"))

    def nodes(self) -> list[str]:
        """The nodes that are up, as the cluster's page tells of them: address, GPUs and processors."""
        answer = self._client._do_request("GET", "/api/v0/nodes?detail=true")
        found = answer.json()["data"]["result"]["result"] if answer.status_code == 200 else ()
        return sorted(
            f"{node['node_ip']} ({node['resources_total'].get('GPU', 0):g} GPUs,"
            f" {node['resources_total'].get('CPU', 0):g} processors)"
            for node in found
            if node["state"] == "ALIVE"
        )

    def said(self, name: str, entrypoint: str, limit_s: float) -> list[str]:
        """Run a small job of a name that none has, to its end; gives its lines, and leaves no trace of it.

        Raises ServiceError when it has not ended by then, or not well, with its last words.
        """
        attempt, until = self._begun(name, entrypoint, Wish(), quiet=True), time.monotonic() + limit_s
        try:
            lines = [without_secrets(line) for line in self._lines(attempt, until)]
            if (status := self._status(attempt)) not in OVER:
                raise ServiceError(
                    f"a job that only looks has not ended within {limit_s:g} s on the cluster at"
                    f" {shown(self.address)}; look whether others have all of its room, and at its page"
                )
            if status != "SUCCEEDED":
                last = next((line for line in reversed(lines) if line.strip()), "no word of it")
                raise ServiceError(f"a job that only looks ended as {status} on the cluster: {last[:400]}")
            return lines
        finally:
            if self._status(attempt) not in OVER:
                self._stop(attempt)
            with suppress(Exception):  # one that does not end keeps its place in the list
                self._client.delete_job(attempt)

    def run(self, name: str, entrypoint: str, wish: Wish) -> str:
        """Run a job to its end, or join the one of that name that is at work, its words on stderr; gives
        how it ended: SUCCEEDED, FAILED or STOPPED.

        A signal to this process ends the job. Raises ServiceError when the cluster answers no more.
        """
        attempt = self._begun(name, entrypoint, wish)
        try:
            for line in self._lines(attempt):
                print(without_secrets(line), file=sys.stderr, flush=True)
        except BaseException as error:
            if stopping.signal_of(error) is not None:
                self._stop(attempt)
            raise
        return self._status(attempt)

    def _begun(self, name: str, entrypoint: str, wish: Wish, *, quiet: bool = False) -> str:
        """The job of that name that is at work; a new one where there is none."""
        known = {
            int(job.submission_id.rpartition("-")[2]): str(job.status)
            for job in self._client.list_jobs()
            if job.submission_id and job.submission_id.rpartition("-")[0] == name
        }
        for number, status in known.items():
            if status not in OVER:
                print(f"refocus: job {name}-{number} is at work on the cluster; joined", file=sys.stderr)
                return f"{name}-{number}"
        attempt = f"{name}-{max(known, default=0) + 1}"
        clear, rest = given.for_cluster(self.address)
        variables = {
            **clear,
            **({SEALED_VARIABLE: rest} if rest is not None else {}),
            "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S),
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }
        with code.packed() as package:
            try:
                self._client.submit_job(
                    entrypoint=entrypoint,
                    submission_id=attempt,
                    runtime_env={"working_dir": str(package), "env_vars": variables},
                    entrypoint_num_cpus=wish.cpus or None,
                    entrypoint_num_gpus=1 if wish.gpu else None,
                )
            except RuntimeError as error:
                if "already exists" not in str(error):  # another sender was faster
                    raise ServiceError(
                        f"the Ray cluster at {shown(self.address)} does not take the job {attempt}"
                        f" ({' '.join(str(error).split())[:300]})"
                    ) from error
        if not quiet:
            print(f"refocus: sent to the cluster at {shown(self.address)} as job {attempt}", file=sys.stderr)
        return attempt

    def _lines(self, attempt: str, until_s: float = float("inf")) -> Iterator[str]:
        """What the job says, line by line, until it is over, or until that moment (time.monotonic)."""
        come: queue.Queue[str] = queue.Queue()
        over = threading.Event()
        reader = threading.Thread(target=self._read, args=(attempt, come, over), daemon=True)
        reader.start()
        looked, rest = time.monotonic(), ""
        try:
            while time.monotonic() < until_s:
                try:
                    rest += come.get(timeout=0.3)
                except queue.Empty:
                    if not reader.is_alive() and come.empty():
                        break
                *whole, rest = rest.split("\n")
                yield from (line for line in whole if line and not RAYS_OWN.match(line))
                if time.monotonic() - looked > LOOK_S:
                    looked = time.monotonic()
                    if self._status(attempt) in OVER:
                        reader.join(timeout=5)  # what is still on its way
                        over.set()
            if rest:
                yield rest
        finally:
            over.set()

    def _read(self, attempt: str, come: queue.Queue[str], over: threading.Event) -> None:
        """Follow the job's log; after a broken connection again, from where it broke."""
        seen = 0

        async def follow() -> None:
            nonlocal seen
            at = 0
            async for text in self._client.tail_job_logs(attempt):
                at += len(text)
                if at > seen:
                    come.put(text[len(text) - (at - seen) :])
                    seen = at

        while not over.is_set():
            try:
                asyncio.run(follow())
                return
            except Exception:  # whatever broke: whether the cluster is there is asked by `_status`
                over.wait(1.0)

    def _status(self, attempt: str) -> str:
        """How the job is; a page that does not answer is asked again for two minutes."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return str(self._client.get_job_status(attempt).value)
            except Exception as error:
                if time.monotonic() > until:
                    raise ServiceError(
                        f"the Ray cluster at {shown(self.address)} answers no more ({type(error).__name__}),"
                        f" so nothing is known of the job {attempt}; when it answers again, run the same"
                        " command to join the job"
                    ) from error
                time.sleep(1.0)

    def _stop(self, attempt: str) -> None:
        """End the job, and see that it has ended, as far as this process is given the time."""
        try:
            self._client.stop_job(attempt)
            until = time.monotonic() + STOP_S + 3
            while time.monotonic() < until and not stopping.hurry.is_set():
                if str(self._client.get_job_status(attempt).value) in OVER:
                    return
                time.sleep(0.3)
        except Exception as error:  # of two errors the signal is the one to tell
            print(f"refocus: the job {attempt} could not be stopped: {error}", file=sys.stderr)


def settle(*, gpu: bool) -> None:
    """Make this process, which a cluster started for a job, one of ours: with the credentials that came
    with the job, and without a GPU that it has not asked for. Called before a library looks for one.
    """
    given.take({}, os.environ.get(SEALED_VARIABLE))
    given.settle_own_folder()
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
