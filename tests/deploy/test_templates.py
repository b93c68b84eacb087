"""The templates: what they hold, and as far as moto goes, that they deploy."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from observability.settings.sender import SETTINGS
from tests import templates
from tests.cloud import EmbeddedCloud
from tests.conftest import ANALYTICS
from tests.deploy.deploying import IMAGE, network
from tests.paths import ROOT

TEMPLATES = templates.ALL


# The templates


def test_cfn_lint_finds_nothing() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I", "--"]
    found = subprocess.run(
        [*command, *map(str, TEMPLATES)], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_the_security_linter_finds_what_the_template_explains_and_nothing_else(
    template: Path,
) -> None:
    """Exceptions stand in the resource's Metadata, with their reason; none may be stale."""
    command = [sys.executable, "-m", "cfripper.cli", str(template), "--resolve", "--format", "json"]
    found = subprocess.run(
        [*command, "--logging", "ERROR"], capture_output=True, text=True, check=False
    )
    failures = json.loads(found.stdout)["failures"]
    seen = {(one["rule"], name) for one in failures for name in one["resource_ids"]}
    explained = {
        (rule, name)
        for name, resource in templates.load(template)["Resources"].items()
        for rule, reason in resource.get("Metadata", {}).get("SecurityExceptions", {}).items()
        if len(reason) > 20
    }
    assert seen == explained


HOLDS_DATA = {
    "AWS::S3::Bucket": "Retain",
    "AWS::KMS::Key": "Retain",
    "AWS::RDS::DBCluster": "Snapshot",
    "AWS::Backup::BackupVault": "Retain",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_what_holds_data_outlives_its_stack(template: Path) -> None:
    for name, resource in templates.load(template)["Resources"].items():
        if resource["Type"] in HOLDS_DATA:
            wanted = HOLDS_DATA[resource["Type"]]
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == wanted, name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_secret_is_in_a_template_an_environment_or_an_output(template: Path) -> None:
    """Secrets are made by AWS and only named; nothing resolves one or takes one as a parameter."""
    loaded = templates.load(template)
    assert "{{resolve:" not in template.read_text()
    assert not [name for name, held in loaded["Parameters"].items() if held.get("NoEcho")]
    shown = [loaded.get("Outputs", {})] + [
        resource["Properties"].get("Environment", {}) for resource in loaded["Resources"].values()
    ]
    assert not re.search(r"SecretString|Password|MasterUserPassword", json.dumps(shown))


def test_functions_take_no_concurrency_from_others_and_keep_their_logs_for_a_time() -> None:
    for template in (templates.HUB, templates.SPOKE):
        resources = templates.load(template)["Resources"]
        for name, resource in resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                assert "ReservedConcurrentExecutions" not in resource["Properties"], name
                group = resource["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
                assert "RetentionInDays" in resources[group]["Properties"], name


def test_the_task_runs_an_image_by_digest_that_can_change_nothing_in_itself() -> None:
    template = templates.load(templates.ORGANIZATION)
    resources = template["Resources"]
    pattern = re.compile(template["Parameters"]["ImageUri"]["AllowedPattern"])
    assert pattern.fullmatch(IMAGE)
    assert not pattern.fullmatch(IMAGE.partition("@")[0] + ":latest")
    [container] = resources["Task"]["Properties"]["ContainerDefinitions"]
    assert container["Image"] == {"Ref": "ImageUri"}
    assert container["ReadonlyRootFilesystem"] is True
    [writable] = container["MountPoints"]
    assert writable["ContainerPath"] == "/tmp"
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert f"\nUSER {container['User']}\n" in dockerfile
    assert "--require-hashes" in dockerfile
    group = container["LogConfiguration"]["Options"]["awslogs-group"]["Ref"]
    assert "RetentionInDays" in resources[group]["Properties"]


def test_the_task_is_told_settings_that_the_sender_has() -> None:
    task = templates.load(templates.ORGANIZATION)["Resources"]["Task"]["Properties"]
    [container] = task["ContainerDefinitions"]
    known = {setting.variable for setting in SETTINGS}
    assert {held["Name"] for held in container["Environment"]} <= known


@pytest.mark.parametrize("vpc", ["", "vpc-0123456789abcdef0"])
def test_the_database_is_reached_by_clients_of_ones_own_network_or_by_nobody(vpc: str) -> None:
    given = templates.defaults(templates.HUB) | {"VpcId": vpc}
    given |= {"ClientSecurityGroupId": "sg-0123456789abcdef0"} if vpc else {}
    resources = templates.load(templates.HUB)["Resources"]
    own = {"Network": "own", "SubnetA": "a", "SubnetB": "b", "SecurityGroup.GroupId": "sg-own"}
    names = templates.conditions(templates.HUB, given | own)
    there = {name for name, held in resources.items() if met(held, names)}
    assert ("Network" in there) is ("SubnetA" in there) is ("Clients" not in there) is (not vpc)
    group = templates.resolve(resources["SecurityGroup"]["Properties"], names)
    assert group["VpcId"] == (vpc or "own")
    assert "SecurityGroupIngress" not in group
    subnets = templates.resolve(resources["SubnetGroup"]["Properties"]["SubnetIds"], names)
    assert subnets == (["a", "b"] if not vpc else given["SubnetIds"])
    opened = [held for held in resources.values() if "Ingress" in held["Type"]]
    [clients] = [templates.resolve(held["Properties"], names) for held in opened]
    assert (clients["FromPort"], clients["ToPort"]) == (5432, 5432)
    assert "CidrIp" not in clients
    assert resources["Instance"]["Properties"]["PubliclyAccessible"] is False


def met(resource: Mapping[str, Any], names: templates.Names) -> bool:
    """Whether a resource is made."""
    return "Condition" not in resource or names[f"Condition {resource['Condition']}"] == "true"


# CloudFormation, as far as moto's goes

NOT_IN_MOTO = {
    "AWS::Backup::BackupPlan",
    "AWS::Backup::BackupSelection",
    "AWS::Backup::BackupVault",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::RDS::DBCluster",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::Secret",
}
"""What moto's CloudFormation does not make. cfn-lint checks their properties against AWS's schemas;
test_attacks.py enforces the bucket's policy; nothing here tries the alarms, the schedule
and the database's settings. moto does not resolve a policy's conditions or check a role either."""

STAND_INS: dict[str, Any] = {
    "Cluster": f"arn:aws:rds:us-east-1:{ANALYTICS}:cluster:hub",
    "Instance": "an instance of Aurora, which moto makes through the API of RDS only",
    "ReaderSecret": f"arn:aws:secretsmanager:us-east-1:{ANALYTICS}:secret:reader-AbCdEf",
    "ReceiverSecret": f"arn:aws:secretsmanager:us-east-1:{ANALYTICS}:secret:receiver-AbCdEf",
}
"""Resources that moto lacks and others refer to, and what stands in for a reference."""


UNMET = {"HasReplica", "HasBudget", "HasClients"}
"""Conditions that the defaults do not meet."""

NAMES = {
    "RepositoryName",
    "RoleName",
    "FunctionName",
    "LogGroupName",
    "Family",
    "QueueName",
    "BucketName",
    "BackupVaultName",
    "BackupPlanName",
}


def names_in(value: Any) -> Iterator[tuple[str, Any]]:
    """The properties of a template that name what it makes."""
    if isinstance(value, list):
        for item in value:
            yield from names_in(item)
    elif isinstance(value, dict):
        for key, held in value.items():
            if key in NAMES:
                yield key, held
            yield from names_in(held)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_two_systems_fit_into_one_account(template: Path) -> None:
    for key, held in names_in(templates.load(template)["Resources"]):
        assert not isinstance(held, str), f"{key} is {held} whichever system it is of"
    names = dict(names_in(templates.load(template)["Resources"]))
    for told in (name["Fn::Sub"] for name in names.values() if "Fn::Sub" in name):  # or a Ref
        assert "${SystemName}" in told or "${AWS::StackName}" in told


@pytest.mark.parametrize(
    ("system", "given", "wanted"),
    [
        ("observability", "", "ObservabilityReader"),
        ("staging", "", "staging-reader"),
        ("staging", "Ours", "Ours"),
    ],
)
def test_the_role_of_members_has_the_name_that_the_task_assumes(
    system: str, given: str, wanted: str
) -> None:
    own = {"SystemName": system, "RoleName": given, "AWS::Partition": "aws"}
    names = templates.conditions(templates.MEMBER, own)
    member = templates.load(templates.MEMBER)["Resources"]["Role"]["Properties"]
    assert templates.resolve(member["RoleName"], names) == wanted
    names = templates.conditions(templates.ORGANIZATION, own)
    resources = templates.load(templates.ORGANIZATION)["Resources"]
    [enter, _] = resources["TaskRole"]["Properties"]["Policies"]
    entering = enter["PolicyDocument"]["Statement"][0]["Resource"]
    assert templates.resolve(entering, names) == f"arn:aws:iam::*:role/{wanted}"
    [container] = resources["Task"]["Properties"]["ContainerDefinitions"]
    [told] = [held["Value"] for held in container["Environment"] if held["Name"] == "ROLE_NAME"]
    assert templates.resolve(told, names) == wanted


def with_stand_ins(value: Any) -> Any:
    """A template without the resources that moto lacks and others refer to."""
    if isinstance(value, list):
        return [with_stand_ins(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = value.get("Ref") or value.get("Fn::GetAtt", "")
    name = named if isinstance(named, str) else named[0]
    if len(value) == 1 and name.partition(".")[0] in STAND_INS:
        return STAND_INS[name.partition(".")[0]]
    return {key: with_stand_ins(held) for key, held in value.items() if key not in STAND_INS}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_deploys_in_moto_as_far_as_moto_goes(
    template: Path, embedded: EmbeddedCloud, bucket: str
) -> None:
    wanted = templates.load(template)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("receiver.py", "")
    s3 = embedded.client("s3", ANALYTICS)
    versioned: Any = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioned)
    put = s3.put_object(Bucket=bucket, Key="package.zip", Body=package.getvalue())
    version = put["VersionId"]
    parameters = {
        "OrganizationId": "o-abcdefghij",
        "CodeBucket": bucket,
        "CodeKey": "package.zip",
        "CodeVersion": version,
        "BucketName": bucket,
        "DocumentsKeyArn": embedded.key_arn,
        "CUSTOMER": "Example Corp",
        "ExternalId": "sesame",
        "HubAccountId": ANALYTICS,
        "ImageUri": IMAGE,
        "NoticesArn": f"arn:aws:sns:us-east-1:{ANALYTICS}:notices",
        "DatabaseKeyArn": embedded.key_arn,
        "BackupAccountId": "999988887777",
        "ClusterArn": f"arn:aws:rds:us-east-1:{ANALYTICS}:cluster:hub",
        **dict.fromkeys(("ReceiverName", "ReceiverLog", "RotatorName"), "a-name"),
        **dict.fromkeys(("QueueName", "DeadLettersName"), "a-queue"),
        **network(embedded),
    }
    client = embedded.client("cloudformation", ANALYTICS)
    name = f"{template.stem}-{bucket}"
    client.create_stack(
        StackName=name,
        TemplateBody=json.dumps(with_stand_ins(wanted)),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": parameters[key]}
            for key, held in wanted["Parameters"].items()
            if "Default" not in held
        ],
    )
    [stack] = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = client.list_stack_resources(StackName=name)["StackResourceSummaries"]
    assert {held["LogicalResourceId"] for held in made} - {""} == {
        key
        for key, held in wanted["Resources"].items()
        if held["Type"] not in NOT_IN_MOTO
        and key not in STAND_INS
        and held.get("Condition") not in UNMET
    }
    client.delete_stack(StackName=name)
