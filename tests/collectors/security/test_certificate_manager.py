"""Certificates of ACM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from observability.collectors.security.certificate_manager import certificate_row
from tests.cloud import Account, EmbeddedCloud
from tests.collectors.losses import Denial, gone, security
from tests.collectors.reading import Send, answering
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.conftest import REGIONS
from tests.runs import Row, rows

HOME, OTHER = REGIONS


# Security


def certificates(place: Place) -> Iterator[Row]:
    """Certificates of every key type and origin."""
    for held in place.own("acm", "certificates"):
        yield {"arn": held["CertificateArn"]}


TRUTH: Mapping[str, Truth] = {
    "security.certificate_manager": Truth(certificates, "certificates", ("arn",)),
}

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"

# https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateSummary.html
GOLDEN: Mapping[str, Golden] = {
    "security.certificate_manager": Golden(
        certificate_row,
        {
            "CertificateArn": CERTIFICATE,
            "DomainName": "www.example.com",
            "SubjectAlternativeNameSummaries": ["www.example.com", "www.example.net"],
            "HasAdditionalSubjectAlternativeNames": False,
            "Status": "ISSUED",
            "Type": "AMAZON_ISSUED",
            "KeyAlgorithm": "RSA-2048",
            "KeyUsages": ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"],
            "ExtendedKeyUsages": ["NONE"],
            "InUse": False,
            "RenewalEligibility": "INELIGIBLE",
            "NotBefore": datetime(2022, 6, 14, 23, 42, 49, tzinfo=UTC),
            "NotAfter": datetime(2032, 6, 11, 23, 42, 49, tzinfo=UTC),
            "CreatedAt": datetime(2022, 8, 25, 19, 28, 5, 531000, tzinfo=UTC),
        },
        {
            "arn": CERTIFICATE,
            "domain_name": "www.example.com",
            "status": "ISSUED",
            "type": "AMAZON_ISSUED",
            "not_after": "2032-06-11T23:42:49+00:00",
            "not_before": "2022-06-14T23:42:49+00:00",
            "key_algorithm": "RSA-2048",
            "in_use": False,
            "renewal_eligibility": "INELIGIBLE",
        },
    ),
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
