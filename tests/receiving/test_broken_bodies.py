"""A document that does not arrive whole is read again."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.exceptions
import pytest
import urllib3

from observability.errors import Transient
from tests.warehouse import Warehouse

BREAKS = (
    botocore.exceptions.FlexibleChecksumError(error_msg="Expected AAAA, calculated BBBB"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="s3"),
    urllib3.exceptions.SSLError("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    ConnectionResetError(104, "Connection reset by peer"),
)


@pytest.mark.parametrize("error", BREAKS, ids=lambda error: type(error).__name__)
def test_bytes_that_break_off_or_are_not_s3s_may_pass(
    warehouse: Warehouse, error: Exception
) -> None:
    class Body:
        def iter_chunks(self, _size: int) -> Iterator[bytes]:
            yield b"{"
            raise error

    with pytest.raises(Transient):
        list(warehouse.receiver.s3.chunks(Body()))
