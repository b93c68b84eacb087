"""Documents of other producers, and every value of a document."""

from __future__ import annotations

from datetime import date

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import document
from tests.runs import Document
from tests.warehouse import STORED, Warehouse


def other_producer() -> Document:
    """The contract's other shapes: no meta, one report, tickets in an object, texts."""
    made = document(meta=False)
    made["cost"] = made["cost"][0]
    made["support_tickets"] = {
        "date_from": "2026-11-21",
        "date_to": "2026-11-22",
        "total_tickets": 1,
        "tickets": [
            {k: v for k, v in made["support_tickets"][0].items() if not k.startswith("date_")}
        ],
    }
    made["logs"]["message"] = ["plain text", {"ERROR": "one", "INFO": "two"}]
    made["account"]["product"] = "None"
    made["account"]["joined_timestamp"] = "2020-02-29 12:00:00"
    made["security"]["kms"][0]["creation_date"] = "2024-01-01"
    return made


def test_other_producers_documents_are_loaded_whole(warehouse: Warehouse) -> None:
    result = warehouse.load(other_producer(), documents.key())
    assert result.status is FileStatus.LOADED
    assert result.totals["CREATED"] == result.totals["TOTAL"]
    assert warehouse.query("SELECT name FROM products") == [{"name": "None"}]
    tickets = warehouse.query("SELECT case_id, date_from FROM support_tickets")
    assert tickets == [{"case_id": "case-1", "date_from": date(2026, 11, 21)}]
    messages = "SELECT message_type, message FROM log_messages ORDER BY position"
    assert [tuple(row.values()) for row in warehouse.query(messages)] == [
        ("INFO", "plain text"),
        ("ERROR", "one"),
        ("INFO", "two"),
    ]
    head = warehouse.s3.head_object(
        Bucket=warehouse.bucket, Key=documents.key().replace("data/", "loaded/")
    )
    [row] = warehouse.query("SELECT collected_at, last_modified FROM documents")
    assert row["collected_at"] == row["last_modified"] <= head["LastModified"]


def test_every_value_of_a_document_arrives(warehouse: Warehouse) -> None:
    """Every column is filled from a document that has a value in every field."""
    warehouse.load(document(), documents.key())
    for name in STORED:
        rows = warehouse.query(f"SELECT * FROM {name}")
        empty = {column for column in rows[0] if all(row[column] is None for row in rows)}
        assert empty - {"gone_at"} == set(), name
