"""The sender when AWS is slow, silent or refuses, when it is told to stop, and at any time of any
calendar: complete and later, or a failure that says so, and never half a document."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import boto3
import pytest
import time_machine

import receiver
import sender
from observability.aws.errors import THROTTLED, aws_errors
from observability.aws.limits import GRACE, UNREACHABLE_AFTER
from observability.aws.session import RETRIES
from observability.collecting.run import Run
from observability.collectors import CATEGORIES
from observability.log import Log
from observability.receiving.result import FileStatus
from observability.sending.bucket import upload_to_s3
from observability.settings.sender import read_settings
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size, Switches, generate
from tests.cloud.switches import QUOTAS, CutError, InstantAnswer
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.sending import Document, lists, period, rows, send, statuses
from tests.warehouse import Warehouse

SENDER = Path(sender.__file__)
HOME = REGIONS[0]
ATTEMPTS = 1 + RETRIES


def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture
def account(make_account: MakeAccount) -> Account:
    """A small account of its own."""
    return make_account(Size.small())


@pytest.fixture
def environment(account: Account, environment_of: MakeEnvironment) -> dict[str, str]:
    """What the sender of the account is told."""
    return environment_of(account)


def heed_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so would what the tests start from one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def launch(
    environment: dict[str, str], *flags: str, program: Sequence[str] = (str(SENDER),)
) -> subprocess.Popen[str]:
    """Start sender.py, or a program around it."""
    return subprocess.Popen(
        [sys.executable, *program, *flags],
        env=os.environ | environment,
        preexec_fn=heed_interrupts,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ship(environment: dict[str, str], *flags: str) -> tuple[int, str]:
    """Run sender.py to its end; its exit code and story."""
    process = launch(environment, *flags)
    _, story = process.communicate(timeout=120)
    assert "Traceback" not in story
    return process.returncode, story


def stored(embedded: EmbeddedCloud, environment: dict[str, str]) -> dict[str, Document]:
    """The documents in the bucket, by key."""
    bucket = environment["BUCKET"]
    client = embedded.client("s3", embedded.analytics.id)
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        item["Key"]: json.loads(client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
        for item in listed
    }


def content(document: Document) -> dict[str, list[str]]:
    """The rows of a document, in an order of their own, and its period."""
    found = {path: sorted(map(repr, held)) for path, held in lists(document).items()}
    return found | {"period": [str(day) for day in period(document)]}


# Limits and silence


def test_quotas_of_aws_make_a_run_later_and_no_less_complete(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    embedded.cloud.page_size = 20
    free = send(environment, tmp_path)
    embedded.switches.realistic_quotas(used_up=True)
    embedded.calls.clear()
    limited = send(environment, tmp_path)
    embedded.switches.reset()
    throttled = {call.service for call in embedded.calls if call.error in THROTTLED}
    assert throttled == {service for service, _ in QUOTAS}
    assert (free.code, limited.code) == (0, 0)
    assert limited.statuses == free.statuses
    assert {name for name, status in limited.statuses.items() if status != "Pass"} == {
        "ri_sp_savings"  # which was not asked for
    }
    assert content(limited.document) == content(free.document)


def test_an_endpoint_that_hangs_costs_its_own_category_and_bounded_time(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    asked: list[str] = []
    for service in ("health", "acm", "support"):
        embedded.switches.intercept(service, "*", lambda request: asked.append(request.operation))
        embedded.switches.hang(service)
    code, story = ship(environment)
    embedded.switches.reset()
    [document] = stored(embedded, environment).values()
    failed = {name for name, status in statuses(document).items() if status == "Fail"}
    assert failed == {"health", "security", "trusted_advisor", "support_tickets"}
    assert (code, document["health"]) == (1, [])
    assert rows(document, "security.kms")
    assert "ReadTimeoutError" in story
    hung = {
        "DescribeEvents", "ListCertificates", "DescribeCases", "DescribeTrustedAdvisorChecks",
    }  # fmt: skip
    assert Counter(asked) == dict.fromkeys(hung, ATTEMPTS)
    last_attempt = min(n for n in range(len(asked)) if asked[:n].count(asked[n]) == ATTEMPTS - 1)
    assert {*asked[:last_attempt]} == hung, "they are not waited for at once"


def test_calls_that_wait_for_a_silent_endpoint_are_not_made(
    embedded: EmbeddedCloud, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    """WAF allows one call at a time, and all web ACLs wait for theirs at once."""
    embedded.switches.cut("wafv2", "GetWebACL")
    environment = environment_of(make_account(replace(Size.small(), web_acls=12)))
    embedded.calls.clear()
    code, story = ship(environment, "--only", "security")
    embedded.switches.reset()
    asked = [call.error for call in embedded.calls if call.service == "wafv2"]
    # Other listings of WAF may be answered in between, which begins the count anew.
    silent = list(itertools.takewhile(lambda error: error == "cut", reversed(asked)))
    assert len(silent) == UNREACHABLE_AFTER * ATTEMPTS
    assert code == 1
    assert "wafv2 in us-east-1 does not answer" in story


def test_the_time_limit_ends_a_throttled_run_with_what_it_has(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.throttle("health")
    code, story = ship(environment, "--only", "health,cost", "--time-limit", "12")
    [document] = stored(embedded, environment).values()
    assert (code, statuses(document)["health"], statuses(document)["cost"]) == (1, "Fail", "Pass")
    assert "health" in story


# Uploads

Change = Callable[[Switches], object]
REFUSED: dict[str, tuple[Change, dict[str, str], str]] = {
    "denied": (lambda s: s.deny("s3", "PutObject"), {}, "AccessDenied"),
    "KMS denied": (lambda s: s.deny("kms", "GenerateDataKey"), {}, "kms:GenerateDataKey"),
    "no such key": (
        lambda _: None,
        {"ANALYTICS_KMS_KEY": "arn:aws:kms:us-east-1:111122223333:alias/none"},
        "KMS",
    ),
    "S3 is down": (
        lambda s: s.fail("s3", "PutObject", "InternalError", "We encountered an error.", 500),
        {},
        "InternalError",
    ),
    "S3 hangs up": (lambda s: s.cut("s3", "PutObject"), {}, "ConnectionClosedError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_upload_that_is_refused_is_a_failed_run(
    embedded: EmbeddedCloud, environment: dict[str, str], name: str
) -> None:
    refuse, changes, words = REFUSED[name]
    refuse(embedded.switches)
    code, story = ship(environment | changes, "--only", "health")
    embedded.switches.reset()
    assert code == 1
    [line] = [line for line in story.splitlines() if "is not uploaded" in line]
    assert " ERROR " in line
    assert words in line
    assert stored(embedded, environment) == {}


def test_an_upload_whose_answer_is_lost_is_done_once_more(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.cut("s3", "PutObject", after=True, times=1)
    code, _ = ship(environment)
    [document] = stored(embedded, environment).values()
    assert (code, bool(document["health"])) == (0, True)


@pytest.mark.parametrize(
    ("changes", "words", "expected"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "InvalidClientTokenId", 1),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "NoCredentials", 2),
    ],
)
def test_without_credentials_a_run_is_one_clear_line(
    environment: dict[str, str], changes: dict[str, str], words: str, expected: int
) -> None:
    code, story = ship(environment | changes)
    assert code == expected
    [line] = [line for line in story.splitlines() if " ERROR " in line]
    assert words in line


# Signals


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Ends the waiting of requests that a test holds up."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sts", "GetCallerIdentity"),
        ("s3", "ListObjectsV2"),
        ("health", "DescribeEvents"),
        ("s3", "PutObject"),
    ],
)
def test_a_signal_stops_it_without_an_answer_and_uploads_nothing_half(
    embedded: EmbeddedCloud,
    environment: dict[str, str],
    released: threading.Event,
    service: str,
    operation: str,
    number: signal.Signals,
) -> None:
    started, asked = threading.Event(), []

    def stop_it(_request: ApiRequest) -> None:
        asked.append(operation)
        started.wait(30)
        process.send_signal(number)
        released.wait(60)
        raise CutError

    embedded.switches.intercept(service, operation, stop_it)
    process = launch(environment, "--only", "health")
    started.set()
    _, story = process.communicate(timeout=60)
    released.set()
    embedded.switches.reset()
    assert asked == [operation], "it waited for the answer, and asked again"
    assert process.returncode == 128 + number
    assert story.splitlines()[-1] == (
        f"sender.py: stopped by {number.name}; nothing half is uploaded"
    )
    assert stored(embedded, environment) == {}


UPLOADS_IN_PARTS = (
    "import sender; from observability.sending import bucket; "
    "bucket.ONE_PUT, bucket.ABORT_WITHIN = 10**6, 60; sender.command()"
)
"""A sender that uploads in parts from 1 MB on, and may take a minute to abort them."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("regions", [1, 2])
def test_a_signal_leaves_no_part_of_an_upload_behind(
    embedded: EmbeddedCloud,
    account: Account,
    environment: dict[str, str],
    released: threading.Event,
    number: signal.Signals,
    regions: int,
) -> None:
    """Each region's document goes in three parts at once, of which none gets through."""
    held = threading.Barrier(3 * regions + 1)

    def hold(_request: ApiRequest) -> None:
        held.wait(60)
        released.wait(60)
        raise CutError

    def answer(_request: ApiRequest) -> None:
        arn = f"arn:aws:secretsmanager:{HOME}:{account.id}:secret:".ljust(2000, "x")
        raise InstantAnswer({"SecretList": [{"ARN": f"{arn}{n:05}"} for n in range(10_000)]})

    embedded.switches.intercept("secretsmanager", "ListSecrets", answer)
    embedded.switches.intercept("s3", "UploadPart", hold)
    process = launch(
        environment | {"REGIONS": ",".join(REGIONS[:regions])},
        program=("-c", UPLOADS_IN_PARTS),
    )  # fmt: skip
    held.wait(60)
    process.send_signal(number)
    _, story = process.communicate(timeout=60)
    released.set()
    assert process.returncode == 128 + number
    assert "is left there" not in story
    s3 = embedded.client("s3", embedded.analytics.id)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=environment["BUCKET"])
    assert stored(embedded, environment) == {}


# Days missed


def test_days_missed_are_in_the_database_after_the_next_run(
    embedded: EmbeddedCloud, account: Account, environment: dict[str, str], warehouse: Warehouse
) -> None:
    """First run, six days ago; then the machine was off for five days."""
    yesterday = today() - timedelta(days=1)
    first = yesterday - timedelta(days=6)
    code, _ = ship(environment, "--start", str(first), "--end", str(first))
    assert code == 0
    code, story = ship(environment)
    assert code == 0
    assert all(str(first + timedelta(days=n)) in story for n in range(1, 6))
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert [r.outcome for r in results] == [FileStatus.LOADED] * 2, results
    covered = warehouse.query("SELECT DISTINCT date_from FROM services ORDER BY 1")
    assert [row["date_from"] for row in covered] == [first + timedelta(days=n) for n in range(7)]


def test_more_days_missed_than_may_be_caught_up(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    first = today() - timedelta(days=7)
    assert ship(environment, "--start", str(first), "--end", str(first))[0] == 0
    assert ship(environment, "--only", "service,cost", "--catch-up", "4")[0] == 0
    *_, document = stored(embedded, environment).values()
    days = sorted({row["date_from"] for row in document["service"]})
    assert days == [str(today() - timedelta(days=back)) for back in (4, 3, 2, 1)]


# Calendars and clocks

ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu")


def test_the_host_clocks_zone_changes_nothing(
    embedded: EmbeddedCloud, account: Account, environment_of: MakeEnvironment
) -> None:
    environment = environment_of(account)

    def shipped(zone: str) -> tuple[list[str], list[dict[str, list[str]]]]:
        own = environment | {"TZ": zone, "BUCKET": embedded.create_bucket()}
        assert ship(own)[0] == 0
        found = stored(embedded, own)
        return list(found), [content(each) for each in found.values()]

    with ThreadPoolExecutor(2) as pool:
        usual, *others = pool.map(shipped, ("UTC", *ZONES))
    yesterday = today() - timedelta(days=1)
    assert usual[0] == [f"data/{account.id}/{HOME}/{yesterday}_DAILY.json"]
    for zone, other in zip(ZONES, others, strict=True):
        assert other[0] == usual[0], zone
        for path, found in usual[1][0].items():
            assert other[1][0][path] == found, (zone, path)


NOWS = {
    "after a leap day": ("2028-03-01T00:00:30", "2028-02-29", "2028-03-01"),
    "on a leap day": ("2028-02-29T23:59:00", "2028-02-28", "2028-02-29"),
    "new year": ("2027-01-01T00:00:01", "2026-12-31", "2027-01-01"),
    "the end of a month": ("2026-05-01T12:00:00", "2026-04-30", "2026-05-01"),
    "clocks have gone forward": ("2026-03-09T03:30:00", "2026-03-08", "2026-03-09"),
    "clocks have gone back": ("2026-11-02T00:30:00", "2026-11-01", "2026-11-02"),
}


def account_at(embedded: EmbeddedCloud, now: datetime) -> tuple[Account, dict[str, str]]:
    """An account as it is at another time, and the environment of its sender."""
    number = f"2777{int(now.timestamp()) // 1000:08}"
    account = embedded.add(generate(number, Size.small(), 7, now.date(), REGIONS))
    return account, embedded.environment(account.id) | {"BUCKET": ""}


SPANS = {
    "a leap day": ("2028-02-28", "2028-02-29", "2028-03-01"),
    "no leap day": ("2026-02-28", "2026-03-01"),
    "the end of a year": ("2025-12-31", "2026-01-01"),
    "the end of a month": ("2026-04-30", "2026-05-01"),
    "clocks go forward": ("2026-03-07", "2026-03-08", "2026-03-09"),
    "clocks go back": ("2026-10-31", "2026-11-01", "2026-11-02"),
}


@pytest.mark.parametrize("name", SPANS)
def test_a_backfill_has_one_document_for_each_day(
    embedded: EmbeddedCloud, tmp_path: Path, name: str
) -> None:
    """Some days later, since AWS keeps costs of some months only; on New York's clocks."""
    start, *_, end = days = [date.fromisoformat(day) for day in SPANS[name]]
    now = datetime.combine(end + timedelta(days=5), time_of_day(12), ZoneInfo("America/New_York"))
    _, environment = account_at(embedded, now)
    flags = ("--start", str(start), "--end", str(end), "--only", "service,cost")
    with time_machine.travel(now, tick=True):
        sent = send(environment, tmp_path, *flags)
    assert sent.code == 0
    assert [period(document) for document in sent.documents] == [
        (day, day + timedelta(days=1)) for day in days
    ]
    for day, document in zip(days, sent.documents, strict=True):
        assert {row["date_from"] for row in document["service"]} == {str(day)}
        assert {report["period"]["start"] for report in document["cost"]} == {str(day)}


@pytest.mark.parametrize("name", NOWS)
def test_a_daily_run_reads_the_last_complete_day_of_utc(
    embedded: EmbeddedCloud, tmp_path: Path, name: str
) -> None:
    now, start, end = NOWS[name]
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    _, environment = account_at(embedded, at)
    with time_machine.travel(at, tick=True):
        sent = send(environment, tmp_path, "--only", "service,cost,health")
    assert sent.code == 0
    assert [str(day) for day in period(sent.document)] == [start, end]
    last = date.fromisoformat(start)
    expected = [str(last - timedelta(days=back)) for back in (2, 1, 0)]
    assert [report["period"]["start"] for report in sent.document["cost"]] == expected
    assert sorted({row["date_from"] for row in sent.document["service"]}) == expected
    assert rows(sent.document, "health")


# A service that a region does not have


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address of this machine at which nobody listens, nor anybody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def regions_of(service: str) -> set[str]:
    return set(boto3.session.Session().get_available_regions(service))


def test_a_service_that_a_region_lacks_is_skipped_and_one_that_is_silent_fails(
    closed_port: str, account: Account, environment: dict[str, str], tmp_path: Path
) -> None:
    without = min(regions_of("ec2") - regions_of("resiliencehub"))
    there = environment | {"AWS_ENDPOINT_URL_RESILIENCEHUB": closed_port}
    lacking = send(there | {"REGION": without}, tmp_path, "--only", "resilience_hub")
    assert (lacking.code, lacking.statuses["resilience_hub"]) == (0, "Skipped")
    assert f"{without} does not have resiliencehub" in " ".join(lacking.said("INFO"))
    silent = send(there, tmp_path, "--only", "resilience_hub")
    assert (silent.code, silent.statuses["resilience_hub"]) == (1, "Fail")


@pytest.mark.parametrize(
    ("service", "category"),
    [("HEALTH", "health"), ("SUPPORT", "support_tickets"), ("COST_EXPLORER", "service")],
)
def test_a_global_service_that_is_silent_fails(
    service: str, category: str, closed_port: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """botocore's list does not have the region in which AWS serves it."""
    there = environment | {f"AWS_ENDPOINT_URL_{service}": closed_port}
    sent = send(there, tmp_path, "--only", category)
    assert (sent.code, sent.statuses[category]) == (1, "Fail")


# What is known stays known


FACTS = """
    SELECT (SELECT count(cost_consumed) FROM marketplace_usage) AS paid,
           (SELECT count(status) FROM marketplace_usage) AS entitled,
           (SELECT count(anomalies_detected) FROM cost_reports) AS anomalies,
           (SELECT count(potential_monthly_savings) FROM cost_reports) AS savings"""


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ce", "GetCostAndUsage"),
        ("ce", "GetAnomalies"),
        ("marketplace-entitlement", "GetEntitlements"),
        ("cost-optimization-hub", "ListRecommendationSummaries"),
    ],
)
def test_what_a_run_could_not_read_takes_no_known_fact_away(
    service: str,
    operation: str,
    embedded: EmbeddedCloud,
    environment: dict[str, str],
    warehouse: Warehouse,
) -> None:
    flags = ("--only", "cost,service,marketplace")
    assert ship(environment, *flags)[0] == 0
    receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    before = warehouse.query(FACTS)
    assert all(before[0].values())
    embedded.switches.deny(service, operation)
    assert ship(environment, *flags)[0] == 1
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert [result.outcome for result in results] == [FileStatus.LOADED]
    assert warehouse.query(FACTS) == before


def test_a_throttled_upload_is_given_up(
    embedded: EmbeddedCloud, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    embedded.switches.fail("s3", "PutObject", "SlowDown", status=503)
    settings = read_settings({}, CATEGORIES)
    almost_over = time.monotonic() - GRACE + 2
    run = Run(settings, Log(), almost_over)
    with pytest.raises(aws_errors()):
        upload_to_s3(run, settings, "data/document.json", io.BytesIO(b"{}"))
    run.caller.close()
