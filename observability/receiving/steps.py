"""The steps of a document: statements with their rows, and how many of them a request takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from observability.database.catalogue import TableSchema
from observability.database.kept import digest
from observability.database.merge import values_sql
from observability.receiving.casting import encode, room_after, size_in_request


@dataclass(frozen=True)
class Step:
    """A statement of a document, with its rows and scopes as JSON texts."""

    table: str  # whose counters its counts go to
    sql: str
    rows: str
    rows_count: int
    schema: TableSchema
    scopes: str = "[]"
    first: str = ""  # does the same where the account has nothing yet
    unchanged: str = ""  # does the same where nothing has changed, or answers nothing
    without_meta: bool = False  # needed only beside documents without meta
    carried: bool = False  # the request contains the statement: the database need not keep it

    def by_itself(self) -> Step:
        """The same without anything that the database would have to keep."""
        return replace(self, first="", unchanged="", carried=True)

    @property
    def statements(self) -> list[str]:
        """What the database has to keep of it."""
        return [sql for sql in (self.sql, self.first, self.unchanged) if sql and not self.carried]

    @cached_property
    def text(self) -> str:
        about: dict[str, Any] = {"table": self.table, "total": self.rows_count}
        about["sql"] = self.sql if self.carried else digest(self.sql)
        for name, sql in (("first", self.first), ("unchanged", self.unchanged)):
            about |= {name: digest(sql)} if sql else {}
        about |= {"without_meta": True} if self.without_meta else {}
        return f'{encode(about)[:-1]},"rows":{self.rows},"scopes":{self.scopes}}}'

    @property
    def values(self) -> str:
        """The same without writing: its values are cast, and no more."""
        return replace(self.by_itself(), sql=values_sql(self.schema), scopes="[]").text


def in_requests(steps: Iterable[Step], early: bool) -> Iterator[tuple[list[Step], bool]]:
    """Steps in order, as many at once as one request has room for, and whether it is the last."""
    taken: list[Step] = []
    size = made = 0
    for step in steps:
        more = size_in_request(step.text)
        if taken and size + more > room_after(made, early):
            yield taken, False
            taken, size, made = [], 0, made + 1
        taken.append(step)
        size += more
    yield taken, True
