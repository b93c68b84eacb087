"""security.certificate_manager: certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from observability.collecting.collector import NOW, Part, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import RowMapper, iso_time

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_acm.literals import KeyAlgorithmType


certificate_row = RowMapper(
    arn="CertificateArn", domain_name="DomainName", status="Status", type="Type",
    not_after=iso_time("NotAfter"), not_before=iso_time("NotBefore"), key_algorithm="KeyAlgorithm",
    in_use="InUse", renewal_eligibility="RenewalEligibility",
)  # fmt: skip

KEY_TYPES: tuple[KeyAlgorithmType, ...] = (
    "RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1",
)  # fmt: skip
"""All that ACM knows: unless asked, its list hides all but short RSA keys."""


def get_certificate_security(scan: Scan, out: CategoryResult) -> None:
    """Every certificate of every key type and origin (ACM: ListCertificates).

    The list has all that is wanted; DescribeCertificate is asked where it left something out.
    """
    client: ACMClient = scan.client("acm")

    def complete(arn: str) -> Mapping[str, Any]:
        return client.describe_certificate(CertificateArn=arn)["Certificate"]

    for page in client.get_paginator("list_certificates").paginate(
        Includes={"keyTypes": KEY_TYPES},
        CertificateKeyPairOrigins=["AWS_MANAGED", "CUSTOMER_PROVIDED", "ACME"],
        PaginationConfig={"PageSize": 1000},
    ):
        found = {held["CertificateArn"]: held for held in page.get("CertificateSummaryList", ())}
        lacking = [arn for arn, held in found.items() if lacks_fields(held)]
        filled = dict(map_items(scan.aws, lacking, complete, out))
        for arn, held in found.items():
            out.emit(certificate_row({**(filled.get(arn) or {}), **held}), "certificate_manager")


def lacks_fields(held: Mapping[str, Any]) -> bool:
    """Whether the list left out what an issued certificate always has."""
    issued = held.get("Status") in ("ISSUED", "EXPIRED", "INACTIVE", "REVOKED")
    return "Status" not in held or "Type" not in held or (issued and "NotAfter" not in held)


PART = Part(
    name="certificate_manager",
    collect=get_certificate_security,
    backfill=NOW,
    actions=(
        "acm:ListCertificates",
        "acm:DescribeCertificate",
    ),
    resources={
        "acm:DescribeCertificate": ("acm:*:${AWS::AccountId}:certificate/*",),
    },
    probes=(Probe("acm:ListCertificates", {"MaxItems": 1}),),
)
