#!/usr/bin/env python3
"""Show the state of everything that deploy.sh has deployed, on one screen.

    stacks, accounts of the StackSet, alarms, queues, e-mail, keys, the last sweep  ->  a line each

Exit code 0 where all is well, 1 where something is not, 2 where there is no such system.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
from botocore.exceptions import BotoCoreError, ClientError

GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
SWEEP = timedelta(hours=25)
"""There are two a day; one may fail."""

Line = tuple[bool, str, str]
"""Whether it is well, what it is about, and how it is."""


def stacks(name: str) -> Iterator[Line]:
    """Each stack of the system (CloudFormation: DescribeStacks)."""
    for item in described(name).values():
        status = item["StackStatus"]
        yield status in GOOD, item["StackName"], status


def described(name: str) -> dict[str, Any]:
    """The stacks of a system by name."""
    ours = {name, *(f"{name}-{part}" for part in ("packages", "alarms", "backup", "organization"))}
    pages = boto3.client("cloudformation").get_paginator("describe_stacks").paginate()
    return {
        item["StackName"]: item
        for page in pages
        for item in page["Stacks"]
        if item["StackName"] in ours
    }


def accounts(name: str) -> Iterator[Line]:
    """The accounts of the StackSet of senders (CloudFormation: ListStackInstances)."""
    client = boto3.client("cloudformation")
    call_as: Any = os.environ.get("CALL_AS", "DELEGATED_ADMIN")
    pages = client.get_paginator("list_stack_instances")
    try:
        found = [
            instance
            for page in pages.paginate(StackSetName=f"{name}-spokes", CallAs=call_as)
            for instance in page["Summaries"]
        ]
    except client.exceptions.StackSetNotFoundException:
        return
    late = [one for one in found if one["Status"] != "CURRENT"]
    yield not late, "senders", f"{len(found)} accounts, {len(late)} not up to date"
    for one in late[:10]:
        reason = one.get("StatusReason", "no reason is given")
        yield False, f"  {one['Account']}", f"{one['Status']}: {reason}"


def alarms(name: str) -> Iterator[Line]:
    """Alarms that ring (CloudWatch: DescribeAlarms); not those of a system `{name}-staging`."""
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms")
    found = [
        item
        for stack in ("alarms", "organization")
        for page in pages.paginate(AlarmNamePrefix=f"{name}-{stack}-")
        for item in page["MetricAlarms"]
    ]
    ringing = [item for item in found if item["StateValue"] == "ALARM"]
    yield not ringing and bool(found), "alarms", f"{len(found)}, {len(ringing)} ringing"
    for item in ringing:
        since = f"{item['StateUpdatedTimestamp']:%Y-%m-%d %H:%M}"
        yield False, f"  {item['AlarmName']}", f"since {since}: {item.get('AlarmDescription', '')}"


def queues(outputs: dict[str, str]) -> Iterator[Line]:
    """How much waits (SQS: GetQueueAttributes)."""
    client = boto3.client("sqs")
    for title, output, bad in (
        ("queue", "QueueName", False),
        ("dead letters", "DeadLettersName", True),
    ):
        url = client.get_queue_url(QueueName=outputs[output])["QueueUrl"]
        wanted: Any = ["ApproximateNumberOfMessages"]
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        waiting = int(found["ApproximateNumberOfMessages"])
        yield not (bad and waiting), title, f"{waiting} messages"


def people(outputs: dict[str, str]) -> Iterator[Line]:
    """Who is told of alarms, and has confirmed it (SNS: ListSubscriptionsByTopic)."""
    pages = boto3.client("sns").get_paginator("list_subscriptions_by_topic")
    found = [
        item
        for page in pages.paginate(TopicArn=outputs["NoticesArn"])
        for item in page["Subscriptions"]
    ]
    if not found:
        yield False, "notices", "nobody is told of alarms: make deploy-hub EMAIL=…"
    for item in found:
        waits = item["SubscriptionArn"] == "PendingConfirmation"
        state = "not confirmed: see the mail from AWS" if waits else "confirmed"
        yield not waits, "notices", f"{item.get('Endpoint', '')} {state}"


def keys(outputs: dict[str, str]) -> Iterator[Line]:
    """The two keys (KMS: DescribeKey)."""
    for title, output in (
        ("key of documents", "DocumentsKeyArn"),
        ("key of database", "DatabaseKeyArn"),
    ):
        state = boto3.client("kms").describe_key(KeyId=outputs[output])["KeyMetadata"]["KeyState"]
        yield state == "Enabled", title, state


def sweep(outputs: dict[str, str]) -> Iterator[Line]:
    """When the last sweep ended, and what it told (CloudWatch Logs: FilterLogEvents)."""
    now = datetime.now(UTC)
    pages = (
        boto3.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=outputs["ReceiverLog"],
            filterPattern="{ $.new_problems = * }",
            startTime=int((now - SWEEP).timestamp() * 1000),
        )
    )
    times = [event["timestamp"] for page in pages for event in page["events"]]
    if times:
        last = datetime.fromtimestamp(max(times) / 1000, UTC)
        yield True, "last sweep", f"{last:%Y-%m-%d %H:%M} UTC"
    else:
        yield False, "last sweep", f"none within {SWEEP // timedelta(hours=1)} hours"


def guarded(title: str, ask: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """Lines of one kind; what cannot be asked is not well, and costs the others nothing."""
    try:
        yield from ask()
    except (BotoCoreError, ClientError, KeyError) as error:
        what = f"no output {error}" if isinstance(error, KeyError) else str(error)
        yield False, title, f"unknown: {what}"


def show(name: str) -> int:
    """Print all lines; the exit code."""
    there = described(name)
    if name not in there:
        print(f"status.py: there is no stack {name} in this account and region", file=sys.stderr)
        return 2
    outputs = {item["OutputKey"]: item["OutputValue"] for item in there[name].get("Outputs", ())}
    parts: dict[str, Callable[[], Iterator[Line]]] = {
        "stacks": lambda: stacks(name),
        "senders": lambda: accounts(name),
        "alarms": lambda: alarms(name),
        "queues": lambda: queues(outputs),
        "notices": lambda: people(outputs),
        "keys": lambda: keys(outputs),
        "last sweep": lambda: sweep(outputs),
    }
    lines = [line for title, ask in parts.items() for line in guarded(title, ask)]
    for well, title, state in lines:
        print(f"{'ok' if well else 'LOOK':5} {title:32} {state}")
    return int(not all(well for well, _, _ in lines))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Show the state of what is deployed.")
    parser.add_argument("name", nargs="?", default="observability", help="NAME of the system")
    try:
        return show(parser.parse_args().name)
    except (BotoCoreError, ClientError) as error:
        print(f"status.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
