"""A process that Lambda keeps for the events that follow: few calls, nothing out of date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import receiver
from observability.limits import EARLY_BYTES
from tests import documents
from tests.documents import Document, document
from tests.lambda_runtime import Context
from tests.warehouse import Warehouse

Event = dict[str, Any]
ACCOUNTS = tuple(f"4444000000{n:02}" for n in range(9))
EXECUTE = "rds-data:ExecuteStatement"


@pytest.fixture
def function(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Event]]:
    """The function in a process of its own, which has loaded a document."""
    monkeypatch.setenv("BUCKET", warehouse.bucket)
    monkeypatch.setenv("DB_NAME", warehouse.database)
    receiver.kept.cache_clear()

    def call(event: Event, seconds: float = 900.0) -> Event:
        return receiver.lambda_handler(event, Context(seconds))

    assert call(uploaded(warehouse, document(account=ACCOUNTS[0]), ACCOUNTS[0]))["files"] == 1
    yield call
    receiver.kept.cache_clear()


def uploaded(warehouse: Warehouse, made: Document, account: str, **named: Any) -> Event:
    """Upload a document; the event that S3 sends, with what it names of the object changed."""
    key, body = documents.key(account=account), documents.encode(made)
    answer = warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)
    about = {"key": key, "size": len(body), "eTag": answer["ETag"].strip('"'), **named}
    return {"Records": [{"s3": {"bucket": {"name": warehouse.bucket}, "object": about}}]}


def calls_of(warehouse: Warehouse, act: Callable[[], object]) -> list[str]:
    """The calls of AWS that something makes."""
    before = len(warehouse.embedded.calls)
    act()
    return [f"{call.service}:{call.operation}" for call in warehouse.embedded.calls[before:]]


def test_a_document_takes_one_call_of_the_database_and_three_of_s3(
    warehouse: Warehouse, function: Callable[..., Event]
) -> None:
    event = uploaded(warehouse, document(account=ACCOUNTS[1]), ACCOUNTS[1])
    calls = calls_of(warehouse, lambda: function(event))
    assert calls == ["s3:GetObject", EXECUTE, "s3:CopyObject", "s3:DeleteObject"]
    assert len(warehouse.query("SELECT FROM documents")) == 2


def test_an_event_that_comes_twice_wakes_no_database(
    warehouse: Warehouse, function: Callable[..., Event]
) -> None:
    event = uploaded(warehouse, document(account=ACCOUNTS[1]), ACCOUNTS[1])
    function(event)
    receiver.kept.cache_clear()
    assert EXECUTE not in calls_of(warehouse, lambda: function(event))


WRONG: dict[str, Event] = {
    "another ETag": {"eTag": "0" * 32},
    "another size": {"size": 5},
    "a size of another kind": {"size": "5"},
    "a size that would be large": {"size": EARLY_BYTES + 1},
    "no ETag": {"eTag": None},
}


@pytest.mark.parametrize("named", WRONG.values(), ids=WRONG)
def test_what_an_event_says_of_an_object_is_not_believed(
    warehouse: Warehouse, function: Callable[..., Event], named: Event
) -> None:
    """It is about an older version, or is nobody's of AWS: the object is loaded as it is now."""
    made = document(account=ACCOUNTS[1])
    made["account"]["account_name"] = "Newest"
    event = uploaded(warehouse, made, ACCOUNTS[1], **named)
    assert function(event)["files"] == 1
    [row] = warehouse.query(
        "SELECT d.size_bytes, d.last_modified > now() - interval '1 hour' AS recent"
        " FROM documents d JOIN accounts a ON a.id = d.account_id WHERE a.account_name = 'Newest'"
    )
    assert row == {"size_bytes": len(documents.encode(made)), "recent": True}


def test_a_column_that_is_changed_meanwhile_is_met_as_it_is(
    warehouse: Warehouse, function: Callable[..., Event]
) -> None:
    """By what the process knew, the document would be refused for good."""
    made = document(account=ACCOUNTS[1])
    made["security"]["waf_rules"][0]["priority"] = "1.5"
    warehouse.query(
        "ALTER TABLE waf_rules_detailed ALTER COLUMN priority TYPE NUMERIC", fetch=False
    )
    assert function(uploaded(warehouse, made, ACCOUNTS[1]))["files"] == 1
    assert {"priority": 1.5} in warehouse.query("SELECT priority FROM waf_rules_detailed")


def test_a_document_that_is_wrong_is_refused_after_a_look_at_the_catalogue(
    warehouse: Warehouse, function: Callable[..., Event]
) -> None:
    made = document(account=ACCOUNTS[1])
    made["security"]["waf_rules"][0]["priority"] = "first"
    event = uploaded(warehouse, made, ACCOUNTS[1])

    def refused() -> None:
        with pytest.raises(RuntimeError, match="1 rejected"):
            function(event)

    assert calls_of(warehouse, refused).count(EXECUTE) == 1


def test_an_event_that_has_no_time_left_costs_the_next_one_nothing(
    warehouse: Warehouse, function: Callable[..., Event]
) -> None:
    event = uploaded(warehouse, document(account=ACCOUNTS[1]), ACCOUNTS[1])
    with pytest.raises(RuntimeError, match="1 deferred"):
        function(event, 0.0)
    assert function(event)["files"] == 1
    assert len(warehouse.query("SELECT FROM documents")) == 2


def test_a_schema_that_is_gone_refuses_no_document(
    warehouse: Warehouse, function: Callable[..., Event]
) -> None:
    event = uploaded(warehouse, document(account=ACCOUNTS[1]), ACCOUNTS[1])
    warehouse.query("ALTER SCHEMA public RENAME TO aside; CREATE SCHEMA public", fetch=False)
    with pytest.raises(RuntimeError, match="1 failed"):
        function(event)
    warehouse.query("DROP SCHEMA public; ALTER SCHEMA aside RENAME TO public", fetch=False)
    assert function(event)["files"] == 1
