"""The database is a function of the set of documents: any order, any repetition, the same rows."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability.collectors import COLLECTORS
from observability.database.client import DBManager
from observability.database.kept import digest, keep
from observability.database.merge import LOAD_SQL
from observability.database.tables import Kind
from observability.loaders import TABLES
from observability.loaders.cost import PARTIAL_UPDATES
from observability.receiving.result import FileStatus
from tests import documents
from tests.changes import day_after
from tests.documents import CATEGORIES, Document, document
from tests.warehouse import STORED, Warehouse

DAY = date(2026, 11, 10)


def collected(made: Document, at: datetime) -> Document:
    made["meta"]["collected_at"] = at.isoformat() + "+00:00"
    made["logs"]["date_created"] = at.isoformat() + "+00:00"
    return made


def later(made: Document) -> datetime:
    """An hour after a document was collected."""
    at = datetime.fromisoformat(made["meta"]["collected_at"])
    return at.replace(tzinfo=None) + timedelta(hours=1)


def subset(draw: st.DrawFn, items: Sequence[Any]) -> list[Any]:
    return [item for item in items if draw(st.booleans())]


STATUS = st.sampled_from(["Pass", "Pass", "Pass", "Fail", "Skipped"])
INSTANTS = [f"2026-11-{day:02}T12:00:00+00:00" for day in (8, 9, 10)]


@st.composite
def one_document(draw: st.DrawFn, number: int) -> tuple[str, Document]:
    """A document of one of four days, collected in time or (a backfill) late, in any health."""
    day = DAY + timedelta(days=draw(st.integers(0, 3)))
    late = draw(st.sampled_from([0, 0, 0, 9]))
    at = datetime.combine(day, datetime.min.time()) + timedelta(days=1 + late, minutes=number)
    made = collected(document(day), at)
    for category in CATEGORIES:
        made["logs"][f"{category}_status"] = draw(STATUS)
    made["account"]["account_name"] = draw(st.sampled_from(["Shop", "Store"]))
    made["account"]["product"] = ",".join(subset(draw, ["Shop", "search", "Search"])) or "None"
    vary_security(draw, made)
    vary_money(draw, made, day)
    vary_inventory(draw, made)
    made["support_tickets"][0]["status"] = draw(st.sampled_from(["opened", "resolved"]))
    made["health"] = subset(draw, made["health"])
    for event in made["health"]:
        event["last_updated_time"] = draw(st.sampled_from([None, *INSTANTS]))
        event["status_code"] = draw(st.sampled_from(["open", "closed"]))
    return documents.key(day), made


def vary_security(draw: st.DrawFn, made: Document) -> None:
    group = made["security"]["security_hub"][0]
    group["findings"] = subset(draw, group["findings"])
    for found in group["findings"]:
        found["updated_at"] = draw(st.sampled_from(INSTANTS))
        found["status"] = draw(st.sampled_from(["NEW", "RESOLVED"]))
    key = made["security"]["kms"][0]
    made["security"]["kms"] = [
        {**key, "key_id": name, "description": draw(st.sampled_from(["a", "b", None]))}
        for name in subset(draw, ["k1", "k2", "k3"])
    ]


def vary_money(draw: st.DrawFn, made: Document, day: date) -> None:
    days = [day - timedelta(days=1), day]
    costs = st.sampled_from(["1.00", "2.00"])
    made["service"] = [
        {**row, "cost": draw(costs)}
        for each in days
        for row in subset(draw, documents.service_part(each))
    ]
    made["cost"] = [report for each in days for report in documents.cost_part(each)]
    for name in ("forecast", *PARTIAL_UPDATES["cost_savings"]):
        made["cost"][0].pop(name)
    made["cost"][1]["potential_monthly_savings"] = draw(st.sampled_from(["5", "7", None]))
    for report in made["cost"]:
        report["current_period_cost"] = draw(costs)
        report["top_services"] = subset(draw, report["top_services"])
    made["marketplace"] = subset(draw, made["marketplace"])
    made["ri_sp_savings"] = [
        {**documents.savings_plan(each), "net_savings": draw(costs), "subscription_id": name}
        for each in days
        for name in subset(draw, ["sp-1", "sp-2"])
    ]


def vary_inventory(draw: st.DrawFn, made: Document) -> None:
    inventory = made["inventory"]
    inventory["instances"] = subset(draw, inventory["instances"])
    there = {instance["instance_id"] for instance in inventory["instances"]}
    for part in ("applications", "patches"):
        inventory[part] = [x for x in subset(draw, inventory[part]) if x["instance_id"] in there]
    made["config"]["non_compliant_resources"] = subset(
        draw, made["config"]["non_compliant_resources"]
    )
    made["service_resources"] = subset(draw, made["service_resources"])


SETS = st.integers(2, 5).flatmap(lambda n: st.tuples(*(one_document(number=i) for i in range(n))))


def generated(examples: int) -> settings:
    """So many examples, each of which loads documents into the test's own database."""
    unusual = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, suppress_health_check=unusual)


class MergingOnly(DBManager):
    """The receiver's database that takes no shorter way than to merge: `run_steps`."""

    def execute(self, sql: str, parameters: Any, *more: Any, **others: Any) -> list[list[Any]]:
        if sql == LOAD_SQL:
            steps = json.loads(parameters["steps"])
            if parameters["begins"]:
                assert any("insert" in step for step in steps)
                assert any("unchanged" in step for step in steps)
            shorter = {"insert", "unchanged", "without_meta", "chunks", "note"}
            shorter |= {"versions", "digest"}
            merges = [{name: step[name] for name in step.keys() - shorter} for step in steps]
            parameters = {**parameters, "steps": json.dumps(merges)}
        return super().execute(sql, parameters, *more, **others)


TOLD = """
SELECT c.table_name, c.row_key, c.change, c.old_values, c.new_values, d.key, d.collected_at
FROM changes c JOIN documents d ON d.id = c.document_id
ORDER BY c.document_id, c.table_name, CAST(c.row_key AS text), c.id"""
COUNTED = "SELECT day, measure, dimension, value FROM daily_counts ORDER BY 1, 2, 3"
LISTED = """
SELECT l.table_name, l.sort_key, d.key, d.etag,
       coalesce(r.period_start::text, CAST(o.date_created AS text), l.scope) AS scope
FROM listings l JOIN documents d ON d.id = l.document_id
LEFT JOIN cost_reports r ON l.table_name IN ('service_costs', 'cost_forecasts')
                        AND CAST(r.id AS text) = l.scope
LEFT JOIN logs o ON l.table_name = 'log_messages' AND CAST(o.id AS text) = l.scope
ORDER BY 1, 2, 3, 4, 5"""


def all_of(warehouse: Warehouse) -> list[Any]:
    """All that loads leave, what each of them changed included."""
    return [*map(warehouse.query, (TOLD, COUNTED, LISTED)), warehouse.rows()]


@generated(5)
@given(made=SETS, seed=st.integers(0, 2**16))
def test_any_order_and_repetition_gives_the_same_rows(
    warehouse: Warehouse, made: tuple[tuple[str, Document], ...], seed: int
) -> None:
    shuffler = random.Random(seed)
    ends = []
    for order in (list(made), shuffler.sample(made, len(made)) + shuffler.sample(made, 1)):
        warehouse.empty()
        for key, each in order:
            assert warehouse.load(each, key).status is FileStatus.LOADED
        ends.append(warehouse.rows())
    for table in ends[0]:
        assert ends[0][table] == ends[1][table], table


@generated(3)
@given(made=SETS, seed=st.integers(0, 2**16))
def test_what_is_first_or_unchanged_is_loaded_as_a_merge_loads_it(
    warehouse: Warehouse, made: tuple[tuple[str, Document], ...], seed: int
) -> None:
    twice = [(key, collected(copy.deepcopy(each), later(each))) for key, each in made]
    order = [document for pair in zip(made, twice, strict=True) for document in pair]
    order += random.Random(seed).sample(order, 1)
    ends = []
    receiver = warehouse.receiver
    for used in (receiver, replace(receiver, db=MergingOnly(warehouse.settings))):
        warehouse.receiver = used
        warehouse.empty()
        results = [warehouse.load(each, key) for key, each in order]
        ends.append([[result.counters for result in results], *all_of(warehouse)])
    warehouse.receiver = receiver
    for quick, merged in zip(*ends, strict=True):
        assert quick == merged


class Older(DBManager):
    """The database of a receiver whose statement for first documents has another name."""

    statement = "SELECT 0, '', CAST(ARRAY[] AS text[])"

    def execute(self, sql: str, parameters: Any, *more: Any, **others: Any) -> list[list[Any]]:
        if sql == LOAD_SQL:
            keep(self, [self.statement])
            theirs = f'"first":"{digest(self.statement)}"'
            steps, times = re.subn(r'"insert":"\w+"', theirs, parameters["steps"])
            assert times > 1
            parameters = {**parameters, "steps": steps}
        return super().execute(sql, parameters, *more, **others)


def doubled(value: Any) -> Any:
    """A document, or a part of it, in which all that is in lists is there twice."""
    if isinstance(value, dict):
        return {name: doubled(part) for name, part in value.items()}
    return [doubled(part) for part in value for _ in range(2)] if isinstance(value, list) else value


@pytest.mark.parametrize("made_by", [DBManager, Older])
def test_what_a_first_document_has_twice_is_loaded_as_a_merge_loads_it(
    warehouse: Warehouse, made_by: type[DBManager]
) -> None:
    made = doubled(document())
    results, ends = [], []
    receiver = warehouse.receiver
    for used in (made_by, MergingOnly):
        warehouse.receiver = replace(receiver, db=used(warehouse.settings))
        warehouse.empty()
        results.append(warehouse.load(made, documents.key()))
        ends.append(all_of(warehouse))
    quick, merged = results
    assert quick.status is FileStatus.LOADED
    assert quick.counters == merged.counters
    assert quick.counters["kms_keys"]["TOTAL"] == 2 * quick.counters["kms_keys"]["CREATED"]
    assert ends[0] == ends[1]


def test_reloading_an_unchanged_document_rewrites_no_row(warehouse: Warehouse) -> None:
    warehouse.load(document(DAY), documents.key(DAY))
    versions = "SELECT xmin::text, ctid::text FROM "
    before = {name: warehouse.query(versions + name) for name in STORED}
    again = warehouse.load(document(DAY), documents.key(DAY))
    assert again.totals["CREATED"] == again.totals["UPDATED"] == 0
    assert again.totals["SKIPPED"] == again.totals["TOTAL"] > 40
    assert {name: warehouse.query(versions + name) for name in STORED} == before


def test_a_row_that_did_not_change_from_day_to_day_is_not_rewritten(warehouse: Warehouse) -> None:
    first, second = day_after(lambda _: None)
    warehouse.load(first, documents.key(DAY))
    versions = "SELECT xmin::text, ctid::text FROM "
    tables = [
        name
        for name, table in TABLES.items()
        if table.kind is Kind.SNAPSHOT and name != "non_compliant_resources"
    ]
    before = {name: warehouse.query(versions + name) for name in tables}
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    assert {name: warehouse.query(versions + name) for name in tables} == before


def test_an_account_that_could_not_be_read_anew_is_not_updated(warehouse: Warehouse) -> None:
    """Its row names the newest document all the same: that decides what an older one may say."""
    state = (
        """SELECT a.updated_at, d.key FROM accounts a JOIN documents d ON d.id = a.document_id"""
    )
    loaded = []
    for day, name in ((2, "Shop"), (3, "Shop"), (4, "Store"), (1, "Old")):
        made = document(DAY + timedelta(days=day))
        made["logs"]["account_status"] = "Fail"
        made["account"]["account_name"] = name
        counters = warehouse.load(made, documents.key(DAY + timedelta(days=day))).counters
        [row] = warehouse.query(state)
        loaded.append((counters["accounts"], row["updated_at"], row["key"]))
    counted, changed_at, named = zip(*loaded, strict=True)
    became = [[c for c in ("CREATED", "UPDATED", "SKIPPED") if each[c]] for each in counted]
    assert became == [["CREATED"], ["SKIPPED"], ["UPDATED"], ["SKIPPED"]]
    assert {each["TOTAL"] for each in counted} == {1}
    assert changed_at[0] == changed_at[1] != changed_at[2] == changed_at[3]
    assert named == tuple(documents.key(DAY + timedelta(days=day)) for day in (2, 3, 4, 4))


def test_what_the_newest_listing_lacks_is_gone_and_what_returns_lives(warehouse: Warehouse) -> None:
    first, second = day_after(lambda made: made["security"].update(kms=[]))
    third = document(DAY + timedelta(days=2))
    state = "SELECT gone_at FROM kms_keys"
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    gone_at = datetime.fromisoformat(second["meta"]["collected_at"])
    assert warehouse.query(state) == [{"gone_at": gone_at}]
    warehouse.load(third, documents.key(DAY + timedelta(days=2)))
    assert warehouse.query(state) == [{"gone_at": None}]


@pytest.mark.parametrize("status", ["Fail", "Skipped", None])
def test_only_a_passed_category_says_what_is_gone(warehouse: Warehouse, status: str | None) -> None:
    def fail(made: Document) -> None:
        made["security"]["kms"] = []
        made["logs"]["security_status"] = status

    first, second = day_after(fail)
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    assert warehouse.query("SELECT gone_at FROM kms_keys") == [{"gone_at": None}]


@pytest.mark.parametrize(
    ("complete", "status", "gone"),
    [
        (["security.kms"], "Fail", True),
        (["security.kms"], "Pass", True),
        (["security", "security.waf", "kms"], "Pass", False),
        ([], "Pass", False),
        ("security.kms", "Fail", False),  # no list: the status decides
        (None, "Pass", True),
    ],
)
def test_the_lists_that_were_read_whole_say_what_is_gone_whatever_the_status(
    complete: object, status: str, gone: bool, warehouse: Warehouse
) -> None:
    def tell(made: Document) -> None:
        made["security"]["kms"] = []
        made["meta"]["complete"] = complete
        made["logs"]["security_status"] = status

    first, second = day_after(tell)
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    [row] = warehouse.query("SELECT gone_at IS NOT NULL AS gone FROM kms_keys")
    assert row["gone"] is gone


def test_each_table_goes_by_a_list_that_the_sender_tells_of() -> None:
    """A name of which the two sides think differently would never mark anything as gone."""
    told = {
        ".".join(filter(None, (collector.category, name)))
        for collector in COLLECTORS
        for name in collector.all_lists
    }
    by_list = {name: table.path for name, table in TABLES.items() if table.category != "logs"}
    derived = {"security", "findings", "guard_duty_findings", "inspector_findings"}  # no listings
    assert {name for name, path in by_list.items() if path not in told} <= derived


def test_a_document_of_a_past_day_says_nothing_about_what_is_gone(warehouse: Warehouse) -> None:
    first, second = day_after(lambda made: made["security"].update(kms=[]))
    second["meta"]["collected_at"] = "2026-11-30T00:00:00+00:00"
    warehouse.load(first, documents.key(DAY))
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    assert warehouse.query("SELECT gone_at FROM kms_keys") == [{"gone_at": None}]


def test_a_late_old_document_changes_nothing_newer(warehouse: Warehouse) -> None:
    def rename(made: Document) -> None:
        made["security"]["kms"][0]["description"] = "new"
        made["account"]["account_name"] = "new"

    first, second = day_after(rename)
    warehouse.load(second, documents.key(DAY + timedelta(days=1)))
    warehouse.load(first, documents.key(DAY))
    assert warehouse.query("SELECT description FROM kms_keys") == [{"description": "new"}]
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "new"}]


def test_a_row_leads_to_its_object(warehouse: Warehouse) -> None:
    warehouse.load(document(DAY), documents.key(DAY))
    head = warehouse.s3.head_object(
        Bucket=warehouse.bucket, Key=documents.key(DAY).replace("data/", "loaded/")
    )
    for name in STORED:
        traced = warehouse.query(
            f"SELECT DISTINCT d.bucket, d.key, d.etag FROM {name} t"
            " LEFT JOIN documents d ON d.id = t.document_id"
        )
        etag = head["ETag"].strip('"')
        assert traced == [{"bucket": warehouse.bucket, "key": documents.key(DAY), "etag": etag}], (
            name
        )


def test_a_category_that_was_skipped_leaves_nothing_and_harms_nothing(
    warehouse: Warehouse,
) -> None:
    """As a backfill writes it: empty objects and lists, parts left out, Skipped."""
    past = document(DAY - timedelta(days=5))
    past["config"] = {"non_compliant_resources": []}
    past["inventory"] = {"instances": [], "applications": [], "patches": []}
    past["security"] = {"security_hub": [], "guard_duty": [], "inspector": []}
    past["account"] = {"account_id": documents.ACCOUNT, "customer_name": "Customer"}
    for category in ("account", "config", "inventory"):
        past["logs"][f"{category}_status"] = "Skipped"
    warehouse.load(document(DAY), documents.key(DAY))
    before = warehouse.rows()
    assert warehouse.load(past, documents.key(DAY - timedelta(days=5))).counters
    after = warehouse.rows()
    for table in ("accounts", "contact_info", "config_reports", "inventory_instances", "kms_keys"):
        assert after[table] == before[table]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_of_two_versions_with_one_time_the_newer_document_is_believed(
    warehouse: Warehouse, order: tuple[int, ...]
) -> None:
    """A workflow status set by people does not move Security Hub's UpdatedAt."""
    made = [document(DAY + timedelta(days=number)) for number in range(3)]
    for each, status in zip(made, ("NEW", "SUPPRESSED", "NEW"), strict=True):
        hub_finding(each).update(status=status, created_at=None)
    for number in order:
        warehouse.load(made[number], documents.key(DAY + timedelta(days=number)))
    query = "SELECT status FROM findings WHERE finding_id LIKE '%one'"
    assert warehouse.query(query) == [{"status": "NEW"}]


def many_with_one_key_twice(day: date) -> Document:
    """Rows for several batches, the first and the last of which are about one resource."""
    made = document(day)
    row = {**made["config_inventory"][0], "resource_id": "twice"}
    others = [{**row, "resource_id": f"{'r' * 100}-{number}"} for number in range(20_000)]
    made["config_inventory"] = [row, *others, {**row, "resource_name": "the last one"}]
    return made


@pytest.mark.parametrize("known", [False, True])
def test_of_two_rows_with_one_key_the_first_stays_in_whichever_batch(
    warehouse: Warehouse, known: bool
) -> None:
    days = [DAY, DAY + timedelta(days=1)] if known else [DAY]
    loads = [warehouse.load(many_with_one_key_twice(day), documents.key(day)) for day in days]
    counted = [loaded.counters["config_inventory"] for loaded in loads]
    assert [counts["CREATED"] for counts in counted] == [20_001, 0][: len(days)]
    assert all(counts["TOTAL"] == 20_002 for counts in counted)
    listed = "SELECT count(*) FROM listings WHERE table_name = 'config_inventory'"
    assert warehouse.query(listed) == [{"count": len(days)}]
    query = "SELECT resource_name FROM config_inventory WHERE resource_id = 'twice'"
    first = document(DAY)["config_inventory"][0]["resource_name"]
    assert warehouse.query(query) == [{"resource_name": first}]
    alive = "SELECT count(*) FROM config_inventory WHERE gone_at IS NULL"
    assert warehouse.query(alive) == [{"count": 20_001}]


@pytest.mark.parametrize("versions", [("older", "newer"), ("newer", "older")])
def test_of_two_versions_of_an_event_the_later_stays_in_whichever_batch(
    warehouse: Warehouse, versions: tuple[str, str]
) -> None:
    made = document(DAY)
    days = {"older": DAY - timedelta(days=2), "newer": DAY - timedelta(days=1)}
    row = {**hub_finding(made), "finding_id": "twice"}
    first, last = (
        {**row, "title": name, "updated_at": f"{days[name]}T00:00:00+00:00"} for name in versions
    )
    others = [{**row, "finding_id": f"{'f' * 300}-{number}"} for number in range(10_000)]
    made["security"]["security_hub"][0]["findings"] = [first, *others, last]
    loaded = warehouse.load(made, documents.key(DAY))
    assert loaded.counters["findings"]["CREATED"] == 10_001
    query = "SELECT title FROM findings WHERE finding_id = 'twice'"
    assert warehouse.query(query) == [{"title": "newer"}]


def test_updates_take_no_ids(warehouse: Warehouse) -> None:
    """Ids are 32 bits wide: if each update took one, they would end."""
    for number in range(3):
        made = document(DAY + timedelta(days=number))
        made["security"]["kms"][0]["description"] = f"version {number}"
        hub_finding(made)["title"] = f"version {number}"
        warehouse.load(made, documents.key(DAY + timedelta(days=number)))
    for table in ("kms_keys", "findings"):
        counts = warehouse.query(
            f"SELECT last_value, (SELECT count(*) FROM {table}) AS there FROM {table}_id_seq"
        )
        assert counts[0]["last_value"] == counts[0]["there"], table


def hub_finding(made: Document) -> Document:
    found: Document = made["security"]["security_hub"][0]["findings"][0]
    return found


def test_many_rows_without_a_part_of_their_key_find_themselves_again(warehouse: Warehouse) -> None:
    made = document(DAY)
    row = made["config"]["non_compliant_resources"][0]
    made["config"]["non_compliant_resources"] = [
        {**row, "resource_id": f"bucket-{number}", "evaluation_mode": None}
        for number in range(5000)
    ]
    first = warehouse.load(made, documents.key(DAY))
    again = warehouse.load(made, documents.key(DAY))
    assert first.counters["non_compliant_resources"]["CREATED"] == 5000
    assert again.counters["non_compliant_resources"]["SKIPPED"] == 5000
