"""How fresh an account is: the view that dashboards ask."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from observability.receiving.result import FileStatus
from tests import documents
from tests.cloud import EmbeddedCloud
from tests.conftest import MakeAccount
from tests.documents import CATEGORIES, document
from tests.loading import collect, load
from tests.warehouse import Warehouse


def test_a_backfill_of_yesterday_does_not_make_an_account_fresh(
    embedded: EmbeddedCloud, make_account: MakeAccount, warehouse: Warehouse
) -> None:
    """What exists only now is Skipped in it, and of the security posture it has a part."""
    account, yesterday = make_account(), datetime.now(UTC).date() - timedelta(days=1)

    def bring(*flags: str) -> tuple[int, set[str], bool]:
        """Run the sender and load; its exit code, what fails, and whether that is complete."""
        code = collect(embedded, account, warehouse.bucket, *flags)
        [result] = load(warehouse)
        assert result.status is FileStatus.LOADED
        [row] = warehouse.query("""
            SELECT f.failing_since, f.last_complete_at, max(d.collected_at) AS newest
            FROM freshness f CROSS JOIN documents d GROUP BY 1, 2""")
        return code, set(row["failing_since"]), row["last_complete_at"] == row["newest"]

    backfill = ("--start", str(yesterday))
    for service, operation in (("kms", "ListKeys"), ("ssm", "*"), ("health", "*")):
        embedded.switches.deny(service, operation)
    assert bring() == (1, {"security", "inventory", "health"}, False)
    embedded.switches.reset()
    assert bring(*backfill) == (0, {"security", "inventory"}, False)
    assert bring(*backfill, "--only", "security,inventory") == (
        (0, {"security", "inventory"}, False)
    )
    assert bring("--only", "security,inventory") == (0, set(), False)
    assert bring() == (0, set(), True)
    embedded.switches.deny("health", "*")
    assert bring(*backfill) == (1, {"health"}, False)
    embedded.switches.reset()
    embedded.switches.not_enabled("health")
    assert bring() == (0, set(), True)


def test_freshness_tells_age_and_what_fails_since_when(warehouse: Warehouse) -> None:
    def load(day: int, **statuses: str) -> datetime:
        made = document(date(2026, 11, day))
        made["logs"].update({f"{name}_status": status for name, status in statuses.items()})
        warehouse.load(made, documents.key(date(2026, 11, day)))
        return datetime.fromisoformat(made["meta"]["collected_at"])

    whole = load(17)
    load(18, cost="Fail")
    since = load(19, security="Fail")
    last = load(20, security="Fail", health="Skipped")
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["account_id"] == documents.ACCOUNT
    assert row["last_complete_at"] == whole
    assert row["last_document_at"] == last
    failing: dict[str, Any] = row["failing_since"]
    assert {k: datetime.fromisoformat(v) for k, v in failing.items()} == {"security": since}
    load(21, **dict.fromkeys(CATEGORIES, "None") | {"cost": "Pass"})  # as --only cost does
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] == whole
    assert row["failing_since"].keys() == {"security"}
    elsewhere = load(22, account="Skipped")  # as older senders say outside the home region
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] == elsewhere
    assert row["failing_since"] == {}
    denied = dict.fromkeys(("account", "security", "service_resources"), "Fail")
    load(23, **denied, config="Fail")
    load(24, **denied, config="Skipped")  # it is off now
    [row] = warehouse.query("SELECT * FROM freshness")
    assert row["last_complete_at"] == elsewhere
    assert row["failing_since"].keys() == denied.keys()


def test_a_failure_counts_beside_a_second_log_of_the_same_document(warehouse: Warehouse) -> None:
    made = document()
    log = made["logs"]
    failed = log | {"cost_status": "Fail", "date_created": "2026-11-22T03:00:01+00:00"}
    made["logs"] = [log, failed]
    assert warehouse.load(made, documents.key()).status is FileStatus.LOADED
    [row] = warehouse.query("SELECT failing_since FROM freshness")
    assert row["failing_since"].keys() == {"cost"}
