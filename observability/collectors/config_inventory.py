"""config_inventory: every resource that AWS Config knows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from observability.aws.errors import DENIED, aws_errors, classify_error
from observability.aws.pages import tokens
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.shared import SharedReads
from observability.collecting.spool import Spool
from observability.contract import SKIPPED
from observability.rows import Row, RowMapper, get_path, iso_time, shaped
from observability.sources.config import (
    CONFIG_ERRORS,
    GLOBAL,
    NOT_RECORDING,
    PAGE,
    Aggregator,
    aggregator_of,
    query,
    read_recorders,
)

if TYPE_CHECKING:
    from mypy_boto3_config import ConfigServiceClient


def first_of(*paths: str) -> Callable[[Any], Any]:
    """The first value that a recorded configuration has at one of the paths.

    Advanced queries write whole numbers as 100.0.
    """

    def first(held: Any) -> Any:
        values = (get_path(held, f"configuration.{path}") for path in paths)
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
    resource_subtype=lambda held: held["resourceType"].rpartition("::")[2], region="awsRegion",
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


def get_config_resource_inventory(scan: Scan, out: CategoryResult) -> None:
    """Every resource that AWS Config knows (SelectResourceConfig, the advanced query).

    Where queries are not possible, the discovered resources, with less told about each. What is
    global goes into the home region's document only.
    """
    try:
        emit_recorded(scan, out, aggregated(scan) or queried(scan))
    except aws_errors() as error:
        if out.rows or classify_error(error)[0] == SKIPPED:
            raise
        if get_path(getattr(error, "response", {}), "Error.Code") in DENIED:
            out.record_error(error)
        out.note(f"discovered resources only, there was no query: {classify_error(error)[1]}")
        emit_recorded(scan, out, discovered(scan))
    if not out.rows and out.try_read(lambda: scan.once(read_recorders)) is False:
        out.skipped = NOT_RECORDING


def emit_recorded(scan: Scan, out: CategoryResult, rows: Iterable[Row]) -> None:
    """Emit the recorded resources that belong into this region's document."""
    out.emit_all(row for row in rows if scan.home or row["region"] != GLOBAL)


REAL = " AND ".join(f"resourceType <> '{kind}'" for kind in COMPLIANCE_KINDS)
"""An advanced query's condition for what is a resource."""


def resources_where(*conditions: str) -> str:
    """The advanced query for resources that meet all conditions."""
    columns = ", ".join(CONFIG_COLUMNS)
    return f"SELECT accountId, {columns} WHERE {' AND '.join((REAL, *conditions))}"


def queried(scan: Scan) -> Iterator[Row]:
    """Resources by the advanced query."""
    yield from shaped(query(scan.client("config"), resources_where()), queried_row)


def queried_row(held: Mapping[str, Any]) -> Row:
    """A resource as the advanced query tells it."""
    return recorded_row(held, **configured_row(held))


ACCOUNTS_PER_QUERY = 20
"""Accounts whose resources an aggregator is asked for at once: AWS takes 4,096 characters."""


def aggregated(scan: Scan) -> Spool | None:
    """Resources of this account and region as an aggregator has them; None if it has none.

    It does not say which region has recorded what is global, so that the home region, whose
    document has that, is read by account. So is one that has a page of resources or more, which
    takes no more requests and keeps no other account waiting.
    """
    aggregator, region = aggregator_of(scan), scan.region
    if not aggregator or scan.home or not (shared := scan.run.shared):
        return None
    sizes = shared.once("Config's sizes", "", lambda _: sizes_by_place(aggregator)) or {}
    known = [name for name in shared.accounts if (name, region) in aggregator.sources]
    members = [name for name in known if sizes.get((name, region), PAGE) < PAGE]
    if scan.account not in members:
        return None
    number, size = members.index(scan.account) // ACCOUNTS_PER_QUERY, ACCOUNTS_PER_QUERY
    some = members[number * size : (number + 1) * size]
    what = f"Config's resources in {region}"
    rows = shared.once(what, number, lambda _: read_aggregated(shared, aggregator, region, some))
    found = rows.pop(scan.account, None) if rows else None  # each account wants its rows once
    return found if found and found.count == sizes[scan.account, region] else None


def sizes_by_place(aggregator: Aggregator) -> dict[tuple[str, str], int]:
    """How many resources each account has in each region."""
    place = "accountId, awsRegion"
    rows = aggregator.query(f"SELECT {place}, COUNT(*) WHERE {REAL} GROUP BY {place}")
    return {(row["accountId"], row.get("awsRegion", GLOBAL)): int(row["COUNT(*)"]) for row in rows}


def place_conditions(accounts: Iterable[str], region: str) -> tuple[str, str]:
    """An advanced query's conditions on accounts and region."""
    among = ", ".join(f"'{account}'" for account in accounts)
    return f"accountId IN ({among})", f"awsRegion = '{region}'"


def read_aggregated(
    shared: SharedReads, aggregator: Aggregator, region: str, accounts: Sequence[str]
) -> dict[str, Spool]:
    """The resources of some accounts in a region."""
    rows = shared.spools(accounts)
    for held in aggregator.query(resources_where(*place_conditions(accounts, region))):
        rows[held["accountId"]].add(queried_row(held))
    for spool in rows.values():
        spool.flush()
    return rows


def discovered(scan: Scan) -> Iterator[Row]:
    """Resources by type (GetDiscoveredResourceCounts, ListDiscoveredResources)."""
    client: ConfigServiceClient = scan.client("config")
    pages = tokens(lambda **t: client.get_discovered_resource_counts(limit=100, **t), "nextToken")
    kinds = {held["resourceType"]: None for p in pages for held in p.get("resourceCounts", ())}
    for kind in (kind for kind in kinds if kind not in COMPLIANCE_KINDS):
        region = GLOBAL if kind.startswith("AWS::IAM::") else scan.region
        found = client.get_paginator("list_discovered_resources").paginate(
            resourceType=kind, PaginationConfig={"PageSize": 100}
        )
        listed = (held for page in found for held in page.get("resourceIdentifiers", ()))
        yield from shaped(listed, functools.partial(recorded_row, region=region))


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
