"""Faults of database, network, S3 and the receiver itself: the same rows in the end, or a file
that waits in data/, an exit code and a line that says why."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from urllib.parse import urlsplit

import psycopg
import pytest

import receiver
from observability.log import log_to
from observability.receiving.result import FileResult, FileStatus, failed
from tests import documents, soak
from tests.cloud import ApiRequest
from tests.cloud.data_api import DataApiFaults
from tests.cloud.switches import CutError
from tests.documents import Document, document
from tests.warehouse import Rows, Warehouse

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
KEY = documents.key(NEXT)
BEGIN, EXECUTE, COMMIT = "/BeginTransaction", "/Execute", "/CommitTransaction"

Plan = Callable[[DataApiFaults], None]


def restated() -> Document:
    """The document of the next day: a key vanished, a finding closed, a day restated, a rename."""
    made = document(NEXT)
    made["security"]["kms"] = []
    found = made["security"]["security_hub"][0]["findings"][0]
    found.update(status="RESOLVED", updated_at="2026-11-21T00:00:00+00:00")
    made["service"] += documents.service_part(DAY)[:1]
    made["service"][-1]["cost"] = "9.5"
    made["inventory"]["applications"].pop()
    made["account"].update(account_name="Renamed", product="Shop, Billing")
    return made


def put(warehouse: Warehouse, made: Document, key: str = KEY) -> None:
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(made))


def keys(warehouse: Warehouse, prefix: str) -> list[str]:
    return [file.key for file in warehouse.receiver.s3.list_files(prefix)]


def sweep(warehouse: Warehouse) -> dict[str, FileResult]:
    files = receiver.list_data(warehouse.receiver)
    return {result.key: result for result in receiver.load_all(warehouse.receiver, files)}


UNDISTURBED: dict[str, Rows] = {}


def assert_as_undisturbed(warehouse: Warehouse, *made: tuple[str, Document]) -> None:
    """The rows must be those of an empty database that loads the documents without any fault."""
    rows, name = warehouse.rows(), json.dumps(made)
    if name not in UNDISTURBED:
        warehouse.embedded.data_api.faults.clear()
        warehouse.embedded.switches.reset()
        warehouse.empty()
        for key, each in made:
            assert warehouse.load(each, key).outcome is FileStatus.LOADED
        UNDISTURBED[name] = warehouse.rows()
    assert rows == UNDISTURBED[name]
    assert rows["kms_keys"]


def receive(warehouse: Warehouse, *arguments: str, **changes: str | None) -> tuple[int, list[str]]:
    """Run receiver.py to its end; its exit code and the lines of its story."""
    process = soak.launch(warehouse, *arguments, **changes)
    _, story = process.communicate(timeout=60)
    assert "Traceback" not in story
    return process.returncode, story.splitlines()


@pytest.fixture
def story() -> io.StringIO:
    """What a receiver in this process tells."""
    stream = io.StringIO()
    log_to(stream)
    return stream


def at_call(number: int) -> Callable[[ApiRequest], bool]:
    """Is true for one call, counted from 1."""
    calls = itertools.count(1)
    return lambda _request: next(calls) == number


@pytest.fixture
def short_transactions(warehouse: Warehouse) -> Iterator[None]:
    """Transactions of killed receivers end soon."""
    with soak.short_transactions(warehouse.embedded.data_api):
        yield


# The Data API: faults that pass

PASSING: dict[str, tuple[Plan, str]] = {
    "resuming at the first call": (lambda f: f.resume(times=2), "resuming"),
    "resuming in the middle": (lambda f: f.resume(path=EXECUTE, skip=2, times=2), "resuming"),
    "500 at begin": (
        lambda f: f.fail("InternalServerErrorException", path=BEGIN),
        "InternalServerError",
    ),
    "500 in the middle": (
        lambda f: f.fail("InternalServerErrorException", path=EXECUTE, skip=2),
        "InternalServerError",
    ),
    "500 although it was done": (
        lambda f: f.fail("InternalServerErrorException", path=EXECUTE, skip=3, after=True),
        "InternalServerError",
    ),
    "500 although it was committed": (
        lambda f: f.fail("InternalServerErrorException", path=COMMIT, after=True),
        "InternalServerError",
    ),
    "503 in the middle": (
        lambda f: f.fail("ServiceUnavailableError", path=EXECUTE, skip=1),
        "ServiceUnavailable",
    ),
    "503 at commit": (lambda f: f.fail("ServiceUnavailableError", path=COMMIT), "Unavailable"),
    "504 in the middle": (
        lambda f: f.fail("DatabaseUnavailableException", path=EXECUTE, skip=3),
        "DatabaseUnavailable",
    ),
    "cut at begin": (lambda f: f.cut(path=BEGIN), "no answer"),
    "cut after begin": (lambda f: f.cut(path=BEGIN, after=True), "no answer"),
    "cut before the lock": (lambda f: f.cut(path=EXECUTE), "no answer"),
    "cut after the lock": (lambda f: f.cut(path=EXECUTE, after=True), "no answer"),
    "cut before the rows": (lambda f: f.cut(sql="run_steps"), "no answer"),
    "cut after the rows": (lambda f: f.cut(sql="run_steps", after=True), "no answer"),
    "cut before COMMIT": (lambda f: f.cut(path=COMMIT), "no answer"),
    "cut after COMMIT": (lambda f: f.cut_after_commit(), "no answer"),
    "statement timeout": (lambda f: f.time_out(sql="run_steps"), "StatementTimeout"),
    "statement timeout although done": (lambda f: f.time_out(skip=1, after=True), "StatementTime"),
    "transaction vanished": (lambda f: f.vanish(skip=2), "TransactionNotFound"),
    "transaction vanished at commit": (lambda f: f.vanish(path=COMMIT), "TransactionNotFound"),
    "deadlock": (lambda f: f.database_error("40P01", skip=2), "40P01"),
    "deadlock at the lock": (lambda f: f.database_error("40P01"), "40P01"),
    "serialization failure": (lambda f: f.database_error("40001", skip=3), "40001"),
    "serialization failure at commit": (
        lambda f: f.database_error("40001", path=COMMIT),
        "40001",
    ),
    "lock timeout": (lambda f: f.database_error("55P03"), "55P03"),
    "still running a query": (lambda f: f.still_running(skip=2), "still running"),
    "still running at commit": (lambda f: f.still_running(path=COMMIT), "still running"),
    "connection limit": (lambda f: f.connection_limit(times=2), "53300"),
}
"""What goes wrong, and the words that the story must have."""
TWICE = {"resuming at the first call", "resuming in the middle", "connection limit"}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_changes_no_row(
    warehouse: Warehouse, story: io.StringIO, name: str
) -> None:
    plan, words = PASSING[name]
    made = (documents.key(DAY), document(DAY)), (KEY, restated())
    faults = warehouse.embedded.data_api.faults
    warehouse.load(made[0][1], made[0][0])
    plan(faults)
    assert warehouse.load(restated(), KEY).outcome is FileStatus.LOADED
    assert faults.injected.total() == (2 if name in TWICE else 1)
    assert words in story.getvalue()
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, *made)


@pytest.mark.parametrize(
    "plan", [lambda f: f.cut(), lambda f: f.fail("ServiceUnavailableError", times=2)]
)
def test_a_fault_at_the_very_first_call_of_a_run_passes(warehouse: Warehouse, plan: Plan) -> None:
    put(warehouse, document(NEXT))
    plan(warehouse.embedded.data_api.faults)
    code, _ = receive(warehouse)
    assert (code, keys(warehouse, "data/")) == (0, [])
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


def test_a_fault_in_a_listing_of_several_batches_changes_no_row(warehouse: Warehouse) -> None:
    first, second = document(DAY), document(NEXT)
    for made, numbers in ((first, range(12)), (second, range(1, 12))):
        key = made["security"]["kms"][0]
        made["security"]["kms"] = [
            {**key, "key_id": f"key-{n}", "description": f"{n}" * 1_000_000} for n in numbers
        ]
    put(warehouse, second)
    warehouse.load(first, documents.key(DAY))
    faults = warehouse.embedded.data_api.faults
    faults.cut(sql="run_steps", skip=2, after=True)
    assert sweep(warehouse)[KEY].outcome is FileStatus.LOADED
    assert faults.injected["cut"] == 1
    rows = warehouse.rows()
    assert [row["key_id"] for row in rows["kms_keys"] if row["gone_at"]] == ["key-0"]
    assert_as_undisturbed(warehouse, (documents.key(DAY), first), (KEY, second))


def test_a_real_lock_is_waited_for_and_a_real_timeout_is_borne(
    warehouse: Warehouse, story: io.StringIO
) -> None:
    warehouse.load(document(DAY), documents.key(DAY))
    api = warehouse.embedded.data_api
    usual = api.limits.statement_seconds
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn) as somebody:
        somebody.execute("SELECT FROM accounts FOR UPDATE")

        def give(seconds: float) -> Callable[[ApiRequest], None]:
            return lambda _: setattr(api.limits, "statement_seconds", seconds)

        statements = partial(warehouse.embedded.switches.intercept, "rds-data", "ExecuteStatement")
        statements(give(0.5), predicate=at_call(1))
        statements(give(usual), predicate=at_call(1), after=True)  # the others may be slow
        statements(lambda _: somebody.commit(), predicate=at_call(2))
        try:
            assert warehouse.load(restated(), KEY).outcome is FileStatus.LOADED
        finally:
            api.limits.statement_seconds = usual
    assert "StatementTimeoutException" in story.getvalue()
    assert_as_undisturbed(warehouse, (documents.key(DAY), document(DAY)), (KEY, restated()))


def test_sessions_that_the_server_ends_are_borne(warehouse: Warehouse, story: io.StringIO) -> None:
    warehouse.load(document(DAY), documents.key(DAY))
    failover = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ended: list[object] = []
    warehouse.embedded.switches.intercept(
        "rds-data",
        "ExecuteStatement",
        lambda _: ended.extend(warehouse.query(failover)),
        predicate=at_call(3),
    )
    assert warehouse.load(restated(), KEY).outcome is FileStatus.LOADED
    assert ended
    assert "trying again" in story.getvalue()
    assert_as_undisturbed(warehouse, (documents.key(DAY), document(DAY)), (KEY, restated()))


# The Data API: faults that do not pass

LASTING: dict[str, tuple[Plan, str]] = {
    "resuming at the first call": (lambda f: f.resume(), "resuming"),
    "resuming at a file's first call": (lambda f: f.resume(path=BEGIN), "resuming"),
    "resuming in the middle": (lambda f: f.resume(sql="INTO documents"), "resuming"),
    "500": (lambda f: f.fail("InternalServerErrorException", path=BEGIN, times=None), "Internal"),
    "503": (
        lambda f: f.fail("ServiceUnavailableError", sql="INTO documents", times=None),
        "ServiceUnavailable",
    ),
    "cut": (lambda f: f.cut(times=None), "no answer"),
    "cut after a statement": (
        lambda f: f.cut(sql="INTO documents", after=True, times=None),
        "no answer",
    ),
    "statement timeout": (lambda f: f.time_out(sql="INTO documents", times=None), "Timeout"),
    "transaction vanishes": (lambda f: f.vanish(times=None), "TransactionNotFound"),
    "deadlock": (lambda f: f.database_error("40P01", sql="INTO documents", times=None), "40P01"),
    "still running a query": (lambda f: f.still_running(times=None), "still running"),
    "connection limit": (lambda f: f.connection_limit(times=None), "53300"),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_lasts_leaves_the_file_in_data(warehouse: Warehouse, name: str) -> None:
    plan, words = LASTING[name]
    put(warehouse, document(NEXT))
    plan(warehouse.embedded.data_api.faults)
    code, lines = receive(warehouse, "--patience", "0.5")
    assert code == 1
    assert keys(warehouse, "") == [KEY]
    assert [line for line in lines if " FAIL " in line and words in line], lines
    assert warehouse.query("SELECT FROM documents") == []
    warehouse.embedded.data_api.faults.clear()
    assert sweep(warehouse)[KEY].outcome is FileStatus.LOADED
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


def test_the_patience_is_for_all_files_together(warehouse: Warehouse) -> None:
    accounts = [f"4444000000{n:02}" for n in range(8)]
    for account in accounts:
        put(warehouse, document(account=account), documents.key(account=account))
    impatient = receiver.start(replace(warehouse.settings, patience=1.0, workers=1))
    faults = warehouse.embedded.data_api.faults
    faults.resume(path=BEGIN)
    results = receiver.load_all(impatient, receiver.list_data(impatient))
    assert {result.outcome for result in results} == {FileStatus.DEFERRED}
    most_tries_of_the_first = 3
    assert faults.injected.total() < most_tries_of_the_first + len(accounts)
    assert len(keys(warehouse, "data/")) == len(accounts)


def test_a_receiver_that_waits_stops_when_it_is_told_to(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.data_api.faults.resume(path=BEGIN)
    started = threading.Event()

    def tell_it_to_stop(_request: ApiRequest) -> None:
        started.wait(30)
        process.terminate()

    warehouse.embedded.switches.intercept(
        "rds-data", "BeginTransaction", tell_it_to_stop, predicate=at_call(2)
    )
    process = soak.launch(warehouse, "--patience", "600")
    started.set()
    result, story = process.communicate(timeout=60)
    *lines, last = story.splitlines()
    assert process.returncode == 128 + signal.SIGTERM
    assert [line for line in lines if f"FAIL    deferred {KEY}" in line], lines
    assert last == "receiver.py: stopped by SIGTERM; 1 files stay in data/"
    assert result.startswith("1 files (1 deferred), 0 rows")
    assert keys(warehouse, "") == [KEY]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_file_under_way_be_finished(
    warehouse: Warehouse, number: signal.Signals
) -> None:
    names = [documents.key(account=f"4444000000{n:02}") for n in range(3)]
    for name in names:
        put(warehouse, document(account=name.split("/")[1]), name)
    started = threading.Event()

    def tell_it_to_stop(_request: ApiRequest) -> None:
        started.wait(30)
        process.send_signal(number)

    warehouse.embedded.switches.intercept("rds-data", "CommitTransaction", tell_it_to_stop, times=1)
    process = soak.launch(warehouse, "--workers", "1")
    started.set()
    result, story = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    *_, last = story.splitlines()
    assert last == f"receiver.py: stopped by {number.name}; 2 files stay in data/"
    assert result.splitlines()[-1].startswith("1 files (1 loaded, 2 not begun), ")
    assert len(keys(warehouse, "data/")) == 2
    assert len(keys(warehouse, "loaded/")) == 1


@pytest.mark.parametrize("flags", [(), ("--check",), ("--init-schema",)])
def test_a_receiver_that_has_not_begun_stops_too(
    warehouse: Warehouse, flags: tuple[str, ...]
) -> None:
    """While it waits for a database that sleeps it does not know what is in data/."""
    put(warehouse, document(NEXT))
    warehouse.embedded.data_api.faults.resume()
    started = threading.Event()

    def tell_it_to_stop(_request: ApiRequest) -> None:
        started.wait(30)
        process.terminate()

    warehouse.embedded.switches.intercept("rds-data", "ExecuteStatement", tell_it_to_stop, times=1)
    process = soak.launch(warehouse, *flags)
    started.set()
    result, story = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    *_, last = story.splitlines()
    assert last == "receiver.py: stopped by SIGTERM; what is not loaded stays in data/"
    assert "files" not in result
    assert keys(warehouse, "") == [KEY]


# S3


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject", "CopyObject", "DeleteObject"])
def test_throttling_by_s3_is_waited_out(warehouse: Warehouse, operation: str) -> None:
    rule = warehouse.embedded.switches.throttle("s3", operation, times=2)
    put(warehouse, document(NEXT))
    assert sweep(warehouse)[KEY].outcome is FileStatus.LOADED
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


def test_a_listing_of_5000_keys_is_read_to_its_end(warehouse: Warehouse) -> None:
    put_past_switches = warehouse.embedded.moto.client(
        "s3", warehouse.embedded.analytics.id, warehouse.embedded.analytics.home_region
    ).put_object
    accounts = [f"{n:012}" for n in range(0, 5000, 499)]
    folders = [f"data/{n:012}/" for n in range(5000 - len(accounts))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put_past_switches(Bucket=warehouse.bucket, Key=key), folders))
    for account in accounts:
        put(warehouse, document(account=account), documents.key(account=account))
    warehouse.embedded.calls.clear()
    results = sweep(warehouse)
    pages = [call for call in warehouse.embedded.calls if call.operation == "ListObjectsV2"]
    assert len(pages) == 5
    assert results.keys() == {documents.key(account=account) for account in accounts}
    assert {result.outcome for result in results.values()} == {FileStatus.LOADED}


def test_a_copy_that_succeeds_and_a_delete_that_fails(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.switches.deny("s3", "DeleteObject")
    code, lines = receive(warehouse)
    assert code == 1
    assert [line for line in lines if " ERROR " in line and KEY in line and "AccessDenied" in line]
    assert keys(warehouse, "") == [KEY, KEY.replace("data/", "loaded/")]
    warehouse.embedded.switches.reset()
    result = sweep(warehouse)[KEY]
    assert result.outcome is FileStatus.LOADED
    assert result.totals["CREATED"] == result.totals["UPDATED"] == 0
    assert keys(warehouse, "") == [KEY.replace("data/", "loaded/")]
    assert_as_undisturbed(warehouse, (KEY, document(NEXT)))


@pytest.mark.parametrize("operation", ["CopyObject", "DeleteObject"])
def test_a_move_whose_answer_is_lost(warehouse: Warehouse, operation: str) -> None:
    put(warehouse, document(NEXT))
    rule = warehouse.embedded.switches.cut("s3", operation, after=True, times=1)
    result = sweep(warehouse)[KEY]
    assert (rule.times, result.outcome) == (0, FileStatus.LOADED)
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
    made["security"]["kms"][0]["description"] = "x" * 3_000_000
    put(warehouse, made)
    with BrokenCable(warehouse.embedded.url, bytes_left=1_500_000) as cable:
        threading.Thread(target=cable.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{cable.server_address[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        far = receiver.start(warehouse.settings)
        [result] = receiver.load_all(far, receiver.list_data(far))
        cable.shutdown()
    assert (cable.broken, result.outcome) == (True, FileStatus.LOADED)
    assert "no answer" in story.getvalue()
    assert_as_undisturbed(warehouse, (KEY, made))


MOMENTS = {
    "before it is read": ("s3", "GetObject", False),
    "while it is loaded": ("rds-data", "ExecuteStatement", False),
    "after the commit": ("rds-data", "CommitTransaction", True),
    "before the copy": ("s3", "CopyObject", False),
    "before the delete": ("s3", "DeleteObject", False),
}


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
    assert (rule.times, result.outcome) == (0, FileStatus.LOADED)
    moved = KEY.replace("data/", "loaded/")
    assert keys(warehouse, "") == [moved]
    kept = warehouse.s3.get_object(Bucket=warehouse.bucket, Key=moved)["Body"].read()
    assert kept == documents.encode(newer)
    assert warehouse.query("SELECT account_name FROM accounts") == [{"account_name": "Renamed"}]
    read_both = moment != "before it is read"
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
    assert sweep(warehouse)[KEY].outcome is FileStatus.REJECTED
    assert keys(warehouse, "data/") == [KEY]
    assert sweep(warehouse)[KEY].outcome is FileStatus.LOADED
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
    assert (results[KEY].outcome, results[other].outcome) == (expected, FileStatus.LOADED)
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


# Receivers that are killed

KILLED = {
    "while it begins": ("rds-data", "BeginTransaction", True, 1),
    "at the lock": ("rds-data", "ExecuteStatement", True, 2),
    "in the middle": ("rds-data", "ExecuteStatement", False, 4),
    "before COMMIT": ("rds-data", "CommitTransaction", False, 1),
    "after COMMIT": ("rds-data", "CommitTransaction", True, 1),
    "after the copy": ("s3", "CopyObject", True, 1),
    "after the delete": ("s3", "DeleteObject", True, 1),
}


@pytest.mark.parametrize("moment", KILLED)
@pytest.mark.usefixtures("short_transactions")
def test_a_receiver_that_is_killed_leaves_nothing_half(warehouse: Warehouse, moment: str) -> None:
    service, operation, after, number = KILLED[moment]
    started = threading.Event()
    made = (documents.key(DAY), document(DAY)), (KEY, restated())
    warehouse.load(made[0][1], made[0][0])
    put(warehouse, restated())

    def kill(_request: ApiRequest) -> None:
        started.wait(30)
        process.kill()
        if not after:
            raise CutError  # the request is lost with its sender

    warehouse.embedded.switches.intercept(
        service, operation, kill, after=after, predicate=at_call(number)
    )
    process = soak.launch(warehouse)
    started.set()
    process.communicate(timeout=60)
    assert process.returncode == -9
    warehouse.embedded.switches.reset()
    seen = warehouse.query("SELECT account_name FROM accounts")
    committed = moment.startswith("after")
    assert seen == [{"account_name": "Renamed" if committed else "Shop “prod”"}]
    assert all(r.outcome is FileStatus.LOADED for r in sweep(warehouse).values())
    assert keys(warehouse, "data/") == []
    assert_as_undisturbed(warehouse, *made)


@pytest.mark.usefixtures("short_transactions")
def test_three_receivers_that_are_killed_at_random_under_faults(warehouse: Warehouse) -> None:
    figures = soak.run(warehouse, accounts=6, days=5, kills=5, faults=25, seed=2)
    assert figures.differences == []
    assert (figures.files, figures.kills) == (30, 5)
    assert figures.faults > 15  # of 25: one that waits for a call may find all files loaded


# Wrong settings

WRONG: dict[str, tuple[dict[str, str | None], str]] = {
    "secret": (
        {"AURORA_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:111122223333:secret:no-Ab1Cd2"},
        "AURORA_SECRET_ARN",
    ),
    "cluster": (
        {"AURORA_CLUSTER_ARN": "arn:aws:rds:us-east-1:111122223333:cluster:none"},
        "AURORA_CLUSTER_ARN",
    ),
    "database": ({"DB_NAME": "nothing"}, "DB_NAME"),
    "bucket": ({"BUCKET": "no-such-bucket-anywhere"}, "BUCKET"),
    "no bucket": ({"BUCKET": None}, "BUCKET"),
    "no credentials": (
        {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
        "credentials",
    ),
    "unknown credentials": ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "token"),
    "no such region": ({"REGION": "mars 1"}, "region"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_one_clear_line_and_exit_2(warehouse: Warehouse, name: str) -> None:
    changes, words = WRONG[name]
    put(warehouse, document(NEXT))
    code, lines = receive(warehouse, **changes)
    assert code == 2
    assert len(lines) == 1
    assert words in lines[0]
    assert keys(warehouse, "") == [KEY]


def test_a_denied_database_is_one_clear_line_and_exit_2(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    warehouse.embedded.switches.deny("rds-data")
    code, lines = receive(warehouse)
    assert (code, len(lines)) == (2, 1)
    assert "not authorized to perform: rds-data:ExecuteStatement" in lines[0]
    assert keys(warehouse, "") == [KEY]


def test_an_endpoint_that_nobody_listens_on_is_exit_1(warehouse: Warehouse) -> None:
    put(warehouse, document(NEXT))
    code, lines = receive(
        warehouse, "--patience", "1", AWS_ENDPOINT_URL_RDS_DATA="http://127.0.0.1:1"
    )
    assert code == 1
    assert " FAIL " in lines[-1]
    assert "no answer from the RDS Data API: " in lines[-1]
    assert "http://127.0.0.1:1/" in lines[-1]
    assert "check REGION, network and VPC endpoint" in lines[-1]
    assert keys(warehouse, "") == [KEY]
