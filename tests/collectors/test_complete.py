"""What a document says it has read whole, and what is marked as gone by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import receiver
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.answers.core import AwsError
from tests.collectors.reading import without_bucket
from tests.conftest import MakeAccount, MakeEnvironment
from tests.runs import rows, send, ship
from tests.warehouse import Warehouse

HOME = "us-east-1"

Collect = Callable[..., int]


@pytest.fixture
def mine(make_account: MakeAccount) -> Account:
    """An account whose things may vanish."""
    return make_account(Size.small())


@pytest.fixture
def collect(mine: Account, environment_of: MakeEnvironment, warehouse: Warehouse) -> Collect:
    """Collects some categories of the account and loads the document; the sender's exit code."""
    environment = environment_of(mine)

    def run(*categories: str) -> int:
        code, _ = ship(environment, "--only", ",".join(categories))
        results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
        assert [result.status.name for result in results] == ["LOADED"]
        return code

    return run


def living(warehouse: Warehouse, table: str, column: str) -> set[str]:
    """What of a table is not gone."""
    found = warehouse.query(f"SELECT {column} AS name FROM {table} WHERE gone_at IS NULL")
    return {row["name"] for row in found}


DENIED_KEYS = {
    # a permission could lift the first, so it is told; nobody can lift the second
    "by an SCP": ("with an explicit deny in a service control policy", 1),
    "by its own policy": ("because no resource-based policy allows the kms:DescribeKey action", 0),
}


@pytest.mark.parametrize("denial", DENIED_KEYS)
def test_a_key_that_is_denied_for_ever_keeps_no_other_key_alive(
    denial: str, embedded: EmbeddedCloud, mine: Account, collect: Collect, warehouse: Warehouse
) -> None:
    words, code = DENIED_KEYS[denial]
    keys = mine.items("kms", "keys", HOME)
    shut, deleted = [key["KeyId"] for key in keys if key["KeyManager"] == "CUSTOMER"][:2]
    embedded.switches.fail(
        "kms", "DescribeKey", "AccessDeniedException",
        f"User: arn:aws:iam::1:user/x is not authorized to perform: kms:DescribeKey {words}",
        predicate=lambda request: request.params["KeyId"] == shut,
    )  # fmt: skip
    assert collect("security") == code
    assert living(warehouse, "kms_keys", "key_id") == {key["KeyId"] for key in keys}
    keys[:] = [key for key in keys if key["KeyId"] != deleted]
    mine.touch()
    assert collect("security") == code
    assert living(warehouse, "kms_keys", "key_id") == {key["KeyId"] for key in keys}
    assert shut in living(warehouse, "kms_keys", "key_id")


def test_a_page_that_is_not_read_keeps_everything_alive(
    embedded: EmbeddedCloud, mine: Account, collect: Collect, warehouse: Warehouse
) -> None:
    assert collect("security") == 0
    before = living(warehouse, "kms_keys", "key_id")
    embedded.cloud.page_size = 1
    embedded.switches.deny(
        "kms", "ListKeys", predicate=lambda request: bool(request.params.get("Marker"))
    )
    assert collect("security") == 1
    assert living(warehouse, "kms_keys", "key_id") == before


@pytest.mark.parametrize("operation", ["ListKeys", "ListSecrets", "ListCertificates"])
def test_a_page_of_a_proxy_keeps_everything_alive(
    operation: str,
    embedded: EmbeddedCloud,
    mine: Account,
    collect: Collect,
    warehouse: Warehouse,
) -> None:
    tables = {"kms_keys": "key_id", "secrets_manager_secrets": "arn", "certificates": "arn"}
    assert collect("security") == 0
    before = {table: living(warehouse, table, column) for table, column in tables.items()}
    assert all(before.values())
    embedded.switches.answer_raw("*", operation, b"<html><body>Please sign in</body></html>")
    assert collect("security") == 1
    assert {table: living(warehouse, table, column) for table, column in tables.items()} == before


def test_a_part_that_fails_keeps_nothing_of_the_others_alive(
    embedded: EmbeddedCloud, mine: Account, collect: Collect, warehouse: Warehouse
) -> None:
    secrets = mine.items("secretsmanager", "secrets", HOME)
    assert collect("security") == 0
    trails = living(warehouse, "cloudtrail_logs", "arn")
    secrets.pop()
    mine.touch()
    embedded.switches.deny("cloudtrail", "DescribeTrails")
    embedded.switches.fail("kms", "ListKeys", "UnknownOperationException", "Unknown Operation")
    assert collect("security") == 1
    assert living(warehouse, "secrets_manager_secrets", "arn") == {held["ARN"] for held in secrets}
    assert living(warehouse, "cloudtrail_logs", "arn") == trails
    assert living(warehouse, "kms_keys", "key_id")


def test_patches_of_a_machine_whose_agent_sleeps_stay_known(
    embedded: EmbeddedCloud, mine: Account, collect: Collect, warehouse: Warehouse
) -> None:
    assert collect("inventory") == 0
    patches = "SELECT count(*) AS n FROM inventory_patches"
    before = warehouse.query(patches)
    embedded.switches.fail("ssm", "DescribeInstancePatches", "InvalidInstanceId", "")
    machines = mine.items("ssm", "instances", HOME)
    machines.pop()
    mine.touch()
    assert collect("inventory") == 0
    assert warehouse.query(patches) == before
    living_machines = living(warehouse, "inventory_instances", "instance_id")
    assert living_machines == {held["InstanceId"] for held in machines}


def test_use_that_cost_explorer_does_not_tell_deletes_no_day(
    embedded: EmbeddedCloud, mine: Account, environment_of: MakeEnvironment, warehouse: Warehouse
) -> None:
    environment = environment_of(mine)

    def collect(code: int) -> list[dict[str, object]]:
        assert ship(environment, "--only", "ri_sp_savings")[0] == code
        receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
        return warehouse.query(
            "SELECT date_from, subscription_id FROM ri_sp_daily_savings ORDER BY 1, 2"
        )

    before = collect(0)
    assert before
    for operation in ("GetReservationUtilization", "GetSavingsPlansUtilization*"):
        embedded.switches.fail("ce", operation, "DataUnavailableException", "")
    assert collect(0) == before


def test_contacts_that_are_denied_are_not_taken_for_removed(
    embedded: EmbeddedCloud, mine: Account, collect: Collect, warehouse: Warehouse
) -> None:
    assert collect("account") == 0
    kinds = living(warehouse, "alternate_contacts", "contact_type")
    addresses = living(warehouse, "contact_info", "city")
    assert kinds
    assert addresses
    embedded.switches.deny(
        "account", "GetAlternateContact",
        predicate=lambda request: request.params["AlternateContactType"] == "BILLING",
    )  # fmt: skip
    embedded.switches.deny("account", "GetContactInformation")
    assert collect("account") == 1
    assert living(warehouse, "alternate_contacts", "contact_type") == kinds
    assert living(warehouse, "contact_info", "city") == addresses


def test_findings_that_are_refused_in_a_batch_cost_themselves(
    embedded: EmbeddedCloud, mine: Account, tmp_path: Path
) -> None:
    environment = without_bucket(embedded, mine)
    before = rows(send(environment, tmp_path, "--only", "security").document, "security.guard_duty")
    odd = before[len(before) // 2]["id"]

    def refuse(request: ApiRequest) -> None:
        if odd in request.params["FindingIds"]:
            # as GuardDuty words it of a detector: https://github.com/boto/boto3/issues/3890
            words = "The request is rejected because the parameter findingIds has an invalid value."
            raise AwsError("BadRequestException", words, 400)

    embedded.switches.intercept("guardduty", "GetFindings", refuse)
    sent = send(environment, tmp_path, "--only", "security")
    found = rows(sent.document, "security.guard_duty")
    assert [row["id"] for row in found] == [row["id"] for row in before if row["id"] != odd]
    assert (sent.code, sent.statuses["security"]) == (0, "Pass")
    assert any(f"finding {odd} is left out" in text for text in sent.said("INFO"))


UNKNOWN = {
    "certificates": (
        "acm", "ListCertificates", "ValidationException", "CertificateKeyPairOrigins",
        "security", "security.certificate_manager",
    ),
    "secrets": (
        "secretsmanager", "ListSecrets", "InvalidParameterException", "IncludePlannedDeletion",
        "security", "security.secrets_manager",
    ),
    "volumes": (
        "ec2", "DescribeVolumes", "UnknownParameter", "IncludeManagedResources",
        "service_resources", "service_resources",
    ),
    "instances": (
        "ec2", "DescribeInstances", "UnknownParameter", "IncludeManagedResources",
        "service_resources", "service_resources",
    ),
    "savings plans": (
        "savingsplans", "DescribeSavingsPlans", "ValidationException", "states",
        "ri_sp_savings", "ri_sp_savings",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_parameter_that_the_region_does_not_know_costs_what_only_it_shows(
    name: str, embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    service, operation, code, parameter, category, path = UNKNOWN[name]
    asked: list[bool] = []

    def refuse(request: ApiRequest) -> None:
        asked.append(parameter in request.params)
        if asked[-1]:
            raise AwsError(code, f"The parameter {parameter} is not recognized", 400)

    embedded.switches.intercept(service, operation, refuse)
    sent = send(without_bucket(embedded, account), tmp_path, "--only", category)
    assert rows(sent.document, path)
    assert (sent.code, sent.statuses[category]) == (0, "Pass")
    assert path in sent.document["meta"]["complete"]
    assert len([text for text in sent.said("INFO") if parameter in text]) == 1
    assert False in asked
