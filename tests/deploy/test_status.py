"""deploy/status.py: everything that is deployed, on one screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.cloud import EmbeddedCloud
from tests.conftest import ANALYTICS
from tests.paths import ROOT

HERE = "us-east-1"

UNCONFIRMED = b"""<ListSubscriptionsByTopicResponse
    xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><ListSubscriptionsByTopicResult><Subscriptions>
    <member><SubscriptionArn>PendingConfirmation</SubscriptionArn><Protocol>email</Protocol>
    <Endpoint>ops@example.com</Endpoint></member></Subscriptions></ListSubscriptionsByTopicResult>
    </ListSubscriptionsByTopicResponse>"""
"""As SNS answers until the address is confirmed; moto takes it for confirmed at once."""


def status(embedded: EmbeddedCloud, name: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """The exit code, the lines by what they are about, and what was said on stderr."""
    environment = embedded.environment(ANALYTICS) | {"AWS_DEFAULT_REGION": HERE, "CALL_AS": "SELF"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "status.py"), name],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    cut = [(line[:5].strip(), line[6:38].strip(), line[39:]) for line in done.stdout.splitlines()]
    return done.returncode, {about: (word, state) for word, about, state in cut}, done.stderr


@pytest.fixture
def system(embedded: EmbeddedCloud) -> dict[str, Any]:
    """A stack with the outputs of a hub, and what they name."""
    name = f"shown{time.time_ns() % 10**9}"
    made = {kind: embedded.client(kind, ANALYTICS) for kind in ("sqs", "sns", "kms", "logs")}
    for queue in ("queue", "dead"):
        made["sqs"].create_queue(QueueName=f"{name}-{queue}")
    topic = made["sns"].create_topic(Name=name)["TopicArn"]
    made["sns"].subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    keys = [made["kms"].create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    made["logs"].create_log_group(logGroupName=name)
    made["logs"].create_log_stream(logGroupName=name, logStreamName="one")
    outputs = {
        "QueueName": f"{name}-queue",
        "DeadLettersName": f"{name}-dead",
        "NoticesArn": topic,
        "DocumentsKeyArn": keys[0],
        "DatabaseKeyArn": keys[1],
        "ReceiverLog": name,
    }
    body = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    embedded.client("cloudformation", ANALYTICS).create_stack(
        StackName=name, TemplateBody=json.dumps(body)
    )
    return {"name": name, "outputs": outputs, **made}


def test_what_is_not_well_is_told_and_is_the_exit_code(
    embedded: EmbeddedCloud, system: dict[str, Any]
) -> None:
    name, outputs = system["name"], system["outputs"]
    url = system["sqs"].get_queue_url(QueueName=outputs["DeadLettersName"])["QueueUrl"]
    system["sqs"].send_message(QueueUrl=url, MessageBody="{}")
    system["kms"].schedule_key_deletion(KeyId=outputs["DatabaseKeyArn"].rpartition("/")[2])
    cloudwatch = embedded.client("cloudwatch", ANALYTICS)
    for alarm in (f"{name}-alarms-Queue", f"{name}-staging-alarms-Queue"):
        cloudwatch.put_metric_alarm(
            AlarmName=alarm,
            Namespace="any",
            MetricName="any",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="it waits")
    embedded.switches.answer_raw("sns", "ListSubscriptionsByTopic", UNCONFIRMED)
    code, lines, _ = status(embedded, name)
    assert code == 1
    assert lines["alarms"] == ("LOOK", "1, 1 ringing"), "of another system"
    assert lines["notices"] == ("LOOK", "ops@example.com not confirmed: see the mail from AWS")
    assert lines[name] == ("ok", "CREATE_COMPLETE")
    assert lines["queue"] == ("ok", "0 messages")
    assert lines["dead letters"] == ("LOOK", "1 messages")
    assert lines["key of documents"] == ("ok", "Enabled")
    assert lines["key of database"] == ("LOOK", "PendingDeletion")
    assert lines["last sweep"][0] == "LOOK"


def test_a_system_that_is_not_there_is_wrong_use(embedded: EmbeddedCloud) -> None:
    code, lines, told = status(embedded, "nowhere")
    assert (code, lines) == (2, {})
    assert "there is no stack nowhere" in told
