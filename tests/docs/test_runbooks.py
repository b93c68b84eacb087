"""The runbooks, tried out: the commands of docs/runbooks.md, on the embedded cloud."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import receiver
from observability.database.schema import VERSION_FUNCTION
from observability.receiving.notices import PROBLEMS, log_problems
from observability.receiving.result import FileStatus
from tests import documents, templates
from tests.cloud import EmbeddedCloud
from tests.database.estates import BANK, OTHER, SHOP, load, quiet
from tests.docs.commands import PAGES, Shown, commands
from tests.documents import Document, document
from tests.faults import keys, restated
from tests.paths import ROOT
from tests.warehouse import KEPT, Rows, Warehouse

PAGE = ROOT / "docs" / "runbooks.md"
SHOWN = [*commands(PAGE)]
FIRST = date(2026, 11, 20)
SECOND, THIRD = FIRST + timedelta(days=1), FIRST + timedelta(days=2)


def shown(*words: str) -> Shown:
    """The first command of the page that has these words."""
    return next(each for each in SHOWN if {*words} <= {each.program, *each.arguments})


def option(command: Shown, name: str) -> str:
    return command.arguments[command.arguments.index(name) + 1]


def play(warehouse: Warehouse, command: Shown, *more: str, **names: str) -> int:
    """Run receiver.py as the page shows it, on the warehouse; its exit code."""
    given = [names.get(word.partition(".")[0], word) for word in command.arguments[1:]]
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database)
    return receiver.main([*given, *more, *place])


def copy(warehouse: Warehouse, command: Shown, **buckets: str) -> None:
    """What `aws s3 cp --recursive` does: each object below the first place goes to the second."""
    here, there = (word.removeprefix("s3://").split("/", 1) for word in command.arguments[-2:])
    source = buckets[here[0]]
    listed = warehouse.s3.list_objects_v2(Bucket=source, Prefix=here[1])
    for key in (held["Key"] for held in listed.get("Contents", ())):
        warehouse.s3.copy_object(
            Bucket=buckets[there[0]], Key=key.replace(here[1], there[1], 1),
            CopySource={"Bucket": source, "Key": key},
            ServerSideEncryption=option(command, "--sse"),
            SSEKMSKeyId=warehouse.embedded.key_arn,
        )  # fmt: skip


def made_documents() -> dict[str, Document]:
    made = {documents.key(day, account): document(day, account)
            for day in (FIRST, SECOND) for account in (SHOP, BANK)}  # fmt: skip
    return {**made, documents.key(SECOND): restated()}


def load_all(warehouse: Warehouse, made: dict[str, Document]) -> Rows:
    for key, each in made.items():
        assert warehouse.load(each, key).status is FileStatus.LOADED
    return warehouse.rows()


Elsewhere = Callable[[str], Warehouse]


@pytest.fixture
def elsewhere(embedded: EmbeddedCloud, schema_database: str) -> Iterator[Elsewhere]:
    """A further hub: a bucket and a copy of a database, or an empty one."""
    names = []

    def make(database: str = "") -> Warehouse:
        embedded.data_api.release_sessions()
        KEPT.close()
        names.append(embedded.create_database(template=database or schema_database))
        return Warehouse(embedded, embedded.create_bucket(), names[-1])

    yield make
    embedded.data_api.release_sessions()
    for name in names:
        embedded.postgres.drop_database(name)


# What is lost


def test_documents_wait_for_a_key_that_is_disabled(warehouse: Warehouse) -> None:
    key = documents.key()
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(document()))
    disabled = ("KMS.DisabledException", "arn:aws:kms:… is disabled.")
    warehouse.embedded.switches.fail("s3", "GetObject", *disabled)
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database, "--patience", "0")
    assert receiver.main([*place, "-q"]) == 1
    assert keys(warehouse, "") == [key]
    warehouse.embedded.switches.reset()
    assert receiver.main([*place, "-q"]) == 0
    assert keys(warehouse, "") == [key.replace("data/", "loaded/")]
    assert [command.arguments[1] for command in SHOWN if "kms" in command.arguments] == [
        "cancel-key-deletion", "enable-key",
    ]  # fmt: skip


def test_objects_that_were_deleted_come_back(warehouse: Warehouse) -> None:
    bucket, s3 = warehouse.bucket, warehouse.s3
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    load_all(warehouse, made_documents())
    before = keys(warehouse, "loaded/")
    for key in before[:2]:
        s3.delete_object(Bucket=bucket, Key=key)
    listing, deletion = shown("list-object-versions", "loaded/"), shown("delete-objects")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=option(listing, "--prefix")
    )
    [markers] = pages.search(option(listing, "--query"))
    assert option(deletion, "--delete") == "file://markers.json"
    assert len(markers["Objects"]) == 2
    s3.delete_objects(Bucket=bucket, Delete=markers)
    assert keys(warehouse, "loaded/") == before


def test_a_lost_bucket_costs_what_was_not_loaded_and_a_lost_database_nothing(
    warehouse: Warehouse, elsewhere: Elsewhere
) -> None:
    made = made_documents()
    expected = load_all(warehouse, made)
    copies = warehouse.embedded.create_bucket()
    replicate, rebuild = shown("s3://COPIES/loaded/"), shown("s3://BUCKET/data/")
    copy(warehouse, replicate, COPIES=warehouse.bucket, BUCKET=copies)
    # The bucket is lost: the new hub has a snapshot of the database, and the replica's documents.
    second = elsewhere(warehouse.database)
    copy(warehouse, replicate, COPIES=copies, BUCKET=second.bucket)
    assert keys(second, "loaded/") == keys(warehouse, "loaded/")
    assert second.rows() == expected
    # The database is lost too: the documents rebuild it.
    third = elsewhere("")
    copy(warehouse, replicate, COPIES=copies, BUCKET=third.bucket)
    copy(third, rebuild, BUCKET=third.bucket)
    assert receiver.main(["--bucket", third.bucket, "--database", third.database, "-q"]) == 0
    assert third.rows() == expected
    # Both go on as if nothing had happened.
    following = {documents.key(THIRD): document(THIRD)}
    rows = load_all(warehouse, following)
    assert load_all(second, following) == rows
    assert load_all(third, following) == rows


# Accounts and regions


def deliveries(warehouse: Warehouse) -> dict[str, str]:
    rows = warehouse.query("SELECT account_id, delivery FROM account_overview")
    return {row["account_id"]: row["delivery"] for row in rows}


def test_accounts_join_leave_and_are_erased(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "accounts.csv"
    expect = shown("--expect")
    load(warehouse, quiet(account=SHOP))
    listed.write_text(f"account_id\n{SHOP}\n{BANK}\n")
    assert play(warehouse, expect, accounts=str(listed)) == 0
    assert deliveries(warehouse) == {SHOP: "complete", BANK: "never"}
    warehouse.query(
        "UPDATE expected_accounts SET created_at = now() - interval '3 days'", fetch=False
    )
    log_problems(warehouse.receiver.db)
    assert (
        f"FAIL    never delivered, though expected for two days: {BANK}" in capsys.readouterr().err
    )
    load(warehouse, quiet(account=BANK))
    assert deliveries(warehouse) == {SHOP: "complete", BANK: "complete"}
    listed.write_text(f"account_id\n{SHOP}\n")
    assert play(warehouse, expect, accounts=str(listed)) == 0
    assert deliveries(warehouse) == {SHOP: "complete", BANK: "closed"}
    erase = shown("--erase")
    assert option(erase, "--erase") == BANK
    assert play(warehouse, erase) == 0
    assert deliveries(warehouse).keys() == {SHOP, BANK}
    real = Shown(erase.page, erase.text, (), erase.program, erase.arguments[:-1])
    assert play(warehouse, real) == 0
    assert deliveries(warehouse).keys() == {SHOP}
    assert keys(warehouse, f"loaded/{BANK}/") == []


OF_REGIONS = PROBLEMS["stale"][1]


def test_a_new_region_is_seen_and_one_that_was_removed_is_stale_for_thirty_days(
    warehouse: Warehouse, story: io.StringIO
) -> None:
    [statement] = re.findall(r"`(SELECT [^`]*ap-south-2[^`]*)`", PAGE.read_text())
    statement = statement.replace("ap-south-2", OTHER)
    load(warehouse, quiet())
    assert warehouse.query(statement) == []
    load(warehouse, quiet(region=OTHER))
    assert [row["region"] for row in warehouse.query(statement)] == [OTHER]

    def stale(days: int) -> bool:
        warehouse.query(
            f"UPDATE documents SET last_modified = now() - interval '{days} days',"
            f" created_at = now() - interval '{days} days',"
            f" collected_at = now() - interval '{days} days' WHERE key LIKE '%{OTHER}%'",
            fetch=False,
        )
        log_problems(warehouse.receiver.db)
        return OTHER in [line for line in story.getvalue().splitlines() if OF_REGIONS in line][-1]

    assert [stale(days) for days in (1, 3, 29, 31)] == [False, True, True, False]


# Versions, costs, growth


def test_a_schema_that_is_older_than_the_code_is_told_and_mended(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    key = documents.key()
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(document()))
    warehouse.query(
        f"CREATE OR REPLACE FUNCTION {VERSION_FUNCTION}() RETURNS integer"
        " LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        fetch=False,
    )
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database)
    assert receiver.main(["--check", *place]) == 1
    told = capsys.readouterr().out
    assert re.findall(r"^FAILED  (\w+)", told, re.M) == ["schema"], told
    assert receiver.main([*place]) == 2
    assert keys(warehouse, "data/") == [key]
    assert play(warehouse, shown("--init-schema")) == 0
    assert receiver.main(["--check", *place]) == 0
    assert receiver.main([*place]) == 0
    assert keys(warehouse, "data/") == []


def parameters() -> dict[str, dict[str, Any]]:
    """The parameters of all templates, by the setting of make that gives them."""
    script = (ROOT / "deploy" / "deploy.sh").read_text()
    pairs = re.findall(r"\b([A-Z]\w+)=([A-Z][A-Z_]+)\b", script)
    found: dict[str, dict[str, Any]] = {}
    for template in templates.ALL:
        declared = templates.load(template)["Parameters"]
        found |= {setting: declared[name] for name, setting in pairs if name in declared}
    return found


def refusal(value: str, parameter: dict[str, Any]) -> str:
    """Why CloudFormation would refuse a value; nothing if it takes it."""
    if value not in map(str, parameter.get("AllowedValues", [value])):
        return "AllowedValues"
    if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        return "AllowedPattern"
    if parameter["Type"] == "Number":
        low, high = parameter.get("MinValue", value), parameter.get("MaxValue", value)
        if not float(low) <= float(value) <= float(high):
            return "MinValue, MaxValue"
    return ""


def test_values_that_pages_give_to_make_are_taken_by_the_templates() -> None:
    declared = parameters()
    checked = set()
    for page in PAGES:
        for command in (each for each in commands(page) if each.program == "make"):
            for word in (word for word in command.arguments if "=" in word and "…" not in word):
                setting, _, value = word.partition("=")
                if setting in declared:
                    assert refusal(value, declared[setting]) == "", (command, setting)
                    checked.add(setting)
    assert checked >= {"MAXIMUM_CAPACITY", "LOADED_DAYS", "TASK_CPU", "AT_ONCE", "TIME_LIMIT"}
    [name] = re.findall(r"`(\w+)`, a parameter of `deploy/spoke.yaml`", PAGE.read_text())
    assert name in templates.load(templates.SPOKE)["Parameters"]


# The pages


TRIED = {
    "Lost key": test_documents_wait_for_a_key_that_is_disabled,
    "Lost bucket": test_a_lost_bucket_costs_what_was_not_loaded_and_a_lost_database_nothing,
    "Rebuild from documents":
        test_a_lost_bucket_costs_what_was_not_loaded_and_a_lost_database_nothing,
    "Restore": "RDS restores clusters; the embedded cloud has none",
    "An account leaves": test_accounts_join_leave_and_are_erased,
    "An account joins": test_accounts_join_leave_and_are_erased,
    "New region":
        test_a_new_region_is_seen_and_one_that_was_removed_is_stale_for_thirty_days,
    "Schema older than code": test_a_schema_that_is_older_than_the_code_is_told_and_mended,
    "Cost explosion": test_values_that_pages_give_to_make_are_taken_by_the_templates,
    "Ten times as many accounts": test_values_that_pages_give_to_make_are_taken_by_the_templates,
}  # fmt: skip
"""By what each runbook is tried, or why it cannot be here; its commands exist (test_commands)."""


def test_the_time_of_a_rebuild_follows_from_that_of_a_document() -> None:
    [(seconds, hours, accounts)] = re.findall(
        r"about ([\d.]+) seconds each, (\d+) hours for (\d+) accounts, two regions, a year",
        PAGE.read_text(),
    )
    assert round(float(seconds) * int(accounts) * 2 * 365 / 3600) == int(hours)


def test_each_runbook_is_tried_or_it_is_said_why_not() -> None:
    assert re.findall(r"^## (.+)$", PAGE.read_text(), re.M) == [*TRIED]


def test_each_item_of_the_first_hundred_days_has_a_command() -> None:
    days = ROOT / "docs" / "first-hundred-days.md"
    items = re.findall(r"^- (.+)$", days.read_text(), re.M)
    known = [shlex.join((each.program, *each.arguments)) for each in commands(days)]
    assert len(items) > 15
    for item in items:
        codes = re.findall(r"`([^`]+)`", item)
        assert any(shlex.join(shlex.split(code.split(" && ")[0])) in known for code in codes), item
