"""The script behind the make targets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests import templates
from tests.cloud import EmbeddedCloud
from tests.conftest import ANALYTICS
from tests.deploy.deploying import IMAGE, keys, network
from tests.paths import ROOT

AWS_CLI = shutil.which("aws")


def test_deploy_sh_says_why_it_ends_where_nobody_answers(
    deploy: Callable[..., subprocess.CompletedProcess[str]], embedded: EmbeddedCloud
) -> None:
    """`destroy-spokes` asks first, and so needs no AWS CLI for this."""
    done = deploy("destroy-spokes", OU="ou-abcd-12345678", AWS_REGION="us-east-1", YES="")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "nothing more was done; YES=1 answers for you"
    assert embedded.calls == []


def make_hub(embedded: EmbeddedCloud, name: str) -> None:
    """The stacks that `deploy.sh hub` would have made, as far as moto can make them."""
    client = embedded.client("cloudformation", ANALYTICS)
    client.create_stack(
        StackName=f"{name}-packages",
        TemplateBody=templates.ARTIFACTS.read_text(),
        Parameters=[
            {"ParameterKey": "OrganizationId", "ParameterValue": "o-abcdefghij"},
            {"ParameterKey": "SystemName", "ParameterValue": name},
        ],
    )
    told = client.describe_stacks(StackName=f"{name}-packages")["Stacks"][0]["Outputs"]
    [packages] = [held["OutputValue"] for held in told if held["OutputKey"] == "BucketName"]
    versioned: Any = {"Status": "Enabled"}  # which moto's CloudFormation leaves out
    s3 = embedded.moto.client("s3", ANALYTICS, "us-east-1")
    s3.put_bucket_versioning(Bucket=packages, VersioningConfiguration=versioned)
    outputs = {
        name: {"Value": value}
        for name, value in (("BucketName", "documents"), ("DocumentsKeyArn", embedded.key_arn))
    }
    resources = {"Queue": {"Type": "AWS::SQS::Queue"}}
    client.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs})
    )


@pytest.mark.skipif(not AWS_CLI, reason="deploy.sh needs the AWS CLI, which is not installed")
def test_deploy_sh_ships_packages_and_rolls_the_sender_out(
    deploy: Callable[..., subprocess.CompletedProcess[str]], embedded: EmbeddedCloud
) -> None:
    """moto lacks Aurora, so a stack stands in for the hub; it also does not tell the outputs of
    stacks that a change set has made, and refuses one without changes, as AWS does not; so `hub`
    ends at its first stack."""
    client = embedded.client("cloudformation", ANALYTICS)
    done = deploy("hub", NAME="first", ORGANIZATION_ID="o-abcdefghij")
    [made] = client.describe_stacks(StackName="first-packages")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    assert (done.returncode, "has no output BucketName" in done.stderr) == (1, True)
    assert "UpdateTerminationProtection" in {call.operation for call in embedded.calls}
    make_hub(embedded, "one")
    settings = {"REGIONS": "us-east-1,eu-west-1", "PARTNER": "Partner", "RESERVED_CAPACITY": "1"}
    settings["AT_ONCE"] = "3"
    settings |= {"SKIP": "support_tickets,trusted_advisor"}
    done = deploy("spokes", NAME="one", **settings)
    assert (done.returncode, done.stderr) == (2, "OU is not set; see deploy/README.md\n")
    settings |= {"OU": "ou-abcd-12345678", "CUSTOMER": "Example, Inc"}
    done = deploy("spokes", NAME="one", **settings)
    assert done.returncode == 0, done.stderr
    given = parameters(embedded, "one-spokes")
    assert "CATEGORY" not in given  # the template's default
    assert (given["PARTNER"], given["ReservedCapacity"]) == ("Partner", "1")
    assert given["CUSTOMER"] == "Example, Inc"
    assert given["REGIONS"] == "us-east-1,eu-west-1"
    assert given["AtOnce"] == "3"
    assert given["BucketName"] == "documents"
    assert re.fullmatch(r"sender-[0-9a-f]{16}\.zip", given["CodeKey"])
    assert given["CodeKey"] in keys(embedded, given["CodeBucket"])
    assert given["CodeVersion"] == version_of(embedded, given["CodeBucket"], given["CodeKey"])
    done = deploy("spokes", NAME="one", PARTNER="", CATEGORY="Shop")
    assert done.returncode == 0, done.stderr
    assert "create-stack-instances" not in done.stderr
    kept = parameters(embedded, "one-spokes")
    assert kept == given | {"PARTNER": "", "CATEGORY": "Shop"}
    assert version_of(embedded, given["CodeBucket"], given["CodeKey"]) == given["CodeVersion"]
    template = client.describe_stack_set(StackSetName="one-spokes")["StackSet"]["TemplateBody"]
    assert "health:DescribeEvents" in template
    assert "support:" not in template, "the role may do what is switched off"
    done = deploy("hub", NAME="one")  # needs no setting either, and has nothing to change
    assert (done.stderr.split("\n")[0], "No updates" in done.stderr) == ("== one-packages", True)


def parameters(embedded: EmbeddedCloud, stack_set: str) -> dict[str, str]:
    """What a StackSet is given."""
    client = embedded.client("cloudformation", ANALYTICS)
    held = client.describe_stack_set(StackSetName=stack_set)["StackSet"]["Parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in held}


def version_of(embedded: EmbeddedCloud, bucket: str, key: str) -> str:
    """The only version of a package: it is put once, however often it is deployed."""
    s3 = embedded.moto.client("s3", ANALYTICS, "us-east-1")
    [held] = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    return str(held["VersionId"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"TASK_CPU": "3"}, "TASK_CPU='3' is not 1024, 2048 or 4096"),
        ({"TASK_MEMORY": "4G"}, "TASK_MEMORY='4G' is not 2048, 4096 or 8192"),
        (
            {"TASK_CPU": "2048", "TASK_MEMORY": "2048"},
            "TASK_MEMORY='2048' is not 4096 or 8192, as TASK_CPU=2048 needs",
        ),
        (
            {"TASK_CPU": "4096", "TASK_MEMORY": "4096"},
            "TASK_MEMORY='4096' is not 8192, as TASK_CPU=4096 needs",
        ),
        *(
            ({"SCHEDULE": wrong}, f"SCHEDULE='{wrong}' is not cron(...) with six fields or rate(")
            for wrong in ("daily", "cron(30 5 * * *)", "rate(0 days)", "xrate(1 day)")
        ),
    ],
)
def test_deploy_sh_tells_in_a_line_what_no_task_can_have(
    deploy: Callable[..., subprocess.CompletedProcess[str]], settings: dict[str, str], told: str
) -> None:
    needed = ("ORGANIZATION_ID", "EXTERNAL_ID", "IMAGE", "VPC", "SUBNETS")
    done = deploy("organization", **dict.fromkeys(needed, "x"), **settings)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(told)
    assert "deploy/README.md" in line


def test_the_template_lets_a_task_be_what_deploy_sh_lets_it_be() -> None:
    """deploy.sh tells it before anything is done; who deploys the template alone is held, too."""
    held = templates.load(templates.ORGANIZATION)["Parameters"]
    script = (ROOT / "deploy" / "deploy.sh").read_text()
    for name, setting in (("Cpu", "TASK_CPU"), ("Memory", "TASK_MEMORY")):
        assert f"fits {setting} '{'|'.join(held[name]['AllowedValues'])}' " in script
    [ours] = re.findall(r"fits SCHEDULE '(.+)'", script)
    assert held["Schedule"]["AllowedPattern"].replace(r"\d", "[0-9]") == ours
    assert re.fullmatch(ours, held["Schedule"]["Default"])


@pytest.mark.skipif(not AWS_CLI, reason="deploy.sh needs the AWS CLI, which is not installed")
def test_deploy_sh_makes_the_task_of_an_organization_and_keeps_what_is_not_given(
    deploy: Callable[..., subprocess.CompletedProcess[str]], embedded: EmbeddedCloud
) -> None:
    client = embedded.client("cloudformation", ANALYTICS)
    outputs = {
        "BucketName": "documents",
        "DocumentsKeyArn": embedded.key_arn,
        "NoticesArn": f"arn:aws:sns:us-east-1:{ANALYTICS}:notices",
    }
    hub = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    client.create_stack(StackName="whole", TemplateBody=json.dumps(hub))
    made = network(embedded)
    settings = {"NAME": "whole", "ORGANIZATION_ID": "o-abcdefghij", "EXTERNAL_ID": "sesame"}
    settings |= {"IMAGE": IMAGE, "VPC": made["VpcId"], "SUBNETS": made["SubnetIds"]}
    settings |= {"CUSTOMER": "Example, Inc"}
    assert "VPC is not set" in deploy("organization", **(settings | {"VPC": ""})).stderr
    task = {"TASK_CPU": "2048", "TASK_MEMORY": "8192", "SCHEDULE": "cron(0 7 * * ? *)"}
    task |= {"AT_ONCE": "4", "PUBLIC_ADDRESS": "ENABLED", "PARTNER": "Partner"}
    task["EXCLUDE_OU"] = "ou-abcd-11111111,ou-abcd-22222222"
    later = {"NAME": "whole", "REGIONS": "us-east-1,eu-west-1", "PARTNER": ""}
    later["SUBNETS"] = made["SubnetIds"]  # moto cannot keep a list
    for given in (settings | task, later):
        done = deploy("organization", **given)
        assert done.returncode == 0, done.stderr
    [stack] = client.describe_stacks(StackName="whole-organization")["Stacks"]
    held = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert held.items() >= outputs.items()
    assert (held["CUSTOMER"], held["PublicAddress"]) == ("Example, Inc", "ENABLED")
    assert held["REGIONS"] == "us-east-1,eu-west-1"
    assert held["ImageUri"] == IMAGE
    assert (held["Cpu"], held["Memory"], held["PARTNER"]) == ("2048", "8192", "")
    assert (held["Schedule"], held["AtOnce"]) == (task["SCHEDULE"], "4")
    assert held["ExcludeUnits"] == task["EXCLUDE_OU"]
    assert made["SubnetIds"] in held["SubnetIds"]  # moto tells lists in its own way
    roles = embedded.client("iam", ANALYTICS).list_roles()["Roles"]
    assert "whole-organization" in {role["RoleName"] for role in roles}
