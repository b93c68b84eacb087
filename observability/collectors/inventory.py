"""inventory: machines that Systems Manager manages, their applications and patches."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import (
    LACKING,
    NO_VALUE,
    NOT_HERE,
    ExpectedError,
    aws_errors,
    classify_error,
)
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Collect, Scan, run_parts
from observability.dates import to_iso
from observability.rows import Row, RowMapper, iso_time, listed, shaped
from observability.sources.ec2_instances import read_instances

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


instance_row = RowMapper(
    instance_id="InstanceId", platform="PlatformName", ip_address="IPAddress",
    computer_name="ComputerName", ping_status="PingStatus",
    last_ping_date_time=iso_time("LastPingDateTime"), agent_version="AgentVersion",
    platform_type="PlatformType", platform_version="PlatformVersion",
    is_latest_version="IsLatestVersion", association_status="AssociationStatus",
    association_execution_date=iso_time("LastAssociationExecutionDate"),
    association_success_date=iso_time("LastSuccessfulAssociationExecutionDate"),
)  # fmt: skip
application_row = RowMapper(
    name="Name", version="Version", publisher="Publisher", architecture="Architecture",
    application_type="ApplicationType", install_time=iso_time("InstalledTime"),
)  # fmt: skip
patch_row = RowMapper(
    title="Title", classification="Classification", severity="Severity", state="State",
    installed_time=lambda item: to_iso(item["InstalledTime"]) if was_installed(item) else None,
    kb_id="KBId", cve_ids="CVEIds",
)  # fmt: skip


def was_installed(patch: Mapping[str, Any]) -> bool:
    """Whether a patch has a time: AWS dates those not installed to the beginning of time."""
    installed = patch.get("InstalledTime")
    return installed is not None and installed.year > 1970


def get_inventory(scan: Scan, result: CategoryResult) -> None:
    """Machines that Systems Manager manages, what is installed on them, and their patches."""
    client: SSMClient = scan.client("ssm")
    types = instance_types(scan, result)
    known: dict[str, None] = {}
    pages = client.get_paginator("describe_instance_information").paginate(
        PaginationConfig={"PageSize": 50}
    )
    machines = listed(pages, "InstanceInformationList", "InstanceId")
    for row in shaped(machines, instance_row):
        instance = row["instance_id"]
        known[instance] = None
        ec2 = {} if types is None else {"instance_type": types.get(instance)}
        result.emit(row | ec2, "instances")
    parts: dict[str, Collect] = {
        "applications": lambda scan, part: get_applications(scan, part, known),
        "patches": lambda scan, part: get_patch_details(scan, part, known),
    }
    run_parts(scan, result, parts, {name: (name,) for name in parts})


def instance_types(scan: Scan, result: CategoryResult) -> dict[str, str] | None:
    """EC2's type of each instance, which Systems Manager does not know; None if it cannot be read.

    The same listing serves `service_resources`, which reports its failure if it is collected.
    """
    try:
        return {row["resource_id"]: row["instance_type"] for row in scan.once(read_instances)}
    except aws_errors() as error:
        other, settings = "service_resources", scan.settings
        if other in settings.skip or (settings.only and other not in settings.only):
            result.record_error(error)
        result.note(f"instance types are not known: {classify_error(error)[1]}")
        return None


def get_applications(scan: Scan, result: CategoryResult, known: Mapping[str, None]) -> None:
    """What is installed, of fifty machines a call (Systems Manager: GetInventory).

    AWS goes on listing machines that were terminated; those are left out.
    """
    client: SSMClient = scan.client("ssm")
    pages = client.get_paginator("get_inventory").paginate(
        ResultAttributes=[{"TypeName": "AWS:Application"}], PaginationConfig={"PageSize": 50}
    )
    for entity in listed(pages, "Entities", "Id"):
        programs = named([entity], "Data.AWS:Application.Content", "Name")
        shape = functools.partial(application_row, instance_id=entity["Id"])
        for row in shaped(programs if entity["Id"] in known else (), shape):
            result.emit(row, "applications")


def named(pages: Iterable[Mapping[str, Any]], path: str, name: str) -> Iterator[Any]:
    """The items that have a name: agents report programs without one, which nothing identifies."""
    return (item for item in listed(pages, path) if item.get(name))


def get_patch_details(scan: Scan, result: CategoryResult, known: Iterable[str]) -> None:
    """Every patch of every machine (Systems Manager: DescribeInstancePatches, one machine each).

    AWS tells nothing of a machine whose agent does not run (InvalidInstanceId). Its patches are not
    known then, so that what the list lacks is not taken for gone.
    """
    client: SSMClient = scan.client("ssm")

    def patches(instance: str) -> list[Row]:
        pages = client.get_paginator("describe_instance_patches").paginate(
            InstanceId=instance, PaginationConfig={"PageSize": 100}
        )
        found = named(pages, "Patches", "Title")
        return list(shaped(found, functools.partial(patch_row, instance_id=instance)))

    for _, rows in map_items(scan.aws, known, patches, result, fills=result.lists):
        for row in rows or ():
            result.emit(row, "patches")


EXPECTED_ERRORS = (
    ExpectedError(
        "ssm", "InvalidInstanceId", NO_VALUE,
        "Systems Manager tells nothing of machines whose agent does not run",
    ),
    ExpectedError("ssm:GetInventory", "InvalidResultAttributeException", NOT_HERE, LACKING),
    ExpectedError("ssm:GetInventory", "InvalidTypeNameException", NOT_HERE, LACKING),
)  # fmt: skip

COLLECTOR = Collector(
    category="inventory",
    collect=get_inventory,
    scope=REGIONAL,
    backfill=NOW,
    essential=True,
    lists=(
        "instances",
        "applications",
        "patches",
    ),
    actions=(
        "ssm:DescribeInstanceInformation",
        "ssm:GetInventory",
        "ssm:DescribeInstancePatches",
        "ec2:DescribeInstances",
    ),
    resources={
        "ssm:DescribeInstancePatches": (
            "ec2:*:${AWS::AccountId}:instance/*",
            "ssm:*:${AWS::AccountId}:managed-instance/*",
        ),
    },
    probes=(
        Probe("ssm:DescribeInstanceInformation", {"MaxResults": 5}),
        Probe("ssm:GetInventory", {"MaxResults": 1}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
