"""Certificates of ACM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pytest

from observability.collectors.security.certificate_manager import certificate_row
from tests.cloud import Account, EmbeddedCloud
from tests.collectors.losses import Denial, gone, security
from tests.collectors.reading import Send, answering
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth
from tests.conftest import REGIONS
from tests.runs import Row, rows

HOME, OTHER = REGIONS


# Security


def certificates(place: Place) -> Iterator[Row]:
    """Certificates of every key type and origin."""
    for held in place.own("acm", "certificates"):
        yield {
            "arn": held["CertificateArn"],
            "domain_name": held["DomainName"],
            "status": held["Status"],
            "type": held["Type"],
            "not_after": held.get("NotAfter"),
            "not_before": held.get("NotBefore"),
            "key_algorithm": held["KeyAlgorithm"],
            "in_use": held["InUse"],
            "renewal_eligibility": held["RenewalEligibility"],
        }


TRUTH: Mapping[str, Truth] = {
    "security.certificate_manager": Truth(certificates, "certificates", ("arn",)),
}

DENIALS: Mapping[str, Denial] = {
    "acm:ListCertificates": security(certificate_manager=gone),
}

MADE_OF: Mapping[str, MadeOf] = {
    "certificate": (
        certificate_row,
        "acm",
        "ListCertificates",
        "CertificateSummaryList",
    ),
}

# Denied


@pytest.mark.parametrize("denied", [False, True])
def test_a_certificate_is_described_if_its_summary_lacks_something(
    denied: bool, embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    held = account.items("acm", "certificates", HOME)[0]
    short = {name: held[name] for name in ("CertificateArn", "DomainName")}
    answer = {"CertificateSummaryList": [short]}
    embedded.switches.intercept("acm", "ListCertificates", answering(answer))
    if denied:
        embedded.switches.deny("acm", "DescribeCertificate")
    sent = only("security")
    [row] = rows(sent.document, "security.certificate_manager")
    assert (row["arn"], row["domain_name"]) == (held["CertificateArn"], held["DomainName"])
    if denied:
        assert sent.code == 1
        assert row["status"] is row["not_after"] is None
        assert any("acm:DescribeCertificate denied" in text for text in sent.said("ERROR"))
    else:
        assert sent.code == 0
        assert row["status"] == held["Status"]
        assert datetime.fromisoformat(row["not_after"]) == held["NotAfter"]
