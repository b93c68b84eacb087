"""What a table declares beside its columns: how its rows are merged (contract, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

PERSONAL: Mapping[str, tuple[str, ...]] = {
    "account_overview": ("account_email",),
    "accounts": ("account_email",),
    "alternate_contacts": (),
    "contact_info": (),
    "lists": ("digest",),
    "support_tickets": ("subject", "submitted_by"),
}
"""What readers do not see of tables and views: these columns, or where none is named all of it.
Nor may they see it in `changes`."""


class Kind(Enum):
    """What a table's rows mean, hence which document decides and what an absence means."""

    SNAPSHOT = "what exists now: the newest day decides, what it lacks is marked gone"
    PERIOD = "facts of a period: the last collected decides, what it lacks is deleted"
    PART = "belongs to its parent row and is replaced with it"
    EVENT = "keyed by AWS's identifier: the later update time replaces, absence means nothing"
    OWNER = "what other rows hang on; a statement of its own"


@dataclass(frozen=True)
class Parent:
    """The row that a row hangs on: found by `fields`, its id kept in `column`."""

    table: str
    column: str
    fields: Mapping[str, str]  # field of the incoming row → column of the parent
    by_name: bool = False  # found by its name whatever the case, not within the account


@dataclass(frozen=True)
class Table:
    """How one table is merged; its columns, types and key come from the catalogue."""

    name: str
    kind: Kind
    scope: tuple[str, ...] = ()  # columns that delimit what one listing covers
    parent: Parent | None = None
    by_day: bool = False  # documents are ordered by the day they cover (snapshots and parts)
    version: str | None = None  # EVENT: the column with AWS's update time
    aws_times: tuple[str, ...] = ()  # created_at / updated_at that are AWS's, not ours
    ours: tuple[str, ...] = ()  # columns that a row of the document does not fill
    fields: tuple[str, ...] = ()  # the only columns that it fills, if not all
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Fields that are a column of the document's own row where it does not say them."""

    stored_in: str = ""  # the table, where it is not the one of this name
    late: bool = False  # loaded after other tables: accounts share it, so it is locked shortly
    category: str = ""  # its loader's
    path: str = ""  # of its rows in the document, if not the category: what must be complete there
    chunked: str = ""  # the path of its rows, if their chunks are passed over (`database.chunks`)
    derived: str = ""  # PERIOD: of its rows t, those that follow from others: no listing ends them
    gone_value: tuple[str, str] | None = None  # a column and what it says once the thing is gone
    moving: tuple[str, ...] = ()  # columns that move all the time: a new value is no change

    @property
    def order(self) -> str:
        """The column of documents by which the newer of two documents is known."""
        return "day_order" if self.by_day else "time_order"


def snapshot(name: str, **more: Any) -> Table:
    """A table of what exists now."""
    return Table(name, Kind.SNAPSHOT, by_day=True, **more)
