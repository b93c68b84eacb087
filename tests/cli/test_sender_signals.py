"""A sender that is stopped: it ends at once, and nothing half is uploaded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from tests.cloud import Account, ApiRequest, EmbeddedCloud
from tests.cloud.switches import CutError, InstantAnswer
from tests.conftest import REGIONS
from tests.runs import launch, stored

HOME = REGIONS[0]


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


@pytest.mark.parametrize(("number", "regions"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
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
