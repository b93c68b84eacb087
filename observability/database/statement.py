"""What a statement of a document is given, as parameters: see `run_steps` in schema.sql.

They are values and no columns of a row to join, so that PostgreSQL has less to plan: for small
documents, planning is most of the work.
"""

from __future__ import annotations

from observability.database.tables import Kind, Table

DOCUMENT = "$1"
"""documents.id"""
ROWS = "$2"
"""The rows as JSON: an array of a value per field for each."""
SCOPES = "$3"
"""The periods or parents that the document states the whole of, as JSON objects."""
ACCOUNT = "$4"
"""documents.account_id"""
DAY_ORDER, TIME_ORDER = "$5", "$6"
COLLECTED_AT = "$7"
WITH_META = "$8"
CHUNKS = "$9"
"""Which rows of a batch are chunks of the document's text (`database.chunks`)."""

NONE = "CAST(0 AS bigint)"
"""A count of none."""

NOTHING_DUE = f"SELECT {NONE}, '', CAST(ARRAY[] AS text[]) WHERE NOT EXISTS (SELECT FROM due)"
"""How a shorter way ends that answers if there is nothing to write (`unchanged` in `run_steps`)."""

SAME_ACCOUNT = f"(SELECT {ACCOUNT})"
"""The account where rows of it are joined with others.

Of a value the planner would look up in its statistics how many rows there are. Those know nothing
yet of an account whose first document is large: it would compare all its rows with all others.
"""

GIVEN = {"collected_at": COLLECTED_AT}
"""Columns of the document's own row that may stand for a field (`Table.defaults`)."""


def order_of(table: Table) -> str:
    """By which the newer of two documents d is known.

    What belongs to another row is stated by documents with meta before those without.
    """
    if table.kind is Kind.PART and table.by_day:
        return "CASE WHEN d.with_meta THEN d.day_order ELSE d.time_order END"
    return f"d.{table.order}"


def own_order(table: Table) -> str:
    """The same of the document itself: `sort_key` of its listings."""
    day, time = DAY_ORDER, TIME_ORDER
    if table.kind is Kind.PART and table.by_day:
        return f"CASE WHEN {WITH_META} THEN {day} ELSE {time} END"
    return day if table.by_day else time


def given(table: Table, alias: str, name: str) -> str:
    """A field of incoming rows called `alias`, or what the document's own row has in its place."""
    value = f'{alias}."{name}"'
    return f"coalesce({value}, {GIVEN[table.defaults[name]]})" if name in table.defaults else value
