"""Findings that a service's delegated administrator reads for its members."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from observability.aws.session import Aws
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.shared import SharedReads
from observability.collecting.spool import SpooledRows
from observability.dates import midnight
from observability.rows import Row


class Administered(NamedTuple):
    """A service whose delegated administrator reads findings for its members.

    `members` are those of an administrator in a region, with what `read` has to know of each (a
    detector). `read` gives (account, row) of the findings of members, at most so many at once,
    that were updated in a span, or of all that are open.
    """

    name: str
    service: str
    at_once: int
    members: Callable[[Aws, str], Mapping[str, str]]
    read: Callable[[Reading], Iterator[tuple[str, Row]]]


class Reading(NamedTuple):
    """Which findings are read: of which accounts, from when on, by whom."""

    aws: Aws
    region: str
    accounts: Mapping[str, str]
    since: datetime | None
    until: datetime
    result: CategoryResult


def findings(
    scan: Scan, result: CategoryResult, kind: Administered, own: Callable[[], Mapping[str, str]]
) -> Iterator[Row]:
    """The findings that the window wants, by an administrator or read by the account itself.

    `own` is what `kind.read` has to know of the account. An administrator reads what was updated;
    all that is open, as an account's first document has it, is read by the account.
    """
    for since in scan.window.reads:
        rows: Iterable[Row] | None = administered_rows(scan, kind, since)
        if rows is None:
            accounts = own()
            reading = Reading(scan.aws, scan.region, accounts, since, scan.window.until, result)
            rows = (row for _, row in kind.read(reading)) if accounts else ()
        yield from (row for row in rows if not scan.window.repeats(since, row["updated_at"]))


def administered_rows(scan: Scan, kind: Administered, since: datetime | None) -> SpooledRows | None:
    """An account's findings as its administrator reads them; None if they are not shared."""
    shared = scan.run.shared
    if not shared or not shared.covers(since):
        return None
    region, what = scan.region, f"{kind.name} in {scan.region}"
    admitted = shared.once(what, "members", lambda shared: admit(shared, kind, region))
    if not admitted or scan.account not in admitted[1]:
        return None
    aws, members = admitted
    number = [*members].index(scan.account) // kind.at_once
    some = dict([*members.items()][number * kind.at_once : (number + 1) * kind.at_once])
    rows = shared.once(what, number, lambda shared: read_members(shared, kind, aws, region, some))
    return rows.pop(scan.account, None) if rows else None  # each account wants its rows once


def admit(shared: SharedReads, kind: Administered, region: str) -> tuple[Aws, dict[str, str]]:
    """A service's administrator, and the accounts of the run whose findings it sees."""
    aws = shared.administrator(kind.service)
    found = kind.members(aws, region)
    members = {account: found[account] for account in shared.accounts if account in found}
    shared.caller.log.log_once(
        f"{kind.name} in {region}: {aws.account} reads for {len(members)} accounts"
    )
    return aws, members


def read_members(
    shared: SharedReads, kind: Administered, aws: Aws, region: str, members: Mapping[str, str]
) -> dict[str, SpooledRows]:
    """What an administrator reads for some of its members; ListingError if any of it failed."""
    rows = shared.spools(members)
    result = CategoryResult(kind.name, shared.result.builders)
    since = midnight(shared.window.costs_from)
    for account, row in kind.read(
        Reading(aws, region, members, since, shared.window.until, result)
    ):
        rows[account].add(row)
    result.raise_if_incomplete()
    for note in result.notes:
        shared.caller.log.log_once(f"{kind.name} in {region}: {note}")
    for spool in rows.values():
        spool.flush()
    return rows
