"""The part of the report about money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from observability.reading.report.charts import stacked_bars
from observability.reading.report.facts import Facts
from observability.reading.report.model import Chart, Column, Mood, Section, Table, Tile
from observability.reading.report.words import (
    as_day,
    change,
    count,
    day,
    direction,
    moment,
    money,
    period,
    short_day,
    things,
)

OTHERS = "o"
"""The color of what is summed."""
RESTATED = "AWS still restates the newest days."
WORTH_A_COLOR = Decimal("0.03")
NO_COSTS = "No costs are known yet."


def weekly(facts: Facts) -> Mapping[str, Any]:
    """What the newest seven days cost; empty where that is not known."""
    found: Mapping[str, Any] = facts["weekly"] or {}
    return found if found.get("currencies") else {}


def currency_of(facts: Facts) -> str:
    """The currency of the report."""
    found = weekly(facts)
    return str(found["currencies"][0]["currency"] or "USD") if found else "USD"


def week(facts: Facts) -> str:
    """Of which days costs are."""
    total = weekly(facts).get("total") or {}
    if not total.get("last_day"):
        return ""
    if not total["behind"]:
        return f"Costs of {period(total['week_start'], total['last_day'])}"
    newest = f"Costs of the newest 7 days of each account, up to {day(total['last_day'])}"
    return f"{newest}; {ends(facts)}"


def ends(facts: Facts) -> str:
    """How many accounts have costs that end before those of the others, and when the first does."""
    found = weekly(facts)
    number, first = found["total"]["behind"], found["behind"][0]
    on = on_day(first["last_day"], found["total"]["last_day"])
    if number == 1:
        return f"1 account ends{on or ' earlier'}"
    return f"{count(number)} accounts end earlier{on and f', the first{on}'}"


def on_day(value: Any, last: Any) -> str:
    """On which day, with the year unless it is that of the last day; '' if none is known."""
    found, newest = as_day(value), as_day(last)
    if not found:
        return ""
    return f" on {short_day(found) if newest and found.year == newest.year else day(found)}"


def own_weeks(facts: Facts) -> str:
    """Which accounts count with older days, so that the sums are not those of the newest days."""
    found = weekly(facts)
    if not found or not found["total"]["behind"]:
        return ""
    last = found["total"]["last_day"]
    named = [
        f"{one['name'] or one['account_id']}{on_day(one['last_day'], last)}"
        for one in found["behind"]
    ]
    if more := found["total"]["behind"] - len(named):
        named.append(things(more, "other account"))
    return (
        f"Costs that end earlier: {', '.join(named)}. Sums of 7 days have the newest 7 days of each"
        " account, so the newest 7 lines of Values per day do not add up to them."
    )


def cost_tiles(facts: Facts) -> Iterator[Tile]:
    """What the last seven days cost, and what could be saved."""
    currency, total = currency_of(facts), weekly(facts).get("total") or {}
    difference = total.get("difference")
    detail = f"{change(difference, total.get('previous'), currency)} on the 7 days before"
    mood = mood_of(difference, total.get("previous"))
    if difference is None:
        detail = "not comparable with the 7 days before" if total else NO_COSTS
    yield Tile(
        "Cost of the last 7 days", money(total.get("cost"), currency), detail, week(facts), mood
    )


def mood_of(difference: Any, previous: Any) -> Mood:
    """Whether a change of costs is worth a color."""
    if not previous or abs(difference or 0) < WORTH_A_COLOR * abs(previous):
        return ""
    moods: dict[str, Mood] = {"up": "bad", "down": "good"}
    return moods.get(direction(difference), "")


def cost_sections(facts: Facts) -> Iterator[Section]:
    """Costs per day, by account and customer, what rose, and savings."""
    yield daily_section(facts)
    yield holders_section(facts)
    yield rises_section(facts)
    yield savings_section(facts)


def daily_section(facts: Facts) -> Section:
    """Cost per day and service."""
    currency = currency_of(facts)
    daily = facts["daily"] or {}
    rows = [row for row in daily.get("rows") or () if row["currency"] == currency]
    charts, tables = [], []
    if rows:
        chart, table = per_day(rows, currency)
        charts, tables = [chart], [services_table(facts, currency), table]
    last = as_day(daily.get("last_day"))
    return Section(
        "costs", "Cost per day and service",
        f"Unblended cost up to {short_day(last)}. {RESTATED}" if rows else "", NO_COSTS, charts,
        tables, left_out(facts),
    )  # fmt: skip


def per_day(rows: Sequence[Mapping[str, Any]], currency: str) -> tuple[Chart, Table]:
    """The bars of each day, and the table that they show."""
    costs: dict[str, dict[Any, Decimal]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row["place"]):
        costs[row["service"] or "Other services"][as_day(row["day"])] = Decimal(row["cost"])
    known = sorted({as_day(row["day"]) for row in rows})  # type: ignore[type-var]
    first, last = known[0], known[-1]
    days = [first + timedelta(n) for n in range((last - first).days + 1)]  # type: ignore[operator]
    series = [
        (
            OTHERS if name == "Other services" else str(number),
            name,
            [float(each[d]) if d in each else None for d in days],
        )
        for number, (name, each) in enumerate(costs.items())
    ]
    title = f"Cost per day and service, {period(first, last)}"
    chart = stacked_bars(
        title, [short_day(d) for d in days], series, lambda value: money(value, currency),
        lambda value: money(value, currency, whole=abs(value) >= 1 or value == 0),
    )  # fmt: skip
    columns = [Column("Day", "day"), Column("Total", "money"), *(
        Column(name, "money") for name in costs
    )]  # fmt: skip
    lines = [
        [d, sum(found) if (found := [e[d] for e in costs.values() if d in e]) else None,
         *(each.get(d) for each in costs.values())]
        for d in reversed(days)
    ]  # fmt: skip
    return chart, Table("Values per day", columns, lines, folded=True)


COMPARED = (
    Column("Last 7 days", "money"),
    Column("Share", "bar"),
    Column("7 days before", "money"),
    Column("Change", "change"),
)


def compared(row: Mapping[str, Any], total: Any) -> list[Any]:
    """The cells of a row of costs that is compared with the week before."""
    share = Decimal(row["cost"] or 0) * 100 / Decimal(total) if total and total > 0 else None
    difference = row.get("difference")
    return [row["cost"], share, row.get("previous"), (difference, row.get("previous"))]


def rest_of(row: Mapping[str, Any], noun: str) -> str:
    """What a row that sums the rest is called."""
    return f"{things(row['things'], f'other {noun}')}"


def services_table(facts: Facts, currency: str) -> Table:
    """The services of the last seven days."""
    found = weekly(facts)
    total = found["total"]["cost"]
    rows = [
        [row["name"] or rest_of(row, "service"), *compared(row, total)]
        for row in found["services"] or ()
    ]
    return Table("Services", [Column("Service"), *COMPARED], rows)


def holders_section(facts: Facts) -> Section:
    """Costs by account and by customer."""
    found = weekly(facts)
    total = (found.get("total") or {}).get("cost")
    accounts = [
        [
            (row["name"], row["account_id"])
            if row["account_id"]
            else (rest_of(row, "account"), ""),
            *compared(row, total),
        ]
        for row in found.get("accounts") or ()
    ]
    customers = [
        [customer_name(row), row["accounts"], *compared(row, total)]
        for row in found.get("customers") or ()
    ]
    return Section(
        "accounts", "Cost by account and customer", week(facts), NO_COSTS,
        tables=[
            Table("Accounts", [Column("Account", "account"), *COMPARED], accounts),
            Table(
                "Customers", [Column("Customer"), Column("Accounts", "count"), *COMPARED], customers
            ),
        ],
        note=own_weeks(facts),
    )  # fmt: skip


def customer_name(row: Mapping[str, Any]) -> str:
    """A customer, those without a name, or the rest."""
    if row["name"] is None:
        return rest_of(row, "customer")
    return row["name"] or "without a customer"


def rises_section(facts: Facts) -> Section:
    """The accounts and services whose cost rose most."""
    found = weekly(facts)
    rows = [
        [
            (row["name"], row["account_id"]),
            row["service"],
            row["cost"],
            row["previous"],
            (row["difference"], row["previous"]),
        ]
        for row in found.get("rises") or ()
    ]
    columns = [
        Column("Account", "account"), Column("Service"), Column("Last 7 days", "money"),
        Column("7 days before", "money"), Column("Change", "change"),
    ]  # fmt: skip
    missing = (found.get("total") or {}).get("not_compared")
    note = f"Not compared, as days are missing: {things(missing, 'account')}." if missing else ""
    return Section(
        "rises", "What rose most", week(facts),
        "Nothing rose, or no two weeks are known to compare.",
        tables=[Table("Account and service", columns, rows)], note=note,
    )  # fmt: skip


def savings_section(facts: Facts) -> Section:
    """What could be saved a month."""
    found = facts["savings"] or {}
    currency = currency_of(facts)
    total = found.get("total") or {}
    largest = [
        [
            (row["name"], row["account_id"]),
            row["resource"],
            " → ".join(filter(None, (row["finding"], row["recommendation"]))),
            row["source"],
            money(row["amount"], row["currency"] or currency),
        ]
        for row in found.get("largest") or ()
    ]
    sources = [
        [row["source"], row["things"], money(row["amount"], row["currency"] or currency)]
        for row in found.get("sources") or ()
    ]
    note = "The sources overlap, so they do not add up."
    if total.get("amount"):
        sums = f"{money(total['amount'], currency)} a month in all, overlaps removed by AWS"
        note = f"{note} Cost Optimization Hub: {sums}, as of {short_day(total['last_day'])}."
    return Section(
        "savings", "Savings", f"As of {moment(facts['now'])} UTC, per month",
        "No savings are recommended, or none have been read.",
        tables=[
            Table("Largest", [
                Column("Account", "account"), Column("Resource"), Column("Finding"),
                Column("Source"), Column("A month", "figure"),
            ], largest, wide=True),
            Table("By source", [
                Column("Source"), Column("Recommendations", "count"), Column("A month", "figure"),
            ], sources),
        ],
        note=note,
    )  # fmt: skip


def left_out(facts: Facts) -> str:
    """Which accounts are not in the sums: of the last days, or as they pay in another currency."""
    found = weekly(facts)
    others = found.get("currencies", ())[1:]
    sums = ", ".join(f"{count(one['accounts'])} in {one['currency']}" for one in others)
    notes = [f"Accounts in other currencies are left out: {sums}."] if sums else []
    return " ".join(filter(None, [*notes, own_weeks(facts)]))
