"""The team's services by themselves, as the tests that follow will find them."""

from __future__ import annotations

import os

import boto3
import pytest

from infra.team.postgres import DATABASES, Postgres
from infra.team.s3 import BUCKETS, SeaweedFS

pytestmark = pytest.mark.services


def test_the_database_server_has_the_teams_databases(postgres: Postgres) -> None:
    import psycopg

    for name in DATABASES:
        with psycopg.connect(postgres.address(name)) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == (name,)


def test_the_store_has_the_teams_buckets_and_one_of_two_creations_wins(s3: SeaweedFS) -> None:
    client = boto3.session.Session().client("s3")
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} >= set(BUCKETS)
    client.put_object(Bucket="refocus", Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
        client.put_object(Bucket="refocus", Key="once", Body=b"second", IfNoneMatch="*")
    assert client.get_object(Bucket="refocus", Key="once")["Body"].read() == b"first"


def test_without_the_fixture_no_variable_points_at_the_store() -> None:
    assert "AWS_ENDPOINT_URL" not in os.environ
