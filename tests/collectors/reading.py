"""What the tests of all collectors need to run the sender and to look at its document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.cloud import Account, ApiRequest, EmbeddedCloud
from tests.cloud.switches import InstantAnswer
from tests.collectors.registry import stated
from tests.collectors.truth import Place, same_rows
from tests.runs import Document, Sent, period, rows

TOKENS = {
    "ContinuationToken", "Marker", "NextMarker", "NextPageToken", "NextToken", "nextToken",
}  # fmt: skip

Send = Callable[..., Sent]

COST_TAGS = ("--cost-tags", "team,project")
EVERYTHING = ("--reserved-capacity", *COST_TAGS)
"""The flag with which a run leaves no category out."""


def without_bucket(embedded: EmbeddedCloud, account: Account) -> dict[str, str]:
    """The account's environment where no bucket tells which documents there are."""
    return embedded.environment(account.id) | {"BUCKET": ""}


def place_of(account: Account, document: Document, **more: Any) -> Place:
    """Where and when a document is about."""
    start, end = period(document)
    return Place(account, document["meta"]["region"], start, end, **more)


def paths_of(*categories: str) -> list[str]:
    """The lists of some categories that there is a truth for."""
    return [path for path in stated("TRUTH") if path.partition(".")[0] in categories]


def is_true(document: Document, place: Place, *categories: str) -> None:
    """Fail unless every list of these categories is what the account holds."""
    for path in paths_of(*categories):
        list_is_true(document, place, path)


def list_is_true(document: Document, place: Place, path: str) -> None:
    """Fail unless a list is what the account holds."""
    truth, found = stated("TRUTH")[path], rows(document, path)
    expected = list(truth.rows(place))
    if path in stated("GOLDEN"):
        told = {name for row in expected for name in row}
        found = [{name: row[name] for name in row.keys() & told} for row in found]
    same_rows(found, expected, truth.key)


def record(embedded: EmbeddedCloud, account: Account) -> list[ApiRequest]:
    """The account's requests from now on, with their parameters."""
    requests: list[ApiRequest] = []
    embedded.switches.intercept("*", "*", requests.append, account=account.id)
    return requests


def names(requests: list[ApiRequest]) -> Counter[str]:
    """How often each API was called."""
    return Counter(f"{held.service}:{held.operation}" for held in requests)


# Denied


def answering(response: dict[str, Any]) -> Callable[[ApiRequest], None]:
    """An effect that answers in place of the service."""

    def answer(_request: ApiRequest) -> None:
        raise InstantAnswer(response)

    return answer


# Sender

PAID = (
    "GetCostAndUsage", "GetCostForecast", "GetAnomalies", "GetReservationUtilization",
    "GetSavingsPlansUtilization", "GetSavingsPlansUtilizationDetails",
)  # fmt: skip


def calls(embedded: EmbeddedCloud) -> Counter[str]:
    """All calls by `service Operation`."""
    return Counter(f"{call.service} {call.operation}" for call in embedded.calls)


def paid(made: Counter[str]) -> int:
    """Requests for which Cost Explorer takes money, a cent each."""
    assert {name for name in made if name.startswith("ce ")} <= {f"ce {name}" for name in PAID}
    return sum(made[f"ce {name}"] for name in PAID)
