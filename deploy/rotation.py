"""Rotate the receiver's database password, and make its user first if there is none.

AWS Secrets Manager calls `lambda_handler` four times per rotation, with the steps createSecret,
setSecret, testSecret and finishSecret. The statements go through the RDS Data API as the master,
so nothing here needs a network. The database is told a SCRAM verifier instead of the password:
what is in a statement may end up in a log.
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
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from observability.aws.clients import open_client, open_session

ITERATIONS = 4096
"""Of PBKDF2, PostgreSQL's own number."""

PATIENCE = 120.0
"""Seconds that the database may take to wake up."""

RIGHTS = (
    'GRANT CONNECT ON DATABASE "{database}" TO "{user}"',
    'GRANT USAGE ON SCHEMA public TO "{user}"',
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{user}"',
    'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{user}"',
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
    ' GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{user}"',
    'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO "{user}"',
)
"""Rows of the tables that are and of those to come; no table can be made, changed or dropped."""


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
    known = "SELECT 1 FROM pg_roles WHERE rolname = :name"
    found = execute(
        known, master(), [{"name": "name", "value": {"stringValue": login["username"]}}]
    )
    for statement in statements(login["username"], login["password"], bool(found["records"])):
        execute(statement, master())


def statements(user: str, password: str, exists: bool) -> Iterator[str]:
    """What gives a user its password and its rights."""
    verb = "ALTER" if exists else "CREATE"
    yield f"{verb} ROLE \"{user}\" LOGIN PASSWORD '{verifier(password)}'"
    yield from (right.format(user=user, database=os.environ["DB_NAME"]) for right in RIGHTS)


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
    """Make the next password the current one, and log in with it."""
    stages = client("secretsmanager").describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(held for held, names in stages.items() if "AWSCURRENT" in names)
    if current != version:
        client("secretsmanager").update_secret_version_stage(
            SecretId=secret,
            VersionStage="AWSCURRENT",
            MoveToVersionId=version,
            RemoveFromVersionId=current,
        )
    execute("SELECT 1", secret)


def read(secret: str, **which: str) -> dict[str, str]:
    """A version of a secret."""
    found = client("secretsmanager").get_secret_value(SecretId=secret, **which)
    login: dict[str, str] = json.loads(found["SecretString"])
    return login


def master() -> str:
    """ARN of the master's login."""
    return os.environ["MASTER_SECRET_ARN"]


def execute(sql: str, secret: str, parameters: list[dict[str, Any]] | None = None) -> Any:
    """Run a statement, waiting for a database that is paused. All of them may be repeated."""
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
            if "DatabaseResumingException" not in str(error) or time.monotonic() > deadline:
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
