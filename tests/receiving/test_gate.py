"""What is out of bounds is refused by its head; what fills memory, disk or time, by its limit."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import receiver
from observability import limits
from observability.errors import Blocked, OverLimit, Rejected, Transient
from observability.receiving.files import File
from observability.receiving.gate import check_head, check_number
from observability.receiving.result import FileResult, FileStatus
from observability.receiving.room import Disk, Room
from tests import documents, soak
from tests.bench.harness import run_command
from tests.cloud import ApiRequest
from tests.cloud.switches import CutError
from tests.cramped import FILLING
from tests.documents import document
from tests.faults import keys, put, sweep
from tests.paths import RECEIVER
from tests.warehouse import Warehouse

KEY = documents.key()
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def file(size: int = 1, region: str = "eu-west-1", interval: str = "DAILY") -> File:
    key = f"data/111122223333/{region}/2026-11-21_{interval}.json"
    return File(key, "e", size, NOW, "111122223333", region, date(2026, 11, 21), interval)


@pytest.mark.parametrize(
    "good",
    [
        file(),
        file(region="us-gov-west-1"),
        file(region="cn-north-1"),
        file(region="ap-southeast-5"),
        file(interval="MONTHLY"),
        file(interval="YEARLY"),
        file(size=2048 * limits.MIB),
    ],
)
def test_what_is_within_bounds_passes(good: File) -> None:
    check_head(good, 2048)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (file(region="mars-west-1"), "mars-west-1, is none that botocore knows"),
        (file(region="eu-west-99"), "none that botocore knows"),
        (file(region="aws-global"), "none that botocore knows"),
        (file(interval="SOMETIMES"), "none of DAILY, WEEKLY"),
        (file(size=2048 * limits.MIB + 1), "at most 2048 MiB"),
    ],
)
def test_what_is_out_of_bounds_is_refused(bad: File, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        check_head(bad, 2048)


def test_what_s3_cannot_move_waits_and_is_told() -> None:
    with pytest.raises(Blocked, match="5 GiB"):
        check_head(file(size=5 * 1024**3 + 1), 5120)
    with pytest.raises(Blocked, match="2000 documents"):
        check_number(limits.DOCUMENTS_A_DAY)


def outcome(warehouse: Warehouse) -> FileResult:
    [result] = sweep(warehouse).values()
    return result


def test_a_large_object_is_refused_unread(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(warehouse.settings), "max_size", 1)
    body = documents.encode(document()) + b" " * limits.MIB
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=body)
    warehouse.embedded.forget_calls()
    result = outcome(warehouse)
    assert result.status is FileStatus.REJECTED
    assert "at most 1 MiB" in result.reasons[0]
    assert "GetObject" not in {call.operation for call in warehouse.embedded.calls}


def test_an_object_in_an_archive_class_waits(warehouse: Warehouse) -> None:
    warehouse.s3.put_object(
        Bucket=warehouse.bucket, Key=KEY, Body=b"{}", StorageClass="DEEP_ARCHIVE"
    )
    result = receiver.load_safely(warehouse.receiver, next(warehouse.receiver.s3.list_files("")))
    assert result.status is FileStatus.FAILED
    assert "restore it" in result.reasons[0]
    assert keys(warehouse, "") == [KEY]


def test_too_many_documents_of_a_day_wait(warehouse: Warehouse) -> None:
    put(warehouse, document(), KEY)
    cautious = receiver.start(warehouse.settings)
    warehouse.query(
        f"""INSERT INTO accounts (account_id, region)
            VALUES ('{documents.ACCOUNT}', '{documents.REGION}');
        INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, interval,
                               period_start, period_end, collected_at, day_order, time_order)
        SELECT a.id, 'b', n::text, 'e', 1, now(), 'DAILY', now(), now(), now(), '', ''
        FROM accounts a CROSS JOIN generate_series(1, {limits.DOCUMENTS_A_DAY}) n""",
        fetch=False,
    )
    [result] = receiver.load_all(cautious, receiver.list_data(cautious))
    assert result.status is FileStatus.FAILED
    assert "in 24 hours" in result.reasons[0]
    warehouse.query("UPDATE documents SET created_at = now() - interval '25 hours'", fetch=False)
    [result] = receiver.load_all(cautious, receiver.list_data(cautious))
    assert result.status is FileStatus.LOADED


def test_a_key_that_ends_like_a_folders_is_not_invisible(warehouse: Warehouse) -> None:
    hidden, folder = "data/111122223333/eu-west-1/", "data/111122223333/"
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=folder, Body=b"")
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=hidden, Body=b"x" * 1000)
    assert sweep(warehouse)[hidden].status is FileStatus.REJECTED
    assert [key for key in keys(warehouse, "") if key.startswith("data/")] == []


@pytest.mark.parametrize("name", ["data/" + "x" * 1019, "data/" + "ü" * 509])
def test_names_of_any_length_and_letters_are_refused_whole(warehouse: Warehouse, name: str) -> None:
    """S3 takes 1,024 bytes for a key, and metadata in ASCII only."""
    for _ in range(2):
        warehouse.s3.put_object(Bucket=warehouse.bucket, Key=name, Body=b"same")
        assert outcome(warehouse).status is FileStatus.REJECTED
    assert keys(warehouse, "data/") == []
    assert len([key for key in keys(warehouse, "rejected/") if "reason" not in key]) >= 1


def test_an_uploaders_type_tags_and_much_metadata_do_not_hinder_a_move(
    warehouse: Warehouse,
) -> None:
    warehouse.s3.put_object(
        Bucket=warehouse.bucket,
        Key=KEY,
        Body=documents.encode(document()),
        ContentType="text/html",
        Tagging="team=shop",
        Metadata={f"n{number}": "x" * 180 for number in range(10)},
    )
    assert outcome(warehouse).status is FileStatus.LOADED
    [lies] = keys(warehouse, "")
    head = warehouse.s3.head_object(Bucket=warehouse.bucket, Key=lies)
    assert head["ContentType"] == "application/json"
    assert "n0" not in head["Metadata"]
    tags = warehouse.s3.get_object_tagging(Bucket=warehouse.bucket, Key=lies)
    assert tags["TagSet"] == []


# ---- documents that would fill the memory ----

MANY = limits.MEMBERS + 1


def members(number: int) -> str:
    return "{" + ",".join(f'"n{place}": 1' for place in range(number)) + "}"


def held_findings() -> bytes:
    """Findings before the name of their group, more than are held; the reader is ahead by some."""
    finding = '{"finding_id": "f"}'
    findings = ",".join([finding] * (limits.WAITING_ROWS + 5_000))
    hub = f'[{{"findings": [{findings}], "service": "x"}}]'
    made = document()
    made["security"]["security_hub"] = "@@"
    return documents.encode(made).replace(b'"@@"', hub.encode())


def with_member(name: str, text: str) -> bytes:
    return documents.encode(document())[:-1] + f", {json.dumps(name)}: {text}}}".encode()


def unknown_group_members() -> bytes:
    made = document()
    made["security"]["security_hub"][0] |= {f"x{n}": "y" * 1_000_000 for n in range(5)}
    return documents.encode(made)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "members of a row": (lambda: with_member("x", members(MANY)), "over 1000 members"),
    "members of the document": (
        lambda: documents.encode(document())[:-1] + b"," + members(MANY)[1:].encode(),
        "the document has over 1000 members",
    ),
    "a long name": (lambda: with_member("x" * 1_001, "1"), "a name of over 1000"),
    "findings before their group": (held_findings, "security.security_hub: over 200000"),
    "members that are held": (unknown_group_members, "its members have over 4 MiB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_fill_the_memory_is_refused(warehouse: Warehouse, name: str) -> None:
    made, words = HOSTILE[name]
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=made())
    result = outcome(warehouse)
    assert result.status is FileStatus.REJECTED
    assert words in " ".join(result.reasons)


def test_the_log_of_a_document_is_bounded(warehouse: Warehouse, story: io.StringIO) -> None:
    """Names without a column, and names in reasons, are as many and as long as one likes."""
    made = document(meta=False)
    made["security"]["kms"] += [{"key_id": f"k{n}", "x" * 5_000 + str(n): 1} for n in range(900)]
    made["security"]["waf"] = [{f"field {n}": 1 for n in range(900)}]
    made["account"]["alternate_contacts"] = {"z" * 100_000: "text"}
    put(warehouse, made, KEY)
    assert outcome(warehouse).status is FileStatus.LOADED
    lines = story.getvalue().splitlines()
    assert len(lines) < 200
    assert max(map(len, lines)) < 5_000
    assert "(others)" in story.getvalue()


def test_eight_hostile_documents_at_once_leave_much_of_the_memory(warehouse: Warehouse) -> None:
    """Of the 2,048 MB that deploy/hub.yaml gives the receiver."""
    for number, made in enumerate(FILLING):
        account = f"{300_000_000_700 + number}"
        body = made(account)
        warehouse.s3.put_object(
            Bucket=warehouse.bucket, Key=documents.key(account=account), Body=body
        )
    good = documents.key()
    put(warehouse, document(), good)
    embedded = warehouse.embedded
    places = {"BUCKET": warehouse.bucket, "DB_NAME": warehouse.database}
    environment = embedded.environment(embedded.analytics.id) | places
    # Not by this process: what it had when it started a child counts as the child's peak, too.
    cost = run_command([sys.executable, str(RECEIVER), "--quiet"], environment, (1,))
    assert cost.mebibytes < 1024, cost
    assert keys(warehouse, "data/") == []
    assert good.replace("data/", "loaded/") in keys(warehouse, "loaded/")


# ---- disk and time ----


def test_a_small_disk_is_shared() -> None:
    disk = Disk(100 * limits.MIB, 4)
    first, second = Room(disk), Room(disk)
    first.take(60 * limits.MIB)
    second.take(disk.own)  # its own share, whatever the others take
    with pytest.raises(Transient):
        second.take(50 * limits.MIB)
    with pytest.raises(OverLimit):
        first.take(60 * limits.MIB)
    first.close()
    Room(disk).take(disk.own + 50 * limits.MIB)


def test_a_disk_that_is_full_is_no_fault_of_the_document(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """As where a process may write no larger files: the document waits, and is not refused."""
    made = document()
    made["security"]["kms"] += [
        {**made["security"]["kms"][0], "key_id": f"key-{n}", "description": "x" * 900}
        for n in range(2_000)
    ]
    put(warehouse, made, KEY)
    process = soak.launch(warehouse, TMPDIR=str(tmp_path))
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
    _, story = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"temporary files cannot be written in {tmp_path}" in story
    assert keys(warehouse, "") == [KEY]


def large() -> bytes:
    """A good document that is watched."""
    made = document()
    made["security"]["kms"] += [
        {**made["security"]["kms"][0], "key_id": f"key-{n}", "description": "x" * 900_000}
        for n in range(10)
    ]
    return documents.encode(made)


def tries(warehouse: Warehouse) -> list[int]:
    return [row["tries"] for row in warehouse.query("SELECT tries FROM attempts")]


def test_a_document_that_kills_its_receiver_is_put_aside(
    warehouse: Warehouse, short_transactions: None
) -> None:
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=large())
    for killed in (1, 2):
        process = soak.launch(warehouse)

        def kill(_request: ApiRequest, victim: subprocess.Popen[str] = process) -> None:
            victim.kill()
            raise CutError  # the request is lost with its sender

        warehouse.embedded.switches.intercept("rds-data", "BeginTransaction", kill, times=1)
        process.communicate(timeout=60)
        assert process.returncode == -9
        assert tries(warehouse) == [killed]
    process = soak.launch(warehouse)
    _, story = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "it has ended the receiver 2 times" in story
    assert keys(warehouse, "data/") == []
    assert len(keys(warehouse, "rejected/")) == 2
    assert tries(warehouse) == []


def test_a_document_that_takes_too_long_is_put_aside(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(warehouse.settings), "document_time", 0.0)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=large())
    for _ in range(2):
        result = outcome(warehouse)
        assert result.status is FileStatus.FAILED
        assert "--document-time" in result.reasons[0]
        assert keys(warehouse, "") == [KEY]
    assert outcome(warehouse).status is FileStatus.REJECTED


def test_what_passes_is_no_try(warehouse: Warehouse, short_transactions: None) -> None:
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=KEY, Body=large())
    warehouse.embedded.data_api.faults.database_error("40001", sql="run_steps", times=3)
    assert outcome(warehouse).status is FileStatus.LOADED
    assert tries(warehouse) == []
