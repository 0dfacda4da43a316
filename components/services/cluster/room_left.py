"""Room on a cluster that a killed driver's training still holds, and how it comes back.

Ray Train asks a detached actor, the autoscaling coordinator, for the room of its workers, and renews that
every 20 s. A driver that is killed takes nothing back, and the request stays for three minutes
(AUTOSCALING_REQUESTS_EXPIRE_TIME_S): a training with workers in a range that begins meanwhile finds less
room than there is, and has fewer. Ray names requests by a random number; ours name their job as well, and
whoever starts next takes those of dead jobs back. Whose they are not, it leaves.
"""

from __future__ import annotations

import re
from typing import Any

ANSWER_S = 5.0  # without an answer it expires by itself
_OURS = re.compile(r"train-refocus-(?P<job>[0-9a-f]+)-.*")


def named_by_its_job(run_id: str) -> str:
    """What Ray is to take for a training's number, in a process of the training's job."""
    import ray

    return f"refocus-{ray.get_runtime_context().get_job_id()}-{run_id}"


def give_back(coordinator: Any) -> list[str]:
    """Take back what jobs of ours that are dead have asked for; gives the names of the requests."""
    import ray

    try:
        asked = ray.get(
            coordinator.__ray_call__.remote(lambda self: list(self._ongoing_reqs)), timeout=ANSWER_S
        )
        dead = {job["JobID"] for job in ray._private.state.jobs() if job["IsDead"]}
        left = [name for name in asked if (found := _OURS.fullmatch(name)) and found["job"] in dead]
        ray.get([coordinator.cancel_request.remote(requester_id=name) for name in left], timeout=ANSWER_S)
    except (ray.exceptions.RayError, AttributeError):  # another Ray has it otherwise; three minutes are left
        return []
    return left
