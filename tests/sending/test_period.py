"""Which days a run is about, whatever an earlier run had missed and whatever the clock says."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine

import receiver
from observability.receiving.result import FileStatus
from observability.sending.period import reads_everything
from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.paths import SENDER
from tests.runs import content, period, rows, send, ship, stored, today
from tests.warehouse import Warehouse

HOME = REGIONS[0]
OPEN = "everything open is read"


@pytest.mark.parametrize(
    ("documents", "flags", "everything"),
    [
        (0, [], True),
        (1, [], False),
        (1, ["--full"], True),
        (6, [], False),
        (7, [], True),
        (8, [], False),
    ],
)
def test_each_seventh_document_reads_everything_open(
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
    documents: int,
    flags: list[str],
    everything: bool,
) -> None:
    account = make_account(Size.empty())
    environment = environment_of(account)
    s3 = embedded.client("s3", embedded.analytics.id)
    for number in range(documents):
        day = datetime.now(UTC).date() - timedelta(days=2 + number)
        key = f"loaded/{account.id}/{account.home_region}/{day}_DAILY.json"
        s3.put_object(Bucket=environment["BUCKET"], Key=key, Body=b"{}")
    done = subprocess.run(
        [sys.executable, str(SENDER), "--only", "health", *flags],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (OPEN in done.stderr) is everything


def test_a_bucket_that_forgets_old_names_still_gets_everything_open_each_week() -> None:
    """The number of names is the same every day then, so it cannot decide."""
    today = date(2028, 2, 20)
    weeks = []
    for start in range(21):
        newest = today + timedelta(days=start)
        known = [newest - timedelta(days=back) for back in reversed(range(30))]
        weeks.append(reads_everything(known, newest + timedelta(days=1)))
    assert sum(weeks[:7]) == sum(weeks[7:14]) == sum(weeks[14:]) == 1


@pytest.mark.parametrize("workdays", [{0, 1, 2, 3, 4}, {6}, {1, 3}])
def test_a_host_that_is_off_on_some_days_of_the_week_reads_everything_each_week_too(
    workdays: set[int],
) -> None:
    days = [date(2028, 1, 3) + timedelta(days=number) for number in range(40 * 7)]
    covered = [day for day in days if day.weekday() in workdays]
    full = [
        day
        for number, day in enumerate(covered)
        if number > 30 and reads_everything(covered[:number], day)
    ]
    gaps = {(later - earlier).days for earlier, later in itertools.pairwise(full)}
    assert full
    assert max(gaps) <= 13


# Days missed


def test_days_missed_are_in_the_database_after_the_next_run(
    embedded: EmbeddedCloud, account: Account, environment: dict[str, str], warehouse: Warehouse
) -> None:
    """First run, six days ago; then the machine was off for five days."""
    yesterday = today() - timedelta(days=1)
    first = yesterday - timedelta(days=6)
    code, _ = ship(environment, "--start", str(first), "--end", str(first))
    assert code == 0
    code, story = ship(environment)
    assert code == 0
    assert all(str(first + timedelta(days=n)) in story for n in range(1, 6))
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert [r.status for r in results] == [FileStatus.LOADED] * 2, results
    covered = warehouse.query("SELECT DISTINCT date_from FROM services ORDER BY 1")
    assert [row["date_from"] for row in covered] == [first + timedelta(days=n) for n in range(7)]


def test_more_days_missed_than_may_be_caught_up(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    first = today() - timedelta(days=7)
    assert ship(environment, "--start", str(first), "--end", str(first))[0] == 0
    assert ship(environment, "--only", "service,cost", "--catch-up", "4")[0] == 0
    *_, document = stored(embedded, environment).values()
    days = sorted({row["date_from"] for row in document["service"]})
    assert days == [str(today() - timedelta(days=back)) for back in (4, 3, 2, 1)]


# Calendars and clocks

ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu")


def test_the_host_clocks_zone_changes_nothing(
    embedded: EmbeddedCloud, account: Account, environment_of: MakeEnvironment
) -> None:
    environment = environment_of(account)

    def shipped(zone: str) -> tuple[list[str], list[dict[str, list[str]]]]:
        own = environment | {"TZ": zone, "BUCKET": embedded.create_bucket()}
        assert ship(own)[0] == 0
        found = stored(embedded, own)
        return list(found), [content(each) for each in found.values()]

    with ThreadPoolExecutor(2) as pool:
        usual, *others = pool.map(shipped, ("UTC", *ZONES))
    yesterday = today() - timedelta(days=1)
    assert usual[0] == [f"data/{account.id}/{HOME}/{yesterday}_DAILY.json"]
    for zone, other in zip(ZONES, others, strict=True):
        assert other[0] == usual[0], zone
        for path, found in usual[1][0].items():
            assert other[1][0][path] == found, (zone, path)


NOWS = {
    "after a leap day": ("2028-03-01T00:00:30", "2028-02-29", "2028-03-01"),
    "on a leap day": ("2028-02-29T23:59:00", "2028-02-28", "2028-02-29"),
    "new year": ("2027-01-01T00:00:01", "2026-12-31", "2027-01-01"),
    "the end of a month": ("2026-05-01T12:00:00", "2026-04-30", "2026-05-01"),
    "clocks have gone forward": ("2026-03-09T03:30:00", "2026-03-08", "2026-03-09"),
    "clocks have gone back": ("2026-11-02T00:30:00", "2026-11-01", "2026-11-02"),
}


def account_at(embedded: EmbeddedCloud, now: datetime) -> tuple[Account, dict[str, str]]:
    """An account as it is at another time, and the environment of its sender."""
    number = f"2777{int(now.timestamp()) // 1000:08}"
    account = embedded.add(generate(number, Size.small(), 7, now.date(), REGIONS))
    return account, embedded.environment(account.id) | {"BUCKET": ""}


SPANS = {
    "a leap day": ("2028-02-28", "2028-02-29", "2028-03-01"),
    "no leap day": ("2026-02-28", "2026-03-01"),
    "the end of a year": ("2025-12-31", "2026-01-01"),
    "the end of a month": ("2026-04-30", "2026-05-01"),
    "clocks go forward": ("2026-03-07", "2026-03-08", "2026-03-09"),
    "clocks go back": ("2026-10-31", "2026-11-01", "2026-11-02"),
}


@pytest.mark.parametrize("name", SPANS)
def test_a_backfill_has_one_document_for_each_day(
    embedded: EmbeddedCloud, tmp_path: Path, name: str
) -> None:
    """Some days later, since AWS keeps costs of some months only; on New York's clocks."""
    start, *_, end = days = [date.fromisoformat(day) for day in SPANS[name]]
    now = datetime.combine(end + timedelta(days=5), time_of_day(12), ZoneInfo("America/New_York"))
    _, environment = account_at(embedded, now)
    flags = ("--start", str(start), "--end", str(end), "--only", "service,cost")
    with time_machine.travel(now, tick=True):
        sent = send(environment, tmp_path, *flags)
    assert sent.code == 0
    assert [period(document) for document in sent.documents] == [
        (day, day + timedelta(days=1)) for day in days
    ]
    for day, document in zip(days, sent.documents, strict=True):
        assert {row["date_from"] for row in document["service"]} == {str(day)}
        assert {report["period"]["start"] for report in document["cost"]} == {str(day)}


@pytest.mark.parametrize("name", NOWS)
def test_a_daily_run_reads_the_last_complete_day_of_utc(
    embedded: EmbeddedCloud, tmp_path: Path, name: str
) -> None:
    now, start, end = NOWS[name]
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    _, environment = account_at(embedded, at)
    with time_machine.travel(at, tick=True):
        sent = send(environment, tmp_path, "--only", "service,cost,health")
    assert sent.code == 0
    assert [str(day) for day in period(sent.document)] == [start, end]
    last = date.fromisoformat(start)
    expected = [str(last - timedelta(days=back)) for back in (2, 1, 0)]
    assert [report["period"]["start"] for report in sent.document["cost"]] == expected
    assert sorted({row["date_from"] for row in sent.document["service"]}) == expected
    assert rows(sent.document, "health")
