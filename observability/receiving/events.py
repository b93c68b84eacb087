"""The objects that an event names, in whichever envelopes of AWS it comes.

    S3 notification    Records[].s3, keys URL-encoded; a test event names nothing
    SQS                Records[].body, or by EventBridge Pipes a list of such records
    SNS                Records[].Sns.Message, or {Type: Notification, Message} in a queue
    EventBridge        detail.bucket and detail.object; CloudTrail's detail.requestParameters
    Lambda's failures  requestPayload, what a destination is sent of an event that failed

Forms: docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
ev-events.html, /lambda/latest/dg/with-sns.html, with-sqs.html and invocation-async-retain-records
.html, /eventbridge/latest/userguide/eb-pipes-sqs.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from observability.log import log_event, printable
from observability.receiving.result import FileStatus

DEEPEST = 16  # objects, lists and texts in one another; an envelope has up to three
WITHIN = ("requestPayload", "Records", "Sns", "body", "detail")
"""Members that hold what an envelope carries; the first that is there is it."""
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


@dataclass(frozen=True)
class ObjectName:
    """An object in S3."""

    bucket: str
    key: str


@dataclass(frozen=True)
class NotUnderstood:
    """Something in an event that is neither an object nor a test, and what it is."""

    what: str


@dataclass
class Named:
    """What an event names: the keys to load, and whether all of it was understood."""

    keys: list[str]
    understood: bool


def unwrap(event: Any, depth: int = 0) -> Iterator[ObjectName | NotUnderstood]:
    """Everything that an event names, from whichever envelopes it is in."""
    if depth > DEEPEST:
        yield NotUnderstood("has too many envelopes")
    elif isinstance(event, str):
        try:
            inner = json.loads(event)
        except (ValueError, RecursionError):
            yield NotUnderstood("is no JSON")
        else:
            yield from unwrap(inner, depth + 1)
    elif isinstance(event, list) and event:
        for item in event:
            yield from unwrap(item, depth + 1)
    elif isinstance(event, dict) and event:
        yield from unwrap_object(event, depth)
    else:
        yield NotUnderstood("names nothing")


def unwrap_object(event: Mapping[str, Any], depth: int) -> Iterator[ObjectName | NotUnderstood]:
    if event.get("Event") == "s3:TestEvent":
        return
    if event.get("Type") in CONFIRMATIONS:
        yield NotUnderstood(f"is a subscription of {event.get('TopicArn')} to be confirmed")
    elif event.get("Type") == "Notification" and "Message" in event:
        yield from unwrap(event["Message"], depth + 1)
    elif named := object_named(event):
        yield named
    elif within := [event[name] for name in WITHIN if name in event]:
        yield from unwrap(within[0], depth + 1)
    else:
        yield NotUnderstood(f"has only {', '.join(sorted(map(str, event))[:10])}")


def object_named(event: Mapping[str, Any]) -> ObjectName | None:
    """The object of a record of S3, of EventBridge's detail, or of CloudTrail's."""
    record, call = event.get("s3"), event.get("requestParameters")
    if isinstance(record, dict):
        named = name_in(record)
        return named and ObjectName(named.bucket, unquote_plus(named.key))
    if isinstance(call, dict) and isinstance(call.get("bucketName"), str):
        return name_in({"bucket": {"name": call["bucketName"]}, "object": call})
    return name_in(event)


def name_in(place: Mapping[str, Any]) -> ObjectName | None:
    """The name in {bucket: {name}, object: {key}}."""
    holder, thing = place.get("bucket"), place.get("object")
    if not isinstance(holder, dict) or not isinstance(thing, dict):
        return None
    bucket, key = holder.get("name"), thing.get("key")
    return ObjectName(bucket, key) if isinstance(bucket, str) and isinstance(key, str) else None


def read_event(event: Any, bucket: str, what: str) -> Named:
    """The keys under data/ that an event names; says what it is that it does not understand."""
    named = Named([], True)
    for found in unwrap(event):
        if isinstance(found, NotUnderstood):
            named.understood = False
            about = printable(f"{what} {found.what}: it names no object")
            log_event("FAIL", about, outcome=FileStatus.FAILED.value)
        elif is_ours(found, bucket):
            named.keys.append(found.key)
    return named


def is_ours(named: ObjectName, bucket: str) -> bool:
    """Whether an object is one to load; says why if not."""
    ours = named.bucket == bucket and named.key.startswith("data/")
    if not ours:
        why = "it is not under data/" if named.bucket == bucket else f"the bucket is not {bucket}"
        log_event("INFO", printable(f"s3://{named.bucket}/{named.key} is ignored: {why}"))
    return ours


def messages_of(event: Any) -> Sequence[Mapping[str, Any]]:
    """The messages of SQS that an event is, each of which may be returned by itself; else none."""
    records = event.get("Records") if isinstance(event, dict) else event
    if not isinstance(records, list) or not all(map(is_message, records)):
        return []
    return records


def is_message(record: Any) -> bool:
    return isinstance(record, dict) and {"messageId", "body"} <= record.keys()


def is_sweep(event: Any) -> bool:
    """Whether an event asks for all that waits: a schedule's, or one without anything in it."""
    return not event or (isinstance(event, dict) and event.get("detail-type") == "Scheduled Event")


def returned(names: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """SQS's partial batch response: the messages to deliver again."""
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}
