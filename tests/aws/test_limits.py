"""Slots of regions: how many are read at once."""

from __future__ import annotations

import contextlib
import time

import pytest

from observability.aws.errors import ReadError
from observability.aws.limits import RegionSlots
from tests.conftest import Clock


def turns_taken(turns: RegionSlots, *accounts: str) -> list[str]:
    """The accounts that may begin a region now, of those that ask one after the other."""
    taken = []
    for account in accounts:
        with contextlib.suppress(ReadError):
            turns.acquire(account, time.monotonic() + 0.1)
            taken.append(account)
    return taken


def test_accounts_share_all_turns_and_none_takes_what_another_may_need(clock: Clock) -> None:
    clock.stop()
    turns = RegionSlots(8)
    turns.accounts = 5  # one each, and three of them have one more
    assert turns_taken(turns, *"aaabbccdd") == [*"aabbcc", "d"]
    assert turns_taken(turns, "e") == ["e"]
    turns.release("a")
    assert turns_taken(turns, *"aadd") == ["a"]
    turns.release("b")
    assert turns_taken(turns, *"dd") == ["d"]


def test_an_account_alone_has_all_turns_and_one_of_many_has_one(clock: Clock) -> None:
    clock.stop()
    alone, among = RegionSlots(3), RegionSlots(3)
    assert turns_taken(alone, *"aaaa") == [*"aaa"]
    among.accounts = 100
    assert turns_taken(among, *"abca") == [*"abc"]
    among.release("a")
    among.release("b")
    for _ in range(98):
        among.leave()
    assert turns_taken(among, *"aaac") == ["a", "a"]


def test_an_account_whose_time_is_used_up_does_not_wait_for_a_turn() -> None:
    turns = RegionSlots(1)
    with pytest.raises(ReadError, match="time is used up"):
        turns.acquire("a", time.monotonic())
    turns.acquire("a", time.monotonic() + 60)
    with pytest.raises(ReadError, match="time is used up"):
        turns.acquire("a", time.monotonic() + 0.05)
    turns.release("a")
    turns.acquire("a", time.monotonic() + 60)
