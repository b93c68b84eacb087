"""What a document must say of an account: rows made of what AWS holds, not of what sender.py does.

Values are what they are in AWS: instants are datetimes, money and other decimals are Decimals.
Each category's test file has its own `TRUTH`: a function per list of the document. `same_rows`
compares a list of a document, or a table's rows, to what it returns.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.cloud import Account
from tests.cloud.accounts import GLOBAL, Item
from tests.cloud.content.costs import MONEY_DIGITS, charges
from tests.runs import Row


@dataclass(frozen=True)
class Place:
    """Where and of which days a document tells.

    `since`: events that were updated from then on, all that are open if it is None, and both if
    `full`. `others` are the regions that have documents of their own.
    """

    account: Account
    region: str
    start: date
    end: date
    since: datetime | None = None
    until: datetime | None = None
    costs_from: date | None = None
    others: tuple[str, ...] = ()
    full: bool = False

    @property
    def home(self) -> bool:
        """Whether the document has what is global."""
        return self.region == self.account.home_region

    @property
    def cost_days(self) -> list[date]:
        """The days that costs are told of: the last three, unless it is said otherwise."""
        first = self.costs_from or self.end - timedelta(days=3)
        return [first + timedelta(days=back) for back in range((self.end - first).days)]

    def own(self, service: str, kind: str) -> list[Item]:
        """What the account holds of a kind in the region."""
        return self.account.items(service, kind, self.region)

    def everywhere(self, service: str, kind: str) -> list[Item]:
        """What the account holds of a kind that is global; nothing outside of the home region."""
        return self.account.items(service, kind, GLOBAL) if self.home else []

    def tells(self, updated: datetime, is_open: bool) -> bool:
        """Whether an event is to be told that was updated then."""
        if self.since is None:
            return is_open
        changed = self.since <= updated and (self.until is None or updated <= self.until)
        return changed or (self.full and is_open)


def moment(text: str) -> datetime:
    """The instant that a text of AWS names."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def number(value: float) -> Decimal:
    """A number with the digits that JSON would show."""
    return Decimal(repr(value))


def money(amount: int) -> Decimal:
    """An amount of money that is counted in its last digit."""
    return Decimal(amount).scaleb(-MONEY_DIGITS)


def tag(held: Item, name: str) -> str | None:
    """The value of a tag."""
    return {pair["Key"]: pair["Value"] for pair in held["Tags"]}.get(name)


# Money


def spent(account: Account, day: date) -> dict[tuple[str, str], tuple[int, int, int, str]]:
    """Unblended and amortized cost, usage and its unit of a day by service and usage type."""
    found: dict[tuple[str, str], tuple[int, int, int, str]] = {}
    for held in charges(account, day):
        name = held.line.service, held.line.usage_type
        cost, amortized, usage, _ = found.get(name, (0, 0, 0, ""))
        costs = cost + held.cost, amortized + held.amortized
        found[name] = *costs, usage + held.usage, held.line.unit
    return found


def day_cost(account: Account, day: date, *, amortized: bool = False) -> dict[str, Decimal]:
    """What each service cost on a day."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (service, _), (cost, spread, _, _) in spent(account, day).items():
        found[service] += money(spread if amortized else cost)
    return dict(found)


# Comparing


@dataclass(frozen=True)
class Truth:
    """A list of the document: what its rows must be, their table, what tells one from the other.

    Rows of a list that has a golden row have their key only, and what is more than a rename.

    `renamed`: the table's columns that are named otherwise than the document's fields.
    """

    rows: Callable[[Place], Iterator[Row]]
    table: str
    key: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)


UNORDERED = ("associated_resources",)
"""Lists within a row whose order means nothing."""


def like(found: Any, expected: Any) -> Any:
    """A value of a document or a database in the type of the expected one."""
    if found is None or expected is None:
        return found
    if isinstance(expected, datetime):
        return found if isinstance(found, datetime) else datetime.fromisoformat(found)
    if isinstance(expected, date):
        return found if isinstance(found, date) else date.fromisoformat(found)
    if isinstance(expected, Decimal):
        return Decimal(str(found))
    if isinstance(expected, list | dict) and isinstance(found, str):
        return json.loads(found)
    return found


def comparable(found: Row, expected: Row) -> Row:
    """A row with its values in the types of the expected ones."""
    row = {name: like(value, expected.get(name)) for name, value in found.items()}
    return row | {name: sorted(row[name]) for name in UNORDERED if row.get(name)}


def same_rows(found: Sequence[Row], expected: Sequence[Row], key: Sequence[str]) -> None:
    """Fail unless the rows are the expected ones, each once, all columns and values alike."""
    by_key = {name_of(row, key): row for row in found}
    wanted = {name_of(row, key): row for row in expected}
    assert len(wanted) == len(expected), "the truth has a key twice"
    assert len(by_key) == len(found), "a row is there twice"
    assert not wanted.keys() - by_key.keys(), f"lost: {sorted(wanted.keys() - by_key.keys())}"
    assert not by_key.keys() - wanted.keys(), f"invented: {sorted(by_key.keys() - wanted.keys())}"
    for name, row in wanted.items():
        assert not (wrong := differences(comparable(by_key[name], row), row)), f"{name}: {wrong}"


def differences(found: Row, expected: Row) -> dict[str, tuple[Any, Any]]:
    """(found, expected) of each column that differs or that one of the rows lacks."""
    return {
        name: (found.get(name, "no column"), expected.get(name, "no column"))
        for name in found.keys() | expected.keys()
        if found.get(name, "no column") != expected.get(name, "no column")
    }


def name_of(row: Row, key: Sequence[str]) -> tuple[str, ...]:
    """What tells a row from others, as text."""
    return tuple(
        json.dumps(row[column], sort_keys=True)
        if isinstance(row[column], dict)
        else str(row[column])
        for column in key
    )
