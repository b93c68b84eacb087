"""Application Signals' services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.application import signals_row
from tests.collectors.losses import Denial, listing
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row


def application_signals(place: Place) -> Iterator[Row]:
    """Services that Application Signals has seen."""
    for held in place.own("application-signals", "services"):
        yield {"key_attributes": held["KeyAttributes"]}


TRUTH: Mapping[str, Truth] = {
    "application": Truth(application_signals, "application_signals", ("key_attributes",)),
}

# https://docs.aws.amazon.com/applicationsignals/latest/APIReference/API_ServiceSummary.html
GOLDEN: Mapping[str, Golden] = {
    "application": Golden(
        signals_row,
        {
            "KeyAttributes": {
                "Type": "Service",
                "Name": "pet-clinic-frontend",
                "Environment": "eks:petclinic-cluster/default",
            },
            "AttributeMaps": [{"PlatformType": "AWS::EKS"}],
            "MetricReferences": [
                {
                    "Namespace": "ApplicationSignals",
                    "MetricType": "LATENCY",
                    "MetricName": "Latency",
                    "Dimensions": [{"Name": "Service", "Value": "pet-clinic-frontend"}],
                }
            ],
        },
        {
            "service_name": "pet-clinic-frontend",
            "namespace": "ApplicationSignals",
            "key_attributes": {
                "Type": "Service",
                "Name": "pet-clinic-frontend",
                "Environment": "eks:petclinic-cluster/default",
            },
        },
    ),
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
