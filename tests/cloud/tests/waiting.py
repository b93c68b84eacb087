"""What the tests of the embedded cloud share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

DEADLINE_SECONDS = 60.0


def error_of(call: Callable[[], Any]) -> tuple[str, int]:
    """Code and HTTP status of the error that the call must end with."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition returns once it is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)
    return value
