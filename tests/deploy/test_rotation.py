"""Rotation of the receiver's password."""

from __future__ import annotations

import base64
import json
from types import ModuleType

import psycopg
import pytest

from tests.cloud import EmbeddedCloud
from tests.deploy.deploying import Invoke, Upload, imported
from tests.paths import ROOT

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


STEPS = ("createSecret", "createSecret", "setSecret", "testSecret", "finishSecret")


def test_a_rotation_makes_the_user_who_can_load_and_nothing_else(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    """In the order of Secrets Manager; the user that is in use works after each of the steps."""
    secrets = embedded.moto.client("secretsmanager", embedded.analytics.id, "us-east-1")
    first = f"receiver_{hub['DB_NAME'][-4:]}"
    users = (f"{first}_b", first)
    login = json.dumps({"username": first, "password": "first"})
    secret = secrets.create_secret(Name=f"login-{first}", SecretString=login)["ARN"]
    environment = hub | {"MASTER_SECRET_ARN": hub["AURORA_SECRET_ARN"]}
    in_use: dict[str, str] = {}
    for turn, user in enumerate((*users, *users)):
        for step in STEPS:
            if step == "finishSecret":
                embedded.data_api.logins[secret] = user
            event = {"SecretId": secret, "ClientRequestToken": str(turn) * 32, "Step": step}
            answer = invoke("rotation.lambda_handler", environment, event)
            assert answer.get("result", answer) is None, step
            if in_use:
                logged_in(embedded, hub["DB_NAME"], in_use)
        current = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
        assert current["VersionId"] == str(turn) * 32
        held = json.loads(current["SecretString"])
        assert (held["username"], len(held["password"])) == (user, 40)
        assert held["password"] not in "".join(call.sql for call in embedded.data_api.calls)
        in_use = held
    upload("300000000901")
    answer = invoke("receiver.lambda_handler", hub | {"AURORA_SECRET_ARN": secret}, {})
    assert answer["result"]["files"] == 1
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute(f"SET ROLE {first}".encode())
        for forbidden in ("DROP TABLE accounts", "CREATE TABLE mine (id int)", "TRUNCATE accounts"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(forbidden.encode())
        connection.execute("RESET ROLE")
        for user in users:
            connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}".encode())


def logged_in(embedded: EmbeddedCloud, database: str, login: dict[str, str]) -> None:
    """The database still has the password of a login, as SCRAM's verifier of it says."""
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        row = connection.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = %s", (login["username"],)
        ).fetchone()
    assert row
    salt = base64.b64decode(row[0].split("$")[1].partition(":")[2])
    rotation = imported(ROOT / "deploy" / "rotation.py")
    assert rotation.verifier(login["password"], salt) == row[0]


def test_a_reader_reads_everything_but_people(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str]
) -> None:
    secrets = embedded.moto.client("secretsmanager", embedded.analytics.id, "us-east-1")
    user = f"reader_{hub['DB_NAME'][-4:]}"
    login = json.dumps({"username": f"{user}_b", "rights": "read", "password": "first"})
    secret = secrets.create_secret(Name=f"login-{user}", SecretString=login)["ARN"]
    embedded.data_api.logins[secret] = user
    environment = hub | {"MASTER_SECRET_ARN": hub["AURORA_SECRET_ARN"]}
    for step in STEPS:
        event = {"SecretId": secret, "ClientRequestToken": "1" * 32, "Step": step}
        answer = invoke("rotation.lambda_handler", environment, event)
        assert answer.get("result", answer) is None, step
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute("CREATE TABLE salaries (id int)")
        connection.execute(f"SET ROLE {user}".encode())
        for allowed in (
            "SELECT * FROM freshness",
            "SELECT * FROM services",
            "SELECT account_id, account_name FROM accounts",
            "SELECT account_id, delivery FROM account_overview",
            "SELECT case_id, status FROM support_tickets",
        ):
            connection.execute(allowed.encode())
        for forbidden in (
            "SELECT * FROM contact_info",
            "SELECT * FROM alternate_contacts",
            "SELECT account_email FROM accounts",
            "SELECT account_email FROM account_overview",
            "SELECT submitted_by FROM support_tickets",
            "SELECT * FROM salaries",
            "DELETE FROM services",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(forbidden.encode())
        connection.execute("RESET ROLE; DROP TABLE salaries")
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
        embedded.data_api.logins[secret] = f"{user}_b"
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
        connection.execute(f"DROP OWNED BY {user}_b; DROP ROLE {user}_b".encode())
