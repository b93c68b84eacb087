"""An item of any listing that is not as AWS's model says costs itself, and is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from observability.collectors import CATEGORIES
from tests.cloud import Account, ApiRequest, EmbeddedCloud
from tests.collectors.losses import Effect, without
from tests.collectors.reading import EVERYTHING, without_bucket
from tests.collectors.test_all import known_rows
from tests.runs import Document, lists, send

LISTED_BELOW = {"ResultsByTime", "UtilizationsByTime", "Reservations", "DistributionList"}
"""Members of answers whose own members are what is listed."""


def spoilt(value: Any, odd: Any) -> Any:
    """An answer with an odd item at the head of each of its lists of structures."""
    made = dict(value)
    for name, held in value.items():
        if not isinstance(held, list):
            continue
        if name in LISTED_BELOW:
            made[name] = [odd, *(spoilt(one, odd) for one in held)]
        elif name == "Results":
            made[name] = [json.dumps(odd), *held]  # of Config's queries, which are JSON texts
        elif held and isinstance(held[0], dict):
            made[name] = [odd, *held]
    return made


NOT_LISTED = {
    # one answer is one value
    "sts", "account",
}  # fmt: skip

XML = {
    "ec2": rb"<item>", "elbv2": rb"<member>", "autoscaling": rb"<member>", "s3": rb"<Bucket>",
    "rds": rb"<(?:Reserved)?DBInstance>",
}  # fmt: skip
"""The first item of each listing, by service."""


def spoil(odd: Any) -> Callable[[ApiRequest, bytes], bytes]:
    """What becomes of the body of an answer; XML has no null, an empty element is its odd item."""

    def edit(request: ApiRequest, body: bytes) -> bytes:
        if request.service in NOT_LISTED:
            return body
        if tag := XML.get(request.service):
            return re.sub(tag, lambda m: m[0].replace(b">", b"/>") + m[0], body, count=1)
        try:
            return json.dumps(spoilt(json.loads(body), odd)).encode()
        except (ValueError, AttributeError):
            return body

    return edit


COUNTED: dict[str, Effect] = {
    # numbers of which an item is missing are not known
    "cost": without(
        "anomalies_detected", "potential_monthly_savings", "saving_opportunities_count"
    ),
}  # fmt: skip

NO_LISTINGS = {"account"}


@pytest.mark.parametrize("odd", [None, {}], ids=repr)
def test_an_odd_item_in_every_listing_costs_no_other_item(
    odd: Any, embedded: EmbeddedCloud, account: Account, whole: Document, tmp_path: Path
) -> None:
    embedded.switches.edits.append(spoil(odd))
    sent = send(without_bucket(embedded, account), tmp_path, *EVERYTHING)
    found = lists(sent.document)
    for path, before in lists(whole).items():
        effect = COUNTED.get(path, lambda row: row)
        left = [row for row in map(effect, before) if row is not None]
        assert list(known_rows(found[path])) == list(known_rows(left)), path
    told = [text for text in sent.said("FAIL", "ERROR") if "not as AWS's model says" in text]
    assert {text.partition(":")[0].partition(".")[0] for text in told} == {
        *CATEGORIES
    } - NO_LISTINGS
    assert sent.code == 1
    assert {path.partition(".")[0] for path in sent.document["meta"]["complete"]} <= NO_LISTINGS
