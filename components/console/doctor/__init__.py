"""`refocus doctor`: look at everything a run will need and say what to do about what is missing.
Changes nothing.

machine.py    Python, packages, DVC, disks, shared memory, temporary folder, the user
places.py     the project's path, git, the recipes, whose the files are, locks
services.py   proxies, and each address, asked as the commands ask it
remotes.py    versions at both ends, clocks, buckets, DVC and git remotes, one registry for all
machines.py   GPUs, and each node of a cluster
sizes.py      the room that each folder has taken
"""

from __future__ import annotations

from pathlib import Path

from components.console.doctor import machine, machines, places, remotes, services, sizes
from components.console.doctor.findings import Check, Finding, looked_at
from components.core.addresses import without_secrets
from components.core.errors import RefocusError
from components.pipeline.project import Project

CHECKS: tuple[Check, ...] = tuple(
    check for part in (machine, places, services, remotes, machines, sizes) for check in part.CHECKS
)


def examine(root: Path) -> int:
    """Look at everything and print a table; gives 1 when something needs doing, else 0.

    root: the checkout. Its state folder need not be there, nor be one that can be made.
    """
    findings = []
    try:
        project = Project.here(writes=False)
    except RefocusError as error:
        findings.append(Finding("state folder", "none", str(error)))
        project = Project(root, root / ".refocus")
    findings += [finding for check in CHECKS for finding in looked_at(check, project)]
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(
            without_secrets(f"{'!!' if finding.remedy else 'ok'}  {finding.what:<{width}}  {finding.found}")
        )
        if finding.remedy:
            print(without_secrets(f"    {'':<{width}}  -> {finding.remedy}"))
    todo = sum(bool(finding.remedy) for finding in findings)
    print(f"{todo} thing{'s' if todo != 1 else ''} to do" if todo else "all is well")
    return 1 if todo else 0
