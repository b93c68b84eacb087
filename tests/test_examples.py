"""AWS's own examples, which botocore carries, read by the collectors as if AWS had sent them.

The expected values are those that the examples show. An API that the sender asks and that has an
example is here, or the first test fails.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.models import operation_model
from tests.cloud.switches import InstantAnswer
from tests.conftest import MakeAccount
from tests.sending import Document, Row, rows, send

Example = dict[str, Any]


@functools.cache
def examples(api: str) -> list[Example]:
    """The answers of botocore's examples of an API."""
    service, _, operation = api.partition(":")
    loader = botocore.session.get_session().get_component("data_loader")
    try:
        held = loader.load_service_model(service, "examples-1")["examples"]
    except UnknownServiceError:
        return []
    return [example["output"] for example in held.get(operation, ()) if "output" in example]


def answer(api: str, number: int = 0) -> dict[str, Any]:
    """An example as boto3 would show it: times are times."""
    service, _, operation = api.partition(":")
    shape = operation_model(service, operation).output_shape
    assert shape
    made: dict[str, Any] = typed(examples(api)[number], shape)
    return made


def typed(value: Any, shape: Shape) -> Any:
    """A value of an example in the types of the model."""
    if isinstance(shape, StructureShape):
        return {name: typed(held, shape.members[name]) for name, held in value.items()}
    if isinstance(shape, ListShape):
        return [typed(held, shape.member) for held in value]
    if isinstance(shape, MapShape):
        return {name: typed(held, shape.value) for name, held in value.items()}
    return parse_timestamp(value) if shape.type_name == "timestamp" else value


def answering(response: dict[str, Any]) -> Callable[[ApiRequest], None]:
    """An effect that answers in place of the service."""

    def effect(_request: ApiRequest) -> None:
        raise InstantAnswer(response)

    return effect


Play = Callable[..., Document]


@pytest.fixture
def play(embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path) -> Play:
    """Collects a category of an account that is empty but for examples: `play("cost", api=0)`."""

    def run(category: str, **played: int) -> Document:
        account = make_account(Size.empty())
        for name, number in played.items():
            service, _, operation = (api := PLAYED[name]).partition(":")
            embedded.switches.intercept(service, operation, answering(answer(api, number)))
        environment = embedded.environment(account.id) | {"BUCKET": ""}
        sent = send(environment, tmp_path, "--only", category)
        assert sent.code == 0
        assert sent.statuses[category] == "Pass"
        return sent.document

    return run


PLAYED = {
    "groups": "autoscaling:DescribeAutoScalingGroups",
    "instances": "ec2:DescribeInstances",
    "subnets": "ec2:DescribeSubnets",
    "volumes": "ec2:DescribeVolumes",
    "balancers": "elbv2:DescribeLoadBalancers",
    "key": "kms:DescribeKey",
    "rotation": "kms:GetKeyRotationStatus",
    "keys": "kms:ListKeys",
    "functions": "lambda:ListFunctions",
    "member": "organizations:DescribeAccount",
    "databases": "rds:DescribeDBInstances",
    "secrets": "secretsmanager:ListSecrets",
    "identity": "sts:GetCallerIdentity",
}
"""The APIs that have examples, under short names."""


def test_no_example_of_an_api_that_is_asked_is_forgotten(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path)
    asked = {f"{held.service}:{held.operation}" for held in embedded.calls}
    assert len(asked) > len(PLAYED)
    assert {api for api in asked if examples(api)} == set(PLAYED.values())


def instant(text: str) -> str:
    """An instant of an example as documents tell it."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def matches(row: Row, expected: Row) -> bool:
    """Whether a row has these values."""
    return {name: row.get(name) for name in expected} == expected


RESOURCES: dict[str, list[Row]] = {
    "groups": [
        {
            "resource_type": "AutoScalingGroup",
            "resource_name": "my-auto-scaling-group",
            "availability_zone": "us-west-2a,us-west-2b,us-west-2c",
            "min_size": 1,
            "max_size": 5,
            "instance_count": 2,
            "state": None,
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
            "resource_id": f"arn:aws:lambda:us-west-2:123456789012:function:{name}",
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
    [(name, number) for name in RESOURCES for number in range(len(examples(PLAYED[name])))],
)
def test_resources(name: str, number: int, play: Play) -> None:
    found = rows(play("service_resources", **{name: number}), "service_resources")
    expected = RESOURCES[name]
    assert len(found) == len(expected)
    for row, values in zip(found, expected, strict=True):
        assert matches(row, values)


KEYS: list[Row] = [
    {"key_spec": "SYMMETRIC_DEFAULT", "key_state": "Enabled", "key_rotation_enabled": True,
     "creation_date": instant("2017-07-05T21:04:55Z"), "multi_region": False},
    {"key_spec": "RSA_2048", "key_state": "Disabled", "enabled": False,
     "key_usage": "SIGN_VERIFY", "key_rotation_enabled": None},
    {"key_id": "mrk-1234abcd12ab34cd56ef1234567890ab", "multi_region": True, "key_spec": None},
    {"key_spec": None, "key_usage": "GENERATE_VERIFY_MAC", "key_rotation_enabled": None,
     "description": "Development test key"},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(examples(PLAYED["key"]))))
def test_keys(number: int, play: Play) -> None:
    document = play("security", keys=0, key=number, rotation=0)
    found = rows(document, "security.kms")
    assert len(found) == len(examples(PLAYED["keys"])[0]["Keys"])
    assert all(matches(row, KEYS[number]) for row in found)


def test_secrets(play: Play) -> None:
    arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:MyTestDatabaseSecret-a1b2c3"
    one, other = rows(play("security", secrets=0), "security.secrets_manager")
    assert matches(
        one,
        {
            "name": "MyTestDatabaseSecret",
            "arn": arn,
            "description": "My test database secret",
            "last_changed_date": instant("2018-04-11T20:05:45.729+00:00"),
            "created_date": None,
            "rotation_enabled": False,
        },
    )
    assert other["name"] == "MyTestDatabaseSecret1"


def test_a_member_of_an_organization(play: Play) -> None:
    held = play("account", member=0)["account"]
    assert held["account_email"] == "anika@example.com"
    arn = "arn:aws:organizations::111111111111:account/o-exampleorgid/555555555555"
    assert held["account_arn"] == arn
    assert held["joined_method"] is None


@pytest.mark.parametrize("number", range(len(examples(PLAYED["identity"]))))
def test_whoever_calls_the_account_is_the_same(number: int, play: Play) -> None:
    document = play("account", identity=number)
    assert document["meta"]["account_id"] == document["account"]["account_id"] == "123456789012"
    assert document["account"]["account_arn"] == "arn:aws:iam::123456789012:root"
