"""The door of MLflow: one run per training, and the model registry. No other module imports mlflow
(a registered model's own file aside).

MLflow takes a second to import, so it is imported inside the functions: importing this package
costs nothing.

store.py      where the tracking store is, its first use; answers.py asks whether it is there
training.py   one training's run: parameters, losses, pictures, the machine's load
models.py     a model folder that loads anywhere; trial.py is what tries it
model_files.py  which files a version has
unnamed.py    files of models that never became a version
sqlite_registry.py  what a local file can be asked without MLflow; server_registry.py a server
registry.py   versions, their aliases, tags and files
ledger.py     a table beside a model to which rows are only ever added
"""

from components.services.tracking import ledger, registry
from components.services.tracking.model_files import files_of
from components.services.tracking.models import Trial, save_pyfunc, try_pyfunc
from components.services.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    STATUS,
    Version,
    add_file,
    add_model_tags,
    add_tags,
    add_version,
    at_alias,
    fetch,
    find_version,
    get_version,
    has_file,
    maybe_version,
    model_tags,
    newest_versions,
    search,
    set_alias,
)
from components.services.tracking.store import (
    is_on_this_machine,
    login,
    named_actor,
    need_answer,
    prepare,
    shown_uri,
    tracking_uri,
)
from components.services.tracking.training import (
    TRAIN_KEY,
    TrainingRun,
    end_training,
    find_training,
    has_run,
    log_results,
    open_training,
)
from components.services.tracking.unnamed import (
    UnnamedModel,
    forget_model,
    is_used,
    models_without_version,
)

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PREVIOUS",
    "STATUS",
    "TRAIN_KEY",
    "TrainingRun",
    "Trial",
    "UnnamedModel",
    "Version",
    "add_file",
    "add_model_tags",
    "add_tags",
    "add_version",
    "at_alias",
    "end_training",
    "fetch",
    "files_of",
    "find_training",
    "find_version",
    "forget_model",
    "get_version",
    "has_file",
    "has_run",
    "is_on_this_machine",
    "is_used",
    "ledger",
    "log_results",
    "login",
    "maybe_version",
    "model_tags",
    "models_without_version",
    "named_actor",
    "need_answer",
    "newest_versions",
    "open_training",
    "prepare",
    "registry",
    "save_pyfunc",
    "search",
    "set_alias",
    "shown_uri",
    "tracking_uri",
    "try_pyfunc",
]
