"""The objects that an event names, in whichever envelopes of AWS it comes.

    S3 notification    Records[].s3, keys URL-encoded; a test event names nothing
    SQS                Records[].body, or by EventBridge Pipes a list of such records
    Kinesis            Records[].kinesis.data in base64, by Pipes a list of records with data
    SNS                Records[].Sns.Message, or {Type: Notification, Message} in a queue; a message
                       with MessageStructure json is {default: …}
    EventBridge        detail.bucket and detail.object; CloudTrail's detail.requestParameters;
                       GuardDuty's scan of an object, detail.s3ObjectDetails
    S3 Batch           tasks[] of s3BucketArn or s3Bucket, and s3Key, URL-encoded
    Lambda's failures  requestPayload, what a destination is sent of an event that failed

Forms: docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
ev-events.html and batch-ops-invoke-lambda.html, /lambda/latest/dg/with-sns.html, with-sqs.html,
with-kinesis.html and invocation-async-retain-records.html, /eventbridge/latest/userguide/
eb-pipes-sqs.html and eb-pipes-kinesis.html, /sns/latest/dg/sns-message-attributes.html,
/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from observability.log import log_event, printable
from observability.receiving.result import FileResult, FileStatus
from observability.rows import get_path
from observability.settings.history import is_of_sample

DEEPEST = 16  # objects, lists and texts in one another; an envelope has up to three
WITHIN = (
    "requestPayload", "Records", "tasks", "Sns", "kinesis", "body", "data", "detail", "default",
)  # fmt: skip
"""Members that hold what an envelope carries; the first that is there is it."""
IN_BASE64 = ("data",)
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


@dataclass(frozen=True)
class ObjectName:
    """An object in S3; `etag` and `size` tell which version an event is about, where it does."""

    bucket: str
    key: str
    etag: str = field(default="", compare=False)
    size: int = field(default=0, compare=False)


@dataclass(frozen=True)
class NotUnderstood:
    """Something in an event that is neither an object nor a test, and what it is."""

    what: str


@dataclass
class Named:
    """What an event names: the objects to load, and whether all of it was understood."""

    objects: list[ObjectName]
    understood: bool

    @property
    def keys(self) -> list[str]:
        return [named.key for named in self.objects]


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
    elif within := next((name for name in WITHIN if name in event), ""):
        part = event[within]
        yield from unwrap(decoded(part) if within in IN_BASE64 else part, depth + 1)
    else:
        yield NotUnderstood(
            f"has only {', '.join(str(n)[:60] for n in sorted(event, key=str)[:10])}"
        )


def decoded(part: Any) -> Any:
    """The text that is held in base64; what is none is left as it is, and then no JSON."""
    try:
        return base64.b64decode(part, validate=True).decode()
    except (TypeError, ValueError):
        return part


PLACES: tuple[tuple[str, str, str, bool], ...] = (
    ("s3", "bucket.name", "object.key", True),
    ("", "s3BucketArn", "s3Key", True),
    ("", "s3Bucket", "s3Key", True),
    ("requestParameters", "bucketName", "key", False),
    ("s3ObjectDetails", "bucketName", "objectKey", False),
    ("", "bucket.name", "object.key", False),
)
"""Where an object's names are: the member, bucket and key in it, and whether the key is encoded."""


def object_named(event: Mapping[str, Any]) -> ObjectName | None:
    """The object that a record, a detail or a task is about."""
    for place, *names, encoded in PLACES:
        part = event.get(place) if place else event
        bucket, key = (get_path(part, str(name)) for name in names)
        if isinstance(bucket, str) and isinstance(key, str):
            name = unquote_plus(key) if encoded else key
            return ObjectName(bucket.rpartition(":::")[2], name, *version_of(part))
    return None


def version_of(part: Any) -> tuple[str, int]:
    """ETag and size of the object in a record of S3 (eTag) or EventBridge (etag), if they tell."""
    etag = get_path(part, "object.eTag") or get_path(part, "object.etag")
    size = get_path(part, "object.size")
    known = isinstance(etag, str) and type(size) is int
    return (etag, size) if known else ("", 0)


def read_event(event: Any, bucket: str, what: str) -> Named:
    """The objects under data/ that an event names; says what it is that it does not understand."""
    named = Named([], True)
    for found in unwrap(event):
        if isinstance(found, NotUnderstood):
            named.understood = False
            about = printable(f"{what} {found.what}: it names no object")
            log_event("FAIL", about, outcome=FileStatus.FAILED.value)
        elif is_ours(found, bucket):
            named.objects.append(found)
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
    """Whether an event asks for all that waits: a schedule's, the sample's, or an empty one."""
    scheduled = isinstance(event, dict) and event.get("detail-type") == "Scheduled Event"
    return not event or scheduled or is_of_sample(event)


def returned(names: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """SQS's partial batch response: the messages to deliver again."""
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}


# ---- S3 Batch Operations ----

BATCH_RESULTS = {
    FileStatus.LOADED: "Succeeded",
    FileStatus.VANISHED: "Succeeded",
    FileStatus.DEFERRED: "TemporaryFailure",
}
"""What a task's result is; of what needs somebody it is PermanentFailure."""


def is_batch(event: Any) -> bool:
    """Whether an event is an invocation of S3 Batch Operations, which wants its own answer."""
    return isinstance(event, dict) and {"invocationId", "tasks"} <= event.keys()


def batch_answer(
    event: Mapping[str, Any], names: Mapping[str, Named], results: Iterable[FileResult]
) -> dict[str, Any]:
    """The answer to S3 Batch Operations, a result per task; `names` is by task.

    docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
    """
    by_key = {result.key: result for result in results}
    answers = []
    for task, named in names.items():
        found = [by_key[key] for key in named.keys if key in by_key]
        code = BATCH_RESULTS.get(found[-1].status, "PermanentFailure") if found else ""
        text = "; ".join(found[-1].reasons[:3]) if found else "it names no object under data/"
        answers.append(
            {"taskId": task, "resultCode": code or "PermanentFailure", "resultString": text[:900]}
        )
    return {
        "invocationSchemaVersion": event.get("invocationSchemaVersion", "1.0"),
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": event["invocationId"],
        "results": answers,
    }
