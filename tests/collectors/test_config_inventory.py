"""AWS Config: every resource that it has recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cloud import Account, EmbeddedCloud
from tests.cloud.accounts import Item
from tests.collectors.losses import Denial, just
from tests.collectors.reading import TOKENS, Send, names, place_of, record, without_bucket
from tests.collectors.truth import Place, Truth, moment, same_rows
from tests.conftest import REGIONS, MakeAccount
from tests.runs import Row, rows, send

HOME, OTHER = REGIONS


# Resources

NO_CONFIGURATION = dict.fromkeys((
    "state", "instance_type", "vpc_id", "engine", "instance_class", "multi_az", "size_gb",
    "volume_type", "type", "scheme", "instance_count", "min_size", "max_size",
    "available_ip_count",
))  # fmt: skip


def nothing(_held: Item) -> Row:
    """What the columns can tell of other types."""
    return {}


CONFIGURATION: dict[str, Callable[[Item], Row]] = {
    "AWS::EC2::Instance": lambda held: {
        "state": held["state"]["name"], "instance_type": held["instanceType"],
        "vpc_id": held["vpcId"],
    },
    "AWS::EC2::Volume": lambda held: {
        "state": held["state"]["value"], "size_gb": Decimal(held["size"]),
        "volume_type": held["volumeType"],
    },
    "AWS::EC2::Subnet": lambda held: {
        "state": held["state"]["value"], "vpc_id": held["vpcId"],
        "available_ip_count": held["availableIpAddressCount"],
    },
    "AWS::RDS::DBInstance": lambda held: {
        "state": held["dBInstanceStatus"], "vpc_id": held["dBSubnetGroup"]["vpcId"],
        "engine": held["engine"], "instance_class": held["dBInstanceClass"],
        "multi_az": held["multiAZ"], "size_gb": Decimal(held["allocatedStorage"]),
        "volume_type": held["storageType"],
    },
    "AWS::ElasticLoadBalancingV2::LoadBalancer": lambda held: {
        "state": held["state"]["code"], "vpc_id": held["vpcId"], "type": held["type"],
        "scheme": held.get("scheme"),
    },
    "AWS::AutoScaling::AutoScalingGroup": lambda held: {
        "instance_count": held["desiredCapacity"], "min_size": held["minSize"],
        "max_size": held["maxSize"],
    },
    "AWS::Lambda::Function": lambda held: {
        "state": held["state"]["value"], "engine": held["runtime"],
    },
}  # fmt: skip
"""What AWS Config records of each type of resource that the columns can tell."""


def config_inventory(place: Place) -> Iterator[Row]:
    """Every resource that AWS Config has recorded; what it keeps of their compliance is none."""
    for held in place.own("config", "resources"):
        created = held.get("resourceCreationTime")
        known = CONFIGURATION.get(held["resourceType"], nothing)(held["configuration"])
        if place.home or held["awsRegion"] != "global":
            yield (
                NO_CONFIGURATION
                | known
                | {
                    "resource_type": held["resourceType"],
                    "resource_subtype": held["resourceType"].split("::")[2],
                    "resource_id": held["resourceId"],
                    "resource_name": held.get("resourceName"),
                    "region": held["awsRegion"],
                    "availability_zone": held["availabilityZone"],
                    "creation_date": moment(created) if created else None,
                }
            )


# Denied

RECORDED = ("resource_type", "resource_id", "resource_name", "resource_subtype", "region")
TRUTH: Mapping[str, Truth] = {
    "config_inventory": Truth(
        config_inventory, "config_inventory", ("resource_type", "resource_id")
    ),
}

DENIALS: Mapping[str, Denial] = {
    "config:SelectResourceConfig": Denial(
        ("config_inventory",), {"config_inventory": just(*RECORDED)}, unharmed=("config",)
    ),
}

# Pages


def test_what_config_records_as_global_everywhere_is_told_once(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    role = account.items("config", "resources", HOME)[-1]
    assert role["awsRegion"] == "global"
    recorded = account.items("config", "resources", OTHER)
    account.replace("config", "resources", OTHER, [*recorded, role])
    flags = ("--regions", ",".join(REGIONS), "--only", "config_inventory")
    home, other = send(without_bucket(embedded, account), tmp_path, *flags).documents
    found = [
        [row["resource_id"] for row in rows(made, "config_inventory")] for made in (home, other)
    ]
    assert role["resourceId"] in found[0]
    assert role["resourceId"] not in found[1]
    assert len(found[1]) == len(recorded)


# Denied


@pytest.mark.parametrize(
    "api", ["config:GetDiscoveredResourceCounts", "config:ListDiscoveredResources"]
)
def test_without_query_and_discovery_the_resources_are_not_known(
    api: str, embedded: EmbeddedCloud, only: Send
) -> None:
    embedded.switches.deny("config", "SelectResourceConfig")
    embedded.switches.deny("config", api.partition(":")[2])
    sent = only("config_inventory")
    assert sent.code == 1
    assert sent.statuses["config_inventory"] == "Fail"
    assert any(f"{api} denied" in text for text in sent.said("FAIL"))
    assert sent.document["config_inventory"] == []


def test_discovered_resources_stand_in_for_a_query_that_is_not_possible(
    embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    embedded.cloud.page_size = 2
    embedded.switches.fail("config", "SelectResourceConfig", "InvalidExpressionException", "No")
    requests = record(embedded, account)
    sent = only("config_inventory")
    assert sent.code == 0
    truth = TRUTH["config_inventory"]
    place = place_of(account, sent.document)
    told = [{name: row[name] for name in RECORDED} for row in truth.rows(place)]
    same_rows(sent.document["config_inventory"], told, truth.key)
    further = names([held for held in requests if TOKENS & held.params.keys()])
    assert {
        "config:GetDiscoveredResourceCounts",
        "config:ListDiscoveredResources",
    } <= further.keys()
