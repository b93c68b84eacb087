"""logs: rows of logs, log_messages."""

from __future__ import annotations

from observability.database.tables import Kind, Parent, Table
from observability.database.values import as_text
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Part, Parts, Row


def load_logs_data(parts: Parts) -> Loaded:
    """logs and its log_messages, which keep their order."""
    texts: list[tuple[str, str, str]] = []
    for part in parts:
        if part.path == "logs.message" and not part.opened:
            texts += [(part.where, *text) for text in message_texts(part)]
        elif part.path == "logs":
            key = {"date_created": part.value.get("date_created")}
            yield Row("logs", part.where, part.value)
            yield Complete("logs", key)
            yield Complete("log_messages", key)
            for position, (where, kind, text) in enumerate(texts):
                message = {"position": position, "message_type": kind, "message": text}
                yield Row("log_messages", where, {**message, **key})


def message_texts(part: Part) -> list[tuple[str, str]]:
    """A message is an object of one or more `type: text`, or a text of type INFO."""
    if isinstance(part.value, str):
        return [("INFO", part.value)]
    return [(kind, as_text(text)) for kind, text in part.value.items()]


LOADER = Loader(
    category="logs",
    function=load_logs_data,
    rows=("logs.message",),
    tables=(
        Table("logs", Kind.PERIOD, ("date_created",)),
        Table(
            "log_messages",
            Kind.PART,
            ("log_id",),
            Parent("logs", "log_id", {"date_created": "date_created"}),
        ),
    ),
)
