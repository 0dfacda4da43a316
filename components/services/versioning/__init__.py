"""Versions of data, artifacts and code: the door of DVC (dvc.py) and of git (git.py), and the child
processes they run in. refusals.py has what both refuse, as sentences.
"""

from components.services.versioning.dvc import (
    GRAPH,
    LOCK,
    Outcome,
    check_objects,
    hashes,
    leave_status,
    need_in_graph,
    push,
    recipes_in_graph,
    reproduce,
    stage_order,
    status,
)
from components.services.versioning.git import (
    add_worktree,
    changes,
    commit_exists,
    file_at,
    head,
    ignored,
    last_run,
    need_clone,
    remove_worktree,
    snapshot,
)
from components.services.versioning.kept_runs import RunCommit, forget_run, run_commits
from components.services.versioning.own_state import mend
from components.services.versioning.process import Say, end_tree
from components.services.versioning.remotes import dvc_remote, git_remote
from components.services.versioning.sharing import bring, share_with

__all__ = [
    "GRAPH",
    "LOCK",
    "Outcome",
    "RunCommit",
    "Say",
    "add_worktree",
    "bring",
    "changes",
    "check_objects",
    "commit_exists",
    "dvc_remote",
    "end_tree",
    "file_at",
    "forget_run",
    "git_remote",
    "hashes",
    "head",
    "ignored",
    "last_run",
    "leave_status",
    "mend",
    "need_clone",
    "need_in_graph",
    "push",
    "recipes_in_graph",
    "remove_worktree",
    "reproduce",
    "run_commits",
    "share_with",
    "snapshot",
    "stage_order",
    "status",
]
