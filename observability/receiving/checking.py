"""--check: what a run needs, a line each, within ten seconds whatever does not answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Thread

from observability.aws.errors import aws_errors
from observability.database.client import DBManager
from observability.database.rights import writes_to
from observability.database.schema import own_schema
from observability.errors import Blocked, Rejected, Transient, UsageError
from observability.log import printable, shortened
from observability.receiving.bucket import S3Manager
from observability.settings.kinds import TO_BUCKET
from observability.settings.receiver import Settings
from observability.stopping import STOP, Stopped

LIMIT = 9.0
"""Seconds for all tests; Python's own start and the imports fit into the ten that are promised."""
PATIENCE = 5.0
"""Seconds to wait for a database that is not ready, so that its own error is printed in time."""
SKEW = 300.0
"""Seconds that clocks may differ: AWS takes a signature that is at most five minutes old."""
OLDEST = 14
"""The major version of PostgreSQL that schema.sql needs."""

Test = Callable[[], str]
"""Returns what there is to say beside ok; raises what is wrong."""


def check(settings: Settings, limit: float = LIMIT) -> int:
    """Test what a run needs; 0 where all is there.

    All is tried at once. The threads of what does not answer are left behind.
    """
    short = replace(settings, patience=min(settings.patience, PATIENCE))
    s3, db = S3Manager(short, attempts=1), DBManager(short)
    tests = {**bucket_tests(s3, settings), **database_tests(db, short)}
    deadline = time.monotonic() + limit
    running = {name: begin(name, test) for name, test in tests.items()}
    passed = [report(name, future, deadline, limit) for name, future in running.items()]
    return int(not all(passed))


def begin(name: str, test: Test) -> Future[str]:
    """Run a test in a thread that keeps no process from ending."""
    future: Future[str] = Future()

    def run() -> None:
        try:
            future.set_result(test())
        except Exception as error:  # noqa: BLE001  who waits raises it again
            future.set_exception(error)

    Thread(target=run, name=f"check of {name}", daemon=True).start()
    return future


def report(name: str, future: Future[str], deadline: float, limit: float) -> bool:
    """Print how a test ended, or that it has no answer at `deadline` (monotonic); is all well?

    Raises Stopped once the process is asked to stop.
    """
    while not STOP.by and not future.done() and (left := deadline - time.monotonic()) > 0:
        wait([future], min(0.2, left))
    if STOP.by:
        raise Stopped(STOP.by)
    expected: tuple[type[Exception], ...] = (Blocked, Rejected, Transient, UsageError)
    problem = f"no answer within {limit:.0f} s: check REGION, network and VPC endpoints"
    if future.done():
        try:
            more = future.result()
            print(f"ok      {name}{more and f': {printable(more)}'}", flush=True)
            return True
        except (*expected, *aws_errors()) as error:
            problem = str(error)
    print(f"FAILED  {name}: {printable(problem)}", flush=True)
    return False


def bucket_tests(s3: S3Manager, settings: Settings) -> Mapping[str, Test]:
    """Listing, reading and writing, with the key; and whose clock is wrong."""
    listed = ("data/", "loaded/", "rejected/", "accounts/")
    written = ["loaded/", "rejected/", *(["reports/"] if settings.report == TO_BUCKET else [])]
    tests: dict[str, Test] = {f"S3: list {place}": lister(s3, place) for place in listed}
    tests["S3: read a document"] = lambda: read_one(s3)
    tests |= {f"S3: write {place}": writer(s3, place) for place in written}
    tests["clock of S3"] = lambda: s3_clock(s3)
    return tests


def lister(s3: S3Manager, place: str) -> Test:
    def first() -> str:
        return "" if next(s3.list_files(place), None) else "empty"

    return first


def read_one(s3: S3Manager) -> str:
    """Read one byte of a document, which needs the key that it is encrypted with (S3: GetObject).

    Every receiver may take documents away meanwhile; then there is no more to be said.
    """
    for place in ("data/", "loaded/"):
        if file := next(s3.list_files(place), None):
            what = {"Key": file.key, "Range": "bytes=0-0"}
            there = not file.size or s3.expected(("NoSuchKey", "404"), "get_object", **what)
            return "" if there else "another receiver took it"
    return "there is none yet"


def writer(s3: S3Manager, place: str) -> Test:
    """Begin an upload in parts and abort it (S3: CreateMultipartUpload, AbortMultipartUpload).

    S3 checks bucket and key as for an object, but stores nothing and sends no event. An upload
    that may not be aborted has no parts, and costs nothing.
    """

    def try_upload() -> str:
        key = f"{place}check"
        begun = s3.expected((), "create_multipart_upload", Key=key, **s3.encryption)
        upload = {"Key": key, "UploadId": begun["UploadId"]}
        aborted = s3.expected(("AccessDenied",), "abort_multipart_upload", **upload)
        return "" if aborted else "without s3:AbortMultipartUpload, an empty upload stays"

    return try_upload


def s3_clock(s3: S3Manager) -> str:
    """How far this machine's clock is from S3's, by the date of an answer."""
    answer = s3.expected((), "list_objects_v2", Prefix="data/", MaxKeys=1)
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        return difference(parsedate_to_datetime(date))
    except ValueError:
        raise Transient(f"the answer has no date, but {date!r}: is it S3's?") from None


def difference(theirs: datetime) -> str:
    """What to say of another clock; UsageError where it is too far from this machine's."""
    seconds = (datetime.now(UTC) - theirs.astimezone(UTC)).total_seconds()
    if abs(seconds) > SKEW:
        ahead = "ahead" if seconds > 0 else "behind"
        raise UsageError(f"this machine's clock is {abs(seconds):.0f} s {ahead}: set it")
    return f"{abs(seconds):.0f} s apart"


def database_tests(db: DBManager, settings: Settings) -> Mapping[str, Test]:
    """Reaching the database, its version, schema and rights; and the user who only reads."""
    tests: dict[str, Test] = {
        "RDS Data API: statement": lambda: database_version(db),
        "RDS Data API: transaction": lambda: try_transaction(db),
        "clock of the database": lambda: database_clock(db),
        "schema": lambda: schema_version(db),
        "rights": lambda: missing_rights(db),
    }
    if settings.reader_secret_arn:
        reader = DBManager(settings.as_reader())
        tests["the reader's secret"] = lambda: str(reader.execute("SELECT session_user", {})[0][0])
    return tests


VERSION_SQL = """
SELECT CAST(current_setting('server_version_num') AS integer) / 10000,
       current_setting('server_version')"""


def database_version(db: DBManager) -> str:
    """PostgreSQL's version; UsageError where schema.sql needs a newer one."""
    [[number, version]] = db.execute(VERSION_SQL, {})
    if number < OLDEST:
        raise UsageError(f"PostgreSQL {version}, but {OLDEST} or later is needed")
    return f"PostgreSQL {version}"


def try_transaction(db: DBManager) -> str:
    """Begin a transaction and roll it back."""
    with db.transaction(keep=False):
        return ""


def database_clock(db: DBManager) -> str:
    [[at]] = db.execute("SELECT CAST(extract(epoch FROM clock_timestamp()) AS text)", {})
    return difference(datetime.fromtimestamp(float(at), UTC))


def schema_version(db: DBManager) -> str:
    """The version of the schema, which has all that is needed."""
    version, ours = db.schema_version(), own_schema().version
    return f"version {version}" + (f", newer than this program's {ours}" * (version > ours))


RIGHTS_SQL = """
SELECT r.name || ' on ' || c.relname
FROM jsonb_to_recordset(CAST(:needed AS jsonb)) AS needed (name text, rights text)
JOIN pg_class c ON c.relname = needed.name AND c.relnamespace = 'public'::regnamespace
CROSS JOIN unnest(string_to_array(needed.rights, ', ')) AS r (name)
WHERE NOT has_table_privilege(c.oid, r.name)
UNION ALL
SELECT 'TEMPORARY on the database'
WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
ORDER BY 1"""
"""The privileges that the database's user lacks."""


def missing_rights(db: DBManager) -> str:
    """The user who has all rights that loading needs; UsageError where one is missing."""
    needed = [{"name": n, "rights": f"SELECT, {writes_to(n)}"} for n in own_schema().tables]
    lacking = [row[0] for row in db.execute(RIGHTS_SQL, {"needed": json.dumps(needed)})]
    [[user]] = db.execute("SELECT CAST(current_user AS text)", {})
    if lacking:
        raise UsageError(f"{user} lacks {shortened(lacking, 5)}")
    return str(user)
