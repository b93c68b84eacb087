"""What a dashboard is made of: datasets, charts and rows of charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DATE, NUMBER, TEXT, TIME = "DATE", "NUMERIC", "TEXT", "TIMESTAMP"


@dataclass(frozen=True)
class Column:
    """A column of a dataset.

    Args:
        expression: what it is in the view; an aggregate in `Dataset.measures`.
        kind: the type as Superset calls it.
    """

    expression: str
    kind: str = TEXT


def day(expression: str = "day") -> Column:
    """A day, which charts may have as their time axis."""
    return Column(expression, DATE)


def text(expression: str, longest: int = 160) -> Column:
    """A text of bounded length, as an answer of the Data API has at most 1 MiB."""
    return Column(f"left({expression}, {longest})")


def number(expression: str) -> Column:
    """An aggregate that is a number."""
    return Column(expression, NUMBER)


ACCOUNT: Mapping[str, Column] = {
    "account": Column("concat_ws(' ', left(account_name, 80), account_id)"),
    "customer": text("coalesce(customer_name, 'none')", 80),
}
"""What each dataset is grouped by. Two accounts may have one name, so the number is in the text."""


@dataclass(frozen=True)
class Dataset:
    """A query that groups the rows of one view.

    Args:
        view: the view that it reads.
        about: what a row is.
        by: the columns that it groups by, beside ACCOUNT.
        measures: the aggregates.
        joined: what is joined to the view, if anything.
        where: which rows count; empty: all.
    """

    name: str
    view: str
    about: str
    by: Mapping[str, Column]
    measures: Mapping[str, Column]
    joined: str = ""
    where: str = ""

    @property
    def columns(self) -> dict[str, Column]:
        """All columns, in order."""
        return {**ACCOUNT, **self.by, **self.measures}

    @property
    def sql(self) -> str:
        """The query. It has no colon and no percent sign, which drivers take for parameters."""
        groups = {**ACCOUNT, **self.by}
        listed = ",\n       ".join(
            f"{column.expression} AS {name}" for name, column in self.columns.items()
        )
        where = f"\nWHERE {self.where}" if self.where else ""
        places = ", ".join(map(str, range(1, len(groups) + 1)))
        return f"SELECT {listed}\nFROM {self.view}{self.joined}{where}\nGROUP BY {places}"


@dataclass(frozen=True)
class Metric:
    """What a chart measures: an aggregate over the dataset's columns, and its label."""

    label: str
    sql: str


@dataclass(frozen=True)
class Chart:
    """A chart.

    Args:
        kind: the chart's type as Superset calls it (`viz_type`).
        by: the columns that it groups by.
        where: which rows count; empty: all.
        options: further settings, in Superset's words (`params` of its export).
    """

    title: str
    dataset: Dataset
    kind: str
    metrics: tuple[Metric, ...]
    by: tuple[str, ...] = ()
    where: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dashboard:
    """A dashboard for one reader.

    Args:
        slug: its name in an address.
        rows: the charts, and the width of each in twelfths of a row.
        filters: the column that a filter takes its values from, by the filter's name.
        colors: the color of a series by its name.
    """

    title: str
    slug: str
    about: str
    rows: tuple[tuple[tuple[Chart, int], ...], ...]
    filters: Mapping[str, tuple[Dataset, str]] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)

    @property
    def charts(self) -> list[Chart]:
        """All charts, in order."""
        return [chart for row in self.rows for chart, _width in row]
