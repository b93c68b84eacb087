"""The days that Cost Explorer still knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from observability.sources.cost_explorer import first_day_kept
from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.answers.core import AwsError
from tests.conftest import MakeAccount
from tests.runs import send

TODAY = datetime.now(UTC).date()


def refuse_before(embedded: EmbeddedCloud, first: date, words: str) -> list[str]:
    """Refuse costs before a day; the starts of all requests."""
    asked: list[str] = []

    def check(request: ApiRequest) -> None:
        start = request.params["TimePeriod"]["Start"][:10]
        asked.append(start)
        if start < str(first):
            raise AwsError("ValidationException", words, 400)

    embedded.switches.intercept("ce", "GetCostAndUsage", check)
    return asked


def test_the_first_day_kept_has_a_report_without_a_comparison(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    first = first_day_kept()
    refuse_before(embedded, first, "You haven't enabled historical data beyond 14 months.")
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    days = ("--start", str(first), "--end", str(first + timedelta(days=1)))
    sent = send(environment, tmp_path, "--only", "service,cost", *days)
    assert sent.code == 0, sent.story
    one, two = (document["cost"][0] for document in sent.documents)
    assert [one[name] for name in ("previous_period_cost", "cost_difference")] == [None, None]
    assert one["cost_difference_percentage"] is None
    assert two["previous_period_cost"] == one["current_period_cost"]


def test_a_partition_that_keeps_less_refuses_the_day_before_only(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    first = TODAY - timedelta(days=300)
    words = "Historical data is available for the last 12 months only."
    asked = refuse_before(embedded, first, words)
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "cost", "--start", str(first), "--end", str(first))
    assert sent.code == 0, sent.story
    assert sent.document["cost"][0]["previous_period_cost"] is None
    assert asked == [str(first - timedelta(days=1)), str(first)]


def test_days_that_nobody_knows_any_longer_are_said_and_the_others_read(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    first = first_day_kept()
    start = first - timedelta(days=2)
    refuse_before(embedded, first, "You haven't enabled historical data beyond 14 months.")
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "cost", "--start", str(start), "--end", str(first))
    assert [bool(document["cost"]) for document in sent.documents] == [False, False, True]
    assert sent.code == 0
    messages = [t for held in sent.documents[0]["logs"]["message"] for t in held.values()]
    assert any(f"days before {first} are left out" in text for text in messages)


def test_a_backfill_of_days_that_are_all_too_old_asks_nothing(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    day = str(first_day_kept() - timedelta(days=40))
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    only = ("--only", "service,cost,ri_sp_savings")
    sent = send(environment, tmp_path, *only, "--start", day, "--end", day)
    assert {sent.statuses[name] for name in ("service", "cost")} == {"Skipped"}
    assert sent.code == 0
    assert not [call for call in embedded.calls if call.service == "ce"]


def test_anomalies_are_asked_from_the_first_day_that_aws_keeps(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    earliest = TODAY - timedelta(days=89)
    asked: list[str] = []

    def check(request: ApiRequest) -> None:
        start = request.params["DateInterval"]["StartDate"]
        asked.append(start)
        if start < str(earliest):
            words = f"Earliest supported detectionDate for GetRecentAnomalies is {earliest}"
            raise AwsError("ValidationException", words, 400)

    embedded.switches.intercept("ce", "GetAnomalies", check)
    start, end = TODAY - timedelta(days=95), TODAY - timedelta(days=85)
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "cost", "--start", str(start), "--end", str(end))
    assert sent.code == 0, sent.story
    assert asked[-1] == str(earliest)
    known = [
        document["meta"]["period"]["start"]
        for document in sent.documents
        if "anomalies_detected" in document["cost"][0]
    ]
    assert known
    assert all(day >= str(TODAY - timedelta(days=90)) for day in known)
