"""ACM: certificates, most of which the list hides until it is asked rightly."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, find, page

DEFAULT_KEY_TYPES = ("RSA_1024", "RSA_2048")
DEFAULT_ORIGINS = ("AWS_MANAGED", "CUSTOMER_PROVIDED")

NEWER_ROOTS = ("N2_AMAZON_MANAGED", "N2_SFG2_AMAZON_MANAGED")


@answer("acm", "ListCertificates")
def list_certificates(call: Call) -> dict[str, Any]:
    """Certificates; by default only of RSA keys up to 2,048 bits, none from ACME, and none of
    Amazon's newer roots, which are listed by themselves.
    """
    sort, order = call.params.get("SortBy"), call.params.get("SortOrder")
    if (sort is None) != (order is None):
        message = "SortBy and SortOrder must be specified together."
        raise AwsError("ValidationException", message)
    found = [held for held in call.own("certificates") if chosen(held, call.params)]
    if sort:
        found.sort(key=lambda held: held["CreatedAt"], reverse=order == "DESCENDING")
    chunk, more = page(call, found, size="MaxItems", default=100, maximum=1000)
    return {"CertificateSummaryList": chunk, **more}


def chosen(held: Item, params: dict[str, Any]) -> bool:
    """Whether a certificate passes the request's filters and AWS's default ones."""
    includes = params.get("Includes") or {}
    statuses = params.get("CertificateStatuses")
    origins = params.get("CertificateKeyPairOrigins") or DEFAULT_ORIGINS
    usages = includes.get("keyUsage")
    extended = includes.get("extendedKeyUsage")
    roots = params.get("RootHierarchyTypes")
    root = held.get("RootHierarchyType")
    return (
        (root in roots if roots else root not in NEWER_ROOTS)
        and held["KeyAlgorithm"] in (includes.get("keyTypes") or DEFAULT_KEY_TYPES)
        and held["CertificateKeyPairOrigin"] in origins
        and (not statuses or held["Status"] in statuses)
        and (not usages or "ANY" in usages or bool({*usages} & {*held["KeyUsages"]}))
        and (not extended or "ANY" in extended or bool({*extended} & {*held["ExtendedKeyUsages"]}))
    )


SHARED = (
    "CertificateArn",
    "DomainName",
    "Status",
    "Type",
    "KeyAlgorithm",
    "RenewalEligibility",
    "NotBefore",
    "NotAfter",
    "CreatedAt",
    "IssuedAt",
    "ImportedAt",
    "RevokedAt",
    "CertificateKeyPairOrigin",
)
"""The members that the list and the description have in common."""


@answer("acm", "DescribeCertificate")
def describe_certificate(call: Call) -> dict[str, Any]:
    """One certificate of the region."""
    wanted = call.params["CertificateArn"]
    held = find(call.own("certificates"), "CertificateArn", wanted)
    if held is None:
        message = f"Could not find certificate {wanted}."
        raise AwsError("ResourceNotFoundException", message)
    detail = {name: held[name] for name in SHARED if name in held}
    detail["SubjectAlternativeNames"] = held["SubjectAlternativeNameSummaries"]
    detail["KeyUsages"] = [{"Name": name} for name in held["KeyUsages"]]
    detail["InUseBy"] = [call.account.arn("cloudfront", "distribution/E1")] * held["InUse"]
    return {"Certificate": detail}
