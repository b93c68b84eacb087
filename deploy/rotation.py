"""Rotate a database password, and make its user first if there is none.

AWS Secrets Manager calls `lambda_handler` four times per rotation, with the steps createSecret,
setSecret, testSecret and finishSecret. Two users take turns (`receiver`, `receiver_b`): the next
one gets a password while the current one goes on working, so no call is refused in between.

The statements go through the RDS Data API as the master, so nothing here needs a network. The
database is told a SCRAM verifier instead of the password: what is in a statement may end up in a
log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from observability.aws.clients import open_client, open_session
from observability.database.rights import member_sql, rights_sql

ITERATIONS = 4096
"""Of PBKDF2, PostgreSQL's own number."""

PATIENCE = 120.0
"""Seconds that the database may take to wake up."""

PASSING = ("DatabaseResumingException", "StatementTimeoutException")
"""Errors of a database that is paused, or on which schema.sql is being applied (rights.LOCK)."""

SECOND = "_b"
"""Ends the name of the second of two users."""


def lambda_handler(event: Mapping[str, str], context: object) -> None:
    """One step of a rotation. Raises on failure, and then Secrets Manager tries again."""
    secret, version = event["SecretId"], event["ClientRequestToken"]
    steps = {"createSecret": create, "setSecret": install, "finishSecret": finish}
    if event["Step"] in steps:
        steps[event["Step"]](secret, version)
    # testSecret: the Data API logs in with the current version only, so `finish` does the test.


def create(secret: str, version: str) -> None:
    """Put the next password beside the current one; once, however often it is called."""
    try:
        client("secretsmanager").get_secret_value(
            SecretId=secret, VersionId=version, VersionStage="AWSPENDING"
        )
        return
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    made = client("secretsmanager").get_random_password(PasswordLength=40, ExcludePunctuation=True)
    login = read(secret, VersionStage="AWSCURRENT") | {"password": made["RandomPassword"]}
    login["username"] = other_user(login["username"])
    client("secretsmanager").put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=json.dumps(login),
        VersionStages=["AWSPENDING"],
    )


def install(secret: str, version: str) -> None:
    """Make the database accept the next password."""
    login = read(secret, VersionId=version, VersionStage="AWSPENDING")
    if not re.fullmatch("[a-z][a-z0-9_]*", login["username"]):
        raise ValueError("the user's name is none that can be written into a statement")
    user = login["username"]
    known = "SELECT 1 FROM pg_roles WHERE rolname = :name"
    verb = "ALTER" if rows(known, name=user) else "CREATE"
    execute(f"{verb} ROLE \"{user}\" LOGIN PASSWORD '{verifier(login['password'])}'", master())
    execute(rights_sql(make=True), master())
    execute(member_sql(user, "reader" if login.get("rights") == "read" else "writer"), master())


def other_user(user: str) -> str:
    """The one whose turn is next."""
    return user.removesuffix(SECOND) if user.endswith(SECOND) else f"{user}{SECOND}"


def rows(sql: str, **parameters: str) -> list[tuple[str, ...]]:
    """The rows of a query by the master, as texts."""
    given = [{"name": name, "value": {"stringValue": text}} for name, text in parameters.items()]
    answer = execute(sql, master(), given)
    return [tuple(cell.get("stringValue", "") for cell in row) for row in answer["records"]]


def verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL keeps of a password (SCRAM-SHA-256, RFC 7677), and takes in its place."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored, server, salt_text = (
        base64.b64encode(part).decode()
        for part in (hashlib.sha256(client_key).digest(), server_key, salt)
    )
    return f"SCRAM-SHA-256${ITERATIONS}:{salt_text}${stored}:{server}"


def finish(secret: str, version: str) -> None:
    """Make the next password the current one, and log in with it; where that fails, go back."""
    versions = client("secretsmanager").describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(name for name, stages in versions.items() if "AWSCURRENT" in stages)
    if current != version:
        make_current(secret, version, current)
    try:
        execute("SELECT 1", secret)
    except ClientError:
        if current != version:
            make_current(secret, current, version)
        raise


def make_current(secret: str, version: str, former: str) -> None:
    """Let a version be the one that the Data API logs in with."""
    client("secretsmanager").update_secret_version_stage(
        SecretId=secret,
        VersionStage="AWSCURRENT",
        MoveToVersionId=version,
        RemoveFromVersionId=former,
    )


def read(secret: str, **which: str) -> dict[str, str]:
    """A version of a secret."""
    found = client("secretsmanager").get_secret_value(SecretId=secret, **which)
    login: dict[str, str] = json.loads(found["SecretString"])
    return login


def master() -> str:
    """ARN of the master's login."""
    return os.environ["MASTER_SECRET_ARN"]


def execute(sql: str, secret: str, parameters: list[dict[str, Any]] | None = None) -> Any:
    """Run a statement, waiting for a database that is busy. All of them may be repeated."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return client("rds-data").execute_statement(
                resourceArn=os.environ["AURORA_CLUSTER_ARN"],
                secretArn=secret,
                database=os.environ["DB_NAME"],
                sql=sql,
                parameters=parameters or [],
            )
        except ClientError as error:
            passes = any(word in str(error) for word in PASSING)
            if not passes or time.monotonic() > deadline:
                raise
            time.sleep(5)


@cache
def client(service: str) -> Any:
    """The client of a service, made once; only what is an answer of AWS is one to it."""
    return open_client(
        open_session(),
        service,
        None,
        read_timeout=60,
        attempts=3,
        retry_mode="standard",
        connections=10,
    )
