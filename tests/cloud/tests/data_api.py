"""A client of the Data API that sends what it is told, and shows what comes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.cloud.data_api import DataApi, HttpAnswer, Limits
from tests.cloud.postgres import Postgres

if TYPE_CHECKING:
    from mypy_boto3_rds_data import RDSDataServiceClient


CLUSTER = "arn:aws:rds:eu-west-1:111122223333:cluster:analytics"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:analytics"
DATABASE = "app"

Field = dict[str, Any]

Response = dict[str, Any]

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE target (
    c_text text, c_varchar varchar(80), c_bpchar char(80),
    c_int2 int2, c_int4 int4, c_int8 int8, c_numeric numeric, c_float4 float4, c_float8 float8,
    c_bool bool, c_bytea bytea, c_json json, c_jsonb jsonb,
    c_timestamp timestamp, c_timestamptz timestamptz, c_date date, c_time time,
    c_uuid uuid, c_inet inet, c_ints int[], c_mood mood, c_interval interval
);
CREATE TABLE item (
    id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, price numeric(10, 2), note varchar(40)
);
CREATE TABLE counter (n int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, label text);
"""


class Handler(BaseHTTPRequestHandler):
    """The least transport that boto3 needs."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: DataApi

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.api.handle(self.path, dict(self.headers), body)
        if answer.cut:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


@dataclass
class Database:
    """What a test works with: the client, the emulator behind it and the real database."""

    client: RDSDataServiceClient
    api: DataApi
    dsn: str

    def run(self, sql: str, *parameters: Field, **options: Any) -> Response:
        """ExecuteStatement through boto3, without the response's metadata."""
        arguments = {**ids(), "sql": sql, "parameters": list(parameters), **options}
        response: Response = dict(self.client.execute_statement(**arguments))
        del response["ResponseMetadata"]
        return response

    def value(self, sql: str, *parameters: Field, **options: Any) -> Any:
        """The only value of a statement's only row, without its type."""
        ((field,),) = self.run(sql, *parameters, **options)["records"]
        return None if "isNull" in field else next(iter(field.values()))

    def field(self, sql: str, *parameters: Field) -> Field:
        ((field,),) = self.run(sql, *parameters)["records"]
        return dict(field)

    def error(self, sql: str, *parameters: Field, **options: Any) -> str:
        """The error that a statement ends with, as `code: message`."""
        with pytest.raises(ClientError) as caught:
            self.run(sql, *parameters, **options)
        error = caught.value.response["Error"]
        return f"{error['Code']}: {error['Message']}"

    def begin(self) -> str:
        return self.client.begin_transaction(**ids())["transactionId"]

    def commit(self, transaction: str) -> str:
        answer = self.client.commit_transaction(
            resourceArn=CLUSTER, secretArn=SECRET, transactionId=transaction
        )
        return answer["transactionStatus"]

    def rollback(self, transaction: str) -> str:
        answer = self.client.rollback_transaction(
            resourceArn=CLUSTER, secretArn=SECRET, transactionId=transaction
        )
        return answer["transactionStatus"]

    def directly(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL past the Data API."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()


def ids() -> dict[str, str]:
    return {"resourceArn": CLUSTER, "secretArn": SECRET, "database": DATABASE}


def text(name: str, value: str, hint: str | None = None) -> Field:
    hinted = {} if hint is None else {"typeHint": hint}
    return {"name": name, "value": {"stringValue": value}, **hinted}


def long(name: str, value: int) -> Field:
    return {"name": name, "value": {"longValue": value}}


def call(api: DataApi, path: str, **request: Any) -> HttpAnswer:
    """One request as it could come from any client."""
    return api.handle(path, {}, json.dumps(ids() | request).encode())


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


@contextmanager
def serve(server: Postgres, limits: Limits | None = None) -> Iterator[Database]:
    """A Data API over `server`, and a client that sends each request once."""
    api = DataApi(
        server.dsn_for,
        cluster_arn=CLUSTER,
        secret_arn=SECRET,
        default_database="postgres",
        limits=limits,
    )
    handler = type("BoundHandler", (Handler,), {"api": api})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = boto3.client(
        "rds-data",
        endpoint_url=f"http://127.0.0.1:{http.server_port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield Database(client, api, server.dsn_for(DATABASE))
    finally:
        client.close()
        http.shutdown()
        http.server_close()
        thread.join()
        api.close()


def outcomes(db: Database, times: int, sql: str = "SELECT 1", **options: Any) -> list[str]:
    """What becomes of `times` calls: "ok", the error's code, or the transport's error."""
    seen = []
    for _ in range(times):
        try:
            db.run(sql, **options)
            seen.append("ok")
        except ClientError as error:
            seen.append(error.response["Error"]["Code"])
        except BotoCoreError as error:
            seen.append(type(error).__name__)
    return seen
