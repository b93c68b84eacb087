"""Built packages and their handlers; deployed policies; deploy.sh."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import documents
from tests.cloud import EmbeddedCloud
from tests.conftest import ANALYTICS
from tests.deploy.deploying import Invoke, Upload, imported
from tests.documents import Document
from tests.enforcement import Deployment
from tests.paths import ROOT

BUILD = ROOT / "deploy" / "build.py"
RUNTIME = ROOT / "tests" / "lambda_runtime.py"


# The packages


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built packages, each unpacked beside its zip, as Lambda unpacks it."""
    target = tmp_path_factory.mktemp("packages")
    subprocess.run([sys.executable, str(BUILD), "--output", str(target)], check=True)
    for package in target.glob("*.zip"):
        with zipfile.ZipFile(package) as archive:
            archive.extractall(target / package.stem)
    return target


# The handlers


@pytest.fixture
def invoke(packages: Path) -> Iterator[Invoke]:
    """Invokes a handler out of its package, in a Python that sees nothing else."""
    told = io.StringIO()

    def run(
        handler: str, environment: dict[str, str], event: object, seconds: float = 900.0
    ) -> dict[str, Any]:
        package = packages / ("sender" if handler.startswith("sender") else "receiver")
        command = [sys.executable, "-I", "-S", str(RUNTIME), str(package), handler, str(seconds)]
        done = subprocess.run(
            command,
            input=json.dumps(event),
            env={"PATH": os.environ["PATH"], "TZ": "UTC", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        told.write(done.stderr)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer | {"log": done.stderr}

    yield run
    assert "the-embedded-cloud-checks-no-signatures" not in told.getvalue()


@pytest.fixture
def hub(embedded: EmbeddedCloud, bucket: str, database: str) -> dict[str, str]:
    """The receiver's environment."""
    environment = embedded.environment(embedded.analytics.id)
    return environment | {"BUCKET": bucket, "DB_NAME": database}


@pytest.fixture
def upload(embedded: EmbeddedCloud, bucket: str) -> Upload:
    """Puts a document into the bucket; returns its key."""
    s3 = embedded.client("s3", embedded.analytics.id)

    def put(account: str, day: str = "2026-11-01", body: bytes | None = None) -> str:
        key = f"data/{account}/us-east-1/{day}_DAILY.json"
        made: Document = documents.document(date.fromisoformat(day), account, "us-east-1")
        s3.put_object(Bucket=bucket, Key=key, Body=body or documents.encode(made))
        return key

    return put


# Rotation of the receiver's password


@pytest.fixture(scope="session")
def rotation() -> ModuleType:
    return imported(ROOT / "deploy" / "rotation.py")


# The script behind the make targets


PROTECTED = b"""<UpdateTerminationProtectionResponse
    xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><UpdateTerminationProtectionResult>
    <StackId>arn:aws:cloudformation:us-east-1:111122223333:stack/any/1</StackId>
    </UpdateTerminationProtectionResult></UpdateTerminationProtectionResponse>"""


@pytest.fixture
def deploy(embedded: EmbeddedCloud) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs deploy.sh in the hub's account, all questions answered with yes, no setting given.

    moto does not know UpdateTerminationProtection, so it is answered here.
    """
    rule = embedded.switches.answer_raw("cloudformation", "UpdateTerminationProtection", PROTECTED)
    access = {
        name: value
        for name, value in embedded.environment(ANALYTICS).items()
        if name.startswith("AWS_") or name == "NO_PROXY"
    }
    environment = access | {
        "BIN": str(Path(sys.executable).parent),
        "CALL_AS": "SELF",
        "YES": "1",
    }

    def run(what: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ROOT / "deploy" / "deploy.sh"), what],
            env=os.environ | environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    yield run
    embedded.switches.remove(rule)


# (b) the policies are enforced


@pytest.fixture
def deployment(embedded: EmbeddedCloud, bucket: str) -> Deployment:
    return Deployment(embedded, bucket)
