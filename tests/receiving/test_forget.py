"""--forget takes a document out: the rows are those of a database that never had it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

import receiver
from observability.receiving.result import FileStatus
from tests import documents
from tests.cloud import EmbeddedCloud
from tests.documents import Document, document
from tests.faults import keys, restated
from tests.warehouse import Warehouse

FIRST = date(2026, 11, 18)
OTHER = "999988887777"


def run(warehouse: Warehouse, *flags: str) -> int:
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database)
    return receiver.main([*flags, *place])


def wrong() -> Document:
    """A document with other values everywhere, a key that never was, and nothing of a list."""
    made = restated()
    made["security"]["kms"] = [{"key_id": "never-was"}]
    made["security"]["certificate_manager"] = []
    made["account"].update(account_name="Wrong", product="Never")
    made["cost"][0]["current_period_cost"] = "999999"
    return made


WRONG = documents.key(date(2026, 11, 21))
LOADED = WRONG.replace("data/", "loaded/")


def made_documents() -> list[tuple[str, Document]]:
    """Two days before the wrong one, one after it, and one of another account."""
    days = [FIRST, FIRST + timedelta(days=1), date(2026, 11, 22)]
    made = [(documents.key(day), document(day)) for day in days]
    made.append((documents.key(account=OTHER), document(account=OTHER)))
    return made


@pytest.fixture
def untouched(embedded: EmbeddedCloud, bucket: str, schema_database: str) -> Iterator[Warehouse]:
    """A database of its own, with a bucket of its own, that never sees the wrong document."""
    name = embedded.create_database(template=schema_database)
    yield Warehouse(embedded, embedded.create_bucket(), name)
    embedded.data_api.release_sessions()
    embedded.postgres.drop_database(name)


def test_a_document_that_is_taken_out_leaves_no_row_and_hides_none(
    warehouse: Warehouse, untouched: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, made in made_documents():
        assert untouched.load(made, key).status is FileStatus.LOADED
    first, *others = made_documents()
    for key, made in (first, (WRONG, wrong()), *others):
        assert warehouse.load(made, key).status is FileStatus.LOADED
    before = warehouse.rows()
    assert before != untouched.rows()
    lies = WRONG.replace("data/", "loaded/")
    assert run(warehouse, "--forget", lies, "--dry-run") == 0
    assert warehouse.rows() == before
    assert run(warehouse, "--forget", lies) == 0
    capsys.readouterr()
    rows, expected = warehouse.rows(), untouched.rows()
    for table in expected:
        assert rows[table] == expected[table], table
    assert lies not in keys(warehouse, "loaded/")
    assert len(keys(warehouse, "loaded/")) == len(made_documents())
    assert keys(warehouse, "data/") == []
    forgotten = WRONG.replace("data/", "forgotten/")
    assert keys(warehouse, "forgotten/") == [forgotten, f"{forgotten}.reason.txt"]
    assert keys(warehouse, "rejected/") == []  # from where it would come again
    assert run(warehouse, "--forget", lies) == 0  # as after a run that was broken off
    assert warehouse.rows() == rows


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "give the key"),
        (WRONG, "give the key of a document under loaded/"),
        ("loaded/x.json", "give the key"),
        (LOADED, "there is no such object"),
        (f"{LOADED},{LOADED.replace(documents.ACCOUNT, OTHER)}", "give those of one account"),
    ],
)
def test_what_cannot_be_taken_out_is_told(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str], key: str, words: str
) -> None:
    assert run(warehouse, "--forget", key) == 2
    assert words in capsys.readouterr().err


def test_documents_that_wait_are_to_be_loaded_first(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    key, made = made_documents()[0]
    assert warehouse.load(made, key).status is FileStatus.LOADED
    body = documents.encode(document())
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=documents.key(), Body=body)
    assert run(warehouse, "--forget", key.replace("data/", "loaded/")) == 2
    assert "load them first" in capsys.readouterr().err
    assert warehouse.query("SELECT FROM documents")
