"""What AWS's lists hide unless they are asked is listed, and what they tell stays a row."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.switches import InstantAnswer
from tests.conftest import MakeAccount
from tests.runs import rows, send

HOME = "us-east-1"


def test_certificates_of_amazon_s_newer_roots_are_listed(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    held = account.items("acm", "certificates", HOME)
    for number, root in enumerate(("N2_AMAZON_MANAGED", "N2_SFG2_AMAZON_MANAGED")):
        made = copy.deepcopy(held[0]) | {"RootHierarchyType": root}
        held.append(made | {"CertificateArn": f"{held[0]['CertificateArn'][:-2]}{number}n"})
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    found = [row["arn"] for row in rows(sent.document, "security.certificate_manager")]
    assert sorted(found) == sorted(one["CertificateArn"] for one in held)
    assert sent.code == 0


def test_a_region_that_does_not_know_the_newer_roots_lists_the_others(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    words = (
        "1 validation error detected: Value at 'rootHierarchyTypes' failed to satisfy constraint"
    )
    embedded.switches.fail(
        "acm", "ListCertificates", "ValidationException", words,
        predicate=lambda request: "RootHierarchyTypes" in request.params,
    )  # fmt: skip
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    assert len(rows(sent.document, "security.certificate_manager")) > 1
    assert (sent.code, sent.statuses["security"]) == (0, "Pass")


def test_secrets_that_are_about_to_be_deleted_say_so(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    leaving = {
        held["ARN"]
        for held in account.items("secretsmanager", "secrets", HOME)
        if "DeletedDate" in held
    }
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    found = rows(sent.document, "security.secrets_manager")
    assert leaving
    assert {row["arn"] for row in found if row["deleted_date"]} == leaving


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("owner", ["SECURITY_LAKE", "CLOUDWATCH_TELEMETRY_RULE_MANAGED"])
def test_an_acl_whose_logging_somebody_else_has_set_up_logs(
    owner: str, listed: bool, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    logs = account.items("wafv2", "logging", HOME)
    silent = {acl["ARN"] for acl in account.items("wafv2", "regional", HOME)} - {
        held["ResourceArn"] for held in logs
    }
    logs.append(copy.deepcopy(logs[0]) | {"ResourceArn": min(silent), "LogScope": owner})
    if not listed:
        embedded.switches.deny("wafv2", "ListLoggingConfigurations")
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    found = {row["arn"]: row["logging_enabled"] for row in rows(sent.document, "security.waf")}
    assert {arn: found[arn] for arn in silent} == dict.fromkeys(silent, False) | {min(silent): True}


def test_where_one_owner_of_logging_could_not_be_asked_only_what_logs_is_known(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    embedded.switches.deny(
        "wafv2", "ListLoggingConfigurations",
        predicate=lambda request: request.params.get("LogScope") == "SECURITY_LAKE",
    )  # fmt: skip
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    assert {row["logging_enabled"] for row in rows(sent.document, "security.waf")} == {True, None}
    assert sent.code == 1


def test_a_web_acl_that_is_not_known_everywhere_yet_is_a_row(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    acl = account.items("wafv2", "regional", HOME)[-1]
    embedded.switches.fail(
        "wafv2", "GetWebACL", "WAFUnavailableEntityException",
        "AWS WAF couldn't retrieve the resource that you requested. Retry your request.",
        predicate=lambda request: request.params["Name"] == acl["Name"],
    )  # fmt: skip
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    [row] = [row for row in rows(sent.document, "security.waf") if row["arn"] == acl["ARN"]]
    listed = {"id": acl["Id"], "name": acl["Name"], "arn": acl["ARN"], "scope": "REGIONAL"}
    assert row == listed | {"description": acl.get("Description")}
    assert (sent.code, sent.statuses["security"]) == (0, "Pass")
    asked = [call for call in embedded.calls if call.error == "WAFUnavailableEntityException"]
    assert len(asked) > 1, "it may be known a moment later"


def test_a_certificate_that_went_after_it_was_listed_is_a_row_of_what_was_told(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    arn = f"arn:aws:acm:{HOME}:{account.id}:certificate/gone"

    def listed(_request: ApiRequest) -> None:
        raise InstantAnswer(
            {"CertificateSummaryList": [{"CertificateArn": arn, "DomainName": "a.b"}]}
        )

    embedded.switches.intercept("acm", "ListCertificates", listed)
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    [row] = rows(sent.document, "security.certificate_manager")
    assert (row["arn"], row["domain_name"], row["not_after"]) == (arn, "a.b", None)
    assert (sent.code, sent.statuses["security"]) == (0, "Pass")


def test_the_newest_event_may_be_on_a_later_page(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    before = rows(send(environment, tmp_path, "--only", "security").document, "security.cloudtrail")

    def empty_first(request: ApiRequest) -> None:
        if not request.params.get("NextToken"):
            raise InstantAnswer({"Events": [], "NextToken": "more"})
        request.params.pop("NextToken")  # type: ignore[attr-defined]

    embedded.switches.intercept("cloudtrail", "LookupEvents", empty_first)
    sent = send(environment, tmp_path, "--only", "security")
    assert before[0]["latest_event_time"]
    assert rows(sent.document, "security.cloudtrail") == before
