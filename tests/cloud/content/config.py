"""AWS Config: recorded resources, rules, what they evaluated, conformance packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import iso, pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account
from tests.cloud.content.config_items import RECORDED

IDENTIFIERS = ("ENCRYPTED_VOLUMES", "REQUIRED_TAGS", "RDS_MULTI_AZ_SUPPORT", "EC2_IMDSV2_CHECK")
OUTCOMES = ("NON_COMPLIANT", "COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA", "NON_COMPLIANT")


@content("config", "recorders")
def recorders(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeConfigurationRecorders' ConfigurationRecorder; none where Config is off."""
    if not account.size.config_rules:
        return []
    return [
        {
            "name": "default",
            "arn": account.arn("config", "configuration-recorder/default/abcdefgh", region),
            "roleARN": account.arn("iam", "role/aws-service-role/AWSServiceRoleForConfig"),
            "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
            "recordingMode": {"recordingFrequency": "CONTINUOUS"},
            "recordingScope": "PAID",
        }
    ]


@content("config", "packs")
def packs(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeConformancePacks' ConformancePackDetail."""
    return [
        {
            "ConformancePackName": name,
            "ConformancePackId": pack_id,
            "ConformancePackArn": account.arn(
                "config", f"conformance-pack/{name}/{pack_id}", region
            ),
            "DeliveryS3Bucket": "",
            "ConformancePackInputParameters": [],
            "LastUpdateRequestedTime": account.ago(30, seconds=number),
        }
        for number in range(account.size.conformance_packs)
        for name in [account.words.name("pack", number)]
        for pack_id in [f"conformance-pack-{account.hex(9, 'pack', region, number)}"]
    ]


@content("config", "rules")
def rules(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeConfigRules' ConfigRule; every third came with a conformance pack."""
    return [rule(account, region, number) for number in range(account.size.config_rules)]


def rule(account: Account, region: str, number: int) -> dict[str, Any]:
    """One rule; that of a pack has the pack's identifier at the end of its name."""
    pack = pack_of(account, region, number)
    name = account.words.name("rule", number) + (f"-{pack['ConformancePackId']}" if pack else "")
    rule_id = f"config-rule-{account.hex(6, 'rule', region, number)}"
    created_by = {"CreatedBy": "config-conforms.amazonaws.com"} if pack else {}
    proactive = [{"Mode": "PROACTIVE"}] if number % 6 == 0 else []
    return {
        "ConfigRuleName": name,
        "ConfigRuleId": rule_id,
        "ConfigRuleArn": account.arn("config", f"config-rule/{rule_id}", region),
        "Description": account.words.text("rule", number),
        "Source": {"Owner": "AWS", "SourceIdentifier": pick(IDENTIFIERS, number)},
        "ConfigRuleState": "ACTIVE",
        "EvaluationModes": [{"Mode": "DETECTIVE"}, *proactive],
        **created_by,
    }


def pack_of(account: Account, region: str, number: int) -> dict[str, Any] | None:
    """The conformance pack that a rule came with, if any."""
    made = account.items("config", "packs", region)
    return pick(made, number // 9) if made and number % 3 == 2 else None


@content("config", "pack_rules")
def pack_rules(account: Account, region: str) -> list[dict[str, Any]]:
    """Which rule came with which pack: a ConformancePackRuleCompliance and its pack's name."""
    found = []
    for number, made in enumerate(account.items("config", "rules", region)):
        pack = pack_of(account, region, number)
        if pack:
            found.append(
                {
                    "ConformancePackName": pack["ConformancePackName"],
                    "ConfigRuleName": made["ConfigRuleName"],
                    "Controls": [f"CIS.{number}"],
                }
            )
    return found


@content("config", "evaluations")
def evaluations(account: Account, region: str) -> list[dict[str, Any]]:
    """GetComplianceDetailsByConfigRule's EvaluationResult of all rules, rule by rule."""
    targets = account.items("config", "resources", region)
    return [
        result
        for number, made in enumerate(account.items("config", "rules", region))
        for result in results(account, number, made["ConfigRuleName"], targets)
    ]


def results(
    account: Account, number: int, name: str, targets: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What one rule found; a rule without data found nothing.

    A non-compliant rule finds half of its resources so; every sixth rule judged its first
    resource a second time, proactively.
    """
    outcome = pick(OUTCOMES, number)
    count = min(account.size.evaluations_per_rule, len(targets))
    if outcome == "INSUFFICIENT_DATA":
        return []
    chosen = [pick(targets, number * 7 + step) for step in range(count)]
    found = []
    for step, target in enumerate(chosen):
        bad = outcome == "NON_COMPLIANT" and step % 2 == 0
        kind = outcome if bad else "NOT_APPLICABLE" if step % 5 == 3 else "COMPLIANT"
        found.append(result(account, name, target, kind, "DETECTIVE", number + step))
    if number % 6 == 0 and chosen:
        found.append(result(account, name, chosen[0], outcome, "PROACTIVE", number))
    return found


def result(
    account: Account, rule_name: str, target: dict[str, Any], kind: str, mode: str, number: int
) -> dict[str, Any]:
    """One EvaluationResult; only what is not compliant carries an annotation."""
    moment = account.ago(number % 20, seconds=1 + number * 733 % 86_400)
    note = (
        {"Annotation": account.words.text("annotation", number)} if kind == "NON_COMPLIANT" else {}
    )
    once = {"ResourceEvaluationId": account.uuid(rule_name)} if mode == "PROACTIVE" else {}
    return {
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": {
                "ConfigRuleName": rule_name,
                "ResourceType": target["resourceType"],
                "ResourceId": target["resourceId"],
                "EvaluationMode": mode,
            },
            "OrderingTimestamp": moment,
            **once,
        },
        "ComplianceType": kind,
        "ResultRecordedTime": moment,
        "ConfigRuleInvokedTime": moment,
        **note,
    }


@content("config", "resources")
def resources(account: Account, region: str) -> list[dict[str, Any]]:
    """The current configuration items, as the advanced query sees them (times are text)."""
    if not account.size.config_rules:
        return []
    return [
        recorded(account, region, kind, fields)
        for kind, make in RECORDED.items()
        for fields in make(account, region)
    ]


def recorded(account: Account, region: str, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A configuration item; what has no name, zone or creation time lacks the property."""
    item = {
        "accountId": account.id,
        "awsRegion": region,
        "resourceType": kind,
        "configurationItemStatus": "OK",
        "configurationItemCaptureTime": iso(account.ago(2)),
        "version": "1.3",
        "tags": [],
        **fields,
    }
    return {name: value for name, value in item.items() if value is not None}


@content("config", "compliance")
def compliance_items(account: Account, region: str) -> list[dict[str, Any]]:
    """The items in which Config records each evaluated resource's own compliance.

    They are among the recorded resources whenever those are not told apart by type.
    """
    judged: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for held in account.items("config", "evaluations", region):
        qualifier = held["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        if qualifier["EvaluationMode"] == "DETECTIVE":
            key = qualifier["ResourceType"], qualifier["ResourceId"]
            verdict = {
                "configRuleName": qualifier["ConfigRuleName"],
                "complianceType": held["ComplianceType"],
            }
            judged.setdefault(key, []).append(verdict)
    return [
        compliance_item(account, region, *target, verdicts) for target, verdicts in judged.items()
    ]


def compliance_item(
    account: Account, region: str, kind: str, name: str, verdicts: list[dict[str, Any]]
) -> dict[str, Any]:
    """One resource's compliance: that of its worst verdict."""
    types = {held["complianceType"] for held in verdicts}
    order = ("NON_COMPLIANT", "COMPLIANT", "NOT_APPLICABLE")
    fields = {
        "resourceId": f"{kind}/{name}",
        "resourceName": f"{kind}/{name}",
        "availabilityZone": "Not Applicable",
        "configuration": {
            "targetResourceId": name,
            "targetResourceType": kind,
            "complianceType": next(held for held in order if held in types),
            "configRuleList": verdicts,
        },
    }
    return recorded(account, region, "AWS::Config::ResourceCompliance", fields)
