"""Taking data out again: accounts for good, and what is older than it is wanted."""

from __future__ import annotations

import pytest

import receiver
from observability.database.schema import own_schema
from tests.database.estates import BANK, SHOP, YESTERDAY, load, quiet
from tests.documents import document, encode, key
from tests.warehouse import Warehouse


def run(warehouse: Warehouse, *flags: str) -> int:
    """Run the receiver over the warehouse; its exit code."""
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database)
    return receiver.main([*flags, *place])


BY_NUMBER = ("accounts", "account_tags", "expected_accounts")
"""Tables in which account_id is the account's number."""


def rows_of(warehouse: Warehouse, account: str) -> dict[str, int]:
    """How many rows hang on an account, by table."""
    counts = {}
    for table, columns in own_schema().tables.items():
        if table not in BY_NUMBER and "account_id" in columns:
            sql = f"""SELECT count(*) AS n FROM {table} t JOIN accounts a ON a.id = t.account_id
                      WHERE a.account_id = '{account}'"""
            counts[table] = warehouse.query(sql)[0]["n"]
    return counts


def versions(warehouse: Warehouse, account: str) -> int:
    found = warehouse.s3.list_object_versions(Bucket=warehouse.bucket)
    held = (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))
    return sum(f"/{account}/" in one["Key"] for one in held)


def fill(warehouse: Warehouse) -> None:
    """Two accounts with loaded, waiting and refused documents, in a bucket with versions."""
    warehouse.s3.put_bucket_versioning(
        Bucket=warehouse.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    for account in (SHOP, BANK):
        whole = document(account=account)
        warehouse.load(whole, key(account=account))
        warehouse.load(whole, key(account=account))
        for place, body in (("data", encode(whole)), ("rejected", b"{")):
            name = key(account=account).replace("data/", f"{place}/")
            warehouse.s3.put_object(Bucket=warehouse.bucket, Key=name, Body=body)


def test_an_account_is_erased_for_good_and_no_other(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(warehouse)
    before, kept = rows_of(warehouse, BANK), versions(warehouse, BANK)
    assert rows_of(warehouse, SHOP) == before
    assert run(warehouse, "--erase", SHOP, "--dry-run") == 0
    assert f"would erase account {SHOP}: regions 1, versions of objects" in capsys.readouterr().out
    assert rows_of(warehouse, SHOP) == before
    assert run(warehouse, "--erase", SHOP) == 0
    told = capsys.readouterr().out
    assert f"erased account {SHOP}: " in told
    assert f"kms_keys {before['kms_keys']}" in told
    assert not any(rows_of(warehouse, SHOP).values())
    assert warehouse.query("SELECT account_id FROM accounts") == [{"account_id": BANK}]
    assert versions(warehouse, SHOP) == 0
    assert (rows_of(warehouse, BANK), versions(warehouse, BANK)) == (before, kept)
    orphans = "SELECT FROM service_costs s LEFT JOIN cost_reports r ON r.id = s.cost_report_id "
    assert warehouse.query(orphans + "WHERE r.id IS NULL") == []
    assert run(warehouse, "--erase", SHOP) == 0
    assert "there is nothing" in capsys.readouterr().out


def test_what_is_over_expires_and_what_exists_stays(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    made = quiet()
    made["security"]["kms"] = document()["security"]["kms"]
    load(warehouse, made, quiet(YESTERDAY, region="eu-north-1"))
    warehouse.query("UPDATE kms_keys SET gone_at = now() - interval '40 days'", fetch=False)
    warehouse.query("UPDATE log_messages SET created_at = now() - interval '40 days'", fetch=False)
    before = warehouse.query("SELECT * FROM listings ORDER BY 1")
    for days, keys in (("41", 1), ("39", 0)):
        assert run(warehouse, "--expire", days, "--dry-run") == 0
        assert ("kms_keys 1" in capsys.readouterr().out) is (keys == 0)
        assert run(warehouse, "--expire", days) == 0
        assert warehouse.query("SELECT count(*) AS n FROM kms_keys") == [{"n": keys}]
        capsys.readouterr()
    assert warehouse.query("SELECT FROM log_messages") == []
    assert warehouse.query("SELECT * FROM listings ORDER BY 1") == before
    assert len(warehouse.query("SELECT FROM logs")) == 2


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--erase", "12345"], "--erase: '12345' is not an account id of 12 digits"),
        (["--expire", "34"], "--expire: '34' is not a number of days, 35 or more"),
        (["--expire", "\uff14\uff10"], "is not a number of days, 35 or more"),
        (["--expire", "1e9"], "is not a number of days, 35 or more"),
        (["--expire", "40", "--erase", SHOP], "not allowed with"),
        (["--check", "--dry-run"], "--dry-run is for loading, --forget, --erase and --expire only"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    warehouse: Warehouse, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run(warehouse, *flags)
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    assert told in capsys.readouterr().err
