"""The main resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from observability.collectors.service_resources import (
    bucket_row,
    database_row,
    function_row,
    load_balancer_row,
    scaling_group_row,
    subnet_row,
    volume_row,
)
from tests.collectors.conftest import Play
from tests.collectors.examples import examples, instant, matches
from tests.collectors.losses import Denial, unless, without
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, tag
from tests.runs import Row, rows

# Resources


def resource(service: str, kind: str, name: str | None, **columns: Any) -> Row:
    """A row of service_resources."""
    held = {"service_name": service, "resource_type": kind, "resource_name": name}
    return held | columns


def computing(place: Place) -> Iterator[Row]:
    """EC2's resources."""
    for held in place.own("ec2", "instances"):
        yield resource(
            "EC2", "Instance", tag(held, "Name"), resource_id=held["InstanceId"],
            region=place.region, availability_zone=held["Placement"]["AvailabilityZone"],
            state=held["State"]["Name"], instance_type=held["InstanceType"],
            vpc_id=held["VpcId"], creation_date=held["LaunchTime"],
        )  # fmt: skip
    for held in place.own("ec2", "volumes"):
        yield resource(
            "EBS", "Volume", tag(held, "Name"), resource_id=held["VolumeId"], region=place.region,
            availability_zone=held["AvailabilityZone"], state=held["State"],
            size_gb=Decimal(held["Size"]), volume_type=held["VolumeType"],
            creation_date=held["CreateTime"],
        )  # fmt: skip
    for held in place.own("ec2", "subnets"):
        yield resource(
            "VPC", "Subnet", tag(held, "Name"), resource_id=held["SubnetId"], region=place.region,
            availability_zone=held["AvailabilityZone"], state=held["State"], vpc_id=held["VpcId"],
            available_ip_count=held["AvailableIpAddressCount"],
        )  # fmt: skip


def storing(place: Place) -> Iterator[Row]:
    """Databases, and buckets of all regions."""
    for held in place.own("rds", "instances"):
        name = held["DBInstanceIdentifier"]
        yield resource(
            "RDS", "DBInstance", name, resource_id=name, arn=held["DBInstanceArn"],
            region=place.region,
            availability_zone=held["AvailabilityZone"], state=held["DBInstanceStatus"],
            vpc_id=held["DBSubnetGroup"]["VpcId"], engine=held["Engine"],
            instance_class=held["DBInstanceClass"], multi_az=held["MultiAZ"],
            size_gb=Decimal(held["AllocatedStorage"]), volume_type=held["StorageType"],
            creation_date=held.get("InstanceCreateTime"),
        )  # fmt: skip
    for held in place.everywhere("s3", "buckets"):
        yield resource(
            "S3", "Bucket", held["Name"], resource_id=held["Name"], region=held["BucketRegion"],
            state="Active", creation_date=held["CreationDate"],
        )  # fmt: skip


def serving(place: Place) -> Iterator[Row]:
    """Load balancers, Auto Scaling groups and functions."""
    for held in place.own("elbv2", "load_balancers"):
        zones = sorted(zone["ZoneName"] for zone in held["AvailabilityZones"])
        yield resource(
            "ELB", "LoadBalancer", held["LoadBalancerName"], region=place.region,
            resource_id=held["LoadBalancerName"], arn=held["LoadBalancerArn"],
            availability_zone=",".join(zones),
            state=held["State"]["Code"], vpc_id=held["VpcId"], type=held["Type"],
            scheme=held.get("Scheme"), creation_date=held["CreatedTime"],
        )  # fmt: skip
    for held in place.own("autoscaling", "groups"):
        yield resource(
            "AutoScaling", "AutoScalingGroup", held["AutoScalingGroupName"], region=place.region,
            resource_id=held["AutoScalingGroupName"], arn=held["AutoScalingGroupARN"],
            state="Active", min_size=held["MinSize"],
            availability_zone=",".join(held["AvailabilityZones"]), max_size=held["MaxSize"],
            instance_count=len(held["Instances"]), creation_date=held["CreatedTime"],
        )  # fmt: skip
    for held in place.own("lambda", "functions"):
        yield resource(
            "Lambda", "Function", held["FunctionName"], resource_id=held["FunctionName"],
            arn=held["FunctionArn"],
            region=place.region, state="Active", vpc_id=held.get("VpcConfig", {}).get("VpcId"),
            engine=held["Runtime"], type="Zip",
        )  # fmt: skip


def service_resources(place: Place) -> Iterator[Row]:
    """The main resources."""
    yield from (*computing(place), *storing(place), *serving(place))


# Denied


def resources(service: str, kind: str) -> Denial:
    """One kind of resources is lost."""
    lost = {"service_resources": unless(service_name=service, resource_type=kind)}
    return Denial(("service_resources",), lost)


TRUTH: Mapping[str, Truth] = {
    "service_resources": Truth(
        service_resources, "service_resources", ("service_name", "resource_type", "resource_id")
    ),
}

DENIALS: Mapping[str, Denial] = {
    "ec2:DescribeInstances": Denial(
        ("service_resources",),
        {
            "service_resources": unless(service_name="EC2", resource_type="Instance"),
            "inventory.instances": without("instance_type"),
        },
        unharmed=("inventory",),
    ),
    "ec2:DescribeVolumes": resources("EBS", "Volume"),
    "ec2:DescribeSubnets": resources("VPC", "Subnet"),
    "rds:DescribeDBInstances": resources("RDS", "DBInstance"),
    "s3:ListBuckets": resources("S3", "Bucket"),
    "elbv2:DescribeLoadBalancers": resources("ELB", "LoadBalancer"),
    "autoscaling:DescribeAutoScalingGroups": resources("AutoScaling", "AutoScalingGroup"),
    "lambda:ListFunctions": resources("Lambda", "Function"),
}

MADE_OF: Mapping[str, MadeOf] = {
    "volume": (volume_row, "ec2", "DescribeVolumes", "Volumes"),
    "subnet": (subnet_row, "ec2", "DescribeSubnets", "Subnets"),
    "database": (database_row, "rds", "DescribeDBInstances", "DBInstances"),
    "bucket": (bucket_row, "s3", "ListBuckets", "Buckets"),
    "load balancer": (
        load_balancer_row,
        "elbv2",
        "DescribeLoadBalancers",
        "LoadBalancers",
    ),
    "scaling group": (
        scaling_group_row,
        "autoscaling",
        "DescribeAutoScalingGroups",
        "AutoScalingGroups",
    ),
    "function": (function_row, "lambda", "ListFunctions", "Functions"),
}

EXAMPLES = {
    "groups": "autoscaling:DescribeAutoScalingGroups",
    "instances": "ec2:DescribeInstances",
    "subnets": "ec2:DescribeSubnets",
    "volumes": "ec2:DescribeVolumes",
    "balancers": "elbv2:DescribeLoadBalancers",
    "functions": "lambda:ListFunctions",
    "databases": "rds:DescribeDBInstances",
}

RESOURCES: dict[str, list[Row]] = {
    "groups": [
        {
            "resource_type": "AutoScalingGroup",
            "resource_name": "my-auto-scaling-group",
            "availability_zone": "us-west-2a,us-west-2b,us-west-2c",
            "min_size": 1,
            "max_size": 5,
            "instance_count": 2,
            "state": "Active",
            "creation_date": instant("2023-03-09T22:15:11.611Z"),
        }
    ],
    "instances": [],
    "databases": [],
    "subnets": [
        {
            "resource_type": "Subnet",
            "resource_id": "subnet-9d4a7b6c",
            "resource_name": None,
            "availability_zone": "us-east-1c",
            "vpc_id": "vpc-a01106c2",
            "available_ip_count": 251,
            "state": "available",
        }
    ],
    "volumes": [
        {
            "resource_type": "Volume",
            "resource_id": "vol-049df61146c4d7901",
            "size_gb": 8,
            "volume_type": "standard",
            "state": "in-use",
            "creation_date": instant("2013-12-18T22:35:00.084Z"),
        }
    ],
    "balancers": [
        {
            "resource_type": "LoadBalancer",
            "resource_name": "my-load-balancer",
            "availability_zone": "us-west-2a,us-west-2b",
            "state": "active",
            "scheme": "internet-facing",
            "type": "application",
            "vpc_id": "vpc-3ac0fb5f",
        }
    ],
    "functions": [
        {
            "resource_type": "Function",
            "resource_id": name,
            "arn": f"arn:aws:lambda:us-west-2:123456789012:function:{name}",
            "resource_name": name,
            "engine": "nodejs10.x",
            "vpc_id": None,
        }
        for name in ("helloworld", "my-function")
    ],
}
"""What service_resources must have of each example; some examples show an empty answer."""


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name in RESOURCES for number in range(len(examples(EXAMPLES[name])))],
)
def test_examples_of_resources(name: str, number: int, play: Play) -> None:
    found = rows(play("service_resources", **{name: number}), "service_resources")
    expected = RESOURCES[name]
    assert len(found) == len(expected)
    for row, values in zip(found, expected, strict=True):
        assert matches(row, values)
