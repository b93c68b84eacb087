"""AWS Config's view of resources: a configuration item of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content.words import iso

if TYPE_CHECKING:
    from tests.cloud.accounts import Account


def pairs(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """Tags as the advanced query shows them."""
    return [
        {"key": tag["Key"], "value": tag["Value"], "tag": f"{tag['Key']}={tag['Value']}"}
        for tag in found
    ]


def instances(account: Account, region: str) -> list[dict[str, Any]]:
    """EC2 instances; Config gives them no resource name."""
    return [
        {
            "resourceId": made["InstanceId"],
            "arn": account.arn("ec2", f"instance/{made['InstanceId']}", region),
            "availabilityZone": made["Placement"]["AvailabilityZone"],
            "resourceCreationTime": iso(made["LaunchTime"]),
            "tags": pairs(made["Tags"]),
            "configuration": {
                "instanceId": made["InstanceId"],
                "instanceType": made["InstanceType"],
                "vpcId": made["VpcId"],
                "state": {"code": made["State"]["Code"], "name": made["State"]["Name"]},
                "launchTime": iso(made["LaunchTime"]),
            },
        }
        for made in account.items("ec2", "instances", region)
    ]


def volumes(account: Account, region: str) -> list[dict[str, Any]]:
    """EBS volumes."""
    return [
        {
            "resourceId": made["VolumeId"],
            "arn": account.arn("ec2", f"volume/{made['VolumeId']}", region),
            "availabilityZone": made["AvailabilityZone"],
            "resourceCreationTime": iso(made["CreateTime"]),
            "tags": pairs(made["Tags"]),
            "configuration": {
                "volumeId": made["VolumeId"],
                "volumeType": made["VolumeType"],
                "size": made["Size"],
                "state": {"value": made["State"]},
                "createTime": iso(made["CreateTime"]),
            },
        }
        for made in account.items("ec2", "volumes", region)
    ]


def subnets(account: Account, region: str) -> list[dict[str, Any]]:
    """Subnets; they have no creation time."""
    return [
        {
            "resourceId": made["SubnetId"],
            "arn": made["SubnetArn"],
            "availabilityZone": made["AvailabilityZone"],
            "tags": pairs(made["Tags"]),
            "configuration": {
                "subnetId": made["SubnetId"],
                "vpcId": made["VpcId"],
                "cidrBlock": made["CidrBlock"],
                "availableIpAddressCount": made["AvailableIpAddressCount"],
                "state": {"value": made["State"]},
            },
        }
        for made in account.items("ec2", "subnets", region)
    ]


def databases(account: Account, region: str) -> list[dict[str, Any]]:
    """RDS instances, whose resource id is RDS's internal one."""
    return [
        {
            "resourceId": "db-" + account.hex(26, "rds", region, number).upper(),
            "resourceName": made["DBInstanceIdentifier"],
            "arn": made["DBInstanceArn"],
            "availabilityZone": made["AvailabilityZone"],
            "resourceCreationTime": iso(made["InstanceCreateTime"])
            if "InstanceCreateTime" in made
            else None,
            "configuration": {
                "dBInstanceIdentifier": made["DBInstanceIdentifier"],
                "dBInstanceClass": made["DBInstanceClass"],
                "dBInstanceStatus": made["DBInstanceStatus"],
                "engine": made["Engine"],
                "allocatedStorage": made["AllocatedStorage"],
                "storageType": made["StorageType"],
                "multiAZ": made["MultiAZ"],
                "dBSubnetGroup": {"vpcId": made["DBSubnetGroup"]["VpcId"]},
            },
        }
        for number, made in enumerate(account.items("rds", "instances", region))
    ]


def load_balancers(account: Account, region: str) -> list[dict[str, Any]]:
    """Load balancers, whose resource id is their ARN."""
    return [
        {
            "resourceId": made["LoadBalancerArn"],
            "resourceName": made["LoadBalancerName"],
            "arn": made["LoadBalancerArn"],
            "availabilityZone": "Multiple Availability Zones",
            "resourceCreationTime": iso(made["CreatedTime"]),
            "configuration": {
                "loadBalancerName": made["LoadBalancerName"],
                "type": made["Type"],
                "vpcId": made["VpcId"],
                "state": made["State"] and {"code": made["State"]["Code"]},
                **({"scheme": made["Scheme"]} if "Scheme" in made else {}),
            },
        }
        for made in account.items("elbv2", "load_balancers", region)
    ]


def scaling_groups(account: Account, region: str) -> list[dict[str, Any]]:
    """Auto Scaling groups, whose resource id is their ARN."""
    return [
        {
            "resourceId": made["AutoScalingGroupARN"],
            "resourceName": made["AutoScalingGroupName"],
            "arn": made["AutoScalingGroupARN"],
            "availabilityZone": "Multiple Availability Zones",
            "resourceCreationTime": iso(made["CreatedTime"]),
            "configuration": {
                "autoScalingGroupName": made["AutoScalingGroupName"],
                "minSize": made["MinSize"],
                "maxSize": made["MaxSize"],
                "desiredCapacity": made["DesiredCapacity"],
                "instances": [{"instanceId": held["InstanceId"]} for held in made["Instances"]],
            },
        }
        for made in account.items("autoscaling", "groups", region)
    ]


def functions(account: Account, region: str) -> list[dict[str, Any]]:
    """Lambda functions."""
    return [
        {
            "resourceId": made["FunctionName"],
            "resourceName": made["FunctionName"],
            "arn": made["FunctionArn"],
            "availabilityZone": "Not Applicable",
            "tags": pairs([{"Key": "team", "Value": account.words.text("team", number)}]),
            "configuration": {
                "functionName": made["FunctionName"],
                "runtime": made["Runtime"],
                "memorySize": made["MemorySize"],
                "state": {"value": "Active"},
            },
        }
        for number, made in enumerate(account.items("lambda", "functions", region))
    ]


def buckets(account: Account, region: str) -> list[dict[str, Any]]:
    """The buckets that are in the region."""
    return [
        {
            "resourceId": made["Name"],
            "resourceName": made["Name"],
            "arn": f"arn:aws:s3:::{made['Name']}",
            "availabilityZone": "Regional",
            "resourceCreationTime": iso(made["CreationDate"]),
            "configuration": {"name": made["Name"], "creationDate": iso(made["CreationDate"])},
        }
        for made in account.items("s3", "buckets")
        if made["BucketRegion"] == region
    ]


def roles(account: Account, region: str) -> list[dict[str, Any]]:
    """An IAM role: global, and recorded in the home region only."""
    if region != account.home_region:
        return []
    return [
        {
            "awsRegion": "global",
            "resourceId": "AROA" + account.hex(17, "role").upper(),
            "resourceName": "config-role",
            "arn": account.arn("iam", "role/config-role"),
            "availabilityZone": "Not Applicable",
            "resourceCreationTime": iso(account.created),
            "configuration": {"roleName": "config-role", "path": "/"},
        }
    ]


RECORDED = {
    "AWS::EC2::Instance": instances,
    "AWS::EC2::Volume": volumes,
    "AWS::EC2::Subnet": subnets,
    "AWS::RDS::DBInstance": databases,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": load_balancers,
    "AWS::AutoScaling::AutoScalingGroup": scaling_groups,
    "AWS::Lambda::Function": functions,
    "AWS::S3::Bucket": buckets,
    "AWS::IAM::Role": roles,
}
