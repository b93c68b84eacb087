"""The lists of a document in an order that AWS's answers have no part in."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from tests.cloud import Account, ApiRequest, EmbeddedCloud
from tests.collectors.reading import EVERYTHING, without_bucket
from tests.runs import Document, lists, send

LONGEST_WAIT = 30
"""Seconds after which a test fails rather than hangs."""

IN_ORDER = {"ForecastResultsByTime", "assessmentSummaries"}
"""What AWS lists by time."""


def backwards(_request: ApiRequest, body: bytes) -> bytes:
    """A JSON answer with its lists from the last item to the first."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return body
    if not isinstance(answer, dict):
        return body
    for name, held in answer.items():
        if isinstance(held, list) and name not in IN_ORDER:
            held.reverse()
    return json.dumps(answer).encode()


def answer_after(embedded: EmbeddedCloud, late: tuple[str, str], early: tuple[str, str]) -> None:
    """Answer an operation once another, which is asked at the same time, is answered."""
    answered = threading.Event()

    def wait(_request: ApiRequest) -> None:
        assert answered.wait(LONGEST_WAIT)

    embedded.switches.intercept(*early, lambda _: answered.set(), after=True)
    embedded.switches.intercept(*late, wait)


def texts(document: Document) -> dict[str, str]:
    """The lists of a document as they are written."""
    found = {path: json.dumps(held, default=str) for path, held in lists(document).items()}
    groups = document["security"]["security_hub"]
    return found | {"groups": json.dumps([group["service"] for group in groups])}


def test_the_lists_are_alike_in_whatever_order_aws_answers(
    embedded: EmbeddedCloud, account: Account, whole: Document, tmp_path: Path
) -> None:
    volumes, functions = ("ec2", "DescribeVolumes"), ("lambda", "ListFunctions")
    expected = texts(whole)
    assert len(json.loads(expected["groups"])) > 1
    for late, early, edits in ((volumes, functions, [backwards]), (functions, volumes, [])):
        embedded.switches.edits += edits
        answer_after(embedded, late, early)
        sent = send(without_bucket(embedded, account), tmp_path, *EVERYTHING)
        embedded.switches.reset()
        assert texts(sent.document) == expected
