"""Versions of data, artifacts and code: the door of DVC (dvc.py) and of git (git.py), and the child
processes they run in.
"""

from components.services.versioning.dvc import (
    Outcome,
    check_objects,
    hashes,
    leave_status,
    need_in_graph,
    push,
    recipes_in_graph,
    reproduce,
    share_with,
    stage_order,
    status,
)
from components.services.versioning.git import (
    add_worktree,
    changes,
    commit_exists,
    file_at,
    last_run,
    need_clone,
    remove_worktree,
    snapshot,
)
from components.services.versioning.own_state import mend
from components.services.versioning.process import Say, end_tree

__all__ = [
    "Outcome",
    "Say",
    "add_worktree",
    "changes",
    "check_objects",
    "commit_exists",
    "end_tree",
    "file_at",
    "hashes",
    "last_run",
    "leave_status",
    "mend",
    "need_clone",
    "need_in_graph",
    "push",
    "recipes_in_graph",
    "remove_worktree",
    "reproduce",
    "share_with",
    "snapshot",
    "stage_order",
    "status",
]
