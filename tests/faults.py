"""Receivers under faults: the same rows in the end as without them."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest

import receiver
from observability.log import log_to
from observability.receiving.result import FileResult, FileStatus
from tests import documents, soak
from tests.cloud import ApiRequest
from tests.cloud.data_api import DataApiFaults
from tests.documents import Document, document
from tests.warehouse import Rows, Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)


Plan = Callable[[DataApiFaults], None]


def restated() -> Document:
    """The document of the next day: a key vanished, a finding closed, a day restated, a rename."""
    made = document(NEXT)
    made["security"]["kms"] = []
    found = made["security"]["security_hub"][0]["findings"][0]
    found.update(status="RESOLVED", updated_at="2026-11-21T00:00:00+00:00")
    made["service"] += documents.service_part(DAY)[:1]
    made["service"][-1]["cost"] = "9.5"
    made["inventory"]["applications"].pop()
    made["account"].update(account_name="Renamed", product="Shop, Billing")
    return made


def in_several_calls(made: Document) -> Document:
    """The document with more keys than one request has room for, which takes a transaction."""
    [key] = document(NEXT)["security"]["kms"]
    made["security"]["kms"] = [
        {**key, "key_id": f"key-{n}", "description": f"{n}" * 1_000_000} for n in range(4)
    ]
    return made


def put(warehouse: Warehouse, made: Document, key: str = KEY) -> None:
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(made))


def keys(warehouse: Warehouse, prefix: str) -> list[str]:
    return [file.key for file in warehouse.receiver.s3.list_files(prefix)]


def sweep(warehouse: Warehouse) -> dict[str, FileResult]:
    files = receiver.list_data(warehouse.receiver)
    return {result.key: result for result in receiver.load_all(warehouse.receiver, files)}


UNDISTURBED: dict[str, Rows] = {}


def assert_as_undisturbed(warehouse: Warehouse, *made: tuple[str, Document]) -> None:
    """The rows must be those of an empty database that loads the documents without any fault."""
    rows, name = warehouse.rows(), json.dumps(made)
    if name not in UNDISTURBED:
        warehouse.embedded.data_api.faults.clear()
        warehouse.embedded.switches.reset()
        warehouse.empty()
        for key, each in made:
            assert warehouse.load(each, key).status is FileStatus.LOADED
        UNDISTURBED[name] = warehouse.rows()
    assert rows == UNDISTURBED[name]
    assert rows["kms_keys"]


def receive(warehouse: Warehouse, *arguments: str, **changes: str | None) -> tuple[int, list[str]]:
    """Run receiver.py to its end; its exit code and the lines of its story."""
    process = soak.launch(warehouse, *arguments, **changes)
    _, story = process.communicate(timeout=60)
    assert "Traceback" not in story
    return process.returncode, story.splitlines()


@pytest.fixture
def story() -> io.StringIO:
    """What a receiver in this process tells."""
    stream = io.StringIO()
    log_to(stream)
    return stream


def at_call(number: int) -> Callable[[ApiRequest], bool]:
    """Is true for one call, counted from 1."""
    calls = itertools.count(1)
    return lambda _request: next(calls) == number


@pytest.fixture
def short_transactions(warehouse: Warehouse) -> Iterator[None]:
    """Transactions of killed receivers end soon."""
    with soak.short_transactions(warehouse.embedded.data_api):
        yield
