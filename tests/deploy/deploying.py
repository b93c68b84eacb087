"""What the tests of deploy/ share."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from observability.aws.errors import aws_errors
from observability.collecting.run import Run
from observability.collectors import CATEGORIES
from observability.log import Log
from observability.sending.bucket import ONE_PUT, document_key, upload_to_s3
from observability.settings.sender import read_settings
from tests import templates
from tests.cloud import Account, EmbeddedCloud
from tests.conftest import ANALYTICS
from tests.paths import ROOT


def imported(path: Path) -> ModuleType:
    """A module that lies outside of any package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The handlers


Invoke = Callable[..., dict[str, Any]]

Upload = Callable[..., str]


def keys(embedded: EmbeddedCloud, bucket: str) -> list[str]:
    """The keys of all objects in the bucket."""
    s3 = embedded.moto.client("s3", embedded.analytics.id, "us-east-1")
    return [held["Key"] for held in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]


# CloudFormation, as far as moto's goes

LOOKING = {"s3:GetObject"}
"""What the sender asks for to see whose document waits, and does without where it may not: no role
of deploy/ may read a document."""

IMAGE = f"{ANALYTICS}.dkr.ecr.us-east-1.amazonaws.com/observability-sender@sha256:{'0' * 64}"


def network(embedded: EmbeddedCloud) -> dict[str, str]:
    """A VPC and a subnet in it, as parameters of a stack."""
    ec2 = embedded.moto.client("ec2", ANALYTICS, "us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/28")["Subnet"]["SubnetId"]
    return {"VpcId": vpc, "SubnetIds": subnet}


def run(
    script: str, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of the project."""
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def actions(statements: Iterable[dict[str, Any]]) -> set[str]:
    """The actions that statements name."""
    lists = [one["Action"] for one in statements]
    return {name for held in lists for name in ([held] if isinstance(held, str) else held)}


# (a) the sender's policy is what the sender calls


def policies(template: Path, role: str, name: str = "") -> list[dict[str, Any]]:
    """The policies of a role in a template, or the one of that name."""
    held = templates.load(template)["Resources"][role]["Properties"]["Policies"]
    return [one["PolicyDocument"] for one in held if name in ("", one["PolicyName"])]


def upload_in_parts(embedded: EmbeddedCloud, account: Account, environment: dict[str, str]) -> None:
    """Ship a document that is too large for one request, and one that breaks off."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = read_settings({}, CATEGORIES)
        run = Run(settings, Log())
        run.caller.identify()
        key = document_key("data", account.id, settings.region, date(2026, 11, 1))
        body = io.BytesIO(b" " * (ONE_PUT + 1))
        upload_to_s3(run, settings, key, body)
        embedded.switches.fail("s3", "UploadPart", "AccessDenied", status=403, times=1, after=True)
        with pytest.raises(aws_errors()):
            upload_to_s3(run, settings, key, body)
        run.caller.close()


# (b) the policies are enforced


def refusal(attack: Attack, *asked: Any) -> int:
    """The status that AWS refuses an attack with; 200 if it succeeds."""
    try:
        attack(*asked)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200


S3 = Any

Attack = Callable[[S3, EmbeddedCloud, str, str, str], object]
