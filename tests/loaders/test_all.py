"""Every list of a document and every table, held on whole accounts.

What sender.py collects of an account goes through S3 and receiver.py into PostgreSQL; there the
rows must be what the document says, column by column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

import receiver
from observability import __version__
from observability.database.tables import Kind
from observability.loaders import TABLES as RECEIVER_TABLES
from observability.receiving.result import FileStatus
from tests.cloud import EmbeddedCloud, Size
from tests.collectors.truth import Place, day_cost, same_rows
from tests.conftest import REGIONS, MakeAccount
from tests.loaders.tables import OWN_TABLES, TABLES, TRUTH
from tests.loading import Loaded, collect, collect_and_load, load
from tests.runs import Row, lists, ship
from tests.warehouse import Warehouse

HOME, OTHER = REGIONS


def test_both_documents_are_loaded_as_a_whole(loaded: Loaded) -> None:
    assert [made["meta"]["region"] for made in loaded.documents] == [HOME, OTHER]
    assert [result.status for result in loaded.results] == [FileStatus.LOADED] * 2


# Every row, every value


@pytest.mark.parametrize("path", TRUTH)
def test_a_table_holds_what_the_document_says(path: str, loaded: Loaded) -> None:
    truth = TRUTH[path]
    names = truth.renamed
    key = [names.get(column, column) for column in truth.key]
    for document in loaded.documents:
        said = [
            {names.get(name, name): value for name, value in row.items()}
            for row in lists(document).get(path, [])
        ]
        columns = {name for row in said for name in row}
        held = loaded.rows(truth.table, document["meta"]["region"])
        same_rows(
            [dict.fromkeys(columns) | row for row in said],
            [{name: decoded(row[name]) for name in columns} for row in held],
            key,
        )


def decoded(value: object) -> object:
    """A value of a table; lists and objects in a text column are their JSON text."""
    if isinstance(value, str) and value[:2] in ('["', '{"', "[]"):
        return json.loads(value)
    return sorted(value) if isinstance(value, list) else value


def test_each_row_leads_to_the_object_that_it_came_from(loaded: Loaded) -> None:
    found = loaded.query(
        "SELECT d.*, a.region FROM documents d JOIN accounts a ON a.id = d.account_id"
    )
    assert {row["region"] for row in found} == set(REGIONS)
    for row in found:
        day = loaded.documents[0]["meta"]["period"]["start"]
        assert row["key"].endswith(f"{loaded.account.id}/{row['region']}/{day}_DAILY.json")
        assert row["etag"]
        assert row["sender"] == f"sender.py {__version__}"
    ids = {row["region"]: row["id"] for row in found}
    for table in TABLES.values():
        for region in REGIONS:
            lineage = (
                {row["document_id"] for row in loaded.rows(table, region)}
                if table != "accounts"
                else {ids[region]}
            )
            assert lineage <= {ids[region]}


# Every column, every field

NULL = {
    ("resilience_hub_apps", "last_drill"): "no API of Resilience Hub tells it",
    ("products", "position"): "for people to fill",
    ("products", "description"): "for people to fill",
    ("product_accounts", "gone_at"): "what ends of it is deleted",
    **{
        (table.name, "gone_at"): "nothing has vanished yet"
        for table in RECEIVER_TABLES.values()
        if table.kind is Kind.SNAPSHOT
    },
}
"""Columns that an account that was loaded once cannot fill."""
NOT_FROM_DOCUMENTS = {
    "attempts",
    "changes",
    "account_tags",
    "expected_accounts",
    "notices",
    "chunks",
    "lists",
}  # the first says of no change


def test_every_column_of_every_table_is_filled(loaded: Loaded) -> None:
    empty = {
        (row["table_name"], row["column_name"])
        for row in loaded.columns()
        if row["table_name"] not in NOT_FROM_DOCUMENTS
        and not loaded.query(
            f"SELECT 1 FROM {row['table_name']} WHERE {row['column_name']} IS NOT NULL LIMIT 1"
        )
    }
    assert empty == NULL.keys()


def test_every_field_of_a_document_lands_in_a_column(loaded: Loaded) -> None:
    columns = {(row["table_name"], row["column_name"]) for row in loaded.columns()}
    for document in loaded.documents:
        region = document["meta"]["region"]
        for path, rows in lists(document).items():
            table = TABLES[path]
            renamed = TRUTH[path].renamed if path in TRUTH else {}
            stored = (
                loaded.rows(table, region) if table != "accounts" else account_rows(loaded, region)
            )
            for name in {name for row in rows for name in row} - OWN_TABLES.get(path, set()):
                column = renamed.get(name, name)
                assert (table, column) in columns, path
                told = sum(row.get(name) is not None for row in rows)
                assert sum(row[column] is not None for row in stored) == told, (path, name)


def account_rows(loaded: Loaded, region: str) -> list[Row]:
    """The account's row of a region."""
    return loaded.query(
        "SELECT * FROM accounts WHERE account_id = %s AND region = %s", loaded.account.id, region
    )


PARTS: Mapping[str, Mapping[str, str]] = {
    "contact_info": {},
    "alternate_contacts": {"name": "full_name", "phone": "phone_number"},
    "service_costs": {"service": "service_name"},
    "cost_forecasts": {},
}
"""The tables of what is nested in a document, and how the contract renames its fields."""


def test_every_field_that_is_nested_lands_in_a_column(loaded: Loaded) -> None:
    columns = {(row["table_name"], row["column_name"]) for row in loaded.columns()}
    home = loaded.documents[0]
    nested: dict[str, list[Row]] = {
        "contact_info": [home["account"]["contact_info"]],
        "alternate_contacts": list(home["account"]["alternate_contacts"].values()),
        "service_costs": [row for held in home["cost"] for row in held["top_services"]],
        "cost_forecasts": [
            {name: value for name, value in row.items() if name != "period"}
            | {f"period_{name}": value for name, value in row["period"].items()}
            for held in home["cost"]
            for row in held.get("forecast", ())
        ],
        "cost_reports": [
            {f"period_{name}": value for name, value in held["period"].items()}
            for held in home["cost"]
        ],
    }
    for table, rows in nested.items():
        for name in {name for row in rows for name in row}:
            column = PARTS.get(table, {}).get(name, name)
            assert (table, column) in columns
            [count] = loaded.query(f"SELECT count({column}) FROM {table}")
            assert count["count"] == sum(row.get(name) is not None for row in rows)


# Other documents


def test_thousands_of_resources_come_through_complete(
    embedded: EmbeddedCloud, make_account: MakeAccount, database: str
) -> None:
    account = make_account(Size.small().scaled(8))
    flags = ("--reserved-capacity", "--cost-tags", "team,project")
    held = collect_and_load(embedded, account, database, *flags)
    [document] = held.documents
    place = held.place(document)
    alone = Place(account, HOME, place.start, place.end)
    total = 0
    for path, truth in TRUTH.items():
        expected = list(truth.rows(alone))
        [found] = held.query(f"SELECT count(*) FROM {truth.table}")
        assert found["count"] == len(expected), path
        total += len(expected)
    assert total > 10_000
    [costs] = held.query("SELECT sum(cost) AS cost FROM services")
    by_day = (day_cost(account, day).values() for day in alone.cost_days)
    assert costs["cost"] == sum(cost for costs in by_day for cost in costs)


def test_a_run_that_was_denied_everything_takes_nothing_away(
    embedded: EmbeddedCloud, make_account: MakeAccount, warehouse: Warehouse
) -> None:
    account = make_account()
    assert collect(embedded, account, warehouse.bucket) == 0
    load(warehouse)
    before = facts(warehouse)
    embedded.switches.policies[account.id] = lambda request: request.operation in SHIPPING
    assert collect(embedded, account, warehouse.bucket) == 1
    [result] = load(warehouse)
    assert result.status is FileStatus.LOADED, result.reasons
    after = facts(warehouse)
    for table, rows in before.items():
        assert after[table] == rows, table


SHIPPING = {"GetCallerIdentity", "ListObjectsV2", "PutObject", "GenerateDataKey"}
"""What a sender needs to ship a document, though it may read nothing."""


def facts(warehouse: Warehouse) -> dict[str, list[Row]]:
    """All rows but those about runs."""
    rows = warehouse.rows()
    return {table: rows[table] for table in rows if table not in ("logs", "log_messages")}


# What is known stays known

FACTS = """
    SELECT (SELECT count(cost_consumed) FROM marketplace_usage) AS paid,
           (SELECT count(status) FROM marketplace_usage) AS entitled,
           (SELECT count(anomalies_detected) FROM cost_reports) AS anomalies,
           (SELECT count(potential_monthly_savings) FROM cost_reports) AS savings"""


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ce", "GetCostAndUsage"),
        ("ce", "GetAnomalies"),
        ("marketplace-entitlement", "GetEntitlements"),
        ("cost-optimization-hub", "ListRecommendationSummaries"),
    ],
)
def test_what_a_run_could_not_read_takes_no_known_fact_away(
    service: str,
    operation: str,
    embedded: EmbeddedCloud,
    environment: dict[str, str],
    warehouse: Warehouse,
) -> None:
    flags = ("--only", "cost,service,marketplace")
    assert ship(environment, *flags)[0] == 0
    receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    before = warehouse.query(FACTS)
    assert all(before[0].values())
    embedded.switches.deny(service, operation)
    assert ship(environment, *flags)[0] == 1
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert [result.status for result in results] == [FileStatus.LOADED]
    assert warehouse.query(FACTS) == before
