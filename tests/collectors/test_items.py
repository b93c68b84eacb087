"""One item that is gone, retired, asleep or not as AWS's model says costs itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.answers.core import AwsError
from tests.conftest import MakeAccount
from tests.runs import rows, send

HOME = "us-east-1"


@pytest.mark.parametrize("named", [True, False])
def test_retired_checks_are_left_out_of_their_batch(
    named: bool, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    before = send(environment, tmp_path, "--only", "trusted_advisor").document["trusted_advisor"]
    shown = {row["check_id"] for row in before}
    retired: set[str] = set()

    def refuse(request: ApiRequest) -> None:
        asked = request.params["checkIds"]
        retired.update([check for check in asked if check not in shown][: 3 - len(retired)])
        if gone := [check for check in asked if check in retired]:
            words = "Unknown ID: Account requires a Premium Support Plan for access to check: "
            text = words + gone[0] if named else "Unknown ID"
            raise AwsError("InvalidParameterValueException", text, 400)

    embedded.switches.intercept("support", "DescribeTrustedAdvisorCheckSummaries", refuse)
    sent = send(environment, tmp_path, "--only", "trusted_advisor")
    assert retired
    assert sent.document["trusted_advisor"] == before
    assert sent.code == 0
    told = [text for text in sent.said("INFO") if "is left out: AWS lists it" in text]
    assert len(told) == len(retired)


def test_a_pack_that_vanished_takes_no_other_pack_s_name_away(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    before = rows(
        send(environment, tmp_path, "--only", "config").document, "config.non_compliant_resources"
    )
    names = {row["conformance_pack"] for row in before}
    gone = min(names - {"Standalone"})
    embedded.switches.fail(
        "config", "DescribeConformancePackCompliance", "NoSuchConformancePackException", "gone",
        predicate=lambda request: request.params["ConformancePackName"] == gone,
    )  # fmt: skip
    sent = send(environment, tmp_path, "--only", "config")
    found = rows(sent.document, "config.non_compliant_resources")
    assert {row["conformance_pack"] for row in found} == names - {gone} | {"Standalone"}
    assert (sent.code, sent.statuses["config"]) == (0, "Pass")


def test_a_machine_whose_agent_sleeps_is_a_machine(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    asleep: list[str] = []

    def invalid(request: ApiRequest) -> None:
        asleep[:] = asleep or [request.params["InstanceId"]]
        if request.params["InstanceId"] == asleep[0]:
            raise AwsError("InvalidInstanceId", "", 400)

    embedded.switches.intercept("ssm", "DescribeInstancePatches", invalid)
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "inventory")
    machines = {row["instance_id"] for row in rows(sent.document, "inventory.instances")}
    patched = {row["instance_id"] for row in rows(sent.document, "inventory.patches")}
    assert asleep[0] in machines - patched
    assert patched
    assert (sent.code, sent.statuses["inventory"]) == (0, "Pass")


CASE = {"caseId": "case-1", "subject": "s", "timeCreated": "2026-01-05T10:00:00Z"}
BROKEN: dict[str, tuple[str, str, dict[str, Any], str]] = {
    # a list of AWS may have a null in it, which botocore hands on
    "support_tickets": ("support", "DescribeCases", {"cases": [None, CASE]}, "case_id"),
    "resilience": (
        "health", "DescribeEvents", {"events": [{"arn": "arn:one"}, None]}, "arn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_item_costs_itself_and_is_told(
    name: str, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    service, operation, answer, column = BROKEN[name]
    embedded.switches.answer_raw(service, operation, json.dumps(answer).encode())
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    category = "health" if service == "health" else name
    sent = send(environment, tmp_path, "--only", category)
    [row] = sent.document[category]
    assert row[column] in ("case-1", "arn:one")
    assert (sent.code, sent.statuses[category]) == (1, "Fail")
    assert any("not as AWS's model says" in text for text in sent.said("FAIL"))


def test_a_shared_listing_with_a_broken_item_fails_each_category_that_reads_it(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    """Else what one of them does not list would be marked gone by the other."""
    service = {"Amount": "1", "Unit": "USD"}
    groups = [{"Keys": ["S3", "Requests"], "Metrics": {"UnblendedCost": service}}, None]
    day = {"TimePeriod": {"Start": "2026-01-01", "End": "2026-01-02"}, "Groups": groups}
    embedded.switches.answer_raw(
        "ce", "GetCostAndUsage", json.dumps({"ResultsByTime": [day]}).encode()
    )
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "service,cost")
    assert {sent.statuses["service"], sent.statuses["cost"]} == {"Fail"}


def test_names_that_no_database_takes_come_through_with_a_replacement(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    secret = {
        "ARN": "arn:aws:secretsmanager:x",
        "Name": "nul\0 half\ud83d",
        "Description": "\\u0000",
    }
    raw = json.dumps({"SecretList": [secret]}).encode()
    embedded.switches.answer_raw("secretsmanager", "ListSecrets", raw)
    about = {"AccountId": account.id, "AccountName": "a\0b\udc00", "AccountState": "ACTIVE"}
    embedded.switches.answer_raw("account", "GetAccountInformation", json.dumps(about).encode())
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "account,security")
    [row] = rows(sent.document, "security.secrets_manager")
    assert (row["name"], row["description"]) == ("nul\ufffd half\ufffd", "\\u0000")
    assert sent.document["account"]["account_name"] == "a\ufffdb\ufffd"
    assert sent.code == 0
