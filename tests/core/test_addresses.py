"""Addresses as they are shown: no password or token, whatever characters it holds, by any way out."""

from __future__ import annotations

import pytest

from components.core import errors
from components.core.addresses import shown, sqlite_address, without_secrets
from components.core.causes import cause_named, explained, told
from components.services.versioning.process import Relay

SECRET = "hunter-2-and-more"


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        (f"https://ann:{SECRET}@mlflow.example:5000", "https://mlflow.example:5000"),
        ("https://ann:p@ss@mlflow.example:5000/x", "https://mlflow.example:5000/x"),
        ("https://ann:p/a?s#s@mlflow.example", "https://mlflow.example"),
        ("postgresql://ann:12/34@db.example/mlflow", "postgresql://db.example/mlflow"),
        (
            "postgresql+psycopg2://db/mlflow?password=x&user=ann",
            "postgresql+psycopg2://db/mlflow?password=***&user=***",
        ),
        ("http://127.0.0.1:4200/api?token=abc", "http://127.0.0.1:4200/api?token=***"),
        ("https://s3.example?X-Amz-Signature=abc#token=d", "https://s3.example?X-Amz-Signature=***#***"),
        ("http://proxy-user:pw@proxy:3128", "http://proxy:3128"),
        (f"ray://u:{SECRET}@head:10001", "ray://head:10001"),
        ("s3://photos/IMG@2x.png", "s3://photos/IMG@2x.png"),
        ("s3://key:secret@photos/x", "s3://photos/x"),
        ("demo@champion", "demo@champion"),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(address: str, wanted: str) -> None:
    assert shown(address) == wanted
    assert shown(wanted) == wanted


@pytest.mark.parametrize(
    "name", ["MLFLOW_TRACKING_URI", "PREFECT_API_URL", "AWS_ENDPOINT_URL", "http_proxy", "RAY_ADDRESS"]
)
@pytest.mark.parametrize("password", ["simple-one", "with @ and / and ?", "quote'\"s", "per%40cent"])
def test_no_sentence_of_ours_holds_what_an_address_of_the_environment_hides(
    name: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"https://ann:{password}@host.example:5000/x?token={SECRET}"
    monkeypatch.setenv(name, address)
    lines: list[str] = []
    relay = Relay(lines.append)
    relay.feed(f"a library says {address} is down\n".encode())
    relay.close()
    said = [
        str(errors.ServiceError(f"{address} does not answer")),
        str(explained(ValueError(f"{address}: {password}"))),
        str(explained(ConnectionRefusedError(111, f"Connection refused: {address}"))),
        str(told(cause_named("proxy"), why=f"{address}")),
        without_secrets(f"Traceback: {address}"),
        *lines,
    ]
    for words in said:
        assert SECRET not in words
        assert password not in words
        assert "host.example:5000" in words or "proxy" in words


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "PREFECT_API_KEY",
    ],
)
def test_no_value_of_a_secret_variable_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    assert str(errors.InputError(f"key={SECRET}, see {name}")) == f"key=***, see {name}"


def test_a_word_of_every_sentence_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert without_secrets("a test pair") == "a test pair"


@pytest.mark.parametrize("name", ["plain", "a b", "#1", "%20", "it's", '"q"', "ü", "a?b", "a&b=c"])
def test_a_sqlite_address_leads_to_its_file_whatever_the_path_holds(name: str, tmp_path: object) -> None:
    import sqlalchemy

    folder = tmp_path / name  # type: ignore[operator]
    folder.mkdir()
    path = folder / "kept.db"
    engine = sqlalchemy.create_engine(sqlite_address(path))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (x INT)"))
    engine.dispose()
    assert path.is_file()
    assert [each.name for each in folder.parent.iterdir()] == [name]
