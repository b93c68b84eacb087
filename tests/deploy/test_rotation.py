"""Rotation of the receiver's password."""

from __future__ import annotations

import base64
import json
from types import ModuleType

import psycopg
import pytest

from tests.cloud import EmbeddedCloud
from tests.deploy.deploying import Invoke, Upload

pytestmark = pytest.mark.xdist_group("deploy")  # the packages are built once


def test_a_verifier_is_what_postgresql_makes_of_the_password(
    rotation: ModuleType, embedded: EmbeddedCloud, database: str
) -> None:
    password = "k9ZtWq8mBv5xJr2LhN6sDc4fGy7pTa3e"
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        connection.execute("SET password_encryption = 'scram-sha-256'")
        connection.execute(f"CREATE ROLE verified PASSWORD '{password}'".encode())
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'verified'")
        made = str(row.fetchall()[0][0])
        connection.rollback()
    salt = base64.b64decode(made.split("$")[1].partition(":")[2])
    assert rotation.verifier(password, salt) == made


def test_a_rotation_makes_the_user_who_can_load_and_nothing_else(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    secrets = embedded.moto.client("secretsmanager", embedded.analytics.id, "us-east-1")
    user = f"receiver_{hub['DB_NAME'][-4:]}"
    login = json.dumps({"username": user, "password": "first"})
    secret = secrets.create_secret(Name=f"login-{user}", SecretString=login)["ARN"]
    environment = hub | {"MASTER_SECRET_ARN": hub["AURORA_SECRET_ARN"]}
    embedded.data_api.logins[secret] = user
    for version in ("1" * 32, "2" * 32):  # which makes the user, then changes the password
        steps = ("createSecret", "createSecret", "setSecret", "testSecret", "finishSecret")
        for step in steps:
            event = {"SecretId": secret, "ClientRequestToken": version, "Step": step}
            answer = invoke("rotation.lambda_handler", environment, event)
            assert answer.get("result", answer) is None, step
        current = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
        assert current["VersionId"] == version
        held = json.loads(current["SecretString"])
        assert (held["username"], len(held["password"])) == (user, 40)
        assert held["password"] not in "".join(call.sql for call in embedded.data_api.calls)
    upload("300000000901")
    answer = invoke("receiver.lambda_handler", hub | {"AURORA_SECRET_ARN": secret}, {})
    assert answer["result"]["files"] == 1
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute(f"SET ROLE {user}".encode())
        for forbidden in ("DROP TABLE accounts", "CREATE TABLE mine (id int)", "TRUNCATE accounts"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(forbidden.encode())
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}".encode())


def test_a_page_in_place_of_an_answer_ends_no_step(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str]
) -> None:
    """A step that Secrets Manager takes for done would leave the database with another password."""
    secrets = embedded.moto.client("secretsmanager", embedded.analytics.id, "us-east-1")
    user = f"turned_{hub['DB_NAME'][-4:]}"
    login = json.dumps({"username": user, "password": "first"})
    secret = secrets.create_secret(Name=f"login-{user}", SecretString=login)["ARN"]
    environment = hub | {"MASTER_SECRET_ARN": hub["AURORA_SECRET_ARN"]}
    page = b"<!DOCTYPE html><p>Please sign in"
    spoilt = {
        "createSecret": ("secretsmanager", "PutSecretValue"),
        "setSecret": ("rds-data", "ExecuteStatement"),
        "finishSecret": ("secretsmanager", "UpdateSecretVersionStage"),
    }
    for step, (service, operation) in spoilt.items():
        event = {"SecretId": secret, "ClientRequestToken": "1" * 32, "Step": step}
        embedded.data_api.logins[secret] = user
        rule = embedded.switches.answer_raw(service, operation, page)
        answer = invoke("rotation.lambda_handler", environment, event)
        assert "UnreadableAnswer" in answer["errorMessage"], step
        embedded.switches.remove(rule)
        embedded.switches.answer_raw(service, operation, page, times=1)  # which is asked again
        answer = invoke("rotation.lambda_handler", environment, event)
        assert answer.get("result", answer) is None, step
    current = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    assert current["VersionId"] == "1" * 32
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}".encode())
