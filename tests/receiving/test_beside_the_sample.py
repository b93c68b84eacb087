"""What documents of the public sample repeat or name otherwise, and what people do by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from observability.loaders.once import once_sql
from observability.receiving.result import FileResult, FileStatus
from observability.receiving.setup import init_schema
from tests.documents import ACCOUNT, Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)
HERE, THERE = "eu-west-1", "us-east-1"


def theirs(region: str, cost: str = "5", day: date = DAY) -> Document:
    """A document of the sample in one region, which states the whole account's costs."""
    made = document(day, region=region, meta=False)
    made["cost"] = made["cost"][0] | {"current_period_cost": cost}
    made["service"] = [made["service"][0] | {"cost": cost, "usage_types": "Aggregated"}]
    return made


def put(warehouse: Warehouse, made: Document, key: str) -> Any:
    told = {"uploaded": f"{DAY + timedelta(days=1)}T12:00:00+00:00"}
    body = json.dumps(made).encode()
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body, Metadata=told)
    found = warehouse.receiver.s3.find(key)
    assert found
    return found


def load(warehouse: Warehouse, made: Document, key: str = "") -> FileResult:
    region = made["account"].get("region", HERE)
    key = key or f"data/{ACCOUNT}/{region}/{made['config']['date_from']}_DAILY.json"
    result = warehouse.receiver.load_file(put(warehouse, made, key))
    assert result.status is FileStatus.LOADED, result.reasons
    return result


# ---- costs ----

COSTS = """SELECT a.region, c.current_period_cost AS cost, (SELECT count(*) FROM services s
    WHERE s.account_id = a.id) AS services, (SELECT count(*) FROM ri_sp_daily_savings r
    WHERE r.account_id = a.id) AS savings
FROM accounts a JOIN cost_reports c ON c.account_id = a.id ORDER BY 1"""


def costs(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return [(row["region"], str(row["cost"])) for row in warehouse.query(COSTS)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
def test_costs_that_every_region_repeats_count_once(
    warehouse: Warehouse, order: Sequence[int]
) -> None:
    made = (theirs(HERE, "5"), theirs(THERE, "6"))
    for number in order:
        load(warehouse, made[number])
    assert costs(warehouse) == [(HERE, "5")]
    [row] = warehouse.query(COSTS)
    assert (row["services"], row["savings"]) == (1, 1)
    owners = "SELECT DISTINCT account_id FROM services"
    assert len(warehouse.query(owners)) == 1
    assert len(warehouse.query("SELECT FROM kms_keys")) == 2  # each region has its own


@pytest.mark.parametrize("ours_first", [True, False])
def test_our_costs_stand_before_theirs_in_any_region(
    warehouse: Warehouse, ours_first: bool
) -> None:
    ours, other = document(DAY, region=THERE), theirs(HERE, "6")
    for made in (ours, other) if ours_first else (other, ours):
        load(warehouse, made)
    [(region, cost)] = costs(warehouse)
    assert (region, cost) == (THERE, str(ours["cost"][0]["current_period_cost"]))
    assert {row["region"] for row in warehouse.query(COSTS)} == {THERE}


def test_other_days_and_other_accounts_are_nobody_s_repetition(warehouse: Warehouse) -> None:
    load(warehouse, theirs(HERE))
    later = theirs(THERE, day=DAY + timedelta(days=1))
    load(warehouse, later)
    other = theirs(THERE)
    other["account"]["account_id"] = "999988887777"
    load(warehouse, other, f"data/999988887777/{THERE}/{DAY}_DAILY.json")
    assert len(costs(warehouse)) == 3


def test_repetitions_are_found_without_comparing_all_rows(warehouse: Warehouse) -> None:
    """12,000 rows of a day would keep the database busy until it gives up, at each sweep."""
    for region in (HERE, THERE):
        made = theirs(region)
        made["service"] = [made["service"][0] | {"service": f"S{n}"} for n in range(300)]
        load(warehouse, made)
    schema = next(one for one in warehouse.receiver.schemas.read() if one.table.name == "services")
    scopes = f"""CAST('[{{"date_from": "{DAY}"}}]' AS jsonb)"""
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + once_sql(schema).replace("$3", scopes)
    newest = "(SELECT max(id) FROM documents)"
    [answer] = warehouse.query(explain.replace("$1", newest))
    [plan] = answer["QUERY PLAN"]
    assert plan["Plan"]["Shared Hit Blocks"] < 10 * 300


def test_regions_that_load_at_once_see_each_other(warehouse: Warehouse) -> None:
    regions = ("ap-south-1", HERE, THERE, "us-west-2")
    files = [put(warehouse, theirs(r), f"data/{ACCOUNT}/{r}/{DAY}_DAILY.json") for r in regions]
    with ThreadPoolExecutor(len(files)) as pool:
        results = list(pool.map(warehouse.receiver.load_file, files))
    assert [result.status for result in results] == [FileStatus.LOADED] * 4
    assert [region for region, _ in costs(warehouse)] == ["ap-south-1"]


# ---- products ----

LINKS = """SELECT p.name FROM product_accounts l JOIN products p ON p.id = l.product_id
ORDER BY p.name"""


def links(warehouse: Warehouse) -> list[str]:
    return [row["name"] for row in warehouse.query(LINKS)]


def of_products(named: str | None, day: date, *, meta: bool = True) -> Document:
    made = document(day, meta=meta)
    made["account"]["product"] = named
    return made


@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize("named", [None, "", "None", [], " none ,"])
def test_an_account_without_products_belongs_to_none(
    warehouse: Warehouse, named: Any, meta: bool
) -> None:
    result = load(warehouse, of_products(named, DAY, meta=meta))
    assert links(warehouse) == ["None"]
    assert result.counters["product_accounts"]["CREATED"] == 1
    before = warehouse.query("SELECT id FROM product_accounts")
    load(warehouse, of_products(named, DAY + timedelta(days=1), meta=meta))
    assert warehouse.query("SELECT id FROM product_accounts") == before


def test_what_ends_of_products_is_deleted(warehouse: Warehouse) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    made = [of_products(n, day) for n, day in zip((None, "A,B", "B", None), days, strict=True)]
    found = []
    for one in made:
        load(warehouse, one)
        found.append(links(warehouse))
    assert found == [["None"], ["A", "B"], ["B"], ["None"]]
    for number in (1, 0, 3, 2):
        load(warehouse, made[number])
    assert links(warehouse) == ["None"]


def test_a_product_that_people_give_an_account_stays_and_ends_none(warehouse: Warehouse) -> None:
    load(warehouse, of_products(None, DAY))
    warehouse.query(
        """WITH made AS (INSERT INTO products (name, position) VALUES ('Ours', 'first')
                         RETURNING id)
           INSERT INTO product_accounts (product_id, account_id)
           SELECT made.id, a.id FROM made, accounts a""",
        fetch=False,
    )
    for later in (1, 2):
        load(warehouse, of_products(None, DAY + timedelta(days=later)))
        assert links(warehouse) == ["Ours"]


@pytest.mark.parametrize("meta", [True, False])
def test_tags_that_are_not_set_are_the_text_none(warehouse: Warehouse, meta: bool) -> None:
    made = document(DAY, meta=meta)
    made["account"] |= {"partner_name": None, "customer_name": "", "category": "x"}
    del made["account"]["account_type"]
    load(warehouse, made)
    tags = "SELECT partner_name, customer_name, category, account_type FROM accounts"
    [row] = warehouse.query(tags)
    assert tuple(row.values()) == ("None", "None", "x", "None")


# ---- older shapes ----


def test_a_key_without_a_region_is_of_the_receiver_s(warehouse: Warehouse) -> None:
    made = theirs(HERE)
    del made["account"]["region"]
    key = f"data/{ACCOUNT}/{DAY}_DAILY.json"
    load(warehouse, made, key)
    [row] = warehouse.query("SELECT account_id, region FROM accounts")
    assert (row["account_id"], row["region"]) == (ACCOUNT, warehouse.settings.region)
    assert warehouse.receiver.s3.find(key.replace("data/", "loaded/"))


def test_savings_of_january_2026_are_of_their_day(warehouse: Warehouse) -> None:
    made = theirs(HERE)
    term = {"date_from": "2025-01-01T00:00:00+00:00", "date_to": "2028-01-01T00:00:00+00:00"}
    lease = {"reservation_type": "Reserved Instance", "subscription_id": "s", "date": str(DAY)}
    plan = {"reservation_type": "Savings Plan", "subscription_id": "p", "date": str(DAY)}
    made["ri_sp_savings"] = [{**lease, **term, "net_savings": 1.2}, {**plan, "net_savings": 2}]
    load(warehouse, made)
    columns = "date_from, date_to, start_date, end_date"
    rows = warehouse.query(f"SELECT {columns} FROM ri_sp_daily_savings ORDER BY subscription_id")
    assert [(row["date_from"], row["date_to"]) for row in rows] == [(DAY, DAY + timedelta(1))] * 2
    ends = [row["end_date"] and row["end_date"].date() for row in rows]
    assert ends == [None, date(2028, 1, 1)]


def test_recorded_types_are_config_s(warehouse: Warehouse) -> None:
    made = theirs(HERE)
    pair = {"resource_type": "EBS", "resource_subtype": "Volume", "resource_id": "vol-1"}
    made["config_inventory"] = [pair, {**pair, "resource_type": "AWS::EC2::Volume"}]
    load(warehouse, made)
    rows = warehouse.query("SELECT resource_type, resource_subtype FROM config_inventory")
    assert [tuple(row.values()) for row in rows] == [("AWS::EC2::Volume", "Volume")]


def test_resources_are_known_by_the_names_that_ours_have(warehouse: Warehouse) -> None:
    arn = f"arn:aws:lambda:{HERE}:{ACCOUNT}:function:pay"
    function = {"service_name": "Lambda", "resource_type": "Function", "resource_name": "pay"}
    ours, other = document(DAY), theirs(HERE)
    ours["service_resources"] = [{**function, "resource_id": "pay", "arn": arn}]
    other["service_resources"] = [{**function, "resource_id": arn, "state": None}]
    for order in ((ours, other), (other, ours)):
        warehouse.empty()
        for made in order:
            load(warehouse, made)
        rows = warehouse.query("SELECT resource_id, arn FROM service_resources")
        assert [tuple(row.values()) for row in rows] == [("pay", arn)]


# ---- by hand ----

PARENTS = ("cost_reports", "config_reports", "security", "inventory_instances", "logs", "products")


@pytest.mark.parametrize("table", [*PARENTS, "documents", "accounts"])
def test_rows_can_be_deleted_by_hand_and_come_back(warehouse: Warehouse, table: str) -> None:
    made = document(DAY)
    load(warehouse, made)
    whole = warehouse.rows()
    warehouse.query(f"DELETE FROM {table}", fetch=False)
    if table == "accounts":
        left = {name: len(rows) for name, rows in warehouse.rows().items() if name != "products"}
        assert set(left.values()) == {0}
        assert warehouse.query("SELECT FROM documents") == []
        assert warehouse.query("SELECT FROM listings") == []
    load(warehouse, made)
    again = warehouse.rows()
    lost = {name for name, rows in whole.items() if again[name] != rows}
    assert lost <= {"non_compliant_resources"}
    assert all(row["gone_at"] is None for row in again["kms_keys"])


def test_what_is_left_of_deleted_documents_still_goes(warehouse: Warehouse) -> None:
    load(warehouse, document(DAY))
    warehouse.query("DELETE FROM documents", fetch=False)
    later = document(DAY + timedelta(days=1))
    later["security"]["kms"] = []
    later["cost"] = document(DAY)["cost"]
    later["cost"][0]["top_services"] = []
    load(warehouse, later)
    assert [row["gone_at"] is None for row in warehouse.query("SELECT gone_at FROM kms_keys")] == [
        False
    ]
    assert warehouse.query("SELECT FROM service_costs") == []


# ---- databases of older versions ----


def test_orders_ahead_of_time_are_repaired(warehouse: Warehouse) -> None:
    """As older versions stored them: a day that is not over, and a clock that goes ahead."""
    made = document(DAY)
    made["meta"]["period"]["end"] = "2027-01-05"
    load(warehouse, made)
    [right] = warehouse.query("SELECT day_order, time_order, collected_at FROM documents")
    lists = "SELECT table_name, scope, sort_key, collected_at FROM listings ORDER BY 1, 2"
    before = warehouse.query(lists)
    warehouse.query(
        """WITH said AS (UPDATE documents SET day_order = '2027-01-05' || substr(day_order, 11)
                         RETURNING id)
           UPDATE listings SET sort_key = '2027-01-05' || substr(sort_key, 11)
           FROM said, documents d WHERE d.id = said.id AND sort_key = d.day_order""",
        fetch=False,
    )
    init_schema(warehouse.settings)
    [found] = warehouse.query("SELECT day_order, time_order, collected_at FROM documents")
    assert found == right
    assert warehouse.query(lists) == before


def test_a_position_that_a_view_reads_is_told(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.query(
        """DROP VIEW IF EXISTS account_overview CASCADE;
        ALTER TABLE products ALTER COLUMN position TYPE integer USING 0;
        CREATE VIEW theirs AS SELECT name, position FROM products""",
        fetch=False,
    )
    assert init_schema(warehouse.settings) == 0
    said = capsys.readouterr().out
    assert "products.position is still a number, as it is read by the view theirs" in said


def test_applying_the_schema_again_keeps_resources_of_one_name(warehouse: Warehouse) -> None:
    """Another producer's name may be a tag that several have; only what a name is known by is one.

    A row of an older version, by its ARN, is taken for the same thing as today's.
    """
    group = {"service_name": "AutoScaling", "resource_type": "AutoScalingGroup"}
    made = theirs(HERE)
    made["service_resources"] = [
        {**group, "resource_id": name, "resource_name": "shop"} for name in ("blue", "green")
    ]
    load(warehouse, made)
    init_schema(warehouse.settings)
    names = "SELECT resource_id FROM service_resources ORDER BY 1"
    assert [row["resource_id"] for row in warehouse.query(names)] == ["blue", "green"]
    arn = f"arn:aws:autoscaling:{HERE}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/green"
    warehouse.query(
        f"""INSERT INTO service_resources
            (account_id, service_name, resource_type, resource_id, resource_name, gone_at)
        SELECT account_id, service_name, resource_type, '{arn}', 'green', now()
        FROM service_resources WHERE resource_id = 'green'""",
        fetch=False,
    )
    init_schema(warehouse.settings)
    assert [row["resource_id"] for row in warehouse.query(names)] == ["blue", "green"]


def test_applying_the_schema_again_leaves_foreign_keys_of_people(warehouse: Warehouse) -> None:
    """A column of theirs that refers to an account does not take the row with it."""
    warehouse.query(
        "ALTER TABLE kms_keys ADD COLUMN owned_by BIGINT REFERENCES accounts (id)", fetch=False
    )
    init_schema(warehouse.settings)
    rule = "SELECT confdeltype::text FROM pg_constraint WHERE conname = 'kms_keys_owned_by_fkey'"
    assert warehouse.query(rule) == [{"confdeltype": "a"}]
