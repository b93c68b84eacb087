"""Application Signals' services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.application import signals_row
from tests.collectors.losses import Denial, listing
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row


def application_signals(place: Place) -> Iterator[Row]:
    """Services that Application Signals has seen."""
    for held in place.own("application-signals", "services"):
        yield {
            "service_name": held["KeyAttributes"]["Name"],
            "namespace": "ApplicationSignals",
            "key_attributes": held["KeyAttributes"],
        }


TRUTH: Mapping[str, Truth] = {
    "application": Truth(application_signals, "application_signals", ("key_attributes",)),
}

DENIALS: Mapping[str, Denial] = {
    "application-signals:ListServices": listing("application"),
}

MADE_OF: Mapping[str, MadeOf] = {
    "service": (
        signals_row,
        "application-signals",
        "ListServices",
        "ServiceSummaries",
    ),
}
