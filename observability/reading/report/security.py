"""The part of the report about findings and compliance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from observability.reading.report.charts import lines, stacked_bars
from observability.reading.report.facts import Facts
from observability.reading.report.model import Chart, Column, Section, Table, Tile
from observability.reading.report.words import (
    count,
    moment,
    percent,
    period,
    short_day,
    things,
)

SEVERITIES = (
    ("critical", "Critical"), ("high", "High"), ("medium", "Medium"), ("lower", "Lower"),
)  # fmt: skip
EXPIRED, EXPIRES = "expired certificate in use", "certificate in use that expires soon"


def security_tiles(facts: Facts) -> Iterator[Tile]:
    """Open findings, certificates and compliance."""
    now = f"{moment(facts['now'])} UTC"
    total = (facts["findings"] or {}).get("total") or {}
    critical, high = total.get("critical"), total.get("high")
    yield Tile(
        "Open critical findings", count(critical), f"and {count(high)} high", now,
        "bad" if critical else "good",
    )  # fmt: skip
    problems = {row["problem"]: row["things"] for row in facts["hygiene"] or ()}
    expired, soon = problems.get(EXPIRED, 0), problems.get(EXPIRES, 0)
    yield Tile(
        "Certificates that expire soon", count(soon),
        f"in 30 days, in use; {count(expired)} expired", now,
        "bad" if soon or expired else "good",
    )  # fmt: skip
    days = rule_days(facts)
    if days:
        newest = days[-1]
        yield Tile(
            "Compliant Config rules", share(newest),
            f"in {things(newest['accounts'], 'account')}",
            short_day(newest["day"]),
        )  # fmt: skip


def share(day: Mapping[str, Any]) -> str:
    """Compliant rules of a day in percent of those with a result."""
    return percent(day["compliant"], day["compliant"] + day["broken"])


def rule_days(facts: Facts) -> Sequence[Mapping[str, Any]]:
    """The days on which rules had a result."""
    days = (facts["compliance"] or {}).get("days") or ()
    return [
        day | {"compliant": day["compliant"] or 0, "broken": day["broken"] or 0}
        for day in days
        if day["compliant"] or day["broken"]
    ]


def security_sections(facts: Facts) -> Iterator[Section]:
    """Findings, compliance and hygiene."""
    yield findings_section(facts)
    yield compliance_section(facts)


def findings_section(facts: Facts) -> Section:
    """Open findings by account and severity, and the most frequent critical ones."""
    found = facts["findings"] or {}
    accounts = [
        [
            (row["name"], row["account_id"])
            if row["account_id"]
            else (things(row["things"], "other account"), ""),
            *(row[key] for key, _ in SEVERITIES),
        ]
        for row in found.get("accounts") or ()
    ]
    total = found.get("total")
    if accounts and total:
        accounts.append([("All accounts", ""), *(total[key] for key, _ in SEVERITIES)])
    charts, trend = findings_trend(facts["history"] or ())
    severities = [Column(label, "count") for _, label in SEVERITIES]
    return Section(
        "findings", "Open findings", f"As of {moment(facts['now'])} UTC", "No open findings.",
        charts,
        tables=[
            Table("By account and severity", [Column("Account", "account"), *severities], accounts),
            Table("Hygiene", [
                Column("Problem"), Column("Resources", "count"), Column("Accounts", "count"),
            ], [
                [row["problem"], row["things"], row["accounts"]] for row in facts["hygiene"] or ()
            ]),
            Table("Most frequent critical findings", [
                Column("Finding"), Column("Source"), Column("Findings", "count"),
                Column("Accounts", "count"), Column("Oldest, days", "count"),
                Column("With a fix", "count"),
            ], [
                [row["title"], row["source"], row["findings"], row["accounts"], row["age_days"],
                 row["fixable"]]
                for row in found.get("critical") or ()
            ], wide=True),
            *trend,
        ],
        note="Security Hub, GuardDuty and Inspector, each finding once."
        " Lower: low, informational, or not rated.",
    )  # fmt: skip


def findings_trend(days: Sequence[Mapping[str, Any]]) -> tuple[list[Chart], list[Table]]:
    """Open findings of each day by severity, and the table that the bars show."""
    if not days:
        return [], []
    title = f"Open findings by severity, {period(days[0]['day'], days[-1]['day'])}"
    shown = SEVERITIES[:3]
    series = [(key, label, [float(day[key]) for day in days]) for key, label in shown]
    chart = stacked_bars(title, [short_day(day["day"]) for day in days], series, count, count)
    columns = [
        Column("Day", "day"), *(Column(label, "count") for _, label in SEVERITIES),
        Column("Accounts", "count"),
    ]  # fmt: skip
    rows = [
        [day["day"], *(day[key] for key, _ in SEVERITIES), day["accounts"]]
        for day in reversed(days)
    ]
    note = "An account whose findings could not be read is not counted on that day."
    return [chart], [Table("Findings per day", columns, rows, note, folded=True)]


def compliance_section(facts: Facts) -> Section:
    """Compliance over time, and the rules that most resources break."""
    days = rule_days(facts)
    charts: list[Chart] = []
    if days:
        title = f"Rules complied with, {period(days[0]['day'], days[-1]['day'])}"
        values = [100 * day["compliant"] / (day["compliant"] + day["broken"]) for day in days]
        labels = [short_day(day["day"]) for day in days]
        series = [("0", "compliant rules", values)]
        bounds = (max(0.0, min(values) // 10 * 10 - 10), 100.0)
        charts = [lines(title, labels, series, lambda value: f"{value:.0f} %", bounds)]
    rules = [
        [row["rule"], row["resources"], row["accounts"]]
        for row in (facts["compliance"] or {}).get("rules") or ()
    ]
    per_day = [
        [day["day"], share(day), day["compliant"], day["broken"], day["accounts"]]
        for day in reversed(days)
    ]
    return Section(
        "compliance", "Compliance",
        f"Rules up to {short_day(days[-1]['day'])}; resources as of {moment(facts['now'])} UTC"
        if days else "",
        "AWS Config has told of no rules yet.", charts,
        [
            Table("Rules that most resources break", [
                Column("Rule"), Column("Resources", "count"), Column("Accounts", "count"),
            ], rules),
            Table("Values per day", [
                Column("Day", "day"), Column("Complied with", "figure"),
                Column("Compliant rules", "count"), Column("Broken rules", "count"),
                Column("Accounts", "count"),
            ], per_day, folded=True),
        ],
    )  # fmt: skip
