"""Uploads: a document is in the bucket as a whole, or the run says that it is not."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import pytest

from observability.aws.errors import aws_errors
from observability.aws.limits import GRACE
from observability.collecting.run import Run
from observability.collectors import CATEGORIES
from observability.log import Log
from observability.sending.bucket import upload_to_s3
from observability.settings.sender import read_settings
from tests.cloud import EmbeddedCloud, Switches
from tests.runs import ship, stored

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
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "InvalidClientTokenId", 2),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "set AWS_PROFILE", 2),
    ],
)
def test_without_credentials_a_run_is_one_clear_line(
    environment: dict[str, str], changes: dict[str, str], words: str, expected: int
) -> None:
    code, story = ship(environment | changes)
    assert code == expected
    [line] = [line for line in story.splitlines() if " ERROR " in line]
    assert words in line


# What is known stays known


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
