"""The objects that events name, in every envelope that AWS documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

import receiver
from observability.receiving.events import (
    NotUnderstood,
    ObjectName,
    is_sweep,
    messages_of,
    read_event,
    unwrap,
)
from tests import documents
from tests.documents import document
from tests.lambda_runtime import Context
from tests.warehouse import Warehouse

BUCKET, KEY = "documents", "data/1 1/a+b/ä.json"
ENCODED = "data/1+1/a%2Bb/%C3%A4.json"
Json = Any


def record(bucket: str = BUCKET, key: str = ENCODED) -> Json:
    """A record of S3's notification."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "size": 1, "eTag": "e", "sequencer": "0"},
        },
    }


def s3(*keys: str) -> Json:
    return {"Records": [record(key=key) for key in keys or (ENCODED,)]}


def eventbridge(key: str = KEY) -> Json:
    return {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {"version": "0", "bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}},
    }


def cloudtrail() -> Json:
    return {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "detail": {
            "eventSource": "s3.amazonaws.com",
            "eventName": "PutObject",
            "requestParameters": {"bucketName": BUCKET, "key": KEY},
        },
    }


def sqs(*bodies: Json) -> Json:
    return {"Records": pipes(*bodies)}


def pipes(*bodies: Json) -> Json:
    return [
        {
            "messageId": f"m{number}",
            "body": body if isinstance(body, str) else json.dumps(body),
            "eventSource": "aws:sqs",
        }
        for number, body in enumerate(bodies)
    ]


def notification(message: Json) -> Json:
    """What SNS puts into a queue."""
    return {
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:uploads",
        "Subject": "Amazon S3 Notification",
        "Message": json.dumps(message),
    }


def sns(message: Json) -> Json:
    """What SNS hands to a function."""
    return {"Records": [{"EventSource": "aws:sns", "Sns": notification(message)}]}


def packed(event: Json) -> str:
    """As Kinesis carries it."""
    return base64.b64encode(json.dumps(event).encode()).decode()


def kinesis(event: Json) -> Json:
    """What Lambda reads from a stream."""
    record = {"kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": "49", "data":
              packed(event), "approximateArrivalTimestamp": 1.5}  # fmt: skip
    return {"Records": [{"kinesis": record, "eventSource": "aws:kinesis", "eventVersion": "1.0"}]}


def pipes_of_kinesis(event: Json) -> Json:
    """What a pipe reads from a stream: the record and its source in one object."""
    record = {"kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": "49"}
    return [{**record, "data": packed(event), "eventSource": "aws:kinesis", "eventID": "s:49"}]


def scan(key: str = KEY, status: str = "NO_THREATS_FOUND") -> Json:
    """What GuardDuty says of an object that it has scanned."""
    details = {"bucketName": BUCKET, "objectKey": key, "eTag": "e", "s3Throttled": False}
    return {
        "version": "0",
        "detail-type": "GuardDuty Malware Protection Object Scan Result",
        "source": "aws.guardduty",
        "detail": {
            "schemaVersion": "1.0",
            "scanStatus": "COMPLETED",
            "resourceType": "S3_OBJECT",
            "s3ObjectDetails": details,
            "scanResultDetails": {"scanResultStatus": status, "threats": None},
        },
    }


def batch(*keys: str, schema: str = "1.0", bucket: str = BUCKET) -> Json:
    """What S3 Batch Operations hands to a function."""
    place = {"s3BucketArn": f"arn:aws:s3:::{bucket}"} if schema == "1.0" else {"s3Bucket": bucket}
    tasks = [
        {"taskId": f"t{n}", "s3Key": key, "s3VersionId": None, **place}
        for n, key in enumerate(keys or (ENCODED,))
    ]
    return {
        "invocationSchemaVersion": schema,
        "invocationId": "i",
        "job": {"id": "j", "userArguments": {}},
        "tasks": tasks,
    }


def failure(event: Json) -> Json:
    """What Lambda sends to the destination of failures."""
    context = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}
    return {"version": "1.0", "requestContext": context, "requestPayload": event}


ENVELOPES: dict[str, Callable[[Json], Json]] = {
    "none": lambda event: event,
    "SQS": sqs,
    "SNS": sns,
    "SNS to SQS": lambda event: sqs(notification(event)),
    "Pipes": pipes,
    "Kinesis": kinesis,
    "Pipes of Kinesis": pipes_of_kinesis,
    "Pipes with Kinesis's data only": lambda event: [{"data": packed(event)}],
    "SNS with a structure by protocol": lambda event: sns({"default": json.dumps(event)}),
    "the same in a queue": lambda event: sqs(
        notification({"default": json.dumps(event), "sqs": json.dumps(event)})
    ),
    "Pipes of SNS": lambda event: pipes(notification(event)),
    "Pipes with the bodies only": lambda event: [json.dumps(event)],
    "Lambda's failures": failure,
    "Lambda's failures by SNS to SQS": lambda event: sqs(notification(failure(sns(event)))),
    "Lambda's failures by EventBridge": lambda event: {
        "source": "lambda",
        "detail-type": "Lambda Function Invocation Result - Failure",
        "detail": failure(event),
    },
}
EVENTS = {
    "S3": s3(),
    "EventBridge": eventbridge(),
    "EventBridge's detail": eventbridge()["detail"],
    "CloudTrail": cloudtrail(),
    "GuardDuty's scan": scan(),
    "S3 Batch Operations": batch(),
    "S3 Batch Operations, schema 2.0": batch(schema="2.0"),
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_every_envelope_is_unwrapped(envelope: Callable[[Json], Json], event: Json) -> None:
    assert list(unwrap(envelope(event))) == [ObjectName(BUCKET, KEY)]


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_a_test_event_names_nothing_and_is_fine(envelope: Callable[[Json], Json]) -> None:
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}
    assert list(unwrap(envelope(test))) == []


UNKNOWN: dict[str, Json] = {
    "another program's": {"hello": "world"},
    "no JSON": "hello",
    "a number": 5,
    "an empty object": {},
    "no record": {"Records": []},
    "a record without its object": {"Records": [{"s3": {"bucket": {"name": BUCKET}}}]},
    "a key that is no text": {"bucket": {"name": BUCKET}, "object": {"key": 1}},
    "a subscription": {"Type": "SubscriptionConfirmation", "TopicArn": "arn:t", "Message": "You"},
    "a task without its bucket": {"job": {"id": "1"}, "tasks": [{"s3Key": ENCODED}]},
    "data that are no base64": {"data": "a b"},
    "data that are no text": {"data": "/w=="},
    "Firehose's records": {"records": [{"recordId": "1", "data": ""}], "deliveryStreamArn": "a"},
    "members that are no texts": {"default": None},
    "a text in a text": json.dumps(json.dumps(json.dumps("x"))),
    "deep JSON": "[" * 100_000,
}


@pytest.mark.parametrize("envelope", [ENVELOPES[e] for e in ("SQS", "SNS", "Pipes")])
@pytest.mark.parametrize("event", UNKNOWN.values(), ids=UNKNOWN)
def test_what_names_no_object_is_not_taken_for_one(
    envelope: Callable[[Json], Json], event: Json
) -> None:
    [found] = unwrap(envelope(event))
    assert isinstance(found, NotUnderstood)


def test_envelopes_without_end_have_one() -> None:
    event: Json = s3()
    for _ in range(30):
        event = failure([event])
    [found] = unwrap(event)
    assert isinstance(found, NotUnderstood)


def test_objects_of_other_buckets_and_places_are_done() -> None:
    event = {"Records": [record(), record("elsewhere"), record(key="loaded/x.json")]}
    named = read_event(event, BUCKET, "the event")
    assert named.understood
    assert named.keys == [KEY]


def test_messages_are_told_from_other_lists() -> None:
    assert [m["messageId"] for m in messages_of(sqs("a", "b"))] == ["m0", "m1"]
    assert [m["messageId"] for m in messages_of(pipes("a", "b"))] == ["m0", "m1"]
    others: list[Json] = [s3(), sns(s3()), eventbridge(), [json.dumps(s3())], {}, None, "x"]
    for other in others:
        assert not messages_of(other)


@pytest.mark.parametrize(
    "event", [None, {}, {"detail-type": "Scheduled Event", "source": "aws.scheduler",
                         "detail": "{}"}]
)  # fmt: skip
def test_a_schedule_sweeps(event: Json) -> None:
    assert is_sweep(event)


def test_nothing_else_sweeps() -> None:
    events: list[Json] = [{"hello": "world"}, s3(), {"Records": []}, eventbridge()]
    for event in events:
        assert not is_sweep(event)


# ---- in the function ----


@pytest.fixture
def function(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[[Json], Json]:
    """The function as Lambda calls it."""
    monkeypatch.setenv("BUCKET", warehouse.bucket)
    monkeypatch.setenv("DB_NAME", warehouse.database)
    return lambda event: receiver.lambda_handler(event, Context(900.0))


def put(warehouse: Warehouse, account: str = documents.ACCOUNT) -> str:
    key = documents.key(account=account)
    body = documents.encode(document(account=account))
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)
    return key


def lies(warehouse: Warehouse, key: str) -> bool:
    return warehouse.receiver.s3.find(key) is not None


def test_each_message_costs_itself_only(
    warehouse: Warehouse, function: Callable[[Json], Json]
) -> None:
    good, key = put(warehouse), "data/999999999999/eu-west-1/2026-11-21_DAILY.json"
    warehouse.embedded.switches.policies[warehouse.embedded.analytics.id] = lambda request: (
        request.params.get("Key") != key
    )
    named = [{"Records": [record(warehouse.bucket, name)]} for name in (key, good)]
    answer = function(sqs("no JSON", {"hello": "world"}, *named, notification(named[1])))
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"m{n}"} for n in (0, 1, 2)]}
    assert not lies(warehouse, good)


def test_a_list_of_pipes_is_loaded_and_answered_as_a_queue_is(
    warehouse: Warehouse, function: Callable[[Json], Json]
) -> None:
    key = put(warehouse)
    answer = function(pipes("?", {"Records": [record(warehouse.bucket, key)]}))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert not lies(warehouse, key)


def test_what_sns_hands_to_the_function_is_loaded_and_the_rest_is_told(
    warehouse: Warehouse, function: Callable[[Json], Json]
) -> None:
    key, waits = put(warehouse), put(warehouse, "300000000777")
    event = sns({"Records": [record(warehouse.bucket, key), {"eventSource": "aws:s3"}]})
    with pytest.raises(RuntimeError, match=r"1 loaded.*not understood"):
        function(event)
    assert not lies(warehouse, key)
    with pytest.raises(RuntimeError, match="not understood"):
        function({"hello": "world"})
    assert lies(warehouse, waits)  # no event but a schedule's is a sweep


def test_refused_documents_come_back_by_an_event(
    warehouse: Warehouse, function: Callable[[Json], Json]
) -> None:
    made = document()
    made["meta"]["format"] = 99
    warehouse.load(made, documents.key())
    refused = documents.key().replace("data/", "rejected/")
    assert lies(warehouse, refused)
    with pytest.raises(RuntimeError, match="1 rejected"):
        function({"retry_rejected": True})  # and it is refused again
    assert lies(warehouse, refused)
    body = documents.encode(document())
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=refused, Body=body)
    assert function({"retry_rejected": True})["files"] == 1
    assert not lies(warehouse, refused)
    assert not lies(warehouse, refused + ".reason.txt")


def test_tasks_of_s3_batch_operations_have_their_own_answer(
    warehouse: Warehouse, function: Callable[[Json], Json]
) -> None:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html"""
    good, bad = put(warehouse), documents.key(account="300000000777")
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=bad, Body=b"{}")
    gone, denied = (documents.key(account=f"30000000077{n}") for n in (8, 9))
    warehouse.embedded.switches.policies[warehouse.embedded.analytics.id] = lambda request: (
        request.params.get("Key") != denied
    )
    event = batch(good, bad, gone, denied, "loaded/x.json", schema="2.0", bucket=warehouse.bucket)
    answer = function(event)
    codes = {told["taskId"]: told["resultCode"] for told in answer.pop("results")}
    assert codes == {
        "t0": "Succeeded",
        "t1": "PermanentFailure",
        "t2": "Succeeded",
        "t3": "PermanentFailure",
        "t4": "PermanentFailure",
    }
    assert answer == {
        "invocationSchemaVersion": "2.0",
        "treatMissingKeysAs": "PermanentFailure",
        "invocationId": "i",
    }
    assert not lies(warehouse, good)
