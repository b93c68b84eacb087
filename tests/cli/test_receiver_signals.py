"""A receiver that is stopped or killed: nothing half is loaded, and the next one goes on."""

from __future__ import annotations

import signal
import threading
from datetime import date, timedelta

import pytest

from observability.receiving.result import FileStatus
from tests import documents, soak
from tests.cloud import ApiRequest
from tests.cloud.switches import CutError
from tests.documents import document
from tests.faults import (
    assert_as_undisturbed,
    at_call,
    in_several_calls,
    keys,
    put,
    restated,
    sweep,
)
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)


# The Data API: faults that do not pass


def test_a_receiver_that_waits_stops_when_it_is_told_to(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.data_api.faults.resume(sql="load_document")
    started = threading.Event()

    def tell_it_to_stop(_request: ApiRequest) -> None:
        started.wait(30)
        process.terminate()

    warehouse.embedded.switches.intercept(
        "rds-data", "ExecuteStatement", tell_it_to_stop, predicate=at_call(3)
    )
    process = soak.launch(warehouse, "--patience", "600")
    started.set()
    result, story = process.communicate(timeout=60)
    *lines, last = story.splitlines()
    assert process.returncode == 128 + signal.SIGTERM
    assert [line for line in lines if f"FAIL    deferred {KEY}" in line], lines
    assert last == "receiver.py: stopped by SIGTERM; 1 files stay in data/"
    assert result.startswith("1 files (1 deferred), 0 rows")
    assert keys(warehouse, "") == [KEY]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_file_under_way_be_finished(
    warehouse: Warehouse, number: signal.Signals
) -> None:
    names = [documents.key(account=f"4444000000{n:02}") for n in range(3)]
    for name in names:
        put(warehouse, document(account=name.split("/")[1]), name)
    started = threading.Event()

    def tell_it_to_stop(_request: ApiRequest) -> None:
        started.wait(30)
        process.send_signal(number)

    warehouse.embedded.switches.intercept(
        "rds-data", "ExecuteStatement", tell_it_to_stop, predicate=at_call(2)
    )
    process = soak.launch(warehouse, "--workers", "1")
    started.set()
    result, story = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    *_, last = story.splitlines()
    assert last == f"receiver.py: stopped by {number.name}; 2 files stay in data/"
    assert result.splitlines()[-1].startswith("1 files (1 loaded, 2 not begun), ")
    assert len(keys(warehouse, "data/")) == 2
    assert len(keys(warehouse, "loaded/")) == 1


@pytest.mark.parametrize(
    ("flags", "first"),
    [
        ((), "ExecuteStatement"),
        (("--check",), "ExecuteStatement"),
        (("--init-schema",), "BeginTransaction"),
    ],
)
def test_a_receiver_that_has_not_begun_stops_too(
    warehouse: Warehouse, flags: tuple[str, ...], first: str
) -> None:
    """While it waits for a database that sleeps it does not know what is in data/."""
    put(warehouse, document(NEXT))
    warehouse.embedded.data_api.faults.resume()
    started = threading.Event()

    def tell_it_to_stop(_request: ApiRequest) -> None:
        started.wait(30)
        process.terminate()

    warehouse.embedded.switches.intercept("rds-data", first, tell_it_to_stop, times=1)
    process = soak.launch(warehouse, *flags)
    started.set()
    result, story = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    *_, last = story.splitlines()
    assert last == "receiver.py: stopped by SIGTERM; what is not loaded stays in data/"
    assert "files" not in result
    assert keys(warehouse, "") == [KEY]


# Receivers that are killed

KILLED = {
    "before the one call": ("rds-data", "ExecuteStatement", False, 2),
    "after the one call": ("rds-data", "ExecuteStatement", True, 2),
    "after the copy": ("s3", "CopyObject", True, 1),
    "after the delete": ("s3", "DeleteObject", True, 1),
}
KILLED_IN_TRANSACTION = {
    "while it begins": ("rds-data", "BeginTransaction", True, 1),
    "at the lock": ("rds-data", "ExecuteStatement", True, 3),
    "in the middle": ("rds-data", "ExecuteStatement", False, 4),
    "before COMMIT": ("rds-data", "CommitTransaction", False, 1),
    "after COMMIT": ("rds-data", "CommitTransaction", True, 1),
}


@pytest.mark.parametrize("moment", KILLED | KILLED_IN_TRANSACTION)
@pytest.mark.usefixtures("short_transactions")
def test_a_receiver_that_is_killed_leaves_nothing_half(warehouse: Warehouse, moment: str) -> None:
    service, operation, after, number = (KILLED | KILLED_IN_TRANSACTION)[moment]
    started = threading.Event()
    newer = restated() if moment in KILLED else in_several_calls(restated())
    made = (documents.key(DAY), document(DAY)), (KEY, newer)
    warehouse.load(made[0][1], made[0][0])
    put(warehouse, newer)

    def kill(_request: ApiRequest) -> None:
        started.wait(30)
        process.kill()
        if not after:
            raise CutError  # the request is lost with its sender

    warehouse.embedded.switches.intercept(
        service, operation, kill, after=after, predicate=at_call(number)
    )
    process = soak.launch(warehouse)
    started.set()
    process.communicate(timeout=60)
    assert process.returncode == -9
    warehouse.embedded.switches.reset()
    seen = warehouse.query("SELECT account_name FROM accounts")
    committed = moment.startswith("after")
    assert seen == [{"account_name": "Renamed" if committed else "Shop “prod”"}]
    assert all(r.status is FileStatus.LOADED for r in sweep(warehouse).values())
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, *made)


@pytest.mark.usefixtures("short_transactions")
def test_three_receivers_that_are_killed_at_random_under_faults(warehouse: Warehouse) -> None:
    figures = soak.run(warehouse, accounts=6, days=5, kills=5, faults=25, seed=2)
    assert figures.differences == []
    assert (figures.files, figures.kills) == (30, 5)
    assert figures.faults > 15  # of 25: one that waits for a call may find all files loaded
