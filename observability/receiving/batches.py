"""Events that are batches: each of their parts has an answer of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from observability.receiving.events import Named, ObjectName, batch_answer, read_event, returned
from observability.receiving.result import SETTLED, FileResult

Load = Callable[[Iterable[ObjectName]], list[FileResult]]


def load_messages(messages: Iterable[Mapping[str, Any]], bucket: str, load: Load) -> dict[str, Any]:
    """Load what SQS messages tell of; the partial batch response names those to deliver again."""
    read = {
        message["messageId"]: read_event(message["body"], bucket, f"message {message['messageId']}")
        for message in messages
    }
    results = load(objects_of(read.values()))
    again = {result.key for result in results if result.status not in SETTLED}
    return returned(m for m, n in read.items() if not n.understood or again.intersection(n.keys))


def load_tasks(event: Mapping[str, Any], bucket: str, load: Load) -> dict[str, Any]:
    """Load what the tasks of S3 Batch Operations name; its answer has a result of each."""
    tasks = {str(task["taskId"]): task for task in event["tasks"]}
    named = {name: read_event(task, bucket, f"task {name}") for name, task in tasks.items()}
    return batch_answer(event, named, load(objects_of(named.values())))


def objects_of(events: Iterable[Named]) -> list[ObjectName]:
    """What several events name."""
    return [named for event in events for named in event.objects]
