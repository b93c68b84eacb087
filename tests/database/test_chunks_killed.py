"""A receiver that is killed, or gets no answer, while it passes chunks over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from observability.receiving.result import FileStatus
from tests import documents, soak
from tests.cloud import ApiRequest
from tests.cloud.switches import CutError
from tests.database.test_chunks import DAY, LETTERS, THREE, load, passing, rows
from tests.database.test_merge import MergingOnly, all_of
from tests.faults import at_call, put, short_transactions, sweep
from tests.warehouse import Warehouse

__all__ = ["passing", "short_transactions"]  # fixtures

CHANGED = replace(THREE, resources=[("a", "2"), *rows(LETTERS[1:])])
LISTS = (THREE, THREE, THREE, THREE, CHANGED, THREE)
"""Of one document a day; it is the fifth that is disturbed."""

MOMENTS = {
    "in the middle": ("ExecuteStatement", False, 2),
    "late": ("ExecuteStatement", True, 1),
    "before COMMIT": ("CommitTransaction", False, 0),
    "after COMMIT": ("CommitTransaction", True, 0),
}
"""An operation of the Data API, whether it is carried out, and which share of them have passed."""


def disturb(warehouse: Warehouse, moment: str, how: Callable[[ApiRequest], None]) -> None:
    """Load four documents, have the fifth wait in data/, and do something while it is loaded."""
    for number in range(4):
        warehouse.embedded.data_api.forget_calls()
        load(warehouse, LISTS[number].document(number), number)
    statements = sum(call.path == "/Execute" for call in warehouse.embedded.data_api.calls)
    assert statements > 4
    put(warehouse, LISTS[4].document(4), documents.key(DAY + timedelta(4)))
    operation, after, part = MOMENTS[moment]
    number = {0: 1, 1: statements - 1, 2: statements // 2}[part]
    warehouse.embedded.switches.intercept(
        "rds-data", operation, how, after=after, predicate=at_call(number)
    )


def assert_as_merged(warehouse: Warehouse) -> None:
    """What is there must be what merges make of the same documents."""
    load(warehouse, LISTS[5].document(5), 5)
    passed = all_of(warehouse)
    warehouse.receiver = replace(warehouse.receiver, again=True, db=MergingOnly(warehouse.settings))
    warehouse.empty()
    for number, lists in enumerate(LISTS):
        load(warehouse, lists.document(number), number)
    merged: list[Any] = all_of(warehouse)
    assert passed == merged


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.usefixtures("short_transactions")
def test_a_receiver_that_is_killed_while_it_passes_over(passing: Warehouse, moment: str) -> None:
    started = threading.Event()

    def kill(_request: ApiRequest) -> None:
        started.wait(30)
        process.kill()
        if not MOMENTS[moment][1]:
            raise CutError  # the request is lost with its sender

    disturb(passing, moment, kill)
    process = soak.launch(passing)
    started.set()
    process.communicate(timeout=60)
    assert process.returncode == -9
    passing.embedded.switches.reset()
    assert all(done.status is FileStatus.LOADED for done in sweep(passing).values())
    assert_as_merged(passing)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.usefixtures("short_transactions")
def test_an_answer_that_is_lost_while_it_passes_over(passing: Warehouse, moment: str) -> None:
    lost = []

    def lose(request: ApiRequest) -> None:
        lost.append(request)
        raise CutError

    disturb(passing, moment, lose)
    [done] = sweep(passing).values()
    assert lost
    assert done.status is FileStatus.LOADED
    assert_as_merged(passing)
