"""How old a document is: nobody knows the future, and moving one makes it no younger."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from observability.receiving.result import FileResult, FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

TODAY = datetime.now(UTC).date()
REST = f"{documents.ACCOUNT}/{documents.REGION}"


def of_day(day: date, *keys: str, at: str = "", end: date | None = None) -> Document:
    """A document with these KMS keys, the account's name saying when it was collected."""
    made = document(day)
    at = at or f"{day + timedelta(days=1)}T03:00:00+00:00"
    made["meta"]["collected_at"] = made["logs"]["date_created"] = at
    if end:
        made["meta"]["period"]["end"] = str(end)
    [key] = made["security"]["kms"]
    made["security"]["kms"] = [{**key, "key_id": name} for name in keys]
    made["account"]["account_name"] = at
    return made


def alive(warehouse: Warehouse) -> set[str]:
    found = warehouse.query("SELECT key_id FROM kms_keys WHERE gone_at IS NULL")
    return {row["key_id"] for row in found}


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=366 * 30)])
def test_a_time_ahead_of_s3_is_refused(warehouse: Warehouse, ahead: timedelta) -> None:
    at = (datetime.now(UTC) + ahead).isoformat()
    result = warehouse.load(of_day(TODAY, "a", at=at), documents.key(TODAY))
    assert result.status is FileStatus.REJECTED
    assert "is over a day after S3 got the object: " in result.reasons[0]  # so is logs.date_created
    assert warehouse.query("SELECT FROM documents") == []


@pytest.mark.parametrize("days", [3, 400])
def test_a_day_ahead_of_s3_is_refused(warehouse: Warehouse, days: int) -> None:
    day = TODAY + timedelta(days=days)
    made = of_day(day, "a", at=datetime.now(UTC).isoformat())
    result = warehouse.load(made, documents.key(day))
    assert result.status is FileStatus.REJECTED
    assert "is over a day after S3 got the object: " in result.reasons[0]  # so are its rows


def test_a_clock_that_is_hours_ahead_is_none(warehouse: Warehouse) -> None:
    at = (datetime.now(UTC) + timedelta(hours=23)).isoformat()
    result = warehouse.load(of_day(TODAY, "a", at=at), documents.key(TODAY))
    assert result.status is FileStatus.LOADED


MONTH = date(2026, 10, 1)


@pytest.mark.parametrize(
    ("interval", "end"),
    [
        ("MONTHLY", date(2026, 11, 1)),
        ("MONTHLY", None),
        ("WEEKLY", date(2026, 10, 8)),
        ("YEARLY", date(2027, 10, 1)),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_period_that_is_not_over_is_as_new_as_its_collecting(
    warehouse: Warehouse, interval: str, end: date | None, late: bool
) -> None:
    """A month-to-date document of the 3rd is older than the day of the 5th, in any order."""
    first = of_day(MONTH, "a", "b", at="2026-10-03T03:00:00+00:00", end=end)
    first["meta"]["interval"] = interval
    if end is None:
        del first["meta"]["period"]
    day = date(2026, 10, 5)
    second = of_day(day, "b", "c")
    loads = [(first, f"data/{REST}/{MONTH}_{interval}.json"), (second, documents.key(day))]
    for made, key in reversed(loads) if late else loads:
        assert warehouse.load(made, key).status is FileStatus.LOADED
    assert alive(warehouse) == {"b", "c"}
    named = warehouse.query("SELECT account_name FROM accounts")
    assert named == [{"account_name": "2026-10-06T03:00:00+00:00"}]


def event_rows(made: Document) -> list[tuple[str, Document, str]]:
    """(table, row, time of its update) of a row of each kind of event that AWS gives a time."""
    security = made["security"]
    return [
        ("findings", security["security_hub"][0]["findings"][0], "updated_at"),
        ("guard_duty_findings", security["guard_duty"][0], "updated_at"),
        ("inspector_findings", security["inspector"][0], "updated_at"),
        ("health_events", made["health"][0], "last_updated_time"),
    ]


def of_event(day: date, updated: str, title: str) -> Document:
    """A document of a day in which every event was updated at a time, and says so in its words."""
    made = of_day(day, "a")
    for table, row, column in event_rows(made):
        row[column] = updated
        row["event_type_code" if table == "health_events" else "title"] = title
    return made


AHEAD = ["2062-01-01T00:00:00+00:00", "2026-11-22T09:00:00+00:00"]


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize("late", [False, True])
def test_an_event_of_the_future_is_as_new_as_its_document(
    warehouse: Warehouse, ahead: str, late: bool
) -> None:
    """Years or hours ahead of its collecting: what AWS says the day after replaces it."""
    first, second = date(2026, 11, 21), date(2026, 11, 22)
    made = [
        (first, of_event(first, ahead, "wrong")),
        (second, of_event(second, "2026-11-22T08:00:00+00:00", "right")),
    ]
    for day, document_of_day in reversed(made) if late else made:
        assert warehouse.load(document_of_day, documents.key(day)).status is FileStatus.LOADED
    right = "WHERE title = 'right'"
    for table, _, column in event_rows(document()):
        words = right.replace("title", "event_type_code") if table == "health_events" else right
        assert warehouse.query(f"SELECT {column}::text AS at FROM {table} {words}") == [
            {"at": "2026-11-22 08:00:00+00"}
        ], table


def test_of_two_versions_in_a_document_that_of_the_future_is_no_newer(
    warehouse: Warehouse,
) -> None:
    made = document()
    found = made["security"]["security_hub"][0]["findings"]
    del found[1:]
    collected = made["meta"]["collected_at"]
    found[0].update(updated_at=collected, title="right")
    found.append({**found[0], "updated_at": "2062-01-01T00:00:00+00:00", "title": "wrong"})
    assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
    assert warehouse.query("SELECT title FROM findings") == [{"title": "right"}]


@pytest.mark.parametrize("told", ["0001-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00"])
def test_metadata_make_no_document_older_than_s3(warehouse: Warehouse, told: str) -> None:
    assert put(warehouse, document(meta=False), documents.key(), told).status is FileStatus.LOADED
    [row] = warehouse.query("SELECT collected_at > now() - interval '1 hour' AS new FROM documents")
    assert row["new"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+00:00", "1970-01-01T00:00:07+00:00"])
def test_a_clock_that_was_never_set_is_refused(warehouse: Warehouse, at: str) -> None:
    """A machine that has lost its time begins in 1970."""
    result = warehouse.load(of_day(date(2026, 11, 21), "a", at=at), documents.key())
    assert result.status is FileStatus.REJECTED
    assert "meta.collected_at is before S3 began" in result.reasons[0]


def put(warehouse: Warehouse, made: Document, key: str, uploaded: str) -> FileResult:
    """Load a document whose metadata tell when it first came."""
    warehouse.s3.put_object(
        Bucket=warehouse.bucket,
        Key=key,
        Body=documents.encode(made),
        Metadata={"uploaded": uploaded},
    )
    found = warehouse.receiver.s3.find(key)
    assert found
    return warehouse.receiver.load_file(found)


@pytest.mark.parametrize("told", ["2026-11-01T00:00:00+00:00", "2071-01-01T00:00:00+00:00", "x"])
def test_metadata_make_no_document_younger_than_s3_says(warehouse: Warehouse, told: str) -> None:
    assert put(warehouse, document(meta=False), documents.key(), told).status is FileStatus.LOADED
    [row] = warehouse.query("SELECT collected_at, last_modified FROM documents")
    assert row["collected_at"] == row["last_modified"]
    assert (row["collected_at"] == datetime(2026, 11, 1, tzinfo=UTC)) == told.startswith("2026")
    assert row["collected_at"] <= datetime.now(UTC) + timedelta(minutes=1)


def test_the_key_of_a_document_without_meta_decides_nothing(warehouse: Warehouse) -> None:
    """Neither its day, which may be any, nor its interval says how new it is."""
    first, second = document(meta=False), document(meta=False)
    for made, name in ((first, "older"), (second, "newer")):
        made["account"]["account_name"] = name
        made["support_tickets"][0]["status"] = name
    later, sooner = "2026-11-03T00:00:00+00:00", "2026-11-02T00:00:00+00:00"
    assert put(warehouse, second, f"data/{REST}/2020-01-01_DAILY.json", later)
    loaded = put(warehouse, first, f"data/{REST}/2071-01-01_YEARLY.json", sooner)
    assert loaded.status is FileStatus.LOADED
    assert warehouse.query("SELECT status FROM support_tickets") == [{"status": "newer"}]
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "newer"}]
