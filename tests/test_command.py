"""Exit codes of what AWS answers to a run as a whole, and the last line of one that is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)

from observability.aws.bodies import UNREADABLE
from observability.aws.errors import DeadlineExceeded
from observability.command import exit_code
from tests.paths import ROOT


def answered(code: str, status: int) -> ClientError:
    """An error that AWS answered."""
    metadata = {"HTTPStatusCode": status}
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": metadata}
    return ClientError(response, "Operation")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        # somebody has to correct something
        (NoCredentialsError(), 2),
        (ProfileNotFound(profile="nosuch"), 2),
        (answered("InvalidClientTokenId", 403), 2),
        (answered("ExpiredTokenException", 400), 2),
        (answered("NoSuchBucket", 404), 2),
        (answered("AccessDeniedException", 400), 2),
        (answered("BadRequestException", 400), 2),
        (answered("403", 403), 2),
        # it may be well the next time
        (answered("ThrottlingException", 400), 1),
        (answered("SlowDown", 503), 1),
        (answered("InternalError", 500), 1),
        (answered("ServiceException", 400), 1),
        (answered(UNREADABLE, 502), 1),
        (EndpointConnectionError(endpoint_url="https://sts.example"), 1),
        (ConnectTimeoutError(endpoint_url="https://sts.example"), 1),
        (DeadlineExceeded("the run's time is used up"), 1),
    ],
)
def test_what_must_be_corrected_is_2_and_what_failed_is_1(
    error: ClientError | BotoCoreError, code: int
) -> None:
    told: list[Exception] = []

    def work() -> int:
        raise error

    assert exit_code("script.py", work, told.append) == code
    assert told == [error]


STOPPED = """
import signal, sys, threading
from observability.command import run_command
from observability.log import log_event, log_to
from observability.stopping import Stopped

logging = threading.Event()

def log_for_ever():
    while True:
        log_event("INFO", "not told to stop")
        logging.set()

def main(script):
    sys.setswitchinterval(1e-6)
    log_to(sys.stderr)
    for _ in range(4):
        threading.Thread(target=log_for_ever, daemon=True).start()
    logging.wait()
    raise Stopped(signal.SIGTERM)

run_command(main, left="nothing is lost")
"""


def test_how_a_run_was_stopped_is_its_last_line_whatever_its_threads_log() -> None:
    command = [sys.executable, "-c", STOPPED]
    stopped = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60)
    assert stopped.returncode == 128 + signal.SIGTERM
    *logged, last = stopped.stderr.split("\n")[:-1]
    assert last == "-c: stopped by SIGTERM; nothing is lost"
    assert {line.partition("INFO")[2].strip() for line in logged} == {"not told to stop"}
