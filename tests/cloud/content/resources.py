"""EC2, RDS, Elastic Load Balancing, Auto Scaling, Lambda and S3: what an account runs.

All else names these: findings, managed nodes, configuration items and recommendations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

INSTANCE_TYPES = ("t3.micro", "m6i.large", "r7g.xlarge", "c7i.2xlarge", "t4g.small")
STATES = (
    ("running", 16),
    ("running", 16),
    ("running", 16),
    ("stopped", 80),
)
VOLUME_TYPES = (("gp2", 100), ("gp3", 30), ("io2", 500), ("st1", 2000))
ENGINES = (
    ("postgres", "17.4", "db.t4g.medium"),
    ("mysql", "8.4.3", "db.m7g.large"),
    ("aurora-postgresql", "16.6", "db.r7g.xlarge"),
    ("sqlserver-se", "16.00.4175.1.v1", "db.m6i.xlarge"),
)
RUNTIMES = ("python3.13", "nodejs22.x", "java21", "provided.al2023")


def zone(region: str, number: int) -> str:
    """The name of one of the region's three availability zones."""
    return f"{region}{pick('abc', number)}"


def tags(account: Account, name: str, number: int) -> list[dict[str, str]]:
    """Tags as EC2 lists them; every fifth thing has no name."""
    named = [{"Key": "Name", "Value": name}] if number % 5 != 4 else []
    return [*named, {"Key": "team", "Value": account.words.text("team", number)}]


@content("ec2", "vpcs")
def vpcs(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeVpcs' Vpc: one, if anything is in it."""
    count = 1 if account.size.subnets else 0
    return [
        {
            "VpcId": vpc_id,
            "CidrBlock": "10.0.0.0/8",
            "State": "available",
            "IsDefault": False,
            "OwnerId": account.id,
            "InstanceTenancy": "default",
            "Tags": tags(account, "main", number),
        }
        for number, vpc_id in enumerate(account.ids("vpc", region, count))
    ]


@content("ec2", "subnets")
def subnets(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeSubnets' Subnet."""
    ids = account.ids("subnet", region, account.size.subnets)
    vpc_id = first_vpc(account, region)
    return [
        {
            "SubnetId": subnet_id,
            "SubnetArn": account.arn("ec2", f"subnet/{subnet_id}", region),
            "VpcId": vpc_id,
            "CidrBlock": f"10.{number // 250}.{number % 250}.0/24",
            "AvailabilityZone": zone(region, number),
            "AvailableIpAddressCount": 251 - number % 200,
            "State": "available",
            "DefaultForAz": False,
            "MapPublicIpOnLaunch": number % 2 == 0,
            "OwnerId": account.id,
            "Tags": tags(account, f"subnet-{number}", number),
        }
        for number, subnet_id in enumerate(ids)
    ]


def first_vpc(account: Account, region: str) -> str:
    """The VPC that everything is in."""
    return str(account.items("ec2", "vpcs", region)[0]["VpcId"]) if account.size.subnets else ""


@content("ec2", "instances")
def instances(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeInstances' Instance."""
    ids = account.ids("i", region, account.size.instances)
    return [instance(account, region, number, made) for number, made in enumerate(ids)]


def instance(account: Account, region: str, number: int, instance_id: str) -> dict[str, Any]:
    """One instance; every fourth is stopped, every fifth has no Name tag."""
    state, code = pick(STATES, number)
    networks = account.items("ec2", "subnets", region)
    network = pick(networks, number) if networks else {"SubnetId": "", "VpcId": ""}
    return {
        "InstanceId": instance_id,
        "InstanceType": pick(INSTANCE_TYPES, number),
        "ImageId": f"ami-{account.hex(17, 'image', region, number % 3)}",
        "State": {"Code": code, "Name": state},
        "Placement": {"AvailabilityZone": zone(region, number), "Tenancy": "default"},
        "PrivateIpAddress": f"10.{number // 60000}.{number // 250 % 250}.{number % 250 + 4}",
        "SubnetId": network["SubnetId"],
        "VpcId": network["VpcId"],
        "LaunchTime": account.ago(400 - number % 390, seconds=number),
        "Architecture": "arm64" if number % 5 in (2, 4) else "x86_64",
        **({"Platform": "Windows"} if number % 3 == 2 else {}),
        "PlatformDetails": "Windows" if number % 3 == 2 else "Linux/UNIX",
        "EbsOptimized": True,
        "Tags": tags(account, account.words.name("instance", number), number),
    }


@content("ec2", "volumes")
def volumes(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeVolumes' Volume; those beyond the instances are not attached."""
    ids = account.ids("vol", region, account.size.volumes)
    return [volume(account, region, number, made) for number, made in enumerate(ids)]


def volume(account: Account, region: str, number: int, volume_id: str) -> dict[str, Any]:
    """One volume of a type and size by its number."""
    kind, size = pick(VOLUME_TYPES, number)
    servers = account.items("ec2", "instances", region)
    attached = number < len(servers)
    created = account.ago(399 - number % 390, seconds=number)
    return {
        "VolumeId": volume_id,
        "VolumeType": kind,
        "Size": size + number,
        "State": "in-use" if attached else "available",
        "AvailabilityZone": zone(region, number),
        "CreateTime": created,
        "Encrypted": number % 3 != 0,
        "Iops": 3000,
        "MultiAttachEnabled": False,
        "Attachments": [
            {
                "InstanceId": servers[number]["InstanceId"],
                "VolumeId": volume_id,
                "Device": "/dev/xvda",
                "State": "attached",
                "AttachTime": created,
                "DeleteOnTermination": True,
            }
        ]
        if attached
        else [],
        "Tags": tags(account, account.words.name("disk", number), number),
    }


@content("rds", "instances")
def databases(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeDBInstances' DBInstance."""
    return [database(account, region, number) for number in range(account.size.databases)]


def database(account: Account, region: str, number: int) -> dict[str, Any]:
    """One database; the last is still being created and has no endpoint nor creation time yet."""
    engine, version, instance_class = pick(ENGINES, number)
    digits = account.hex(4, "db", region, number)
    name = account.words.name("database", number, digits=digits)
    ready = {
        "InstanceCreateTime": account.ago(300 - number % 290, seconds=number),
        "Endpoint": {"Address": f"{name}.example.com", "Port": 5432, "HostedZoneId": "Z1"},
    }
    last = number == account.size.databases - 1
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": account.arn("rds", f"db:{name}", region),
        "DBInstanceClass": instance_class,
        "DBInstanceStatus": "creating" if last else "available",
        "Engine": engine,
        "EngineVersion": version,
        "AllocatedStorage": 20 + number,
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "MultiAZ": number % 2 == 0,
        "AvailabilityZone": zone(region, number),
        "DBSubnetGroup": {
            "DBSubnetGroupName": "main",
            "VpcId": first_vpc(account, region),
            "SubnetGroupStatus": "Complete",
        },
        "PubliclyAccessible": number % 4 == 3,
        **({} if last else ready),
    }


@content("elbv2", "load_balancers")
def load_balancers(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeLoadBalancers' LoadBalancer: application, network and gateway ones."""
    count = account.size.load_balancers
    return [load_balancer(account, region, number) for number in range(count)]


def load_balancer(account: Account, region: str, number: int) -> dict[str, Any]:
    """One load balancer; a gateway's has no scheme."""
    kind, short = pick((("application", "app"), ("network", "net"), ("gateway", "gwy")), number)
    name = account.words.name("load balancer", number)
    scheme = {} if kind == "gateway" else {"Scheme": pick(("internet-facing", "internal"), number)}
    path = f"loadbalancer/{short}/{name}/{account.hex(16, 'lb', region, number)}"
    return {
        "LoadBalancerArn": account.arn("elasticloadbalancing", path, region),
        "LoadBalancerName": name,
        "DNSName": f"{name}.{region}.example.com",
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "Type": kind,
        **scheme,
        "State": {"Code": "active"},
        "VpcId": first_vpc(account, region),
        "IpAddressType": "ipv4",
        "CreatedTime": account.ago(200 - number % 190, seconds=number),
        "AvailabilityZones": [{"ZoneName": zone(region, extra)} for extra in (number, number + 1)],
    }


@content("autoscaling", "groups")
def scaling_groups(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeAutoScalingGroups' AutoScalingGroup."""
    return [scaling_group(account, region, number) for number in range(account.size.scaling_groups)]


def scaling_group(account: Account, region: str, number: int) -> dict[str, Any]:
    """One group, named with spaces and alphabets as Auto Scaling allows, holding two instances."""
    name = account.words.name("group", number)
    path = f"autoScalingGroup:{account.uuid('asg', region, number)}:autoScalingGroupName/{name}"
    servers = account.items("ec2", "instances", region)[number * 2 : number * 2 + 2]
    return {
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": account.arn("autoscaling", path, region),
        "MinSize": 0,
        "MaxSize": 4 + number,
        "DesiredCapacity": len(servers),
        "DefaultCooldown": 300,
        "AvailabilityZones": [zone(region, 0), zone(region, 1)],
        "HealthCheckType": "EC2",
        "CreatedTime": account.ago(150 - number % 140, seconds=number),
        "VPCZoneIdentifier": ",".join(server["SubnetId"] for server in servers),
        "Instances": [
            {
                "InstanceId": server["InstanceId"],
                "InstanceType": server["InstanceType"],
                "AvailabilityZone": server["Placement"]["AvailabilityZone"],
                "LifecycleState": "InService",
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": False,
            }
            for server in servers
        ],
    }


@content("lambda", "functions")
def functions(account: Account, region: str) -> list[dict[str, Any]]:
    """ListFunctions' FunctionConfiguration; LastModified is a string with an odd offset."""
    return [function(account, region, number) for number in range(account.size.functions)]


def function(account: Account, region: str, number: int) -> dict[str, Any]:
    """One function; every third runs inside the VPC."""
    name = account.words.name("function", number)
    modified = account.ago(90 - number % 80, seconds=number)
    inside = {"VpcConfig": {"VpcId": first_vpc(account, region), "SubnetIds": []}}
    return {
        "FunctionName": name,
        "FunctionArn": account.arn("lambda", f"function:{name}", region),
        "Runtime": pick(RUNTIMES, number),
        "Role": account.arn("iam", f"role/{name}"),
        "Handler": "index.handler",
        "CodeSize": 1024 + number,
        "CodeSha256": "RnVuY3Rpb24=",
        "Description": account.words.text("function", number),
        "Timeout": 30,
        "MemorySize": pick((128, 512, 1024, 3008), number),
        "LastModified": modified.strftime("%Y-%m-%dT%H:%M:%S.") + "123+0000",
        "Version": "$LATEST",
        "PackageType": "Zip",
        "Architectures": ["arm64"],
        **(inside if number % 3 == 0 else {}),
    }


@content("s3", "buckets")
def buckets(account: Account, region: str) -> list[dict[str, Any]]:
    """ListBuckets' Bucket, spread over the account's regions."""
    return [
        {
            "Name": account.words.name("bucket", number, account=account.id),
            "CreationDate": account.ago(500 - number % 490, seconds=number),
            "BucketRegion": pick(account.regions, number),
        }
        for number in range(account.size.buckets)
    ]
