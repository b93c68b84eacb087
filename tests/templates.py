"""The CloudFormation templates in deploy/, and their policies with names put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
HUB, SPOKE, ARTIFACTS = DEPLOY / "hub.yaml", DEPLOY / "spoke.yaml", DEPLOY / "artifacts.yaml"
ORGANIZATION, MEMBER = DEPLOY / "organization.yaml", DEPLOY / "member.yaml"
ALL = (HUB, SPOKE, ARTIFACTS, ORGANIZATION, MEMBER)

REFERENCE = re.compile(r"\$\{(!?)([^}]+)\}")

Names = Mapping[str, str]
"""What `Ref` and `Fn::GetAtt` mean: `Bucket`, `Bucket.Arn`, `AWS::AccountId`."""


@cache
def load(template: Path) -> dict[str, Any]:
    """A template with its functions in long form; not to be changed."""
    found: dict[str, Any] = cfn_yaml.load(str(template))
    return found


def resolve(value: Any, names: Names) -> Any:
    """A value with Ref, Fn::GetAtt and Fn::Sub put in. Raises KeyError for an unknown name."""
    if isinstance(value, list):
        return [resolve(item, names) for item in value]
    if not isinstance(value, dict):
        return str(value) if isinstance(value, str) else value
    if "Ref" in value:
        return names[value["Ref"]]
    if "Fn::GetAtt" in value:
        named = value["Fn::GetAtt"]
        return names[named if isinstance(named, str) else ".".join(named)]
    if "Fn::Sub" in value:
        return REFERENCE.sub(
            lambda found: f"${{{found[2]}}}" if found[1] else names[found[2]], value["Fn::Sub"]
        )
    return {key: resolve(item, names) for key, item in value.items()}


def statements(template: Path, resource: str, names: Names) -> list[dict[str, Any]]:
    """The policy statements of a role, a bucket's policy or a key."""
    properties = load(template)["Resources"][resource]["Properties"]
    documents = [properties.get("PolicyDocument") or properties.get("KeyPolicy")]
    if "Policies" in properties:
        documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    return [
        resolve(statement, names) for document in documents for statement in document["Statement"]
    ]
