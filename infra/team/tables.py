"""Make MLflow's tables, or bring those of an older MLflow up to date; a newer server refuses them else.

    python -m infra.team.tables      with MLFLOW_BACKEND_STORE_URI set

`mlflow db upgrade` does the second only, and takes the address with its password as an argument, which all
users of a machine could see.
"""

from __future__ import annotations

import os


def bring_up_to_date(address: str) -> str:
    """Say which of both was done. May be called again."""
    import sqlalchemy
    from mlflow.store.db import utils

    engine = utils.create_sqlalchemy_engine_with_retry(address)
    new = not sqlalchemy.inspect(engine).has_table("alembic_version")
    if new:
        utils._initialize_tables(engine)
    else:
        utils._upgrade_db(engine)
    return "made" if new else "up to date"


if __name__ == "__main__":
    print("MLflow's tables are", bring_up_to_date(os.environ["MLFLOW_BACKEND_STORE_URI"]))
