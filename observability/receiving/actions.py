"""What the receiver does instead of loading, by the option that asks for it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from observability.database.client import DBManager
from observability.errors import UsageError
from observability.receiving.adoption import Loading, adopt
from observability.receiving.bucket import S3Manager
from observability.receiving.checking import check
from observability.receiving.coverage import expect_targets
from observability.receiving.removal import LEAST_DAYS, erase_account, expire
from observability.receiving.setup import init_schema
from observability.receiving.tags import give_tags
from observability.settings.accounts_file import read_accounts_file
from observability.settings.receiver import DRY_RUN_IS_FOR, Settings
from observability.settings.tags_file import read_tags_file

Start = Callable[[Settings], Loading]
"""Connects the receiver that loads."""

Action = Callable[[Settings, argparse.Namespace, Start], int]


def expect(settings: Settings, flags: argparse.Namespace, _: Start) -> int:
    """--expect: take over a list of accounts."""
    targets = read_accounts_file(Path(flags.expect), "--expect")
    expect_targets(DBManager(settings), targets)
    print(f"{len(targets)} accounts are expected")
    return 0


def tags(settings: Settings, flags: argparse.Namespace, _: Start) -> int:
    """--tags: take over what the hub says of accounts."""
    targets = read_tags_file(Path(flags.tags))
    tagged, changed = give_tags(DBManager(settings), targets)
    print(f"{tagged} accounts have tags of the hub, {changed} changed")
    return 0


def erase(settings: Settings, flags: argparse.Namespace, _: Start) -> int:
    """--erase: an account, for good."""
    s3, db = S3Manager(settings), DBManager(settings)
    return erase_account(s3, db, flags.erase, dry_run=flags.dry_run)


def expire_old(settings: Settings, flags: argparse.Namespace, _: Start) -> int:
    """--expire: what is over for so many days; UsageError for fewer than LEAST_DAYS."""
    text = str(flags.expire)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) >= LEAST_DAYS):
        raise UsageError(f"--expire: {text!r} is not a number of days, {LEAST_DAYS} or more")
    return expire(DBManager(settings), int(text), dry_run=flags.dry_run)


ACTIONS: Mapping[str, Action] = {
    "init_schema": lambda settings, *_: init_schema(settings),
    "check": lambda settings, *_: check(settings),
    "adopt_schema": lambda settings, flags, start: adopt(settings, flags.adopt_schema, start),
    "expect": expect,
    "tags": tags,
    "erase": erase,
    "expire": expire_old,
}
DRY = frozenset({"erase", "expire"})
"""Those that --dry-run goes with, which then only tell what they would do."""


def chosen_action(flags: argparse.Namespace) -> Action | None:
    """What is asked for instead of loading, if anything; UsageError if --dry-run is in vain."""
    given = (name for name in ACTIONS if getattr(flags, name) not in (None, False))
    asked = next(given, None)  # also one that is given empty, say by a variable that is not set
    if flags.dry_run and (flags.retry_rejected or asked not in {None, *DRY}):
        raise UsageError(DRY_RUN_IS_FOR)
    return ACTIONS[asked] if asked else None
