"""Which days every collector reads: by the documents that are there, and of days past."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from observability.collecting.collector import NOW
from observability.collectors import CATEGORIES as SENDER_CATEGORIES
from tests.cloud import Account, EmbeddedCloud
from tests.collectors.reading import (
    EVERYTHING,
    is_true,
    list_is_true,
    names,
    paths_of,
    place_of,
    record,
    without_bucket,
)
from tests.collectors.test_cost import anomalies_of, reports_are_true
from tests.conftest import REGIONS, MakeAccount
from tests.runs import Document, Sent, period, rows, send

HOME, OTHER = REGIONS


def documents_exist(embedded: EmbeddedCloud, bucket: str, account: Account, *days: date) -> None:
    """Put documents of these days into the bucket."""
    for number, day in enumerate(days):
        key = f"{('data', 'loaded')[number % 2]}/{account.id}/{HOME}/{day}_DAILY.json"
        embedded.client("s3", embedded.analytics.id).put_object(Bucket=bucket, Key=key, Body=b"{}")


def collected(document: Document) -> datetime:
    """When a run began."""
    return datetime.fromisoformat(document["meta"]["collected_at"])


def later_run(
    embedded: EmbeddedCloud, bucket: str, account: Account, directory: Path, *flags: str
) -> Sent:
    """A run that finds documents in the bucket."""
    environment = embedded.environment(account.id) | {"BUCKET": bucket}
    categories = "cost,service,security,health"
    return send(environment, directory, "--only", categories, *flags)


@pytest.mark.parametrize(("days_missed", "told"), [(0, 3), (1, 3), (5, 6), (20, 21)])
def test_a_later_run_reads_what_changed_since_and_catches_up(
    days_missed: int,
    told: int,
    embedded: EmbeddedCloud,
    bucket: str,
    account: Account,
    tmp_path: Path,
) -> None:
    today = datetime.now(UTC).date()
    newest = today - timedelta(days=2 + days_missed)
    older = [newest - timedelta(days=back) for back in range(3)]
    documents_exist(embedded, bucket, account, *older)
    embedded.cloud.page_size = 2
    document = later_run(embedded, bucket, account, tmp_path).document
    first = period(document)[1] - timedelta(days=told)
    since = datetime.combine(first, time(), UTC)
    place = place_of(account, document, since=since, until=collected(document), costs_from=first)
    is_true(document, place, *EVENTS)
    reports_are_true(document, place, anomalies_of(account, place.cost_days))
    assert rows(document, "security.security_hub")
    story = " ".join(text for held in document["logs"]["message"] for text in held.values())
    missed = [str(newest + timedelta(days=1 + ahead)) for ahead in range(days_missed)]
    assert all(day in story for day in missed)
    assert str(newest) not in story


@pytest.mark.parametrize(
    ("days_missed", "flags", "known", "told"),
    [(60, (), 1, 30), (9, ("--catch-up", "5"), 1, 5), (0, ("--full",), 1, 30), (0, (), 7, 30)],
)
def test_a_run_that_reads_everything_open_reads_what_was_closed_too(
    days_missed: int,
    flags: tuple[str, ...],
    known: int,
    told: int,
    embedded: EmbeddedCloud,
    bucket: str,
    account: Account,
    tmp_path: Path,
) -> None:
    newest = datetime.now(UTC).date() - timedelta(days=2 + days_missed)
    older = [newest - timedelta(days=back) for back in range(known)]
    documents_exist(embedded, bucket, account, *older)
    document = later_run(embedded, bucket, account, tmp_path, *flags).document
    first = period(document)[1] - timedelta(days=told)
    since = datetime.combine(first, time(), UTC)
    bounds = {"since": since, "until": collected(document), "costs_from": first}
    is_true(document, place_of(account, document, full=True, **bounds), *EVENTS)
    assert len(document["cost"]) == told


EVENTS = ("service", "health", "security")
"""Categories of which a document tells what changed."""


@pytest.mark.parametrize("other", ["299999999998", "eu-west-1"])
def test_documents_of_other_accounts_and_regions_do_not_count(
    other: str, embedded: EmbeddedCloud, bucket: str, account: Account, tmp_path: Path
) -> None:
    day = datetime.now(UTC).date() - timedelta(days=2)
    key = f"data/{account.id}/{HOME}/{day}_DAILY.json"
    key = key.replace(account.id if other.isdigit() else HOME, other)
    embedded.client("s3", embedded.analytics.id).put_object(Bucket=bucket, Key=key, Body=b"{}")
    document = later_run(embedded, bucket, account, tmp_path).document
    is_true(document, place_of(account, document), "security", "health")


NOW_ONLY = ("kms", "waf", "waf_rules", "cloudtrail", "secrets_manager", "certificate_manager")


def test_past_days_have_a_document_each_with_what_belongs_to_it(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=4)
    requests = record(embedded, account)
    environment = without_bucket(embedded, account)
    sent = send(environment, tmp_path, *EVERYTHING, "--start", str(first), "--end", str(last))
    assert sent.code == 0
    days = [first + timedelta(days=ahead) for ahead in range(5)]
    assert [period(made) for made in sent.documents] == [
        (day, day + timedelta(days=1)) for day in days
    ]
    assert names(requests)["ce:GetCostAndUsage"] == 1 + 2  # the tags
    assert not names(requests)["ce:GetCostForecast"]
    until = datetime.combine(last + timedelta(days=1), time(), UTC)
    for day, made in zip(days, sent.documents, strict=True):
        midnight = datetime.combine(day, time(), UTC)
        bounds = {
            "since": midnight,
            "until": min(until, midnight + timedelta(days=1, microseconds=-1)),
        }
        place = place_of(account, made, costs_from=day, **bounds)
        is_true(made, place, "service", "marketplace", "health", "ri_sp_savings", "cost_by_tag")
        for part in ("security_hub", "guard_duty", "inspector"):
            list_is_true(made, place, f"security.{part}")
        reports_are_true(made, place, anomalies_of(account, [day]))


def test_past_days_say_nothing_of_what_exists_now(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    day = str(datetime.now(UTC).date() - timedelta(days=3))
    flags = (*EVERYTHING, "--start", day, "--end", day)
    sent = send(without_bucket(embedded, account), tmp_path, *flags)
    now = {name for name, held in SENDER_CATEGORIES.items() if held.backfill == NOW}
    assert {name for name, status in sent.statuses.items() if status == "Skipped"} == now
    assert not any(rows(sent.document, path) for path in paths_of(*now))
    assert not set(NOW_ONLY) & sent.document["security"].keys()
    assert "forecast" not in sent.document["cost"][0]
    assert "contact_info" not in sent.document["account"]
    assert sent.document["account"]["customer_name"] == "Example Corp"


def test_costs_that_aws_restated_are_read_again(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    documents_exist(embedded, bucket, account, yesterday - timedelta(days=1))
    before = later_run(embedded, bucket, account, tmp_path).document
    embedded.cloud.restate(account.id, yesterday - timedelta(days=1))
    after = later_run(embedded, bucket, account, tmp_path).document
    costs = [[report["current_period_cost"] for report in made["cost"]] for made in (before, after)]
    assert costs[0][0] == costs[1][0]
    assert costs[0][1] != costs[1][1]
    place = place_of(account, after)
    reports_are_true(after, place, anomalies_of(account, place.cost_days))
