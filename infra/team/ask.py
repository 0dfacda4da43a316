"""Ask a service through its API, with the credentials of the environment, as its clients will.

    python -m infra.team.ask mlflow|prefect|ray|s3      exit 0 when it answers

For health checks: MLflow's /health answers even where the API refuses every client by its host header.
"""

from __future__ import annotations

import os
import sys

from infra.team.process import get


def answers(service: str) -> int:
    """The status of the answer; 0 without one. 200 is a yes."""
    given = os.environ
    if service == "mlflow":
        login = f"{given['MLFLOW_TRACKING_USERNAME']}:{given['MLFLOW_TRACKING_PASSWORD']}"
        route = "/api/2.0/mlflow/experiments/get?experiment_id=0"
        return get(given["MLFLOW_TRACKING_URI"].rstrip("/") + route, login)
    if service == "prefect":
        return get(f"{given['PREFECT_API_URL'].rstrip('/')}/admin/version", given["PREFECT_API_AUTH_STRING"])
    if service == "ray":
        return get(f"{given['RAY_ADDRESS'].rstrip('/')}/api/version", token=given["RAY_AUTH_TOKEN"])
    return _buckets()


def _buckets() -> int:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    settings = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
    try:
        answer = boto3.session.Session().client("s3", config=settings).list_buckets()
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    except BotoCoreError:
        return 0
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


if __name__ == "__main__":
    status = answers(sys.argv[1])
    print(status)
    sys.exit(status != 200)
