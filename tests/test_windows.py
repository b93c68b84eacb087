"""What a run reads again: by the documents that are there, whatever an earlier run had missed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from observability.sending.period import reads_everything
from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount, MakeEnvironment

SENDER = Path(__file__).parents[1] / "sender.py"
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
