"""The keys that an event names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from observability.log import log_event
from observability.receiving.result import FileStatus


def message_keys(message: Mapping[str, Any], bucket: str) -> list[str] | None:
    """The keys that an SQS message tells of; None if it cannot be understood."""
    try:
        return event_keys(json.loads(message["body"]), bucket)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        what = f"{type(error).__name__} in message {message['messageId']}"
        log_event("FAIL", f"not an event of S3: {what}", outcome=FileStatus.FAILED.value)
        return None


def event_keys(event: Mapping[str, Any], bucket: str) -> list[str]:
    """The keys under data/ that an S3 notification (URL-encoded) or EventBridge's event names."""
    from urllib.parse import unquote_plus

    places = [record["s3"] for record in event.get("Records", []) if "s3" in record]
    named = [(s3["bucket"]["name"], unquote_plus(s3["object"]["key"])) for s3 in places]
    if detail := event.get("detail"):
        named.append((detail["bucket"]["name"], detail["object"]["key"]))
    return [key for place, key in named if is_ours(place, key, bucket)]


def is_ours(place: str, key: str, bucket: str) -> bool:
    """Whether an object is one to load; says why if not."""
    ours = place == bucket and key.startswith("data/")
    if not ours:
        why = "it is not under data/" if place == bucket else f"the bucket is not {bucket}"
        log_event("INFO", f"s3://{place}/{key} is ignored: {why}")
    return ours
