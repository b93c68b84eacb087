"""What is kept under loaded/ is the set of documents: it rebuilds the same rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import receiver
import sender
from observability.receiving.files import UPLOADED
from observability.receiving.result import FileStatus
from tests import documents
from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount
from tests.documents import document
from tests.warehouse import Warehouse

ENCRYPTED = {"ServerSideEncryption": "aws:kms"}


def keys(warehouse: Warehouse) -> list[str]:
    listed = warehouse.s3.list_objects_v2(Bucket=warehouse.bucket)
    return [held["Key"] for held in listed.get("Contents", ())]


def load_all(warehouse: Warehouse) -> None:
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert {result.status for result in results} == {FileStatus.LOADED}, results


def copy_back(warehouse: Warehouse, **how: Any) -> None:
    """As `aws s3 cp --recursive s3://…/loaded/ s3://…/data/`: metadata go with the objects."""
    for key in keys(warehouse):
        source = {"Bucket": warehouse.bucket, "Key": key}
        target = key.replace("loaded/", "data/")
        warehouse.s3.copy_object(Bucket=warehouse.bucket, Key=target, CopySource=source, **how)


def test_a_later_document_of_a_key_takes_no_earlier_one_away(warehouse: Warehouse) -> None:
    bodies = []
    for number in range(3):
        made = document()
        made["meta"]["collected_at"] = f"2026-11-22T0{number}:00:00+00:00"
        assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
        bodies.append(documents.encode(made))
    kept = keys(warehouse)
    assert documents.key().replace("data/", "loaded/") in kept
    held = [warehouse.s3.get_object(Bucket=warehouse.bucket, Key=k)["Body"].read() for k in kept]
    assert sorted(held) == sorted(bodies)


@pytest.mark.parametrize("how", [{}, ENCRYPTED], ids=["plain", "encrypted anew"])
def test_what_is_copied_back_goes_where_it_lay(warehouse: Warehouse, how: dict[str, str]) -> None:
    """However often: the archive does not grow, though encryption changes the ETag."""
    for name in ("one", "two"):
        made = document()
        made["account"]["account_name"] = name
        warehouse.load(made, documents.key())
    before = keys(warehouse)
    assert len(before) == 2
    for _ in range(2):
        copy_back(warehouse, **how)
        load_all(warehouse)
        assert keys(warehouse) == before


def test_a_document_without_meta_stays_as_old_as_it_was(warehouse: Warehouse) -> None:
    """Moved, copied back and moved again: its age is when it first came."""
    made = document(meta=False)
    first = {"Bucket": warehouse.bucket, "Key": documents.key()}
    at = datetime(2026, 11, 5, 6, 7, 8, tzinfo=UTC)
    told = {UPLOADED: at.isoformat(), "team": "shop"}
    warehouse.s3.put_object(**first, Body=documents.encode(made), Metadata=told)
    load_all(warehouse)
    copy_back(warehouse)
    warehouse.empty()
    load_all(warehouse)
    assert warehouse.query("SELECT collected_at FROM documents") == [{"collected_at": at}]
    head = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=keys(warehouse)[-1])
    assert head["Metadata"]["team"] == "shop"


def test_a_document_that_was_loaded_but_not_moved_keeps_its_age(warehouse: Warehouse) -> None:
    """A receiver that died after COMMIT: the next one only moves it, and has not read it."""
    at = "2026-11-05T06:07:08+00:00"
    warehouse.s3.put_object(
        Bucket=warehouse.bucket,
        Key=documents.key(),
        Body=documents.encode(document(meta=False)),
        Metadata={UPLOADED: at},
    )
    [file] = warehouse.receiver.s3.list_files("data/")
    assert file.metadata is None
    assert warehouse.receiver.s3.move(file)
    head = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=keys(warehouse)[0])
    assert head["Metadata"][UPLOADED] == at


def run_sender(embedded: EmbeddedCloud, account: str, bucket: str, *flags: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (embedded.environment(account) | {"BUCKET": bucket}).items():
            patch.setenv(name, value)
        assert sender.main(flags) == 0


def test_real_runs_are_rebuilt_from_the_archive(
    embedded: EmbeddedCloud,
    warehouse: Warehouse,
    make_account: MakeAccount,
    schema_database: str,
) -> None:
    """A daily run, one of costs only and a backfill, all of the same day."""
    account = make_account(Size.small(), regions=("us-east-1",))
    yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
    for flags in ((), ("--only", "cost"), ("--start", yesterday, "--end", yesterday)):
        run_sender(embedded, account.id, warehouse.bucket, *flags)
        load_all(warehouse)
    assert len(keys(warehouse)) == 3
    rows = warehouse.rows()
    assert all(rows[table] for table in ("kms_keys", "cost_reports", "config_inventory"))

    name = embedded.create_database(template=schema_database)
    rebuilt = Warehouse(embedded, warehouse.bucket, name)
    with psycopg.connect(embedded.postgres.dsn_for(name)) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
    copy_back(rebuilt)
    load_all(rebuilt)
    again = rebuilt.rows()
    for table in rows:
        assert again[table] == rows[table], table
    embedded.data_api.release_sessions()
    embedded.postgres.drop_database(name)
