"""The part of the report about what comes, what changed, and how well accounts deliver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from observability.reading.report.facts import Facts
from observability.reading.report.model import Column, Section, Table, Tile
from observability.reading.report.queries import PARAMETERS
from observability.reading.report.words import count, day, moment, things

DELIVERIES = (
    ("never", "never delivered"),
    ("silent", "silent for two days"),
    ("failing", "a category fails"),
    ("incomplete", "no complete document for two days"),
    ("complete", "complete"),
)


def operations_tiles(facts: Facts) -> Iterator[Tile]:
    """How many accounts do not deliver as they should."""
    found = facts["delivery"] or {}
    states = found.get("delivery") or {}
    late = sum(number for state, number in states.items() if state != "complete")
    yield Tile(
        "Accounts that are late", count(late), f"of {things(found.get('accounts'), 'account')}",
        f"{moment(facts['now'])} UTC", "bad" if late else "good",
    )  # fmt: skip


def operations_sections(facts: Facts) -> Iterator[Section]:
    """What comes, what changed, data health."""
    yield coming_section(facts)
    yield changes_section(facts)
    yield health_section(facts)


def coming_section(facts: Facts) -> Section:
    """What happens in the next days."""
    found = facts["coming"] or {}
    columns = [
        Column("When", "day"), Column("What"), Column("Resource"), Column("Account", "account"),
        Column("Detail"),
    ]  # fmt: skip
    rows = [
        [row["due_at"], row["event"], row["resource"], holder(row), row["detail"]]
        for row in found.get("next") or ()
    ]
    kinds = [[row["event"], row["things"], row["first_at"]] for row in found.get("kinds") or ()]
    return Section(
        "coming", "What will happen",
        f"Next {PARAMETERS['horizon']} days, seen at {moment(facts['now'])} UTC",
        f"Nothing is known to happen in the next {PARAMETERS['horizon']} days.",
        tables=[
            Table("Next", columns, rows, wide=True),
            Table("In all", [Column("What"), Column("Number", "count"), Column("First", "day")],
                  kinds),
        ],
    )  # fmt: skip


def holder(row: Mapping[str, Any]) -> tuple[str, str]:
    """The account that something is about, or how many they are."""
    if row["accounts"] > 1:
        return things(row["accounts"], "account"), ""
    return row["name"], row["account_id"]


CHANGES = (
    ("created", "Created"), ("updated", "Updated"), ("gone", "Gone"), ("returned", "Returned"),
)  # fmt: skip


def changes_section(facts: Facts) -> Section:
    """What changed since yesterday."""
    found = facts["changes"]
    empty = "Nothing changed." if found else "No history yet: what changes is told from now on."
    found = found or {}
    things_changed = [
        [
            (row["name"], row["account_id"]),
            row["change"],
            kind_of(row["kind"]),
            row["thing"],
            kind_of(row["columns"] or ""),
        ]
        for row in found.get("things") or ()
    ]
    counted = [
        [kind_of(row["name"]), *(row[key] for key, _ in CHANGES), row["accounts"]]
        for row in found.get("tables") or ()
    ]
    columns = [
        Column("Account", "account"), Column("Change"), Column("Of"), Column("What"),
        Column("Columns"),
    ]  # fmt: skip
    newest = f"{moment(found['newest'])} UTC" if found.get("newest") else ""
    return Section(
        "changes", "What changed since yesterday",
        f"Collected in the 24 hours up to {newest}", empty,
        tables=[
            Table("Things", columns, things_changed, wide=True),
            Table("All changes", [
                Column("Of"), *(Column(label, "count") for _, label in CHANGES),
                Column("Regions of accounts", "count"),
            ], counted),
        ],
        note="What AWS restates, such as costs of the last days, is among all changes.",
    )  # fmt: skip


def kind_of(name: str) -> str:
    """The name of a table or column in words."""
    return name.replace("_", " ")


def health_section(facts: Facts) -> Section:
    """Who does not deliver, and what fails since when."""
    found = facts["delivery"] or {}
    states = found.get("delivery") or {}
    late = [
        [
            (row["name"], row["account_id"]),
            dict(DELIVERIES).get(row["delivery"], row["delivery"]),
            row["last_document_at"],
            row["last_complete_at"],
            ", ".join(f"{c} since {day(s)}" for c, s in (row["failing_since"] or {}).items()),
        ]
        for row in found.get("late") or ()
    ]
    return Section(
        "health", "Data health", f"As of {moment(facts['now'])} UTC", "No account is known yet.",
        tables=[
            Table("Delivery", [Column("Accounts", "count"), Column("State")],
                  [[states[key], label] for key, label in DELIVERIES if key in states]),
            Table("Categories that fail", [Column("Category"), Column("Accounts", "count")],
                  [[row["category"], row["accounts"]] for row in found.get("failing") or ()]),
            Table("Accounts that are late", [
                Column("Account", "account"), Column("State"), Column("Last document", "time"),
                Column("Last complete", "time"), Column("Fails"),
            ], late),
        ],
    )  # fmt: skip
