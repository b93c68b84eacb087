"""The days that Cost Explorer still knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from observability.sources.cost_explorer import first_day_kept, months_ago
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


@pytest.mark.parametrize(("months", "kept"), [(12, 11), (12, 8), (6, 5)])
def test_a_partition_that_keeps_fewer_months_is_asked_for_those(
    months: int, kept: int, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    """China's has 12; what it keeps may also be less than what its words say."""
    first = months_ago(kept)
    start, end = months_ago(kept + 1) + timedelta(days=20), first + timedelta(days=1)
    words = f"You haven't enabled historical data beyond {months} months."
    asked = refuse_before(embedded, first, words)
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    days = ("--start", str(start), "--end", str(end))
    sent = send(environment, tmp_path, "--only", "service,cost,marketplace", *days)
    assert sent.code == 0, sent.story
    told = {document["meta"]["period"]["start"]: document for document in sent.documents}
    assert [day for day, document in told.items() if document["cost"]] == [str(first), str(end)]
    assert [day for day, document in told.items() if document["service"]] == [str(first), str(end)]
    earlier = [document for day, document in told.items() if day < str(first)]
    assert not any(document["marketplace"] for document in earlier)
    assert told[str(first)]["cost"][0]["previous_period_cost"] is None
    assert asked[-1] == str(first)
    assert len(asked) <= 4
    for document in earlier:
        messages = [text for held in document["logs"]["message"] for text in held.values()]
        assert any(f"days before {first} are left out" in text for text in messages)
        assert not {"service", "cost", "marketplace"}.intersection(document["meta"]["complete"])


def test_use_of_reservations_on_days_that_are_not_kept_is_no_failure(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    words = "You haven't enabled historical data beyond 12 months."
    for operation in ("GetReservationUtilization", "GetSavingsPlansUtilization*"):
        embedded.switches.fail("ce", operation, "ValidationException", words)
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "ri_sp_savings")
    assert (sent.code, sent.statuses["ri_sp_savings"]) == (0, "Skipped")
    assert any("keeps nothing so old" in text for text in sent.said("INFO"))


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
