"""EC2 instances, which two categories need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.pages import widened
from observability.collecting.scan import Scan
from observability.collecting.spool import SpooledRows
from observability.rows import RowMapper, iso_time, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def name_tag(item: Mapping[str, Any]) -> str | None:
    """The value of the tag Name."""
    return next((t.get("Value") for t in item.get("Tags", ()) if t.get("Key") == "Name"), None)


def kind_of(service: str, kind: str, **columns: str | Callable[[Any], Any]) -> RowMapper:
    """The shape of a kind of resource."""
    return RowMapper(service_name=lambda _: service, resource_type=lambda _: kind, **columns)


ec2_row = kind_of(
    "EC2", "Instance", resource_id="InstanceId", resource_name=name_tag,
    availability_zone="Placement.AvailabilityZone", state="State.Name",
    instance_type="InstanceType", vpc_id="VpcId", creation_date=iso_time("LaunchTime"),
)  # fmt: skip


def read_instances(scan: Scan) -> SpooledRows:
    """EC2 instances (DescribeInstances), also hidden ones that AWS services manage."""
    client: EC2Client = scan.client("ec2")
    rows = SpooledRows(scan.store)
    ask = functools.partial(
        client.get_paginator("describe_instances").paginate, PaginationConfig={"PageSize": 1000}
    )
    pages = widened(ask, IncludeManagedResources=True)
    groups = listed(pages, "Reservations", reject=rows.reject)
    instances = listed(groups, "Instances", "InstanceId", rows.reject)
    for row in shaped(instances, ec2_row, rows.reject):
        rows.add(row)
    return rows
