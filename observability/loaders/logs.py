"""logs: rows of logs, log_messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from observability.contract import STATUSES
from observability.database.tables import Kind, Parent, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Fault, Loaded, Part, Parts, Row, Waiting


def load_logs_data(parts: Parts) -> Loaded:
    """logs and its log_messages, which keep their order; `logs` may be a list of such."""
    texts: list[tuple[str, str, Any]] = []
    waiting = Waiting("logs.message")
    for part in parts:
        if part.path == "logs.message" and not part.opened:
            waiting.add(part.size)
            texts += [(part.where, *text) for text in message_texts(part)]
        elif part.path == "logs":
            if not part.value:
                continue
            key = {"date_created": part.value.get("date_created")}
            wrong = {name: None for name, value in statuses(part) if value not in STATUSES}
            for name in wrong:
                yield Fault("logs", f"{part.where}.{name} is none of Pass, Fail, Skipped", name)
            yield Row("logs", part.where, {**part.value, **wrong})
            yield Complete("logs", key)
            yield Complete("log_messages", key)
            for position, (where, kind, text) in enumerate(texts):
                message = {"position": position, "message_type": kind, "message": text}
                yield Row("log_messages", where, {**message, **key})
            texts = []


def statuses(part: Part) -> Iterator[tuple[str, Any]]:
    """The statuses that are said, by column."""
    found = ((name, value) for name, value in part.value.items() if name.endswith("_status"))
    return ((name, value) for name, value in found if value is not None)


def message_texts(part: Part) -> list[tuple[str, Any]]:
    """A message is an object of one or more `type: text`, or a text of type INFO."""
    if isinstance(part.value, str):
        return [("INFO", part.value)]
    return [*part.value.items()]


LOADER = Loader(
    category="logs",
    function=load_logs_data,
    rows=("logs", "logs.message"),
    tables=(
        Table("logs", Kind.PERIOD, ("date_created",), defaults={"date_created": "collected_at"}),
        Table(
            "log_messages",
            Kind.PART,
            ("log_id",),
            Parent("logs", "log_id", {"date_created": "date_created"}),
            defaults={"date_created": "collected_at"},
        ),
    ),
)
