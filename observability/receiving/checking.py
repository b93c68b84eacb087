"""--check: what a run needs, a line each, within ten seconds whatever does not answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Thread

from observability.aws.errors import aws_errors
from observability.database.client import DBManager
from observability.database.schema import own_schema
from observability.errors import Blocked, Rejected, Transient, UsageError
from observability.loaders import STORED
from observability.log import printable
from observability.receiving.bucket import S3Manager
from observability.settings.kinds import TO_BUCKET
from observability.settings.receiver import Settings
from observability.stopping import STOP, Stopped

LIMIT = 9.0
"""Seconds for all of it; the ten that are promised have room for Python's own start."""
PATIENCE = 5.0
"""Seconds to wait for a database that is not ready: then there is time to say what it said."""
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
    late = Late(limit)
    running = {name: begin(name, test) for name, test in tests.items()}
    ends = [told(name, future, late) for name, future in running.items()]
    return int(not all(ends))


def begin(name: str, test: Test) -> Future[str]:
    """Run a test in a thread that keeps no process from ending."""
    future: Future[str] = Future()

    def run() -> None:
        try:
            future.set_result(test())
        except Exception as error:  # noqa: BLE001  it is told by who waits
            future.set_exception(error)

    Thread(target=run, name=f"check of {name}", daemon=True).start()
    return future


class Late:
    """When no answer is waited for any longer."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.until = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(self.until - time.monotonic(), 0.0)


def told(name: str, future: Future[str], late: Late) -> bool:
    """Print how a test ended; whether all is well. Raises Stopped once the process is told to."""
    while not STOP.by and not future.done() and late.left:
        wait([future], min(0.2, late.left))
    if STOP.by:
        raise Stopped(STOP.by)
    wrong = f"no answer within {late.seconds:.0f} s: check REGION, network and VPC endpoints"
    if future.done():
        expected: tuple[type[Exception], ...] = (Blocked, Rejected, Transient, UsageError)
        try:
            more = future.result()
            print(f"ok      {name}{more and f': {printable(more)}'}", flush=True)
            return True
        except (*expected, *aws_errors()) as error:
            wrong = str(error)
    print(f"FAILED  {name}: {printable(wrong)}", flush=True)
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


def database_version(db: DBManager) -> str:
    """PostgreSQL's version; UsageError where schema.sql needs a newer one."""
    [[version]] = db.execute("SELECT current_setting('server_version')", {})
    if int(str(version).partition(".")[0]) < OLDEST:
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
FROM jsonb_to_recordset(CAST(:own AS jsonb)) AS own (name text, loaded boolean)
JOIN pg_class c ON c.relname = own.name AND c.relnamespace = 'public'::regnamespace
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS r (name)
WHERE NOT has_table_privilege(c.oid, r.name) AND (r.name <> 'UPDATE' OR own.loaded)
ORDER BY c.relname, r.name LIMIT 100"""
"""Which rights on our tables the database's user lacks. What only notes what happened is never
rewritten.
"""


def missing_rights(db: DBManager) -> str:
    """The user who has all rights that loading needs; UsageError where one is missing."""
    own = [{"name": name, "loaded": name in STORED} for name in own_schema().tables]
    lacking = [row[0] for row in db.execute(RIGHTS_SQL, {"own": json.dumps(own)})]
    [[user]] = db.execute("SELECT CAST(current_user AS text)", {})
    if lacking:
        raise UsageError(f"{user} lacks {', '.join(first(lacking))}")
    return str(user)


def first(lacking: list[str]) -> Iterator[str]:
    """The first of many, and that there are more."""
    yield from lacking[:5]
    if len(lacking) > 5:
        yield "and more"
