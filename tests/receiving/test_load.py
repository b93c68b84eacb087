"""A large document is loaded while it is still being read: its end may overturn its beginning."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

import receiver
from observability.limits import MIB
from observability.loaders import LOADERS
from observability.receiving.bucket import S3Manager
from observability.receiving.facts import DocumentProblems
from observability.receiving.files import File
from observability.receiving.result import FileStatus
from observability.receiving.spool import DocumentSpool
from tests import documents
from tests.cloud.data_api import ApiCall
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
BULK = {"description": "x" * 1_000_000}


def large(day: date, numbers: range, **more: Any) -> Document:
    """A document whose keys take several batches; its logs come first, as the sender's do."""
    made = document(day)
    key = made["security"]["kms"][0]
    made["security"]["kms"] = [
        {**key, "key_id": f"key-{n}", "description": f"{n % 10}" * 1_000_000} for n in numbers
    ]
    made |= more
    ordered = {loader.category: made[loader.category] for loader in LOADERS}
    return {"meta": made["meta"], "logs": made["logs"]} | ordered


class SlowS3(S3Manager):
    """Sends the end of an object only once something of its beginning has been loaded."""

    statements: threading.Semaphore
    held = 2000  # bytes

    def open(self, file: File) -> tuple[File, Iterator[bytes]]:
        found, chunks = super().open(file)
        return found, self.held_back(b"".join(chunks))

    def held_back(self, body: bytes) -> Iterator[bytes]:
        while self.statements.acquire(blocking=False):
            pass  # what came before
        yield body[: -self.held]
        for statement in ("seen", "rows"):
            assert self.statements.acquire(timeout=30), f"no {statement} before all is read"
        yield body[-self.held :]


@pytest.fixture
def slow(warehouse: Warehouse) -> Warehouse:
    """A receiver that gets the end of an object late."""
    s3 = SlowS3(warehouse.settings)
    s3.statements = threading.Semaphore(0)
    warehouse.embedded.switches.intercept(
        "rds-data", "ExecuteStatement", lambda _: s3.statements.release(), after=True
    )
    warehouse.receiver = replace(warehouse.receiver, s3=s3)
    return warehouse


def began(warehouse: Warehouse) -> list[ApiCall]:
    """The transactions that were begun."""
    calls = warehouse.embedded.data_api.calls
    return [call for call in calls if call.path == "/BeginTransaction"]


def alive(warehouse: Warehouse) -> list[str]:
    return [row["key_id"] for row in warehouse.rows()["kms_keys"] if not row["gone_at"]]


@pytest.mark.parametrize("status", ["Pass", "Fail", "Skipped"])
def test_a_status_at_the_beginning_decides_what_is_gone(slow: Warehouse, status: str) -> None:
    slow.load(large(DAY, range(12)), documents.key(DAY))
    later = large(NEXT, range(2, 12))
    later["logs"]["security_status"] = status
    assert slow.load(later, documents.key(NEXT)).status is FileStatus.LOADED
    assert len(alive(slow)) == (10 if status == "Pass" else 12)


def test_what_has_been_read_waits_for_no_other_category(
    slow: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here all other categories follow, those that are loaded first as well."""
    made = large(DAY, range(12))
    begin = {name: made.pop(name) for name in ("meta", "logs", "account", "security")}
    monkeypatch.setattr(SlowS3, "held", len(json.dumps(made)))
    assert slow.load(begin | made, documents.key(DAY)).status is FileStatus.LOADED
    assert len(alive(slow)) == 12
    assert len(slow.rows()["application_signals"]) == len(made["application"])


def test_the_account_comes_first_and_what_accounts_share_last(warehouse: Warehouse) -> None:
    """Shared rows are locked until the document is loaded, and others wait for them."""
    spool = DocumentSpool(warehouse.receiver.schemas.read())
    for category in ("security", "account"):
        spool.finish_category(category)
    turns = spool.in_turn()
    begun = [next(turns).schema.table.name for _ in range(4)]
    assert begun == ["accounts", "contact_info", "alternate_contacts", "security"]
    for loader in LOADERS:
        spool.finish_category(loader.category)
    *_, last = turns
    assert last.schema.table.name == "product_accounts"
    spool.close()


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("first", ["security", "others"])
def test_a_document_that_is_given_up_is_not_read_to_its_end(
    warehouse: Warehouse, first: str, early: bool
) -> None:
    """Whether its load has failed amid a category, or amid what no loader is for."""
    made = large(DAY, range(12))
    made = {"meta": made["meta"], "others": "x" * MIB} | made
    body = documents.encode({first: made.pop(first)} | made)
    spool = DocumentSpool(warehouse.receiver.schemas.read())
    spool.early = early
    pieces = iter([body[begin : begin + MIB // 2] for begin in range(0, len(body), MIB // 2)])

    def chunks() -> Iterator[bytes]:
        yield next(pieces)
        spool.abandoned = True
        yield from pieces

    with pytest.raises(DocumentProblems):
        receiver.process_file_data(chunks(), spool)
    assert len(list(pieces)) > 16
    spool.close()


def test_a_document_whose_logs_come_last_is_read_first(warehouse: Warehouse) -> None:
    """What is missing means nothing before it is known what had failed."""
    warehouse.load(large(DAY, range(12)), documents.key(DAY))
    later = large(NEXT, range(2, 12))
    later["logs"]["security_status"] = "Fail"
    later["logs"] = later.pop("logs")
    assert warehouse.load(later, documents.key(NEXT)).status is FileStatus.LOADED
    assert len(alive(warehouse)) == 12


def test_early_and_late_loading_give_the_same_rows(warehouse: Warehouse) -> None:
    made = [large(DAY, range(12)), large(NEXT, range(2, 14))]
    for each in made:
        warehouse.load(each, documents.key(DAY if each is made[0] else NEXT))
    early = warehouse.rows()
    warehouse.empty()
    for each in made:
        each["logs"] = each.pop("logs")
        warehouse.load(each, documents.key(DAY if each is made[0] else NEXT))
    assert warehouse.rows() == early


def test_findings_are_loaded_with_their_services_while_others_follow(slow: Warehouse) -> None:
    """The security category is last, and more of its findings than a batch holds."""
    made = large(DAY, range(0))
    one = made["security"]["security_hub"][0]["findings"][0]
    groups = [
        {
            "service": service,
            "findings": [
                {**one, "service": service, "finding_id": f"{service}-{n}"} | BULK for n in range(4)
            ],
        }
        for service in ("Inspector", "Macie", "Security Hub")
    ]
    security = made.pop("security")
    made["security"] = {**security, "security_hub": [*groups, {"service": "Quiet"}]}
    assert slow.load(made, documents.key(DAY)).status is FileStatus.LOADED
    rows = slow.rows()
    assert len(rows["findings"]) == 12
    counts = {row["service"]: row["total_findings"] for row in rows["security"]}
    assert counts == {"Inspector": 4, "Macie": 4, "Security Hub": 4, "Quiet": 0}


def test_machines_are_loaded_while_their_parts_follow(slow: Warehouse) -> None:
    """The inventory is last, and more of its applications than a batch holds."""
    made = large(DAY, range(0))
    inventory = made.pop("inventory")
    app = inventory["applications"][0]
    inventory["applications"] = [
        {**app, "name": f"app-{n}", "publisher": "x" * 1_000_000} for n in range(12)
    ]
    made["inventory"] = inventory
    assert slow.load(made, documents.key(DAY)).status is FileStatus.LOADED
    assert len(slow.rows()["inventory_applications"]) == 12


def test_services_with_long_names_take_several_requests(warehouse: Warehouse) -> None:
    """Together they are larger than the Data API takes."""
    made = document(DAY)
    names = [f"{number:02}" + "x" * 100_000 for number in range(60)]
    made["security"]["security_hub"] = [{"service": name, "findings": []} for name in names]
    assert warehouse.load(made, documents.key(DAY)).status is FileStatus.LOADED
    counts = {row["service"]: row["total_findings"] for row in warehouse.rows()["security"]}
    assert counts == dict.fromkeys(names, 0)


BROKEN: dict[str, tuple[Document, str]] = {
    "a value": ({"support_tickets": [{"case_id": None}]}, "case_id: is missing"),
    "a category": ({"trusted_advisor": [5]}, "trusted_advisor[0]: must be an object"),
    "a required one": ({"trusted_advisor": ...}, "'trusted_advisor' is missing"),
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
    assert result.status is FileStatus.REJECTED
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
    assert warehouse.receiver.load_file(found).status is FileStatus.REJECTED
    assert not any(warehouse.rows().values())


def test_who_it_is_is_known_before_anything_is_loaded(warehouse: Warehouse) -> None:
    made = large(DAY, range(12))
    made["account"]["account_id"] = "999988887777"
    warehouse.embedded.data_api.forget_calls()
    assert warehouse.load(made, documents.key(DAY)).status is FileStatus.REJECTED
    assert began(warehouse) == []
