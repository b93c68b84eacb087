"""Documents of one key that come again and again: what is kept rebuilds the same rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

import receiver
from observability.receiving.files import KEY as FORM
from observability.receiving.files import UPLOADED
from observability.receiving.result import FileStatus
from tests import documents, soak
from tests.cloud import EmbeddedCloud
from tests.documents import Document, document
from tests.faults import keys
from tests.warehouse import Warehouse

START = datetime(2026, 11, 10, 3, tzinfo=UTC)
OURS = documents.key()
REST = f"{documents.ACCOUNT}/{documents.REGION}"
KEYS = (OURS, f"data/{REST}/2026-11-20_DAILY.json", f"data/{REST}/2026-11-01_MONTHLY.json")
Delivery = tuple[str, bytes, datetime]


def version(name: str, *, meta: bool = False, at: str = "") -> Document:
    """A document whose rows say its name; of it, a row of each kind of table is its own."""
    made = document(meta=meta)
    if at:
        made["meta"]["collected_at"] = at
    made["account"]["account_name"] = name
    made["support_tickets"][0]["status"] = name
    made["security"]["kms"][0]["description"] = name
    made["security"]["kms"].append({**made["security"]["kms"][0], "key_id": f"key-{name}"})
    made["security"]["security_hub"][0]["findings"][0]["title"] = name
    made["service"][0]["cost"] = str(len(name))
    made["cost"][0]["current_period_cost"] = str(len(name) + 1)
    del made["logs"]["date_created"]
    return made


def deliver(warehouse: Warehouse, key: str, body: bytes, at: datetime) -> FileStatus:
    """Load an object as a run does that S3 got at a time."""
    told = {UPLOADED: at.isoformat()}
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body, Metadata=told)
    [file] = warehouse.receiver.s3.list_files("data/")
    return receiver.load_safely(warehouse.receiver, file).status


@pytest.fixture
def rebuilt(
    embedded: EmbeddedCloud, warehouse: Warehouse, schema_database: str
) -> Iterator[Warehouse]:
    """A new database beside the same bucket."""
    name = embedded.create_database(template=schema_database)
    yield as_in_a_run(Warehouse(embedded, warehouse.bucket, name))
    embedded.data_api.release_sessions()
    embedded.postgres.drop_database(name)


def as_in_a_run(warehouse: Warehouse) -> Warehouse:
    """With the receiver of a run: it moves what it has loaded before."""
    warehouse.receiver = receiver.start(warehouse.settings)
    return warehouse


def copy_back(warehouse: Warehouse, chance: random.Random, **how: Any) -> None:
    """Load the archive anew, in any order, one after another."""
    lies = keys(warehouse, "loaded/")
    for key in chance.sample(lies, len(lies)):
        source = {"Bucket": warehouse.bucket, "Key": key}
        target = key.replace("loaded/", "data/")
        warehouse.s3.copy_object(Bucket=warehouse.bucket, Key=target, CopySource=source, **how)
        [file] = warehouse.receiver.s3.list_files("data/")
        result = receiver.load_safely(warehouse.receiver, file)
        assert result.status is FileStatus.LOADED, result.reasons
    assert keys(warehouse, "loaded/") == lies


def test_the_same_bytes_after_another_version_say_that_things_are_so_again(
    warehouse: Warehouse, rebuilt: Warehouse
) -> None:
    """A, B, A of a producer without meta: the last one is the newest, here and after a rebuild."""
    as_in_a_run(warehouse)
    bodies = [documents.encode(version(name)) for name in ("first", "second", "first")]
    for number, body in enumerate(bodies):
        at = START + timedelta(hours=number)
        assert deliver(warehouse, OURS, body, at) is FileStatus.LOADED
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "first"}]
    assert warehouse.query("SELECT status FROM support_tickets") == [{"status": "first"}]
    lies = keys(warehouse, "")
    assert len(lies) == 3
    assert all(FORM.fullmatch(key.removeprefix("loaded/")) for key in lies)
    copy_back(rebuilt, random.Random(1))
    assert rebuilt.rows() == warehouse.rows()


def test_the_same_bytes_of_a_document_that_says_its_age_are_the_same_document(
    warehouse: Warehouse,
) -> None:
    as_in_a_run(warehouse)
    first, second = (
        documents.encode(version(name, meta=True, at=f"2026-11-22T0{number}:00:00+00:00"))
        for number, name in enumerate(("first", "second"))
    )
    for number, body in enumerate((first, second, first)):
        assert deliver(warehouse, OURS, body, START + timedelta(hours=number))
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "second"}]
    assert len(keys(warehouse, "")) == 2


def drawn(chance: random.Random) -> list[Delivery]:
    """Deliveries of few versions under few keys, with and without meta, each later than before."""
    made = [documents.encode(version(name)) for name in ("a", "bb", "ccc")]
    made += [
        documents.encode(soak.varied(document(), date(2026, 11, 21), chance)),
        documents.encode(version("dddd", meta=True, at="2026-11-22T01:00:00+00:00")),
    ]
    return [
        (chance.choice(KEYS[:2] if number % 3 else KEYS[:1]), body, at)
        for number in range(12)
        for at in [START + timedelta(hours=number)]
        for body in [chance.choice(made)]
    ]


ENCRYPTED = {"ServerSideEncryption": "aws:kms"}


@pytest.mark.parametrize("seed", range(2))
def test_any_sequence_of_deliveries_is_rebuilt_in_any_order(
    warehouse: Warehouse, rebuilt: Warehouse, seed: int
) -> None:
    chance = random.Random(seed)
    as_in_a_run(warehouse)
    for key, body, at in drawn(chance):
        outcome = deliver(warehouse, key, body, at)
        assert outcome in (FileStatus.LOADED, FileStatus.REJECTED)
    copy_back(rebuilt, chance, **(ENCRYPTED if seed % 2 else {}))
    before, after = warehouse.rows(), rebuilt.rows()
    for table in before:
        assert after[table] == before[table], table
    copy_back(rebuilt, chance)  # and once more, where all is loaded already
    assert rebuilt.rows() == after


def test_every_refused_document_is_kept_and_loaded_after_the_fix(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several of one key, the same one again, and each as old as it was."""
    as_in_a_run(warehouse)
    bodies = [documents.encode(version(name)) for name in ("first", "second", "first")]
    with monkeypatch.context() as patch:
        patch.setitem(vars(warehouse.settings), "max_size", 0)
        for number, body in enumerate(bodies):
            at = START + timedelta(hours=number)
            assert deliver(warehouse, OURS, body, at) is FileStatus.REJECTED
        refused = [key for key in keys(warehouse, "rejected/") if "reason" not in key]
        assert len(refused) == 3
        results = receiver.load_waiting(warehouse.receiver, retry=True)
        assert {result.status for result in results} == {FileStatus.REJECTED}
        kept = [key for key in keys(warehouse, "rejected/") if "reason" not in key]
        assert kept == refused
    results = receiver.load_waiting(warehouse.receiver, retry=True)
    assert {result.status for result in results} == {FileStatus.LOADED}
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "first"}]
    assert keys(warehouse, "rejected/") == keys(warehouse, "data/") == []
    assert len(keys(warehouse, "loaded/")) == 3


def test_an_uploader_cannot_have_an_archived_document_replaced(warehouse: Warehouse) -> None:
    """By metadata such as the receiver writes."""
    as_in_a_run(warehouse)
    genuine, forged = (
        documents.encode(version(name, meta=True, at="2026-11-22T01:00:00+00:00"))
        for name in ("real", "fake")
    )
    assert deliver(warehouse, OURS, genuine, START) is FileStatus.LOADED
    lies = OURS.replace("data/", "loaded/")
    told = {"archived": lies.removeprefix("loaded/"), "etag": "0" * 32}
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=OURS, Body=forged, Metadata=told)
    [file] = warehouse.receiver.s3.list_files("data/")
    assert receiver.load_safely(warehouse.receiver, file).status is FileStatus.LOADED
    held = warehouse.s3.get_object(Bucket=warehouse.bucket, Key=lies)["Body"].read()
    assert held == genuine
