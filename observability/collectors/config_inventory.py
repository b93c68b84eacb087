"""config_inventory: every resource that AWS Config knows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import DENIED, aws_errors, classify_error
from observability.aws.pages import tokens
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import Row, RowMapper, get_path, identified, iso_time, listed, shaped
from observability.sources.config import (
    CONFIG_ERRORS,
    GLOBAL,
    NOT_RECORDING,
    query,
    read_recorders,
)

if TYPE_CHECKING:
    from mypy_boto3_config import ConfigServiceClient


def first_of(*paths: str) -> Callable[[Any], Any]:
    """The first value that a recorded configuration has at one of the paths.

    Advanced queries write whole numbers as 100.0.
    """

    def first(item: Any) -> Any:
        values = (get_path(item, f"configuration.{path}") for path in paths)
        found = next((value for value in values if value is not None), None)
        return int(found) if isinstance(found, float) and found.is_integer() else found

    return first


CONFIG_COLUMNS = (
    "resourceId", "resourceName", "resourceType", "awsRegion", "availabilityZone",
    "resourceCreationTime", "configuration.state.name", "configuration.state.value",
    "configuration.state.code", "configuration.dBInstanceStatus", "configuration.instanceType",
    "configuration.vpcId", "configuration.dBSubnetGroup.vpcId", "configuration.engine",
    "configuration.runtime", "configuration.dBInstanceClass", "configuration.multiAZ",
    "configuration.allocatedStorage", "configuration.size", "configuration.volumeType",
    "configuration.storageType", "configuration.type", "configuration.scheme",
    "configuration.desiredCapacity", "configuration.minSize", "configuration.maxSize",
    "configuration.availableIpAddressCount",
)  # fmt: skip
"""Properties by AWS Config's resource schema; a resource answers with those that it has."""

COMPLIANCE_KINDS = ("AWS::Config::ResourceCompliance", "AWS::Config::ConformancePackCompliance")
"""What Config records of its own verdicts: no resources."""

recorded_row = RowMapper(
    resource_type="resourceType", resource_id="resourceId", resource_name="resourceName",
    resource_subtype=lambda item: item["resourceType"].rpartition("::")[2], region="awsRegion",
)  # fmt: skip
"""What is known of every recorded resource; the subtype of AWS::EC2::Instance is Instance."""

configured_row = RowMapper(
    availability_zone="availabilityZone", creation_date=iso_time("resourceCreationTime"),
    state=first_of("state.name", "state.value", "state.code", "dBInstanceStatus"),
    instance_type=first_of("instanceType"), vpc_id=first_of("vpcId", "dBSubnetGroup.vpcId"),
    engine=first_of("engine", "runtime"), instance_class=first_of("dBInstanceClass"),
    multi_az=first_of("multiAZ"), size_gb=first_of("allocatedStorage", "size"),
    volume_type=first_of("volumeType", "storageType"), type=first_of("type"),
    scheme=first_of("scheme"), instance_count=first_of("desiredCapacity"),
    min_size=first_of("minSize"), max_size=first_of("maxSize"),
    available_ip_count=first_of("availableIpAddressCount"),
)  # fmt: skip
"""What a query tells besides; the instance count of a scaling group is the one it aims at."""


def get_config_resource_inventory(scan: Scan, result: CategoryResult) -> None:
    """Every resource that AWS Config knows (SelectResourceConfig, the advanced query).

    Where queries are not possible, the discovered resources, with less told about each. What is
    global goes into the home region's document only.
    """
    try:
        emit_recorded(scan, result, queried(scan))
    except aws_errors() as error:
        if result.rows:
            raise
        if get_path(getattr(error, "response", {}), "Error.Code") in DENIED:
            result.record_error(error)
        result.note(f"discovered resources only, there was no query: {classify_error(error)[1]}")
        emit_recorded(scan, result, discovered(scan))
    if not result.rows and result.try_read(lambda: scan.once(read_recorders)) is False:
        result.skipped = NOT_RECORDING


def emit_recorded(scan: Scan, result: CategoryResult, rows: Iterable[Row]) -> None:
    """Emit the recorded resources that belong into this region's document."""
    result.emit_all(row for row in rows if scan.home or row["region"] != GLOBAL)


RESOURCES = f"SELECT {', '.join(CONFIG_COLUMNS)} WHERE " + " AND ".join(
    f"resourceType <> '{kind}'" for kind in COMPLIANCE_KINDS
)
"""The advanced query for all resources."""


def queried(scan: Scan) -> Iterator[Row]:
    """Resources by the advanced query."""
    found = query(scan.client("config"), RESOURCES)
    yield from shaped(identified(found, "resourceId"), queried_row)


def queried_row(item: Mapping[str, Any]) -> Row:
    """A resource as the advanced query tells it."""
    return recorded_row(item, **configured_row(item))


def discovered(scan: Scan) -> Iterator[Row]:
    """Resources by type (GetDiscoveredResourceCounts, ListDiscoveredResources)."""
    client: ConfigServiceClient = scan.client("config")
    pages = tokens(lambda **t: client.get_discovered_resource_counts(limit=100, **t), "nextToken")
    kinds = {item["resourceType"]: None for item in listed(pages, "resourceCounts", "resourceType")}
    for kind in (kind for kind in kinds if kind not in COMPLIANCE_KINDS):
        region = GLOBAL if kind.startswith("AWS::IAM::") else scan.region
        found = client.get_paginator("list_discovered_resources").paginate(
            resourceType=kind, PaginationConfig={"PageSize": 100}
        )
        resources = listed(found, "resourceIdentifiers", "resourceId")
        yield from shaped(resources, functools.partial(recorded_row, region=region))


EXPECTED_ERRORS = (
    *CONFIG_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="config_inventory",
    collect=get_config_resource_inventory,
    scope=REGIONAL,
    backfill=NOW,
    actions=(
        "config:SelectResourceConfig",
        "config:DescribeConfigurationRecorders",
        "config:GetDiscoveredResourceCounts",
        "config:ListDiscoveredResources",
    ),
    probes=(Probe("config:SelectResourceConfig", {"Expression": "SELECT resourceId", "Limit": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
