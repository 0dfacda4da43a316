"""Versions of data, artifacts and code: the door of DVC (dvc.py, graph.py) and of git (git.py), and
the child processes they run in. outputs.py brings and sends what a team's DVC remote has, runs.py the
commits of runs. refusals.py has what both refuse, as sentences.
"""

from components.services.versioning.dvc import (
    LOCK,
    Outcome,
    check_objects,
    hashes,
    leave_status,
    reproduce,
)
from components.services.versioning.git import (
    add_worktree,
    changes,
    commit_exists,
    file_at,
    head,
    identity,
    ignored,
    last_run,
    need_clone,
    remove_worktree,
    snapshot,
)
from components.services.versioning.graph import GRAPH, need_in_graph, recipes_in_graph, stage_order
from components.services.versioning.kept_runs import RunCommit, forget_run, run_commits
from components.services.versioning.output_heads import heads_in_outputs
from components.services.versioning.outputs import CHANGED, bring_made, out_of_date, push, take_lock
from components.services.versioning.own_state import mend
from components.services.versioning.process import Say, end_tree
from components.services.versioning.remotes import dvc_remote, git_remote
from components.services.versioning.runs import fetch_runs, has_commit, push_runs
from components.services.versioning.sharing import bring, share_with

__all__ = [
    "CHANGED",
    "GRAPH",
    "LOCK",
    "Outcome",
    "RunCommit",
    "Say",
    "add_worktree",
    "bring",
    "bring_made",
    "changes",
    "check_objects",
    "commit_exists",
    "dvc_remote",
    "end_tree",
    "fetch_runs",
    "file_at",
    "forget_run",
    "git_remote",
    "has_commit",
    "hashes",
    "head",
    "heads_in_outputs",
    "identity",
    "ignored",
    "last_run",
    "leave_status",
    "mend",
    "need_clone",
    "need_in_graph",
    "out_of_date",
    "push",
    "push_runs",
    "recipes_in_graph",
    "remove_worktree",
    "reproduce",
    "run_commits",
    "share_with",
    "snapshot",
    "stage_order",
    "take_lock",
]
