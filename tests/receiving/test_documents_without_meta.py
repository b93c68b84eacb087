"""Documents of other producers, without `meta`: they load, and take nothing away from ours."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from observability.receiving.result import FileResult, FileStatus, summary
from tests import documents
from tests.documents import Document, document
from tests.warehouse import STORED, Warehouse

DAY = date(2026, 11, 10)
REST = f"{documents.ACCOUNT}/{documents.REGION}"
Change = Callable[[Document], None]


def place(path: str) -> tuple[Callable[[Document], Any], str | int]:
    """What finds the holder of a value in a document, and its name there."""
    *holders, last = [int(name) if name.isdigit() else name for name in path.split(".")]

    def find(made: Any) -> Any:
        for name in holders:
            made = made[name]
        return made

    return find, last


def changed(path: str, value: Any) -> Change:
    find, last = place(path)
    return lambda made: find(made).__setitem__(last, value)


def lacking(path: str) -> Change:
    find, last = place(path)
    return lambda made: find(made).pop(last)


def theirs(*changes: Change, day: date = DAY) -> Document:
    """A document of another producer, with one report of costs and no time of its own."""
    made = document(day, meta=False)
    made["cost"] = made["cost"][0]
    del made["logs"]["date_created"]
    for change in changes:
        change(made)
    return made


def load(
    warehouse: Warehouse, made: Document, day: date = DAY, came: date | None = None
) -> FileResult:
    """Load a document that first came at noon of a day."""
    key = f"data/{REST}/{day}_DAILY.json"
    told = {"uploaded": f"{came or day + timedelta(days=1)}T12:00:00+00:00"}
    body = json.dumps(made).encode()
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body, Metadata=told)
    found = warehouse.receiver.s3.find(key)
    assert found
    return warehouse.receiver.load_file(found)


NAN = float("nan")
VALUES: dict[str, tuple[str, Any, str, str]] = {
    "no number": ("service_resources.0.min_size", "none", "service_resources.min_size", ""),
    "a time": ("inventory.applications.0.install_time", "N/A", "inventory_applications.", ""),
    "a number for a truth": ("security.kms.0.enabled", 3, "kms_keys.enabled", ""),
    "a number that is none": ("trusted_advisor.0.potential_savings", NAN, "trusted_adv", ""),
    "too large": ("security.waf.0.rules_count", 2**70, "waf_rules.rules_count", ""),
    "a day that is none": ("config.date_to", "2026-02-30", "config_reports.date_to", ""),
    "a NUL": ("security.kms.0.description", "a\0b", "kms_keys.description", ""),
    "half a pair": ("health.0.service", "\ud800", "health_events.service", ""),
    "a NUL in JSON": ("security.waf.0.default_action", {"A\0": 1}, "waf_rules.default_action", ""),
    "an object for a number": ("cost.current_period_cost", {"x": 1}, "cost_reports.current", ""),
    "a status": ("logs.cost_status", "Maybe", "logs.cost_status", ""),
}


@pytest.mark.parametrize("case", VALUES)
def test_an_odd_value_costs_itself_only(warehouse: Warehouse, case: str) -> None:
    """It becomes NULL and is counted by table and column; with meta the document is refused."""
    path, value, counted, other = VALUES[case]
    odd = changed(other or path, value)
    result = load(warehouse, theirs(odd))
    assert result.status is FileStatus.LOADED, result.reasons
    [(name, times)] = result.left_out.items()
    assert (name.startswith(counted), times) == (True, 1)
    table, column = name.split(".")
    assert None in [row[column] for row in warehouse.query(f"SELECT {column} FROM {table}")]
    assert f"left out of documents without meta: {name} 1" in summary([result], 1.0)

    made = document(DAY)
    odd(made if not path.startswith("cost.") else {"cost": made["cost"][0]})
    refused = load(warehouse, made)
    assert refused.status is FileStatus.REJECTED
    assert refused.left_out == {}


EMPTY_VALUES = (
    "service_resources.0.min_size",
    "service_resources.0.multi_az",
    "service_resources.0.creation_date",
    "config.date_to",
    "security.waf.0.default_action",
    "cost.forecast.0.amount",
)


@pytest.mark.parametrize("path", EMPTY_VALUES)
def test_an_empty_text_is_no_value_where_the_column_is_not_text(
    warehouse: Warehouse, path: str
) -> None:
    result = load(warehouse, theirs(changed(path, "")))
    assert result.status is FileStatus.LOADED, result.reasons
    assert result.left_out == {}


def test_an_empty_text_stays_in_a_column_of_text(warehouse: Warehouse) -> None:
    load(warehouse, theirs(changed("service_resources.0.vpc_id", "")))
    assert {"vpc_id": ""} in warehouse.query("SELECT vpc_id FROM service_resources")


EMPTY_OBJECTS = ("config", "inventory", "security", "account", "logs", "account.contact_info")


@pytest.mark.parametrize("path", EMPTY_OBJECTS)
def test_an_empty_list_in_place_of_an_object_says_nothing(warehouse: Warehouse, path: str) -> None:
    load(warehouse, document(DAY))
    before = warehouse.rows()
    result = load(warehouse, theirs(changed(path, [])), came=DAY + timedelta(days=9))
    assert result.status is FileStatus.LOADED, result.reasons
    assert result.left_out == {}
    after = warehouse.rows()
    assert {t: n for t, n in sizes(after).items() if n < sizes(before)[t]} == {}
    assert_nothing_of_ours_is_touched(before, after)


ROWS: dict[str, tuple[Change, str]] = {
    "no key": (lacking("security.kms.0.key_id"), "kms_keys"),
    "an empty key": (changed("security.kms.0.key_id", ""), "kms_keys"),
    "an empty ARN": (changed("security.inspector.0.finding_arn", ""), "inspector_findings"),
    "an empty object": (changed("application.0.key_attributes", {}), "application_signals"),
    "no title": (lacking("inventory.patches.0.title"), "inventory_patches"),
    "a key that is none": (changed("marketplace.0.period_start", "?"), "marketplace_usage"),
    "no object": (changed("health.0", "text"), "health"),
    "no machine": (changed("inventory.patches.0.instance_id", "i-9"), "inventory_patches"),
    "no service": (lacking("cost.top_services.0.service"), "service_costs"),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_without_its_key_is_left_out(warehouse: Warehouse, case: str) -> None:
    change, table = ROWS[case]
    whole = load(warehouse, theirs())
    assert whole.left_out == {}
    sizes_before = sizes(warehouse.rows())
    warehouse.empty()
    result = load(warehouse, theirs(change))
    assert result.status is FileStatus.LOADED, result.reasons
    assert result.left_out == {table: 1}
    lost = {t: sizes_before[t] - n for t, n in sizes(warehouse.rows()).items()}
    named = "health_events" if table == "health" else table
    assert {t: n for t, n in lost.items() if n} == {named: 1}

    made = document(DAY)
    made["cost"] = made["cost"][0]
    change(made)
    assert load(warehouse, made).status is FileStatus.REJECTED


def test_an_empty_key_of_ours_names_its_place(warehouse: Warehouse) -> None:
    made = document(DAY)
    made["security"]["secrets_manager"][0]["arn"] = ""
    result = warehouse.load(made, documents.key(DAY))
    assert result.reasons == ("security.secrets_manager[0].arn: is missing",)


def sizes(rows: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    return {table: len(held) for table, held in rows.items()}


def test_what_they_leave_out_has_a_meaning(warehouse: Warehouse) -> None:
    """No time of the log: when it came. No scope of a rule: regional. No group: the product."""
    result = load(
        warehouse,
        theirs(
            lacking("security.waf_rules.0.scope"),
            lacking("security.security_hub.0.service"),
            changed("security.security_hub.0.findings.0.product_name", "Inspector"),
        ),
    )
    assert result.status is FileStatus.LOADED, result.reasons
    assert result.left_out == {}
    came = datetime(2026, 11, 11, 12, tzinfo=UTC)
    assert warehouse.query("SELECT date_created FROM logs") == [{"date_created": came}]
    assert len(warehouse.query("SELECT FROM log_messages")) == 3
    assert warehouse.query("SELECT scope FROM waf_rules_detailed") == [{"scope": "REGIONAL"}]
    groups = "SELECT service, total_findings AS n FROM security ORDER BY 1"
    assert warehouse.query(groups) == [
        {"service": "Inspector", "n": 1},
        {"service": "Security Hub", "n": 1},
    ]


def test_a_log_without_a_time_is_of_when_it_was_collected(warehouse: Warehouse) -> None:
    made = document(DAY)
    del made["logs"]["date_created"]
    assert warehouse.load(made, documents.key(DAY)).status is FileStatus.LOADED
    at = datetime.fromisoformat(made["meta"]["collected_at"])
    assert warehouse.query("SELECT date_created FROM logs") == [{"date_created": at}]


@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize("last", [True, False], ids=["its name last", "its name first"])
def test_a_finding_belongs_to_the_group_around_it(
    warehouse: Warehouse, meta: bool, last: bool
) -> None:
    made = document(DAY, meta=meta)
    [group] = made["security"]["security_hub"]
    for number, found in enumerate(group["findings"]):
        found["service"] = f"AwsKind{number}"
    if last:
        group["service"] = group.pop("service")
    assert warehouse.load(made, documents.key(DAY)).status is FileStatus.LOADED
    [row] = warehouse.query("SELECT service, total_findings FROM security")
    assert row == {"service": "Security Hub", "total_findings": 2}
    own = warehouse.query("SELECT service FROM findings ORDER BY 1")
    assert own == [{"service": "AwsKind0"}, {"service": "AwsKind1"}]


def older_shapes(made: Document) -> None:
    """Rules of the first WAF, tickets in an object, lists and objects where text is."""
    made["security"]["waf_rules"] = [
        {
            "web_acl_name": "old",
            "rule_name": name,
            "priority": 1,
            "action": {"Type": "BLOCK"},
            "statement_type": "WAFv1_Rule",
            "rate_limit": False,
            "waf_version": "v1",
            "is_compliant": False,
        }
        for name in ("r1", "r2")
    ]
    tickets = [{k: v for k, v in documents.support_ticket().items() if not k.startswith("date_")}]
    made["support_tickets"] = {"date_from": "2026-11-09", "total_tickets": 1, "tickets": tickets}


def test_older_shapes_load_whole(warehouse: Warehouse) -> None:
    result = load(warehouse, theirs(older_shapes))
    assert result.status is FileStatus.LOADED, result.reasons
    assert result.left_out == {}
    rules = "SELECT rule_name, action, scope, rate_limit FROM waf_rules_detailed ORDER BY 1"
    assert warehouse.query(rules) == [
        {"rule_name": n, "action": '{"Type": "BLOCK"}', "scope": "REGIONAL", "rate_limit": False}
        for n in ("r1", "r2")
    ]
    assert warehouse.query("SELECT date_from FROM support_tickets") == [
        {"date_from": date(2026, 11, 9)}
    ]
    assert len(warehouse.query("SELECT FROM cost_reports")) == 1


# ---- beside documents with meta ----


def renamed(made: Document, *names: str) -> Document:
    """Other things in every table that is a list of what exists: as another producer saw them."""
    twin = copy.deepcopy(made)
    arn = "arn:aws:x:eu-west-1:111122223333:{}"
    for path, column in (
        ("security.kms", "key_id"),
        ("security.waf", "arn"),
        ("security.cloudtrail", "arn"),
        ("security.secrets_manager", "arn"),
        ("security.certificate_manager", "arn"),
        ("compute_optimizer", "resource_arn"),
        ("service_resources", "resource_id"),
        ("resilience_hub", "app_arn"),
    ):
        find, last = place(path)
        [row, *_] = find(twin)[last]
        find(twin)[last] = [{**row, column: arn.format(name)} for name in names]
    return twin


def assert_nothing_of_ours_is_touched(
    before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]
) -> None:
    for table, rows in before.items():
        for row in rows:
            if table not in ("security",):  # counted from all findings
                assert row in after[table], (table, row)


def test_an_empty_document_takes_nothing_away(warehouse: Warehouse) -> None:
    """All its categories passed, its lists are empty, and it is the newest of all."""
    load(warehouse, document(DAY))
    before = warehouse.rows()
    nothing = theirs()
    for name, value in nothing.items():
        if name not in ("account", "logs"):
            nothing[name] = [] if isinstance(value, list) else {}
    nothing["account"] |= {"contact_info": {}, "alternate_contacts": {}, "product": ""}
    lists = warehouse.query("SELECT count(*) AS n FROM listings")
    assert load(warehouse, nothing, came=DAY + timedelta(days=9)).status is FileStatus.LOADED
    after = warehouse.rows()
    assert_nothing_of_ours_is_touched(before, after)
    more = {"logs": 2, "log_messages": 6, "products": 3}  # the last is None, which it names
    assert sizes(after) == {**sizes(before), **more}
    assert warehouse.query("SELECT count(*) AS n FROM listings") == lists


def test_the_better_of_both_not_the_sum(warehouse: Warehouse) -> None:
    """Costs of a day that ours states, in another division, are not added to them."""
    ours, other = document(DAY), theirs()
    other["service"] = [{**documents.service_part(DAY)[0], "usage_types": "Aggregated"}]
    other["cost"]["current_period_cost"] = "99"
    other["cost"]["top_services"].append({"service": "Other", "cost": "9"})
    del other["security"]["kms"][0]["key_manager"]
    other["security"]["kms"][0]["description"] = "theirs"
    del other["security"]["guard_duty"][0]["detector_id"]
    load(warehouse, ours)
    alone = warehouse.rows()
    logs = ("logs", "log_messages")
    for order in ((ours, other), (other, ours), (other, ours, other)):
        warehouse.empty()
        for made in order:
            assert load(warehouse, made).status is FileStatus.LOADED
        found = warehouse.rows()
        assert {t: r for t, r in found.items() if t not in logs} == {
            t: r for t, r in alone.items() if t not in logs
        }


def test_a_later_version_of_an_event_keeps_what_it_does_not_know(warehouse: Warehouse) -> None:
    ours, other = document(DAY), theirs()
    found = other["security"]["guard_duty"][0]
    found |= {"updated_at": "2026-11-21T00:00:00+00:00", "severity": 9}
    del found["detector_id"], found["resource_type"]
    for order in ((ours, other), (other, ours)):
        warehouse.empty()
        for made in order:
            load(warehouse, made)
        [row] = warehouse.query("SELECT * FROM guard_duty_findings")
        assert (row["severity"], row["detector_id"]) == (9, "det-1")
        assert row["resource_type"] == "Instance"


def test_rows_of_another_day_than_the_keys_stay(warehouse: Warehouse) -> None:
    """The key says the day of the run, the rows are of the day before; and it comes twice."""
    one, two = theirs(day=DAY), theirs(day=DAY + timedelta(days=1))
    for made in (one, two):
        load(warehouse, made, day=date.fromisoformat(made["config"]["date_to"]))
    before = warehouse.rows()
    for made in (two, one, one, two):
        load(warehouse, made, day=date.fromisoformat(made["config"]["date_to"]))
    after = warehouse.rows()
    for table in (
        "services",
        "cost_reports",
        "service_costs",
        "config_reports",
        "marketplace_usage",
    ):
        assert after[table] == before[table]
        assert before[table], table
    days = warehouse.query("SELECT DISTINCT date_from FROM services ORDER BY 1")
    assert [row["date_from"] for row in days] == [DAY, DAY + timedelta(days=1)]


def test_a_report_of_another_day_than_the_keys_breaks_no_foreign_key(warehouse: Warehouse) -> None:
    """Also in documents with meta: resources hang on the report, which no other day deletes."""
    first, second = document(DAY), document(DAY)
    second["meta"]["collected_at"] = "2026-11-11T09:00:00+00:00"
    second["config"] |= {"date_from": "2026-11-11", "date_to": "2026-11-12"}
    second["config"]["non_compliant_resources"] = []
    for order in ((first, second), (second, first)):
        warehouse.empty()
        for made in (*order, *order):
            assert warehouse.load(made, documents.key(DAY)).status is FileStatus.LOADED
        found = warehouse.query("SELECT date_from FROM config_reports ORDER BY 1")
        assert [row["date_from"] for row in found] == [DAY, DAY + timedelta(days=1)]


def both_producers() -> list[tuple[str, Document, date]]:
    """Three days of ours, three of another's; things come, change and go in between."""
    made: list[tuple[str, Document, date]] = []
    for number, kept in enumerate((("a", "b"), ("b",), ("a", "c"))):
        day = DAY + timedelta(days=2 * number)
        ours = renamed(document(day), *kept)
        for key in ours["security"]["kms"]:
            key["description"] = f"ours {number}"
            key["key_manager"] = ("AWS", "CUSTOMER", None)[number]
        ours["security"]["security_hub"][0]["findings"][0]["updated_at"] = f"{day}T01:00:00+00:00"
        made.append((documents.key(day), ours, day + timedelta(days=1)))
    for number, kept in enumerate((("a", "x"), ("b", "x", "y"), ("c", "y"))):
        day = DAY + timedelta(days=2 * number)
        came = day + timedelta(days=1 + (number == 1))
        other = renamed(theirs(day=day), *kept)
        for key in other["security"]["kms"]:
            key["description"] = f"theirs {number}"
            del key["key_manager"]
        other["service"][0]["usage_types"] = "Aggregated"
        other["inventory"]["applications"][0]["name"] = f"theirs {number}"
        found = other["security"]["security_hub"][0]["findings"][0]
        found |= {"updated_at": f"{day}T02:00:00+00:00", "title": f"theirs {number}"}
        made.append((documents.key(came), other, came))
    return made


def state(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    rows = warehouse.rows()
    return {table: rows[table] for table in STORED}


def test_any_order_and_repetition_beside_ours_gives_the_same_rows(warehouse: Warehouse) -> None:
    made = both_producers()

    def load_in(order: list[int]) -> dict[str, list[dict[str, Any]]]:
        warehouse.empty()
        for number in order:
            key, body, came = made[number]
            day = date.fromisoformat(key[-21:-11])
            result = load(warehouse, body, day=day, came=came)
            assert result.status is FileStatus.LOADED, result.reasons
        return state(warehouse)

    ours_alone = load_in([0, 1, 2])
    expected = load_in([0, 3, 1, 4, 2, 5])
    keys = "SELECT key_id, gone_at IS NULL AS alive, description FROM kms_keys ORDER BY 1"
    arn = "arn:aws:x:eu-west-1:111122223333:{}"
    assert [tuple(row.values()) for row in warehouse.query(keys)] == [
        (arn.format("a"), True, "ours 2"),
        (arn.format("b"), False, "ours 1"),
        (arn.format("c"), True, "ours 2"),
        (arn.format("x"), False, "theirs 1"),
        (arn.format("y"), False, "theirs 2"),
    ]
    for table in ("services", "cost_reports", "service_costs", "inventory_applications"):
        assert expected[table] == ours_alone[table], table
    chance = random.Random(4)
    for _ in range(4):
        order = [*range(6), *chance.choices(range(6), k=2)]
        chance.shuffle(order)
        found = load_in(order)
        for table in STORED:
            assert found[table] == expected[table], (order, table)


def test_freshness_believes_no_pass_of_theirs(warehouse: Warehouse) -> None:
    made = document(DAY)
    made["logs"]["cost_status"] = "Fail"
    warehouse.load(made, documents.key(DAY))
    load(warehouse, theirs(), came=DAY + timedelta(days=5))
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] is None
    assert list(row["failing_since"]) == ["cost"]
    assert row["last_document_at"] == datetime(2026, 11, 15, 12, tzinfo=UTC)


def test_the_parts_may_come_before_their_machines(warehouse: Warehouse) -> None:
    """Thousands of them, of which one in three hangs on a machine that is not there."""
    made = theirs()
    inventory = made["inventory"]
    instances = inventory.pop("instances")
    names = itertools.cycle(("i-1", "i-2", "i-3"))
    inventory["applications"] = [
        {"instance_id": next(names), "name": f"tool {number}"} for number in range(3000)
    ]
    inventory["instances"] = instances
    result = load(warehouse, made)
    assert result.status is FileStatus.LOADED, result.reasons
    assert result.left_out == {"inventory_applications": 1000}
    assert result.counters["inventory_applications"]["CREATED"] == 2000
    assert len(warehouse.query("SELECT FROM inventory_applications")) == 2000
