"""deploy/: the templates, the packages, and the handlers run from them."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from observability.settings.sender import SETTINGS
from tests import documents, templates
from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.conftest import ANALYTICS, MakeAccount, MakeEnvironment
from tests.documents import Document

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "deploy" / "build.py"
RUNTIME = ROOT / "tests" / "lambda_runtime.py"
TEMPLATES = templates.ALL

pytestmark = pytest.mark.xdist_group("deploy")  # the packages are built once


def imported(path: Path) -> ModuleType:
    """A module that lies outside of any package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_packages_are_the_same_bytes_every_time(packages: Path, tmp_path: Path) -> None:
    zone = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
    command = [sys.executable, str(BUILD), "--output", str(tmp_path)]
    subprocess.run(command, check=True, env=os.environ | zone)
    built = sorted(path.name for path in tmp_path.iterdir())
    assert built == ["receiver.zip", "sender.zip"]
    for name in built:
        assert (tmp_path / name).read_bytes() == (packages / name).read_bytes()


def test_packages_hold_our_files_and_what_is_locked(packages: Path) -> None:
    ours = {
        "sender": ("sender.py",),
        "receiver": ("receiver.py", "schema.sql", "deploy/rotation.py"),
    }
    for name, sources in ours.items():
        modules = sorted((ROOT / "observability").rglob("*.py"))
        for module in modules:
            held = packages / name / module.relative_to(ROOT)
            assert held.read_bytes() == module.read_bytes()
        for source in sources:
            held = packages / name / Path(source).name
            assert held.read_bytes() == (ROOT / source).read_bytes()
        found = {path.name.rsplit(".", 1)[0] for path in (packages / name).glob("*.dist-info")}
        lines = (ROOT / "deploy" / "requirements.txt").read_text().splitlines()[1:]
        locked = {line.split()[0].replace("-", "_").replace("==", "-") for line in lines}
        assert found == locked
        assert all(re.search(r" --hash=sha256:[0-9a-f]{64}$", line) for line in lines)


def test_a_package_fits_into_lambda(packages: Path) -> None:
    """250 MB unpacked, with what a newer boto3 will bring."""
    for name in ("sender", "receiver"):
        files = (path for path in (packages / name).rglob("*") if path.is_file())
        assert sum(path.stat().st_size for path in files) < 200 * 1024 * 1024


# The handlers

Invoke = Callable[..., dict[str, Any]]


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


def test_the_sender_takes_an_event_without_anything(
    invoke: Invoke, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    answer = invoke("sender.lambda_handler", environment_of(make_account(Size.small())), {})
    [written] = answer["result"]["documents"]
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert f"/us-east-1/{yesterday}_DAILY.json" in written


def test_the_sender_takes_days_and_categories(
    invoke: Invoke, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=3), today - timedelta(days=2)
    event = {"start": str(first), "end": str(last), "only": ["service", "cost"]}
    answer = invoke("sender.lambda_handler", environment_of(make_account(Size.small())), event)
    written = answer["result"]["documents"]
    assert [re.search(r"[\d-]{10}(?=_DAILY)", place)[0] for place in written] == [  # type: ignore[index]
        str(first),
        str(last),
    ]


def test_the_sender_raises_if_anything_failed(
    invoke: Invoke,
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
) -> None:
    embedded.switches.deny("guardduty")
    answer = invoke("sender.lambda_handler", environment_of(make_account(Size.small())), {})
    assert (answer["errorType"], "result" in answer) == ("RuntimeError", False)


def lasting_until(embedded: EmbeddedCloud, seconds: float) -> Callable[[ApiRequest], None]:
    """An effect that lasts until so many seconds after the first request that is to come.

    A handler uses half of the time that it is given, and its first request is soon after.
    """
    began: list[float] = []
    embedded.switches.intercept("*", "*", lambda _: began.append(time.monotonic()), times=1)
    return lambda _: time.sleep(max(0.0, began[0] + seconds - time.monotonic()))


def test_the_sender_ends_in_time_and_ships_no_region_that_it_did_not_read(
    invoke: Invoke,
    embedded: EmbeddedCloud,
    bucket: str,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
) -> None:
    """The first region takes all the time there is; the second has to wait for the next run."""
    embedded.switches.intercept("support", "DescribeCases", lasting_until(embedded, 12.0))
    regions = {"REGIONS": "us-east-1,eu-west-1", "AT_ONCE": "1"}
    environment = environment_of(make_account(Size.small())) | regions
    answer = invoke("sender.lambda_handler", environment, {}, 24.0)
    assert answer["errorType"] == "RuntimeError"
    assert {key.split("/")[2] for key in keys(embedded, bucket)} <= {"us-east-1"}
    assert "the next run reads this region" in answer["log"]


@pytest.fixture
def hub(embedded: EmbeddedCloud, bucket: str, database: str) -> dict[str, str]:
    """The receiver's environment."""
    environment = embedded.environment(embedded.analytics.id)
    return environment | {"BUCKET": bucket, "DB_NAME": database}


Upload = Callable[..., str]


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


def keys(embedded: EmbeddedCloud, bucket: str) -> list[str]:
    """The keys of all objects in the bucket."""
    s3 = embedded.moto.client("s3", embedded.analytics.id, "us-east-1")
    return [held["Key"] for held in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]


def s3_event(bucket: str, *names: str) -> dict[str, Any]:
    """What S3 sends when objects are created; keys are URL-encoded in it."""
    from urllib.parse import quote_plus

    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-11-02T03:04:05.678Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AROAEXAMPLE:observability-sender"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "uploads",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(name, safe="/"),
                        "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                        "sequencer": "0055AED6DCD90281E5",
                    },
                },
            }
            for name in names
        ]
    }


def test_event(bucket: str) -> dict[str, Any]:
    """What S3 sends when it is told to notify."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-02T03:04:05.678Z",
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }


test_event.__test__ = False  # type: ignore[attr-defined]


def sqs_event(*bodies: object) -> dict[str, Any]:
    """What Lambda reads from a queue: `message-0`, `message-1` and so on."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1793847845678",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1793847845690",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:{ANALYTICS}:uploads",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def eventbridge_event(kind: str, source: str, detail: dict[str, Any]) -> dict[str, Any]:
    """What EventBridge sends."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": source,
        "account": ANALYTICS,
        "time": "2026-11-02T03:04:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }


SCHEDULED = eventbridge_event("Scheduled Event", "aws.events", {})


@pytest.mark.parametrize("event", [{}, None, SCHEDULED], ids=["empty", "nothing", "scheduled"])
def test_the_receiver_sweeps(
    event: object,
    invoke: Invoke,
    embedded: EmbeddedCloud,
    bucket: str,
    hub: dict[str, str],
    upload: Upload,
) -> None:
    names = [upload("300000000901"), upload("300000000902")]
    answer = invoke("receiver.lambda_handler", hub, event)
    assert answer["result"]["files"] == 2
    assert keys(embedded, bucket) == [name.replace("data/", "loaded/") for name in names]


def test_the_receiver_takes_an_event_of_s3_and_loads_that_only(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    named, other = upload("300000000901"), upload("300000000902")
    answer = invoke("receiver.lambda_handler", hub, s3_event(bucket, named))
    assert answer["result"]["files"] == 1
    assert keys(embedded, bucket) == [other, named.replace("data/", "loaded/")]


def test_the_receiver_takes_an_event_of_s3_through_eventbridge(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    named = upload("300000000901")
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": named, "size": 1024}}
    event = eventbridge_event("Object Created", "aws.s3", detail)
    assert invoke("receiver.lambda_handler", hub, event)["result"]["files"] == 1


def test_the_receiver_says_what_it_ignores(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    named = upload("300000000901")
    moved = named.replace("data/", "loaded/")
    for event, words in (
        (
            s3_event("another-bucket", named),
            f"another-bucket/{named} is ignored: the bucket is not",
        ),
        (s3_event(bucket, moved), f"{bucket}/{moved} is ignored: it is not under data/"),
    ):
        answer = invoke("receiver.lambda_handler", hub, event)
        assert answer["result"] == {"files": 0, "rows": 0}
        [line] = [json.loads(line) for line in answer["log"].splitlines()]
        assert (line["kind"], line["message"].startswith(f"s3://{words}")) == ("INFO", True)
    assert keys(embedded, bucket) == [named]


def test_the_receiver_answers_a_batch_in_part(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    """Only what may pass later is delivered again: not what is loaded, gone or refused for good."""
    good, refused = upload("300000000901"), upload("300000000902", body=b"{}")
    stuck, gone = upload("300000000903"), "data/300000000904/us-east-1/2026-11-01_DAILY.json"
    embedded.switches.fail(
        "s3", "GetObject", "AccessDenied", status=403, predicate=lambda r: r.params["Key"] == stuck
    )
    event = sqs_event(
        s3_event(bucket, good),
        s3_event(bucket, refused),
        s3_event(bucket, stuck),
        s3_event(bucket, gone),
        test_event(bucket),
        s3_event("another-bucket", stuck),
        "no event at all",
    )
    answer = invoke("receiver.lambda_handler", hub, event)
    again = [failure["itemIdentifier"] for failure in answer["result"]["batchItemFailures"]]
    assert again == ["message-2", "message-6"]
    assert good.replace("data/", "loaded/") in keys(embedded, bucket)
    assert refused.replace("data/", "rejected/") in keys(embedded, bucket)
    assert stuck in keys(embedded, bucket)


def test_the_receiver_leaves_the_database_asleep_if_there_is_nothing_to_load(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str]
) -> None:
    answer = invoke("receiver.lambda_handler", hub, sqs_event(test_event(bucket)))
    assert answer["result"] == {"batchItemFailures": []}
    assert not [call for call in embedded.calls if call.service == "rds-data"]


def test_the_receiver_ends_in_time_and_carries_on_next_time(
    invoke: Invoke, embedded: EmbeddedCloud, bucket: str, hub: dict[str, str], upload: Upload
) -> None:
    """The third document takes until the time is used up; it and those after it have to wait."""
    names = [upload("300000000901", f"2026-11-0{day}") for day in range(1, 6)]
    lasting = lasting_until(embedded, 15.0)
    embedded.switches.intercept(
        "s3", "GetObject", lasting, predicate=lambda request: request.params["Key"] == names[2]
    )
    event = sqs_event(*(s3_event(bucket, name) for name in names))
    answer = invoke("receiver.lambda_handler", hub, event, 30.0)
    again = [failure["itemIdentifier"] for failure in answer["result"]["batchItemFailures"]]
    assert again == ["message-2", "message-3", "message-4"]
    assert [key for key in keys(embedded, bucket) if key.startswith("data/")] == names[2:]
    embedded.switches.reset()
    assert invoke("receiver.lambda_handler", hub, {})["result"]["files"] == 3


def test_the_receiver_raises_if_a_sweep_leaves_something(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    upload("300000000901", body=b"{}")
    answer = invoke("receiver.lambda_handler", hub, {})
    assert (answer["errorType"], "result" in answer) == ("RuntimeError", False)


def test_the_receiver_tells_accounts_that_have_fallen_silent(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    """The alarm reads `silent_accounts` out of the log."""
    accounts = {"300000000901": "1 day", "300000000902": "3 days", "300000000903": "60 days"}
    for account in accounts:
        upload(account)
    assert silent(invoke("receiver.lambda_handler", hub, {})) == (0, "none")
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        for account, age in accounts.items():
            connection.execute(
                "UPDATE documents SET last_modified = now() - CAST(%s AS interval)"
                " WHERE account_id IN (SELECT id FROM accounts WHERE account_id = %s)",
                (age, account),
            )
    assert silent(invoke("receiver.lambda_handler", hub, {})) == (1, "300000000902")


def silent(answer: dict[str, Any]) -> tuple[int, str]:
    """What the log says of silent accounts."""
    lines = [json.loads(line) for line in answer["log"].splitlines()]
    [line] = [line for line in lines if "silent_accounts" in line]
    return line["silent_accounts"], line["message"].rpartition(": ")[2]


def test_metric_filters_read_what_the_receiver_logs(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    """CloudWatch counts lines by these fields: each line has to be JSON with them at its top."""
    resources = templates.load(templates.HUB)["Resources"]
    pattern = resources["FailedLoads"]["Properties"]["FilterPattern"]
    wanted = set(re.findall(r'\$\.outcome = "(\w+)"', pattern))
    upload("300000000901", body=b"{}")
    log = invoke("receiver.lambda_handler", hub, {})["log"]
    told = {json.loads(line).get("outcome") for line in log.splitlines()}
    assert wanted & told == {"rejected"}


# Rotation of the receiver's password


@pytest.fixture(scope="session")
def rotation() -> ModuleType:
    return imported(ROOT / "deploy" / "rotation.py")


def test_a_verifier_is_what_postgresql_makes_of_the_password(
    rotation: ModuleType, embedded: EmbeddedCloud, database: str
) -> None:
    password = "k9ZtWq8mBv5xJr2LhN6sDc4fGy7pTa3e"
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        connection.execute("SET password_encryption = 'scram-sha-256'")
        connection.execute(f"CREATE ROLE verified PASSWORD '{password}'".encode())
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'verified'")
        made = str(row.fetchall()[0][0])
        connection.rollback()
    salt = base64.b64decode(made.split("$")[1].partition(":")[2])
    assert rotation.verifier(password, salt) == made


def test_a_rotation_makes_the_user_who_can_load_and_nothing_else(
    invoke: Invoke, embedded: EmbeddedCloud, hub: dict[str, str], upload: Upload
) -> None:
    secrets = embedded.moto.client("secretsmanager", embedded.analytics.id, "us-east-1")
    user = f"receiver_{hub['DB_NAME'][-4:]}"
    login = json.dumps({"username": user, "password": "first"})
    secret = secrets.create_secret(Name=f"login-{user}", SecretString=login)["ARN"]
    environment = hub | {"MASTER_SECRET_ARN": hub["AURORA_SECRET_ARN"]}
    embedded.data_api.logins[secret] = user
    for version in ("1" * 32, "2" * 32):  # which makes the user, then changes the password
        steps = ("createSecret", "createSecret", "setSecret", "testSecret", "finishSecret")
        for step in steps:
            event = {"SecretId": secret, "ClientRequestToken": version, "Step": step}
            answer = invoke("rotation.lambda_handler", environment, event)
            assert answer.get("result", answer) is None, step
        current = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
        assert current["VersionId"] == version
        held = json.loads(current["SecretString"])
        assert (held["username"], len(held["password"])) == (user, 40)
        assert held["password"] not in "".join(call.sql for call in embedded.data_api.calls)
    upload("300000000901")
    answer = invoke("receiver.lambda_handler", hub | {"AURORA_SECRET_ARN": secret}, {})
    assert answer["result"]["files"] == 1
    with psycopg.connect(embedded.postgres.dsn_for(hub["DB_NAME"])) as connection:
        connection.execute(f"SET ROLE {user}".encode())
        for forbidden in ("DROP TABLE accounts", "CREATE TABLE mine (id int)", "TRUNCATE accounts"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(forbidden.encode())
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}".encode())


# CloudFormation, as far as moto's goes

NOT_IN_MOTO = {
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
tests/test_policies.py enforces the bucket's policy; nothing here tries the alarms, the schedule
and the database's settings. moto does not resolve a policy's conditions or check a role either."""

STAND_INS: dict[str, Any] = {
    "Cluster": f"arn:aws:rds:us-east-1:{ANALYTICS}:cluster:hub",
    "Instance": "an instance of Aurora, which moto makes through the API of RDS only",
    "ReceiverSecret": f"arn:aws:secretsmanager:us-east-1:{ANALYTICS}:secret:receiver-AbCdEf",
}
"""Resources that moto lacks and others refer to, and what stands in for a reference."""


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


IMAGE = f"{ANALYTICS}.dkr.ecr.us-east-1.amazonaws.com/observability-sender@sha256:{'0' * 64}"


def network(embedded: EmbeddedCloud) -> dict[str, str]:
    """A VPC and a subnet in it, as parameters of a stack."""
    ec2 = embedded.moto.client("ec2", ANALYTICS, "us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/28")["Subnet"]["SubnetId"]
    return {"VpcId": vpc, "SubnetIds": subnet}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_deploys_in_moto_as_far_as_moto_goes(
    template: Path, embedded: EmbeddedCloud, bucket: str
) -> None:
    wanted = templates.load(template)
    parameters = {
        "OrganizationId": "o-abcdefghij",
        "CodeBucket": bucket,
        "CodeKey": "package.zip",
        "BucketName": bucket,
        "DocumentsKeyArn": embedded.key_arn,
        "CUSTOMER": "Example Corp",
        "ExternalId": "sesame",
        "HubAccountId": ANALYTICS,
        "ImageUri": IMAGE,
        "NoticesArn": f"arn:aws:sns:us-east-1:{ANALYTICS}:notices",
        **network(embedded),
    }
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("receiver.py", "")
    embedded.client("s3", ANALYTICS).put_object(
        Bucket=bucket, Key="package.zip", Body=package.getvalue()
    )
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
        if held["Type"] not in NOT_IN_MOTO and key not in STAND_INS
    }
    client.delete_stack(StackName=name)


# The script behind the make targets

AWS_CLI = shutil.which("aws")


@pytest.fixture
def deploy(embedded: EmbeddedCloud) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs deploy.sh in the hub's account, all questions answered with yes, no setting given."""
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

    return run


def test_deploy_sh_says_why_it_ends_where_nobody_answers(
    deploy: Callable[..., subprocess.CompletedProcess[str]], embedded: EmbeddedCloud
) -> None:
    """`destroy-spokes` asks first, and so needs no AWS CLI for this."""
    done = deploy("destroy-spokes", OU="ou-abcd-12345678", AWS_REGION="us-east-1", YES="")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "nothing more was done; YES=1 answers for you"
    assert embedded.calls == []


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
    client.create_stack(
        StackName="one-packages",
        TemplateBody=templates.ARTIFACTS.read_text(),
        Parameters=[{"ParameterKey": "OrganizationId", "ParameterValue": "o-abcdefghij"}],
    )
    outputs = {
        name: {"Value": value}
        for name, value in (("BucketName", "documents"), ("DocumentsKeyArn", embedded.key_arn))
    }
    resources = {"Queue": {"Type": "AWS::SQS::Queue"}}
    client.create_stack(
        StackName="one", TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs})
    )
    settings = {"REGIONS": "us-east-1,eu-west-1", "PARTNER": "Partner", "RESERVED_CAPACITY": "1"}
    settings["AT_ONCE"] = "3"
    done = deploy("spokes", NAME="one", **settings)
    assert (done.returncode, done.stderr) == (2, "OU is not set; see deploy/README.md\n")
    settings |= {"OU": "ou-abcd-12345678", "CUSTOMER": "Example, Inc"}
    done = deploy("spokes", NAME="one", **settings)
    assert done.returncode == 0, done.stderr
    found = client.describe_stack_set(StackSetName="one-spokes")["StackSet"]["Parameters"]
    given = {held["ParameterKey"]: held["ParameterValue"] for held in found}
    assert "CATEGORY" not in given  # the template's default
    assert (given["PARTNER"], given["ReservedCapacity"]) == ("Partner", "1")
    assert given["CUSTOMER"] == "Example, Inc"
    assert given["REGIONS"] == "us-east-1,eu-west-1"
    assert given["AtOnce"] == "3"
    assert given["BucketName"] == "documents"
    assert re.fullmatch(r"sender-[0-9a-f]{16}\.zip", given["CodeKey"])
    assert given["CodeKey"] in keys(embedded, given["CodeBucket"])
    done = deploy("spokes", NAME="one", PARTNER="", CATEGORY="Shop")
    assert done.returncode == 0, done.stderr
    assert "create-stack-instances" not in done.stderr
    found = client.describe_stack_set(StackSetName="one-spokes")["StackSet"]["Parameters"]
    kept = {held["ParameterKey"]: held["ParameterValue"] for held in found}
    assert kept == given | {"PARTNER": "", "CATEGORY": "Shop"}
    done = deploy("hub", NAME="one")  # needs no setting either, and has nothing to change
    assert (done.stderr.split("\n")[0], "No updates" in done.stderr) == ("== one-packages", True)


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
