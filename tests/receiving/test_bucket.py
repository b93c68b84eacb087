"""Faults of S3: throttling, lost answers, objects that change while they are read."""

from __future__ import annotations

import contextlib
import io
import socket
import socketserver
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest

import receiver
from observability.limits import MIB
from observability.receiving.result import FileStatus, failed
from tests import documents
from tests.cloud import ApiRequest
from tests.documents import document
from tests.faults import assert_as_undisturbed, keys, put, receive, restated, sweep
from tests.warehouse import Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject", "CopyObject", "DeleteObject"])
def test_throttling_by_s3_is_waited_out(warehouse: Warehouse, operation: str) -> None:
    rule = warehouse.embedded.switches.throttle("s3", operation, times=2)
    put(warehouse, document(NEXT))
    assert sweep(warehouse)[KEY].status is FileStatus.LOADED
    assert rule.times == 0
    assert keys(warehouse, "") == [KEY.replace("data/", "loaded/")]
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject"])
def test_throttling_by_s3_that_lasts_ends_in_exit_1(warehouse: Warehouse, operation: str) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.switches.throttle("s3", operation)
    code, lines = receive(warehouse, "--patience", "1")
    warehouse.embedded.switches.reset()
    assert code == 1
    assert [line for line in lines if " FAIL " in line and "SlowDown" in line], lines
    assert keys(warehouse, "") == [KEY]


def test_a_listing_of_2100_keys_is_read_to_its_end(warehouse: Warehouse) -> None:
    put_past_switches = warehouse.embedded.moto.client(
        "s3", warehouse.embedded.analytics.id, warehouse.embedded.analytics.home_region
    ).put_object
    accounts = [f"{n:012}" for n in range(0, 2100, 209)]
    folders = [f"data/{n:012}/" for n in range(2100 - len(accounts))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put_past_switches(Bucket=warehouse.bucket, Key=key), folders))
    for account in accounts:
        put(warehouse, document(account=account), documents.key(account=account))
    warehouse.embedded.forget_calls()
    results = sweep(warehouse)
    pages = [call for call in warehouse.embedded.calls if call.operation == "ListObjectsV2"]
    assert len(pages) == 3
    assert results.keys() == {documents.key(account=account) for account in accounts}
    assert {result.status for result in results.values()} == {FileStatus.LOADED}


def test_a_copy_that_succeeds_and_a_delete_that_fails(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.switches.deny("s3", "DeleteObject")
    code, lines = receive(warehouse)
    assert code == 1
    assert [x for x in lines if " ERROR " in x and KEY in x and "DeleteObject" in x], lines
    assert keys(warehouse, "") == [KEY, KEY.replace("data/", "loaded/")]
    warehouse.embedded.switches.reset()
    result = sweep(warehouse)[KEY]
    assert result.status is FileStatus.LOADED
    assert result.totals["CREATED"] == result.totals["UPDATED"] == 0
    assert keys(warehouse, "") == [KEY.replace("data/", "loaded/")]
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


@pytest.mark.parametrize("operation", ["CopyObject", "DeleteObject"])
def test_a_move_whose_answer_is_lost(warehouse: Warehouse, operation: str) -> None:
    put(warehouse, document(NEXT))
    rule = warehouse.embedded.switches.cut("s3", operation, after=True, times=1)
    result = sweep(warehouse)[KEY]
    assert (rule.times, result.status) == (0, FileStatus.LOADED)
    assert keys(warehouse, "") == [KEY.replace("data/", "loaded/")]
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


class Cable(socketserver.BaseRequestHandler):
    """Carries a connection to the cloud, and breaks once, after so many bytes of answers."""

    server: BrokenCable

    def handle(self) -> None:
        with socket.create_connection(self.server.cloud) as cloud:
            threading.Thread(target=self.carry, args=(self.request, cloud), daemon=True).start()
            while piece := cloud.recv(65536):
                self.server.bytes_left -= len(piece)
                if self.server.bytes_left < 0 and not self.server.broken:
                    self.server.broken = True
                    return
                self.request.sendall(piece)

    @staticmethod
    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)


class BrokenCable(socketserver.ThreadingTCPServer):
    """A way to the cloud that breaks once."""

    daemon_threads = True

    def __init__(self, url: str, bytes_left: int) -> None:
        super().__init__(("127.0.0.1", 0), Cable)
        parts = urlsplit(url)
        self.cloud = (str(parts.hostname), int(parts.port or 0))
        self.bytes_left, self.broken = bytes_left, False


def test_a_document_that_breaks_off_is_read_again(
    warehouse: Warehouse, story: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = document(NEXT)
    made["security"]["kms"] += [
        {**made["security"]["kms"][0], "key_id": f"key-{n}", "description": "x" * 1_000_000}
        for n in range(3)
    ]
    put(warehouse, made)
    with BrokenCable(warehouse.embedded.url, bytes_left=1_500_000) as cable:
        threading.Thread(target=cable.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{cable.server_address[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        far = receiver.start(warehouse.settings)
        [result] = receiver.load_all(far, receiver.list_data(far))
        cable.shutdown()
    assert (cable.broken, result.status) == (True, FileStatus.LOADED)
    assert "no answer" in story.getvalue()
    assert_as_undisturbed(warehouse, (KEY, made))


MOMENTS = {
    "before it is read": ("s3", "GetObject", False),
    "while it is loaded": ("rds-data", "ExecuteStatement", False),
    "once it is loaded": ("rds-data", "ExecuteStatement", True),
    "before the copy": ("s3", "CopyObject", False),
    "before the delete": ("s3", "DeleteObject", False),
}
ARCHIVED_BOTH = ("before the delete",)
"""Else the older one is not there any more when it would be copied."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_object_that_is_replaced_is_loaded_next(warehouse: Warehouse, moment: str) -> None:
    service, operation, after = MOMENTS[moment]
    older, newer = document(NEXT), restated()
    newer["meta"]["collected_at"] = "2026-11-22T09:00:00+00:00"

    def replace_it(_request: ApiRequest) -> None:
        put(warehouse, newer)

    put(warehouse, older)
    switches = warehouse.embedded.switches
    rule = switches.intercept(service, operation, replace_it, after=after, times=1)
    result = sweep(warehouse)[KEY]
    assert (rule.times, result.status) == (0, FileStatus.LOADED)
    moved = KEY.replace("data/", "loaded/")
    read_both = moment != "before it is read"
    moved_now = keys(warehouse, "")
    assert moved in moved_now
    bodies = {
        warehouse.s3.get_object(Bucket=warehouse.bucket, Key=k)["Body"].read() for k in moved_now
    }
    archived = [newer, older] if moment in ARCHIVED_BOTH else [newer]
    assert bodies == {documents.encode(made) for made in archived}
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "Renamed"}]
    assert (
        len(warehouse.query("SELECT FROM documents WHERE loaded_at IS NOT NULL")) == 1 + read_both
    )
    if read_both:
        assert_as_undisturbed(warehouse, (KEY, older), (KEY, newer))


@pytest.mark.parametrize("operation", ["PutObject", "CopyObject", "DeleteObject"])
def test_a_good_object_that_replaces_a_refused_one_is_not_refused(
    warehouse: Warehouse, operation: str
) -> None:
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=b"{}")

    def replace_it(_request: ApiRequest) -> None:
        put(warehouse, document(NEXT))

    is_reason = (lambda r: "rejected/" in r.params["Key"]) if operation == "PutObject" else None
    warehouse.embedded.switches.intercept("s3", operation, replace_it, times=1, predicate=is_reason)
    results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert [r.status for r in results] == [FileStatus.REJECTED, FileStatus.LOADED]
    assert failed(results)
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


@pytest.mark.parametrize("operation", ["HeadObject", "CopyObject"])
def test_a_good_object_that_replaces_one_that_is_too_large_is_not_refused(
    warehouse: Warehouse, operation: str
) -> None:
    """It is refused by its size, so nothing but the listing has told of it."""
    few = replace(warehouse.receiver, settings=replace(warehouse.settings, max_size=1))
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=bytes(2 * MIB))
    warehouse.embedded.switches.intercept(
        "s3", operation, lambda _request: put(warehouse, document(NEXT)), times=1
    )
    results = receiver.load_all(few, list(receiver.list_data(few)))
    assert [r.status for r in results] == [FileStatus.REJECTED, FileStatus.LOADED]
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


@pytest.mark.parametrize("operation", ["GetObject", "CopyObject"])
def test_an_object_that_vanishes_is_no_failure(warehouse: Warehouse, operation: str) -> None:
    put(warehouse, document(NEXT))
    other = documents.key(account="999988887777")
    put(warehouse, document(account="999988887777"), other)

    def take_it_away(_request: ApiRequest) -> None:
        warehouse.s3.delete_object(Bucket=warehouse.bucket, Key=KEY)

    warehouse.embedded.switches.intercept(
        "s3", operation, take_it_away, times=1, predicate=about(KEY)
    )
    results = sweep(warehouse)
    expected = FileStatus.VANISHED if operation == "GetObject" else FileStatus.LOADED
    assert (results[KEY].status, results[other].status) == (expected, FileStatus.LOADED)
    assert not failed(results.values())
    assert keys(warehouse, "data/") == []


def about(key: str) -> Callable[[ApiRequest], bool]:
    """Whether a request of S3 reads or copies an object."""
    return lambda request: (
        key
        in (
            request.params["Key"],
            str(request.params.get("CopySource", "")).partition("/")[2],
        )
    )
