"""service_resources: the main resources of EC2, RDS, S3, ELB, Auto Scaling and Lambda."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import LACKING, NOT_HERE, ExpectedError
from observability.aws.pages import widened
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Collect, Scan, run_parts
from observability.rows import Row, get_path, iso_time, listed, shaped
from observability.sources.ec2_instances import kind_of, name_tag, read_instances

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_s3 import S3Client


def zone_name(zone: Mapping[str, str]) -> str:
    """The name of a load balancer's zone."""
    return zone["ZoneName"]


def joined(zones: Iterable[str]) -> str | None:
    """Names with commas between them, in order; None if there are none."""
    return ",".join(sorted(zones)) or None


def active(item: Mapping[str, Any]) -> str:
    """The state of what AWS gives one only at times, or never: it is there."""
    return str(item.get("State") or item.get("Status") or "Active")


volume_row = kind_of(
    "EBS", "Volume", resource_id="VolumeId", resource_name=name_tag,
    availability_zone="AvailabilityZone", state="State", size_gb="Size", volume_type="VolumeType",
    creation_date=iso_time("CreateTime"),
)  # fmt: skip
subnet_row = kind_of(
    "VPC", "Subnet", resource_id="SubnetId", resource_name=name_tag,
    availability_zone="AvailabilityZone", state="State", vpc_id="VpcId",
    available_ip_count="AvailableIpAddressCount",
)  # fmt: skip
database_row = kind_of(
    "RDS", "DBInstance", resource_id="DBInstanceIdentifier", resource_name="DBInstanceIdentifier",
    arn="DBInstanceArn",
    availability_zone="AvailabilityZone", state="DBInstanceStatus", vpc_id="DBSubnetGroup.VpcId",
    engine="Engine", instance_class="DBInstanceClass", multi_az="MultiAZ",
    size_gb="AllocatedStorage", volume_type="StorageType",
    creation_date=iso_time("InstanceCreateTime"),
)  # fmt: skip
bucket_row = kind_of(
    "S3", "Bucket", resource_id="Name", resource_name="Name", region="BucketRegion",
    state=active,
    creation_date=iso_time("CreationDate"),
)  # fmt: skip
load_balancer_row = kind_of(
    "ELB", "LoadBalancer", resource_id="LoadBalancerName", resource_name="LoadBalancerName",
    arn="LoadBalancerArn",
    availability_zone=lambda item: joined(map(zone_name, item.get("AvailabilityZones", ()))),
    state="State.Code", vpc_id="VpcId", type="Type", scheme="Scheme",
    creation_date=iso_time("CreatedTime"),
)  # fmt: skip
scaling_group_row = kind_of(
    "AutoScaling", "AutoScalingGroup", resource_id="AutoScalingGroupName",
    resource_name="AutoScalingGroupName", arn="AutoScalingGroupARN", state=active,
    min_size="MinSize", max_size="MaxSize",
    availability_zone=lambda item: joined(item.get("AvailabilityZones", ())),
    instance_count=lambda item: len(item.get("Instances", ())),
    creation_date=iso_time("CreatedTime"),
)  # fmt: skip
function_row = kind_of(
    "Lambda", "Function", resource_id="FunctionName", resource_name="FunctionName",
    arn="FunctionArn", state=active, engine="Runtime", type="PackageType",
    vpc_id=lambda item: get_path(item, "VpcConfig.VpcId") or None,
)  # fmt: skip


def get_services_resources(scan: Scan, result: CategoryResult) -> None:
    """The main resources of EC2, RDS, S3, ELB, Auto Scaling and Lambda, each kind by itself.

    Buckets belong to no region and go into the home region's document.
    """
    reads = RESOURCE_KINDS | ({"buckets": read_buckets} if scan.home else {})

    def emitting(read: Callable[[Scan], Iterable[Row]]) -> Collect:
        return lambda scan, part: part.emit_all({"region": scan.region} | row for row in read(scan))

    run_parts(scan, result, {name: emitting(read) for name, read in reads.items()})


def read_volumes(scan: Scan) -> Iterator[Row]:
    """EBS volumes (DescribeVolumes), also hidden ones that AWS services manage; sizes in GiB."""
    client: EC2Client = scan.client("ec2")
    ask = functools.partial(
        client.get_paginator("describe_volumes").paginate, PaginationConfig={"PageSize": 1000}
    )
    pages = widened(ask, IncludeManagedResources=True)
    yield from shaped(listed(pages, "Volumes", "VolumeId"), volume_row)


def read_subnets(scan: Scan) -> Iterator[Row]:
    """Subnets of this account (DescribeSubnets); those shared with it belong to their owner."""
    client: EC2Client = scan.client("ec2")
    pages = client.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 1000})
    found = listed(pages, "Subnets", "SubnetId")
    own = (item for item in found if item.get("OwnerId", scan.account) == scan.account)
    yield from shaped(own, subnet_row)


def read_databases(scan: Scan) -> Iterator[Row]:
    """Database instances (RDS: DescribeDBInstances); sizes in GiB."""
    client: RDSClient = scan.client("rds")
    listing = client.get_paginator("describe_db_instances")
    pages = listing.paginate(PaginationConfig={"PageSize": 100})
    yield from shaped(listed(pages, "DBInstances", "DBInstanceIdentifier"), database_row)


def read_buckets(scan: Scan) -> Iterator[Row]:
    """Buckets of all regions (S3: ListBuckets)."""
    client: S3Client = scan.client("s3")
    pages = client.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1000})
    yield from shaped(listed(pages, "Buckets", "Name"), bucket_row)


def read_load_balancers(scan: Scan) -> Iterator[Row]:
    """Application, network and gateway load balancers (ELBv2: DescribeLoadBalancers)."""
    client: ElasticLoadBalancingv2Client = scan.client("elbv2")
    listing = client.get_paginator("describe_load_balancers")
    pages = listing.paginate(PaginationConfig={"PageSize": 400})
    yield from shaped(listed(pages, "LoadBalancers", "LoadBalancerArn"), load_balancer_row)


def read_scaling_groups(scan: Scan) -> Iterator[Row]:
    """Auto Scaling groups (DescribeAutoScalingGroups); instance_count is what runs now."""
    client: AutoScalingClient = scan.client("autoscaling")
    listing = client.get_paginator("describe_auto_scaling_groups")
    pages = listing.paginate(PaginationConfig={"PageSize": 100})
    groups = listed(pages, "AutoScalingGroups", "AutoScalingGroupARN")
    yield from shaped(groups, scaling_group_row)


def read_functions(scan: Scan) -> Iterator[Row]:
    """Lambda functions (ListFunctions); their runtime is their engine."""
    client: LambdaClient = scan.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    yield from shaped(listed(pages, "Functions", "FunctionArn"), function_row)


RESOURCE_KINDS: dict[str, Callable[[Scan], Iterable[Row]]] = {
    "instances": lambda scan: scan.once(read_instances),
    "volumes": read_volumes,
    "subnets": read_subnets,
    "databases": read_databases,
    "load_balancers": read_load_balancers,
    "scaling_groups": read_scaling_groups,
    "functions": read_functions,
}


EXPECTED_ERRORS = (
    ExpectedError(
        "rds", "InvalidParameterValue", NOT_HERE, LACKING, "Access Denied to API Version"
    ),
)  # fmt: skip

COLLECTOR = Collector(
    category="service_resources",
    collect=get_services_resources,
    scope=REGIONAL,
    backfill=NOW,
    actions=(
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "ec2:DescribeSubnets",
        "rds:DescribeDBInstances",
        "s3:ListAllMyBuckets",
        "elasticloadbalancing:DescribeLoadBalancers",
        "autoscaling:DescribeAutoScalingGroups",
        "lambda:ListFunctions",
    ),
    resources={
        "rds:DescribeDBInstances": (
            "rds:*:${AWS::AccountId}:db:*",
            "rds:*:${AWS::AccountId}:ri:*",
        ),
    },
    probes=(
        Probe("ec2:DescribeInstances", {"MaxResults": 5}),
        Probe("ec2:DescribeVolumes", {"MaxResults": 5}),
        Probe("ec2:DescribeSubnets", {"MaxResults": 5}),
        Probe("rds:DescribeDBInstances", {"MaxRecords": 20}),
        Probe("s3:ListBuckets", {"MaxBuckets": 1}),
        Probe("elbv2:DescribeLoadBalancers", {"PageSize": 1}),
        Probe("autoscaling:DescribeAutoScalingGroups", {"MaxRecords": 1}),
        Probe("lambda:ListFunctions", {"MaxItems": 1}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
