"""A large document is loaded while it is still being read: its end may overturn its beginning."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

import receiver
from tests import documents
from tests.cloud.data_api import ApiCall, DataApi
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)


def large(day: date, numbers: range, **more: Any) -> Document:
    """A document whose keys take several batches, and whose logs come last."""
    made = document(day)
    key = made["security"]["kms"][0]
    made["security"]["kms"] = [
        {**key, "key_id": f"key-{n}", "description": f"{n % 10}" * 1_000_000} for n in numbers
    ]
    return made | more


class SlowS3(receiver.S3Manager):
    """Sends the end of an object only once something of its beginning has been loaded."""

    api: DataApi

    def read(self, file: receiver.File) -> Iterator[bytes]:
        body = b"".join(super().read(file))
        yield body[:-5000]
        deadline = time.monotonic() + 30
        while not any(call.sql == receiver.RUN_SQL for call in self.api.calls):
            assert time.monotonic() < deadline, "nothing is loaded before all is read"
            time.sleep(0.01)
        yield body[-5000:]


@pytest.fixture
def slow(warehouse: Warehouse) -> Warehouse:
    """A receiver that gets the end of an object late."""
    s3 = SlowS3(warehouse.settings)
    s3.api = warehouse.embedded.data_api
    warehouse.receiver = replace(warehouse.receiver, s3=s3)
    return warehouse


def began(warehouse: Warehouse) -> list[ApiCall]:
    """The transactions that were begun."""
    calls = warehouse.embedded.data_api.calls
    return [call for call in calls if call.path == "/BeginTransaction"]


def alive(warehouse: Warehouse) -> list[str]:
    return [row["key_id"] for row in warehouse.rows()["kms_keys"] if not row["gone_at"]]


@pytest.mark.parametrize("status", ["Pass", "Fail", "Skipped"])
def test_a_status_at_the_end_decides_what_is_gone(slow: Warehouse, status: str) -> None:
    warehouse = slow
    warehouse.load(large(DAY, range(12)), documents.key(DAY))
    warehouse.embedded.data_api.forget_calls()
    later = large(NEXT, range(2, 12))
    later["logs"]["security_status"] = status
    assert warehouse.load(later, documents.key(NEXT)).outcome is receiver.Outcome.LOADED
    # What was begun on a wrong assumption is begun anew.
    assert len(began(warehouse)) == (1 if status == "Pass" else 2)
    assert len(alive(warehouse)) == (10 if status == "Pass" else 12)


def test_a_status_at_the_beginning_is_no_assumption(slow: Warehouse) -> None:
    warehouse = slow
    warehouse.load(large(DAY, range(12)), documents.key(DAY))
    warehouse.embedded.data_api.forget_calls()
    later = large(NEXT, range(2, 12))
    later["logs"]["security_status"] = "Fail"
    first = {name: later[name] for name in ("meta", "account", "logs")}
    assert warehouse.load(first | later, documents.key(NEXT)).outcome is receiver.Outcome.LOADED
    assert len(began(warehouse)) == 1
    assert len(alive(warehouse)) == 12


BROKEN: dict[str, tuple[Document, str]] = {
    "a value": ({"support_tickets": [{"case_id": None}]}, "case_id: is missing"),
    "a category": ({"health": [5]}, "health[0]: must be an object"),
    "a required one": ({"marketplace": ...}, "'marketplace' is missing"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_at_the_end_refuses_all_of_it(slow: Warehouse, what: str) -> None:
    warehouse = slow
    warehouse.embedded.data_api.forget_calls()
    wrong, reason = BROKEN[what]
    made = large(DAY, range(12)) | wrong
    made = {name: part for name, part in made.items() if part is not ...}
    last = {name: made.pop(name) for name in wrong if name in made}
    result = warehouse.load(made | last, documents.key(DAY))
    assert result.outcome is receiver.Outcome.REJECTED
    assert any(reason in told for told in result.reasons)
    assert began(warehouse)
    assert not any(warehouse.rows().values())


def test_a_document_that_breaks_off_leaves_nothing(slow: Warehouse) -> None:
    warehouse = slow
    warehouse.embedded.data_api.forget_calls()
    body = documents.encode(large(DAY, range(12)))[:-10]
    key = documents.key(DAY)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)
    found = warehouse.receiver.s3.find(key)
    assert found
    assert warehouse.receiver.load_file(found).outcome is receiver.Outcome.REJECTED
    assert not any(warehouse.rows().values())


def test_who_it_is_is_known_before_anything_is_loaded(warehouse: Warehouse) -> None:
    made = large(DAY, range(12))
    made["account"]["account_id"] = "999988887777"
    warehouse.embedded.data_api.forget_calls()
    assert warehouse.load(made, documents.key(DAY)).outcome is receiver.Outcome.REJECTED
    assert began(warehouse) == []
