"""The receiver with the memory of its function and less disk, and eight hostile documents at once.

    python -m tests.cramped               # a part of `make soak`: a minute

The limits are real: the address space of the process (RLIMIT_AS), which counts more than what AWS
Lambda counts, and a small file system for temporary files, in a mount namespace of its own
(util-linux: prlimit, unshare). What hostile accounts send fills memory, disk, or both; good
documents of every size wait beside it. Exit code 1 if a good one is not loaded.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from tests import documents, templates
from tests.bench.documents import many_rows, write
from tests.documents import REGION, document
from tests.soak import RECEIVER, keys, opened_warehouse
from tests.warehouse import Warehouse

FUNCTION = templates.load(templates.HUB)["Resources"]["Receiver"]["Properties"]
MEMORY_MIB = FUNCTION["MemorySize"]
DISK_MIB = FUNCTION["EphemeralStorage"]["Size"] // 8
"""Less than the function has, so that it is full within a minute."""


def hub(text: str) -> Callable[[str], bytes]:
    """Makes the document of an account with this text in place of Security Hub's groups."""
    return lambda account: documents.encode(
        {**document(account=account), "security": {"security_hub": "@@"}}
    ).replace(b'"@@"', text.encode())


def many(text: str, number: int) -> str:
    """A list of the same value; @ in it is the number."""
    return "[" + ",".join(text.replace("@", str(n)) for n in range(number)) + "]"


LONG = "x" * 4_000
MEMBERS = ",".join(f'"n{n}": "{LONG}"' for n in range(990))
FILLING = [
    hub('[{"x": ' + many("{}", 1_300_000) + "}]"),
    hub('[{"findings": [{"x": ' + many("1.5", 970_000) + "}]}]"),
    hub("[{" + MEMBERS + ', "findings": ' + many("{}", 50_000) + "}]"),
    hub('[{"findings": ' + many('{"title": "' + "x" * 40 + '"}', 150_000) + ', "service": 1}]'),
    hub(many('{"service": "@", "findings": []}', 50_000)),
    hub("[" * 3_000_000),
    hub('["' + "x" * 30_000_000),
    hub('[{"findings": ' + many('{"finding_id": "@' + "x" * 900_000 + '"}', 20) + "}]"),
]


# Limits of a machine


IN_A_SMALL_PLACE = (
    "unshare", "--map-root-user", "--mount", "sh", "-c",
    f'mount -t tmpfs -o size={DISK_MIB}m none "$TMPDIR" && exec "$@"', "sh",
    "prlimit", f"--as={MEMORY_MIB << 20}",
)  # fmt: skip


def run(warehouse: Warehouse) -> Iterator[str]:
    """Load hostile and good documents at once, in a small place; a line for what went wrong."""
    good = {documents.key(account=f"{444_400_000_000 + number}"): rows
            for number, rows in enumerate((0, 500, 20_000))}  # fmt: skip
    for key, rows in good.items():
        account = key.split("/")[1]
        with tempfile.TemporaryFile() as body:
            write(many_rows(rows, account, REGION) if rows else document(account=account), body)
            body.seek(0)
            warehouse.s3.upload_fileobj(body, warehouse.bucket, key)
    hostile = [documents.key(account=f"{300_000_000_700 + n}") for n in range(len(FILLING) + 1)]
    for key, made in zip(hostile, (*FILLING, fills_the_disk), strict=True):
        content = made(key.split("/")[1])
        warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=content)
    for _ in range(4):  # what takes too much of the disk waits, and is refused at its third try
        code = receive(warehouse)
        if code not in (0, 1):
            yield f"the receiver ended with {code}"
    there = {*keys(warehouse, "loaded/")}
    yield from (
        f"not loaded: {key}" for key in good if key.replace("data/", "loaded/") not in there
    )
    yield from (f"waits for ever: {key}" for key in keys(warehouse, "data/"))


def fills_the_disk(account: str) -> bytes:
    """More rows than there is disk, each of them right; they cannot be merged while more comes."""
    row = '{"key_id": "@", "description": "' + "x" * 100_000 + '"}'
    made = documents.encode({**document(account=account), "security": {"kms": "@@"}})
    return made.replace(b'"@@"', many(row, 6_000).encode())


def receive(warehouse: Warehouse) -> int:
    """Run receiver.py once within the limits; its exit code."""
    embedded = warehouse.embedded
    environment = embedded.environment(embedded.analytics.id)
    environment |= {"BUCKET": warehouse.bucket, "DB_NAME": warehouse.database}
    with tempfile.TemporaryDirectory() as folder:
        command = [*IN_A_SMALL_PLACE, sys.executable, str(RECEIVER), "--workers", "8", "-q"]
        places = {
            "TMPDIR": folder,
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "MALLOC_ARENA_MAX": "2",
        }
        done = subprocess.run(
            command, env=environment | places, capture_output=True, text=True, check=False
        )
    print(done.stdout.splitlines()[-1:], *done.stderr.splitlines(), sep="\n  ")
    return done.returncode


def main() -> int:
    started = time.monotonic()
    with opened_warehouse() as warehouse:
        wrong = [*run(warehouse)]
    print(*wrong, f"{len(wrong)} problems, {time.monotonic() - started:.0f} s", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
