"""ACM certificates of every key type, status and origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

ALGORITHMS = (
    "RSA_2048",
    "EC_prime256v1",
    "RSA_1024",
    "EC_secp384r1",
    "RSA_4096",
    "RSA_2048",
    "RSA_3072",
    "EC_secp521r1",
)
STATUSES = ("ISSUED", "ISSUED", "ISSUED", "EXPIRED", "PENDING_VALIDATION", "ISSUED", "REVOKED")


@content("acm", "certificates")
def certificates(account: Account, region: str) -> list[dict[str, Any]]:
    """ListCertificates' CertificateSummary."""
    return [certificate(account, region, number) for number in range(account.size.certificates)]


def certificate(account: Account, region: str, number: int) -> dict[str, Any]:
    """One certificate; every fifth imported, every eleventh asked for through ACME."""
    status = pick(STATUSES, number)
    imported = number % 5 == 2
    domain = account.words.name("domain", number, star="*." if number % 3 == 0 else "")
    path = f"certificate/{account.uuid('certificate', region, number)}"
    origin = "CUSTOMER_PROVIDED" if imported else "ACME" if number % 11 == 6 else "AWS_MANAGED"
    return {
        "CertificateArn": account.arn("acm", path, region),
        "DomainName": domain,
        "SubjectAlternativeNameSummaries": [domain, "example.com"],
        "HasAdditionalSubjectAlternativeNames": False,
        "Status": status,
        "Type": "IMPORTED" if imported else "AMAZON_ISSUED",
        "KeyAlgorithm": pick(ALGORITHMS, number),
        "KeyUsages": ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"],
        "ExtendedKeyUsages": ["TLS_WEB_SERVER_AUTHENTICATION"],
        "InUse": number % 2 == 0,
        "RenewalEligibility": "INELIGIBLE" if imported else "ELIGIBLE",
        "CreatedAt": account.ago(300 + number % 50, seconds=number),
        "CertificateKeyPairOrigin": origin,
        **dates(account, number, status, imported),
    }


def dates(account: Account, number: int, status: str, imported: bool) -> dict[str, Any]:
    """When a certificate is valid; one that waits for validation is not yet."""
    if status == "PENDING_VALIDATION":
        return {}
    ends = account.ago(3 + number % 40) if status == "EXPIRED" else account.ago(-1 - number % 380)
    begun = account.ago(299, seconds=number)
    return {
        "NotBefore": begun,
        "NotAfter": ends,
        "ImportedAt" if imported else "IssuedAt": begun,
        **({"RevokedAt": account.ago(2)} if status == "REVOKED" else {}),
    }
