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
ALARMS = DEPLOY / "alarms.yaml"
BACKUP, VAULT = DEPLOY / "backup.yaml", DEPLOY / "vault.yaml"
ALL = (HUB, SPOKE, ARTIFACTS, ORGANIZATION, MEMBER, ALARMS, BACKUP, VAULT)

REFERENCE = re.compile(r"\$\{(!?)([^}]+)\}")

NO_VALUE = object()
"""What AWS::NoValue stands for: nothing is there."""

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
        items = (resolve(item, names) for item in value)
        return [item for item in items if item is not NO_VALUE]
    if not isinstance(value, dict):
        return str(value) if isinstance(value, str) else value
    if value == {"Ref": "AWS::NoValue"}:
        return NO_VALUE
    if "Ref" in value:
        return names[value["Ref"]]
    if "Fn::GetAtt" in value:
        named = value["Fn::GetAtt"]
        return names[named if isinstance(named, str) else ".".join(named)]
    if "Fn::Sub" in value:
        return substituted(value["Fn::Sub"], names)
    if "Fn::If" in value:
        condition, met, unmet = value["Fn::If"]
        return resolve(met if names[f"Condition {condition}"] == "true" else unmet, names)
    if "Fn::Select" in value:
        place, parts = value["Fn::Select"]
        return resolve(parts, names)[int(place)]
    if "Fn::Split" in value:
        mark, text = value["Fn::Split"]
        return str(resolve(text, names)).split(mark)
    return {key: resolve(item, names) for key, item in value.items()}


def substituted(text: str | list[Any], names: Names) -> str:
    """What Fn::Sub makes of a text, or of a text and names of its own."""
    if isinstance(text, list):
        whole, own = text
        more = {name: resolve(held, names) for name, held in own.items()}
        return substituted(whole, {**names, **more})
    return REFERENCE.sub(lambda found: f"${{{found[2]}}}" if found[1] else names[found[2]], text)


def conditions(template: Path, names: Names) -> Names:
    """Names, with those of the template's conditions that compare; the others are unknown."""
    found = {}
    for name, held in load(template).get("Conditions", {}).items():
        negated = "Fn::Not" in held
        one, other = (held["Fn::Not"][0] if negated else held)["Fn::Equals"]
        same = resolve(one, names) == resolve(other, names)
        found[f"Condition {name}"] = str(same != negated).lower()
    return {**names, **found}


def defaults(template: Path) -> dict[str, str]:
    """The template's parameters that have a default, and that."""
    parameters = load(template)["Parameters"].items()
    return {name: str(held["Default"]) for name, held in parameters if "Default" in held}


def statements(template: Path, resource: str, names: Names) -> list[dict[str, Any]]:
    """The policy statements of a role, a bucket's policy or a key."""
    names = conditions(template, names)
    properties = load(template)["Resources"][resource]["Properties"]
    documents = [properties.get("PolicyDocument") or properties.get("KeyPolicy")]
    if "Policies" in properties:
        documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    found = (resolve(document["Statement"], names) for document in documents)
    return [statement for held in found for statement in held]
