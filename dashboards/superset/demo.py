"""The demo's database as something to show: an embedded cloud with what `make demo` has loaded."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import psycopg

from dashboards.superset.start import Source, StartError
from observability.database.rights import rights_sql
from tests.cloud.demo import play
from tests.cloud.playing import DAY, EVERY_DAY, PlayError, Stage
from tests.cloud.running import forget_settings

READER = "superset_reader"


def raise_stage(parts: ExitStack, data: Path) -> Stage:
    """The demo's cloud as a folder has it, played first if there is none; it ends with `parts`."""
    forget_settings()
    try:
        if (data / DAY).exists():
            return Stage.restored(parts, data)
        return play(parts, data, EVERY_DAY, verbose=False)
    except PlayError as error:
        raise StartError(str(error)) from error


def source_of(stage: Stage) -> Source:
    """The database of the demo's cloud, for a user who reads, as there is one in AWS."""
    given = stage.environment
    secret = given["AURORA_SECRET_ARN"].replace("secret:", "secret:reader-")
    with psycopg.connect(stage.dsn) as connection:
        connection.execute(rights_sql(make=True).encode())
        connection.execute(f"CREATE ROLE {READER} LOGIN IN ROLE {given['DB_NAME']}_reader".encode())
    stage.embedded.data_api.logins[secret] = READER
    return Source(
        given["AURORA_CLUSTER_ARN"],
        secret,
        given["DB_NAME"],
        os.environ | given,
    )
