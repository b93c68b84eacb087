"""The handlers of the packages, invoked as Lambda invokes them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests import templates
from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.conftest import ANALYTICS, MakeAccount, MakeEnvironment
from tests.deploy.deploying import Invoke, Upload, keys


def test_the_sender_takes_an_event_without_anything(
    invoke: Invoke, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    answer = invoke("sender.lambda_handler", environment_of(make_account(Size.small())), {})
    [written] = answer["result"]["documents"]
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert f"/us-east-1/{yesterday}_DAILY.json" in written


def test_the_sender_takes_days_and_categories(
    invoke: Invoke, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=3), today - timedelta(days=2)
    event = {"start": str(first), "end": str(last), "only": ["service", "cost"]}
    answer = invoke("sender.lambda_handler", environment_of(make_account(Size.small())), event)
    written = answer["result"]["documents"]
    assert [re.search(r"[\d-]{10}(?=_DAILY)", place)[0] for place in written] == [  # type: ignore[index]
        str(first),
        str(last),
    ]


def test_the_sender_raises_if_anything_failed(
    invoke: Invoke,
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
) -> None:
    embedded.switches.deny("guardduty")
    answer = invoke("sender.lambda_handler", environment_of(make_account(Size.small())), {})
    assert (answer["errorType"], "result" in answer) == ("RuntimeError", False)


def lasting_until(embedded: EmbeddedCloud, seconds: float) -> Callable[[ApiRequest], None]:
    """An effect that lasts until so many seconds after the first request that is to come.

    A handler uses half of the time that it is given, and its first request is soon after.
    """
    began: list[float] = []
    embedded.switches.intercept("*", "*", lambda _: began.append(time.monotonic()), times=1)
    return lambda _: time.sleep(max(0.0, began[0] + seconds - time.monotonic()))


def test_the_sender_ends_in_time_and_ships_no_region_that_it_did_not_read(
    invoke: Invoke,
    embedded: EmbeddedCloud,
    bucket: str,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
) -> None:
    """The first region takes all the time there is; the second has to wait for the next run."""
    embedded.switches.intercept("support", "DescribeCases", lasting_until(embedded, 12.0))
    regions = {"REGIONS": "us-east-1,eu-west-1", "AT_ONCE": "1"}
    environment = environment_of(make_account(Size.small())) | regions
    answer = invoke("sender.lambda_handler", environment, {}, 24.0)
    assert answer["errorType"] == "RuntimeError"
    assert {key.split("/")[2] for key in keys(embedded, bucket)} <= {"us-east-1"}
    assert "the next run reads this region" in answer["log"]


def s3_event(bucket: str, *names: str) -> dict[str, Any]:
    """What S3 sends when objects are created; keys are URL-encoded in it."""
    from urllib.parse import quote_plus

    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-11-02T03:04:05.678Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AROAEXAMPLE:observability-sender"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "uploads",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(name, safe="/"),
                        "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                        "sequencer": "0055AED6DCD90281E5",
                    },
                },
            }
            for name in names
        ]
    }


def test_event(bucket: str) -> dict[str, Any]:
    """What S3 sends when it is told to notify."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-02T03:04:05.678Z",
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }


test_event.__test__ = False  # type: ignore[attr-defined]


def sqs_event(*bodies: object) -> dict[str, Any]:
    """What Lambda reads from a queue: `message-0`, `message-1` and so on."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1793847845678",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1793847845690",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:{ANALYTICS}:uploads",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def eventbridge_event(kind: str, source: str, detail: dict[str, Any]) -> dict[str, Any]:
    """What EventBridge sends."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": source,
        "account": ANALYTICS,
        "time": "2026-11-02T03:04:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }


SCHEDULED = eventbridge_event("Scheduled Event", "aws.events", {})


@pytest.mark.parametrize("event", [{}, None, SCHEDULED], ids=["empty", "nothing", "scheduled"])
def test_the_receiver_sweeps(
    event: object,
    invoke: Invoke,
    embedded: EmbeddedCloud,
    bucket: str,
    hub: dict[str, str],
    upload: Upload,
) -> None:
    names = [upload("300000000901"), upload("300000000902")]
    answer = invoke("receiver.lambda_handler", hub, event)
    assert answer["result"]["files"] == 2
    assert keys(embedded, bucket) == [name.replace("data/", "loaded/") for name in names]


def test_the_receiver_writes_the_report_after_a_sweep(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    """The package has all that the report needs; an upload alone makes none."""
    named, other = upload("300000000901"), upload("300000000902")
    invoke("receiver.lambda_handler", hub | {"REPORT": "1"}, s3_event(bucket, named))
    assert not [key for key in keys(embedded, bucket) if key.startswith("reports/")]
    invoke("receiver.lambda_handler", hub | {"REPORT": "1"}, {})
    reports = [key for key in keys(embedded, bucket) if key.startswith("reports/")]
    assert reports == [f"reports/{datetime.now(UTC):%Y-%m-%d}.html", "reports/latest.html"]
    body = embedded.client("s3", embedded.analytics.id).get_object(Bucket=bucket, Key=reports[1])
    page = body["Body"].read().decode()
    assert all(name.split("/")[1] in page for name in (named, other))


def test_the_receiver_takes_an_event_of_s3_and_loads_that_only(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    named, other = upload("300000000901"), upload("300000000902")
    answer = invoke("receiver.lambda_handler", hub, s3_event(bucket, named))
    assert answer["result"]["files"] == 1
    assert keys(embedded, bucket) == [other, named.replace("data/", "loaded/")]


def test_the_receiver_takes_an_event_of_s3_through_eventbridge(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    named = upload("300000000901")
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": named, "size": 1024}}
    event = eventbridge_event("Object Created", "aws.s3", detail)
    assert invoke("receiver.lambda_handler", hub, event)["result"]["files"] == 1


def test_the_receiver_says_what_it_ignores(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    named = upload("300000000901")
    moved = named.replace("data/", "loaded/")
    for event, words in (
        (
            s3_event("another-bucket", named),
            f"another-bucket/{named} is ignored: the bucket is not",
        ),
        (s3_event(bucket, moved), f"{bucket}/{moved} is ignored: it is not under data/"),
    ):
        answer = invoke("receiver.lambda_handler", hub, event)
        assert answer["result"] == {"files": 0, "rows": 0}
        [line] = [json.loads(line) for line in answer["log"].splitlines()]
        assert (line["kind"], line["message"].startswith(f"s3://{words}")) == ("INFO", True)
    assert keys(embedded, bucket) == [named]


def test_the_receiver_answers_a_batch_in_part(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    """Only what may pass later is delivered again: not what is loaded, gone or refused for good."""
    good, refused = upload("300000000901"), upload("300000000902", body=b"{}")
    stuck, gone = upload("300000000903"), "data/300000000904/us-east-1/2026-11-01_DAILY.json"
    embedded.switches.fail(
        "s3", "GetObject", "AccessDenied", status=403, predicate=lambda r: r.params["Key"] == stuck
    )
    event = sqs_event(
        s3_event(bucket, good),
        s3_event(bucket, refused),
        s3_event(bucket, stuck),
        s3_event(bucket, gone),
        test_event(bucket),
        s3_event("another-bucket", stuck),
        "no event at all",
    )
    answer = invoke("receiver.lambda_handler", hub, event)
    again = [failure["itemIdentifier"] for failure in answer["result"]["batchItemFailures"]]
    assert again == ["message-2", "message-6"]
    assert good.replace("data/", "loaded/") in keys(embedded, bucket)
    assert refused.replace("data/", "rejected/") in keys(embedded, bucket)
    assert stuck in keys(embedded, bucket)


def test_the_receiver_leaves_the_database_asleep_if_there_is_nothing_to_load(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str]
) -> None:
    answer = invoke("receiver.lambda_handler", hub, sqs_event(test_event(bucket)))
    assert answer["result"] == {"batchItemFailures": []}
    assert not [call for call in embedded.calls if call.service == "rds-data"]


def test_the_receiver_ends_in_time_and_carries_on_next_time(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    """The third document takes until the time is used up; it and those after it have to wait."""
    names = [upload("300000000901", f"2026-11-0{day}") for day in range(1, 6)]
    lasting = lasting_until(embedded, 15.0)
    embedded.switches.intercept(
        "s3", "GetObject", lasting, predicate=lambda request: request.params["Key"] == names[2]
    )
    event = sqs_event(*(s3_event(bucket, name) for name in names))
    answer = invoke("receiver.lambda_handler", hub, event, 30.0)
    again = [failure["itemIdentifier"] for failure in answer["result"]["batchItemFailures"]]
    assert again == ["message-2", "message-3", "message-4"]
    assert [key for key in keys(embedded, bucket) if key.startswith("data/")] == names[2:]
    embedded.switches.reset()
    assert invoke("receiver.lambda_handler", hub, {})["result"]["files"] == 3


def test_the_receiver_raises_if_a_sweep_leaves_something(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    upload("300000000901", body=b"{}")
    answer = invoke("receiver.lambda_handler", hub, {})
    assert (answer["errorType"], "result" in answer) == ("RuntimeError", False)


def test_the_receiver_tells_accounts_that_have_fallen_silent(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    """The alarm reads `silent_accounts` out of the log."""
    accounts = {"300000000901": "1 day", "300000000902": "3 days", "300000000903": "60 days"}
    for account in accounts:
        upload(account)
    assert silent(invoke("receiver.lambda_handler", hub, {})) == (0, "none")
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        for account, age in accounts.items():
            connection.execute(
                "UPDATE documents SET last_modified = now() - CAST(%s AS interval)"
                " WHERE account_id IN (SELECT id FROM accounts WHERE account_id = %s)",
                (age, account),
            )
    assert silent(invoke("receiver.lambda_handler", hub, {})) == (1, "300000000902")


def silent(answer: dict[str, Any]) -> tuple[int, str]:
    """What the log says of silent accounts."""
    lines = [json.loads(line) for line in answer["log"].splitlines()]
    [line] = [line for line in lines if "silent_accounts" in line]
    return line["silent_accounts"], line["message"].rpartition(": ")[2]


def test_metric_filters_read_what_the_receiver_logs(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    """CloudWatch counts lines by these fields: each line has to be JSON with them at its top."""
    resources = templates.load(templates.ALARMS)["Resources"]
    pattern = resources["FailedLoads"]["Properties"]["FilterPattern"]
    wanted = set(re.findall(r'\$\.outcome = "(\w+)"', pattern))
    upload("300000000901", body=b"{}")
    log = invoke("receiver.lambda_handler", hub, {})["log"]
    told = {json.loads(line).get("outcome") for line in log.splitlines()}
    assert wanted & told == {"rejected"}
