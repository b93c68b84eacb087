"""security.certificate_manager: certificates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import NOT_HERE, VANISHED, ExpectedError
from observability.aws.pages import widened
from observability.collecting.collector import NOW, Part, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import RowMapper, iso_time, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_acm.literals import CertificateKeyPairOriginType, KeyAlgorithmType


certificate_row = RowMapper(
    arn="CertificateArn", domain_name="DomainName", status="Status", type="Type",
    not_after=iso_time("NotAfter"), not_before=iso_time("NotBefore"), key_algorithm="KeyAlgorithm",
    in_use="InUse", renewal_eligibility="RenewalEligibility",
)  # fmt: skip

KEY_TYPES: tuple[KeyAlgorithmType, ...] = (
    "RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1",
)  # fmt: skip
"""All that ACM knows: unless asked, its list hides all but short RSA keys."""
ORIGINS: tuple[CertificateKeyPairOriginType, ...] = ("AWS_MANAGED", "CUSTOMER_PROVIDED", "ACME")
"""All that ACM knows: unless asked, its list hides those that an ACME client ordered."""
NEWER_ROOTS = ("N2_AMAZON_MANAGED", "N2_SFG2_AMAZON_MANAGED")
"""Root hierarchies that ACM's list hides; a list that is asked for them has them only."""


def get_certificate_security(scan: Scan, result: CategoryResult) -> None:
    """Every certificate of every key type, origin and root (ACM: ListCertificates, twice).

    The list has all that is wanted; DescribeCertificate is asked where it left something out.
    """
    client: ACMClient = scan.client("acm")
    known: set[str] = set()
    emit_certificates(scan, result, client, known)
    request: Any = client.meta.service_model.operation_model("ListCertificates").input_shape
    if "RootHierarchyTypes" in request.members:
        result.try_read(
            lambda: emit_certificates(scan, result, client, known, RootHierarchyTypes=NEWER_ROOTS),
            fills=result.lists,
        )
    else:
        result.note(
            "certificates of Amazon's newer roots are not listed: botocore is older than they"
        )


def emit_certificates(
    scan: Scan, result: CategoryResult, client: ACMClient, known: set[str], **roots: Any
) -> None:
    """The certificates of the roots that are asked for, else of all but the newer ones; less those
    that are `known` already, from a partition that does not tell roots apart.
    """

    def complete(arn: str) -> Mapping[str, Any]:
        return client.describe_certificate(CertificateArn=arn)["Certificate"]

    def pages(**wider: Any) -> Iterable[Mapping[str, Any]]:
        listing = client.get_paginator("list_certificates")
        return listing.paginate(PaginationConfig={"PageSize": 1000}, **wider, **roots)

    for page in widened(pages, Includes={"keyTypes": KEY_TYPES}, CertificateKeyPairOrigins=ORIGINS):
        every = listed([page], "CertificateSummaryList", "CertificateArn")
        found = {h["CertificateArn"]: h for h in every if h["CertificateArn"] not in known}
        known.update(found)
        lacking = [arn for arn, item in found.items() if lacks_fields(item)]
        filled = dict(map_items(scan.aws, lacking, complete, result))
        whole = ({**(filled.get(arn) or {}), **item} for arn, item in found.items())
        for row in shaped(whole, certificate_row):
            result.emit(row, "certificate_manager")


def lacks_fields(item: Mapping[str, Any]) -> bool:
    """Whether the list left out what an issued certificate always has."""
    issued = item.get("Status") in ("ISSUED", "EXPIRED", "INACTIVE", "REVOKED")
    return "Status" not in item or "Type" not in item or (issued and "NotAfter" not in item)


EXPECTED_ERRORS = (
    ExpectedError("acm", "ResourceNotFoundException", VANISHED),
    ExpectedError(
        "acm:ListCertificates", "ValidationException", NOT_HERE,
        "the region does not know Amazon's newer roots", "(?i)rootHierarchyType",
    ),
)  # fmt: skip

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
    expected_errors=EXPECTED_ERRORS,
)
