"""Rotation of the receiver's password."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import ModuleType

import psycopg
import pytest

from tests.cloud import EmbeddedCloud
from tests.conftest import ANALYTICS
from tests.deploy.deploying import Invoke, Upload, imported, run
from tests.paths import ROOT


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


@dataclass
class Rotation:
    """Rotations of a secret in the order of Secrets Manager, each for the next of two users.

    The user that is in use works after each step.
    """

    invoke: Invoke
    embedded: EmbeddedCloud
    environment: dict[str, str]
    user: str
    held: dict[str, str] = field(default_factory=dict)
    turns: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        login = json.dumps({"username": self.user, "password": "first"})
        self.secrets = self.embedded.moto.client("secretsmanager", ANALYTICS, "us-east-1")
        made = self.secrets.create_secret(Name=f"login-{self.user}", SecretString=login)
        self.secret = made["ARN"]

    def turn(self, *_: object) -> None:
        """One rotation: all its steps, of which the first may come twice."""
        number = next(self.turns)
        user = self.user if number % 2 else f"{self.user}_b"
        for step in STEPS:
            if step == "finishSecret":
                self.embedded.data_api.logins[self.secret] = user
            event = {"SecretId": self.secret, "ClientRequestToken": str(number) * 32, "Step": step}
            answer = self.invoke("rotation.lambda_handler", self.environment, event)
            assert answer.get("result", answer) is None, step
            if self.held:
                logged_in(self.embedded, self.environment["DB_NAME"], self.held)
        current = self.secrets.get_secret_value(SecretId=self.secret, VersionStage="AWSCURRENT")
        assert current["VersionId"] == str(number) * 32
        self.held = json.loads(current["SecretString"])
        assert (self.held["username"], len(self.held["password"])) == (user, 40)
        assert self.held["password"] not in "".join(c.sql for c in self.embedded.data_api.calls)


EARLIER = """
CREATE TABLE salaries (id int);
CREATE ROLE {0} LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {0};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {0}"""
"""The user as an earlier version made it, and a table of somebody's."""

FORBIDDEN = (
    "DROP TABLE accounts",
    "CREATE TABLE mine (id int)",
    "TRUNCATE accounts",
    "UPDATE changes SET change = 'created'",
    "SELECT * FROM salaries",
)


def test_a_rotation_makes_the_user_who_can_load_and_nothing_else(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    """A rotation while a receiver loads is noticed by nobody."""
    first = f"receiver_{hub['DB_NAME'][-4:]}"
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute(EARLIER.format(first).encode())
    environment = hub | {"MASTER_SECRET_ARN": hub["AURORA_SECRET_ARN"]}
    rotation = Rotation(invoke, embedded, environment, first)
    rotation.turn()
    receiver = hub | {"AURORA_SECRET_ARN": rotation.secret}
    upload("300000000901")
    embedded.switches.intercept("s3", "GetObject", rotation.turn, times=1)
    answer = invoke("receiver.lambda_handler", receiver, {})
    assert answer["result"]["files"] == 1
    assert rotation.held["username"] == first
    for clearing in (("--expire", "35"), ("--erase", "300000000901")):
        done = run("receiver.py", receiver, *clearing)
        assert done.returncode == 0, done.stderr
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute("CREATE TABLE bonuses (id int)")
        for user in (first, f"{first}_b"):
            connection.execute(f"SET ROLE {user}".encode())
            for forbidden in (*FORBIDDEN, "SELECT * FROM bonuses"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(forbidden.encode())
            connection.execute("RESET ROLE")
        drop(connection, first, f"{first}_b")


def drop(connection: psycopg.Connection, *users: str) -> None:
    """Drop users and the two roles of the database, which would outlive it."""
    roles = (f"{connection.info.dbname}_{role}" for role in ("writer", "reader"))
    for name in (*users, *roles):
        connection.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"'.encode())


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
    """What is new after an upgrade, too, and what people let all readers see."""
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
        connection.execute("CREATE TABLE salaries (id int); CREATE TABLE teams (id int)")
        connection.execute(f"GRANT SELECT ON teams TO {hub['DB_NAME']}_reader".encode())
        connection.execute("DROP VIEW fixed_findings; DROP TABLE notices")
    applied = run("receiver.py", hub, "--init-schema")
    assert applied.returncode == 0, applied.stderr
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute(f"SET ROLE {user}".encode())
        for allowed in (
            "SELECT * FROM services",
            "SELECT * FROM notices",
            "SELECT * FROM fixed_findings",
            "SELECT * FROM teams",
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
        connection.execute("RESET ROLE; DROP TABLE salaries, teams")
        drop(connection, user)


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
        if step == "finishSecret":  # the next user cannot log in: the current one goes on
            embedded.data_api.logins[secret] = "nobody_there"
            answer = invoke("rotation.lambda_handler", environment, event)
            assert "ExecuteStatement" in answer["errorMessage"]
            current = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
            assert json.loads(current["SecretString"])["username"] == user
            embedded.data_api.logins[secret] = f"{user}_b"
        embedded.switches.answer_raw(service, operation, page, times=1)  # which is asked again
        answer = invoke("rotation.lambda_handler", environment, event)
        assert answer.get("result", answer) is None, step
    current = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    assert current["VersionId"] == "1" * 32
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        drop(connection, f"{user}_b")
