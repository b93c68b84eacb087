"""EC2, RDS, Elastic Load Balancing, Auto Scaling, Lambda and S3: lists of what an account runs."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import OPT_IN_REGIONS, Item
from tests.cloud.answers.core import AwsError, Call, answer, dig, find, page

EVERYTHING = 1 << 30
"""EC2's page size where none is asked for."""

EC2_FILTERS = {
    "availability-zone": "AvailabilityZone",
    "instance-id": "InstanceId",
    "instance-state-name": "State.Name",
    "instance-type": "InstanceType",
    "size": "Size",
    "state": "State",
    "status": "State",
    "subnet-id": "SubnetId",
    "volume-id": "VolumeId",
    "volume-type": "VolumeType",
    "vpc-id": "VpcId",
}


def ec2_page(call: Call, found: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """A page of an EC2 list: 5 to 1,000 at a time, everything unless a size is asked for."""
    size = call.params.get("MaxResults")
    if size is not None and not 5 <= size <= 1000:
        message = f"Value ( {size} ) for parameter maxResults is invalid. Expecting 5 to 1000."
        raise AwsError("InvalidParameterValue", message)
    return page(call, found, default=EVERYTHING, maximum=EVERYTHING)


def chosen(call: Call, kind: str, ids: str, member: str, code: str) -> list[Item]:
    """EC2's things of one kind that the request chooses by identifiers and filters."""
    found = call.own(kind)
    names = call.params.get(ids)
    if names:
        if call.params.get("MaxResults"):
            message = f"The parameter {member}s cannot be used with the parameter maxResults"
            raise AwsError("InvalidParameterCombination", message)
        for name in names:
            if not find(found, member, name):
                raise AwsError(code, f"The ID '{name}' does not exist")
        found = [item for item in found if item[member] in names]
    filters = call.params.get("Filters") or []
    return [item for item in found if all(passes(item, test) for test in filters)]


def passes(item: Item, condition: dict[str, Any]) -> bool:
    """Whether a thing has one of a filter's values."""
    name, wanted = condition["Name"], condition["Values"]
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return any(tag["Key"] == key and tag["Value"] in wanted for tag in item["Tags"])
    if name not in EC2_FILTERS:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return str(dig(item, EC2_FILTERS[name])) in wanted


@answer("ec2", "DescribeInstances")
def describe_instances(call: Call) -> dict[str, Any]:
    """Instances within the reservations that launched them, two by two."""
    found = chosen(call, "instances", "InstanceIds", "InstanceId", "InvalidInstanceID.NotFound")
    reservations = [
        {
            "ReservationId": call.account.ids("r", call.region, number + 1)[number],
            "OwnerId": call.account.id,
            "Instances": found[number : number + 2],
        }
        for number in range(0, len(found), 2)
    ]
    chunk, more = ec2_page(call, reservations)
    return {"Reservations": chunk, **more}


@answer("ec2", "DescribeVolumes")
def describe_volumes(call: Call) -> dict[str, Any]:
    """Volumes."""
    found = chosen(call, "volumes", "VolumeIds", "VolumeId", "InvalidVolume.NotFound")
    chunk, more = ec2_page(call, found)
    return {"Volumes": chunk, **more}


@answer("ec2", "DescribeSubnets")
def describe_subnets(call: Call) -> dict[str, Any]:
    """Subnets."""
    found = chosen(call, "subnets", "SubnetIds", "SubnetId", "InvalidSubnetID.NotFound")
    chunk, more = ec2_page(call, found)
    return {"Subnets": chunk, **more}


@answer("ec2", "DescribeRegions")
def describe_regions(call: Call) -> dict[str, Any]:
    """The regions that are enabled, or all of them."""
    own = sorted(call.account.regions)
    found = [(n, "opted-in" if n in OPT_IN_REGIONS else "opt-in-not-required") for n in own]
    if call.params.get("AllRegions"):
        found += [(name, "not-opted-in") for name in OPT_IN_REGIONS if call.account.is_off(name)]
    names = call.params.get("RegionNames")
    return {
        "Regions": [
            {
                "RegionName": name,
                "Endpoint": f"ec2.{name}.amazonaws.com",
                "OptInStatus": status,
            }
            for name, status in found
            if not names or name in names
        ]
    }


@answer("rds", "DescribeDBInstances")
def describe_db_instances(call: Call) -> dict[str, Any]:
    """Databases, 20 to 100 a page."""
    found = call.own("instances")
    if name := call.params.get("DBInstanceIdentifier"):
        found = [item for item in found if item["DBInstanceIdentifier"] == name]
        if not found:
            raise AwsError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    size = call.params.get("MaxRecords")
    if size is not None and not 20 <= size <= 100:
        message = f"Invalid value {size} for MaxRecords. Must be between 20 and 100"
        raise AwsError("InvalidParameterValue", message)
    chunk, more = page(call, found, token="Marker", size="MaxRecords", default=100)
    return {"DBInstances": chunk, **more}


@answer("elbv2", "DescribeLoadBalancers")
def describe_load_balancers(call: Call) -> dict[str, Any]:
    """Load balancers, 400 a page."""
    found = call.own("load_balancers")
    arns, names = call.params.get("LoadBalancerArns"), call.params.get("Names")
    found = [item for item in found if not arns or item["LoadBalancerArn"] in arns]
    found = [item for item in found if not names or item["LoadBalancerName"] in names]
    if (arns or names) and not found:
        raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
    chunk, more = page(
        call, found, token="Marker", size="PageSize", default=400, token_out="NextMarker"
    )
    return {"LoadBalancers": chunk, **more}


@answer("autoscaling", "DescribeAutoScalingGroups")
def describe_auto_scaling_groups(call: Call) -> dict[str, Any]:
    """Groups, 50 a page by default, 100 at most."""
    names = call.params.get("AutoScalingGroupNames")
    found = [
        item for item in call.own("groups") if not names or item["AutoScalingGroupName"] in names
    ]
    chunk, more = page(call, found, size="MaxRecords", default=50, maximum=100)
    return {"AutoScalingGroups": chunk, **more}


@answer("lambda", "ListFunctions")
def list_functions(call: Call) -> dict[str, Any]:
    """Functions, 50 a page whatever was asked for."""
    chunk, more = page(
        call,
        call.own("functions"),
        token="Marker",
        size="MaxItems",
        default=50,
        maximum=50,
        token_out="NextMarker",
    )
    return {"Functions": chunk, **more}


@answer("s3", "ListBuckets")
def list_buckets(call: Call) -> dict[str, Any]:
    """Buckets of all regions; paged, and with their regions, only if any parameter is given."""
    found = call.own_global("buckets")
    owner = {"Owner": {"ID": call.account.hex(64, "canonical")}}
    if not call.params:
        plain = [{name: item[name] for name in ("Name", "CreationDate")} for item in found]
        return {"Buckets": plain, **owner}
    prefix, region = call.params.get("Prefix", ""), call.params.get("BucketRegion")
    found = [item for item in found if item["Name"].startswith(prefix)]
    found = [item for item in found if not region or item["BucketRegion"] == region]
    chunk, more = page(call, found, token="ContinuationToken", size="MaxBuckets", default=10_000)
    return {"Buckets": chunk, **owner, **more}
