"""What people add to a table may leave rows out in silence, or refuse them in its own words."""

from __future__ import annotations

from datetime import date

import pytest

import receiver
from observability.receiving.result import FileResult, FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import STORED, Warehouse

DAY = date(2026, 11, 22)


def trigger(warehouse: Warehouse, table: str, event: str, body: str = "RETURN NULL;") -> None:
    """A trigger of somebody's, before each row."""
    warehouse.query(
        f"""CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$;
        CREATE TRIGGER of_theirs BEFORE {event} ON {table}
            FOR EACH ROW EXECUTE FUNCTION theirs()""",
        fetch=False,
    )


def changed() -> Document:
    """The next day's document: everything in it is another value, and of each list one is gone."""
    made = document(DAY)
    made["meta"]["collected_at"] = "2026-11-23T03:00:00+00:00"
    for row in (*made["security"]["kms"], *made["security"]["waf"]):
        row["description"] = "another"
    made["account"]["account_name"] = "another"
    for report in made["cost"]:
        report["potential_monthly_savings"] = "7"
    made["security"]["security_hub"][0]["findings"][0].update(
        severity="LOW", updated_at="2026-11-22T00:00:00+00:00"
    )
    made["inventory"]["applications"].pop()
    made["security"]["secrets_manager"] = []
    made["account"]["product"] = "Other"
    return made


def load(warehouse: Warehouse, made: Document, day: date) -> FileResult:
    """Load a document as a run does, with its failures as results."""
    key = documents.key(day)
    body = documents.encode(made)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)
    [file] = warehouse.receiver.s3.list_files("data/")

    return receiver.load_safely(warehouse.receiver, file)


def assert_waits(warehouse: Warehouse, result: FileResult, *words: str) -> None:
    assert result.status is FileStatus.FAILED, (result.status, result.reasons)
    for word in words:
        assert word in result.reasons[0]
    assert [file.key for file in warehouse.receiver.s3.list_files("")] == [result.key]


@pytest.mark.parametrize("table", [*STORED, "products", "documents"])
def test_rows_that_a_trigger_leaves_out_are_missed(warehouse: Warehouse, table: str) -> None:
    trigger(warehouse, table, "INSERT")
    result = load(warehouse, document(), date(2026, 11, 21))
    assert_waits(warehouse, result, table)
    assert warehouse.query("SELECT FROM documents") == []


UPDATED = ("kms_keys", "waf_rules", "accounts", "cost_reports", "findings", "security")
GONE = {"secrets_manager_secrets": "UPDATE", "inventory_applications": "DELETE",
        "product_accounts": "DELETE"}  # fmt: skip
CHANGES = {**dict.fromkeys(UPDATED, "UPDATE"), **GONE}


@pytest.mark.parametrize("table", CHANGES)
def test_changes_that_a_trigger_leaves_out_are_missed(warehouse: Warehouse, table: str) -> None:
    assert load(warehouse, document(), date(2026, 11, 21)).status is FileStatus.LOADED
    for file in warehouse.receiver.s3.list_files("loaded/"):
        warehouse.receiver.s3.delete(file)
    before = warehouse.rows()
    trigger(warehouse, table, CHANGES[table])
    assert_waits(warehouse, load(warehouse, changed(), DAY), table)
    assert warehouse.rows() == before


def test_the_link_to_no_product_is_missed_too(warehouse: Warehouse) -> None:
    """No document lists it: it follows from the others."""
    trigger(warehouse, "product_accounts", "INSERT")
    made = document()
    made["account"]["product"] = ""
    assert_waits(warehouse, load(warehouse, made, date(2026, 11, 21)), "product_accounts")


@pytest.mark.parametrize("condition", ["WHERE old.enabled", ""])
def test_rows_that_a_rule_leaves_out_are_missed(
    warehouse: Warehouse, condition: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule may turn an UPDATE into nothing, without a word, or so that PostgreSQL refuses it."""
    assert load(warehouse, document(), date(2026, 11, 21)).status is FileStatus.LOADED
    for file in warehouse.receiver.s3.list_files("loaded/"):
        warehouse.receiver.s3.delete(file)
    warehouse.query(
        f"CREATE RULE keep AS ON UPDATE TO kms_keys {condition} DO INSTEAD NOTHING",
        fetch=False,
    )
    result = load(warehouse, changed(), DAY)
    assert result.status is FileStatus.FAILED
    assert "kms_keys" in result.reasons[0]
    assert "Traceback" not in caplog.text


def test_costs_that_a_trigger_keeps_in_another_region_are_missed(warehouse: Warehouse) -> None:
    """Documents of the sample repeat them, and those of one region are to go."""
    first, second = (document(meta=False, region=name) for name in ("us-east-1", "eu-west-1"))
    for made in (first, second):
        made["service"] = made["service"][:1]
    warehouse.load(first, key=documents.key(date(2026, 11, 21), region="us-east-1"))
    for file in warehouse.receiver.s3.list_files("loaded/"):
        warehouse.receiver.s3.delete(file)
    trigger(warehouse, "services", "DELETE")
    assert_waits(warehouse, load(warehouse, second, date(2026, 11, 21)), "services")


STATES = ("P0001", "P0099", "ZZ999", "45000", "22023", "22P02", "U0001")


@pytest.mark.parametrize("state", STATES)
def test_an_error_of_a_trigger_names_it(warehouse: Warehouse, state: str) -> None:
    body = f"RAISE EXCEPTION 'not on Sundays' USING ERRCODE = '{state}';"
    trigger(warehouse, "waf_rules", "INSERT OR UPDATE", body)
    result = load(warehouse, document(), date(2026, 11, 21))
    assert_waits(warehouse, result, "not on Sundays", "the trigger of_theirs on waf_rules")


@pytest.mark.parametrize("state", ["26000", "25P02"])
def test_what_a_pooled_session_has_lost_is_tried_again(warehouse: Warehouse, state: str) -> None:
    """A prepared statement that a session forgot, a transaction that it broke before."""
    words = f'ERROR: prepared statement "S_1" does not exist; SQLState: {state}'
    faults = warehouse.embedded.data_api.faults
    faults.fail("DatabaseErrorException", words, path="/Execute", sql="load_document", times=2)
    assert load(warehouse, document(), date(2026, 11, 21)).status is FileStatus.LOADED
    assert faults.injected
    assert len(warehouse.query("SELECT FROM documents")) == 1
