"""The bucket: uploads, and what is there already."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from observability import __version__
from observability.aws.errors import DENIED, ReadError, aws_errors, describe_error
from observability.aws.session import ABORT_WITHIN, Aws
from observability.collecting.run import Run
from observability.contract import DATA_PREFIXES, INTERVAL, uploads_folder
from observability.dates import days
from observability.errors import UsageError
from observability.rows import Row, get_path
from observability.settings.sender import Settings
from observability.settings.values import LONGEST_LOOK_BACK

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


SENDER = "sender"
"""Metadata of what this sender uploads; a document of another producer has none."""

ONE_PUT = 64 * 1024 * 1024
"""Bytes up to which a document is sent in one request; larger ones go in parts."""


def upload_to_s3(
    run: Run, settings: Settings, key: str, body: IO[bytes], *, replace: bool = True
) -> int:
    """Put a document into the bucket, encrypted with the KMS key; its size in bytes.

    S3 shows it once it is there as a whole. With `replace` off, a document that waits under the
    same key is left alone, and that is the error PreconditionFailed.
    """
    client: S3Client = run.caller.client("s3", settings.region)
    how: Row = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": settings.kms_key,
        "ContentType": "application/json",
        "Metadata": {SENDER: __version__},
    }
    bucket = str(settings.bucket)
    size = body.seek(0, os.SEEK_END)
    body.seek(0)
    if replace and size > ONE_PUT:
        watch_parts(client, run.uploads)
        try:
            client.upload_fileobj(body, bucket, key, ExtraArgs=how)
        except KeyError as error:  # boto3 looks for a part's ETag
            raise ReadError(f"s3:UploadPart: {NOT_S3}") from error
        finally:
            run.uploads.pop(key, None)  # it is complete, or boto3 has aborted it
    else:
        how |= {} if replace else {"IfNoneMatch": "*"}
        answer = client.put_object(Bucket=bucket, Key=key, Body=body, **how)
        if not answer.get("ETag"):
            raise ReadError(f"s3:PutObject: {NOT_S3}")
    return size


def ship_document(
    run: Run, settings: Settings, key: str, body: IO[bytes], *, whole: bool
) -> tuple[str, int]:
    """Put a document into the bucket, and leave a note of that; its key and its size in bytes."""
    shipped = put_document(run, settings, key, body, whole=whole)
    note_upload(run, settings, key)
    return shipped


def put_document(
    run: Run, settings: Settings, key: str, body: IO[bytes], *, whole: bool
) -> tuple[str, int]:
    """Put a document where it takes no other producer's place; its key and its size in bytes.

    A whole one replaces an earlier one of this sender. Where what waits under its key is another
    producer's, or may not be looked at, it gets a name of its own beside it.
    """
    if body.seek(0, os.SEEK_END) > ONE_PUT and whole:
        free = not is_taken(run, settings, key) or is_own(run, settings, key)
        name = key if free else name_beside(key)
        return name, upload_to_s3(run, settings, name, body)
    try:
        return key, upload_to_s3(run, settings, key, body, replace=False)
    except aws_errors() as error:
        if get_path(getattr(error, "response", None), "Error.Code") != "PreconditionFailed":
            raise
        own = is_own(run, settings, key)
        if own and not whole:
            raise
    name = key if own else name_beside(key)
    return name, upload_to_s3(run, settings, name, body, replace=own)


def name_beside(key: str) -> str:
    """A further name for a document of the same account, region and day."""
    return f"{key.removesuffix('.json')}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"


def is_taken(run: Run, settings: Settings, key: str) -> bool:
    """Whether there is a document under a key (S3: ListObjectsV2)."""
    client: S3Client = run.caller.client("s3", settings.region)
    found = client.list_objects_v2(Bucket=str(settings.bucket), Prefix=key, MaxKeys=1)
    return any(item["Key"] == key for item in found.get("Contents", ()))


def is_own(run: Run, settings: Settings, key: str) -> bool:
    """Whether a document that is there is this sender's, as far as it may be looked at.

    S3's HeadObject takes s3:GetObject, which the roles of deploy/ do not have.
    """
    client: S3Client = run.caller.client("s3", settings.region)
    try:
        return SENDER in client.head_object(Bucket=str(settings.bucket), Key=key)["Metadata"]
    except aws_errors():
        return False


NOT_S3 = "the answer is not S3's, which names the ETag of what it has stored"
"""An answer without a body may be anybody's: a proxy's too."""


def watch_parts(client: S3Client, uploads: dict[str, Row]) -> None:
    """Note which upload a client's parts belong to: none may be left behind when the run ends."""

    def note(params: Row, **_: Any) -> None:
        uploads[params["Key"]] = {name: params[name] for name in ("Bucket", "Key", "UploadId")}

    event = "provide-client-params.s3.UploadPart"
    client.meta.events.register(event, note, unique_id="uploads")


def end_uploads(run: Run) -> None:
    """Abort the uploads in parts that are under way, and say which ones could not be.

    It may not take longer than ABORT_WITHIN, as the run was told to stop.
    """
    if run.uploads:
        aborting = threading.Thread(target=abort_uploads, args=(run,), daemon=True)
        aborting.start()
        aborting.join(ABORT_WITHIN)
    for upload in tuple(run.uploads.values()):
        place = f"s3://{upload['Bucket']}/{upload['Key']}"
        text = f"{place}: the upload in parts {upload['UploadId']} is left there"
        run.caller.log.say("ERROR", text)


def abort_uploads(run: Run) -> None:
    """Abort the uploads in parts, whose parts S3 would keep (S3: AbortMultipartUpload).

    The client is another one, as parts that do not get through may take all turns of theirs.
    """
    client: S3Client = run.caller.open_client("s3", run.caller.home)
    for key, upload in tuple(run.uploads.items()):
        try:
            client.abort_multipart_upload(**upload)
        except aws_errors() as error:
            if get_path(getattr(error, "response", None), "Error.Code") != "NoSuchUpload":
                continue
        run.uploads.pop(key, None)


def document_key(prefix: str, account: str, region: str, day: date) -> str:
    """Where a document lies in the bucket."""
    return f"{prefix}/{account}/{region}/{day}_{INTERVAL}.json"


def days_with_documents(
    run: Run, account: str, settings: Settings, region: str, last: date
) -> list[date]:
    """The days up to `last` that have a document, oldest first (ListObjectsV2, names only).

    The document of `last` itself counts once it is loaded: until then this run replaces it.
    """
    client: S3Client = run.caller.client("s3", settings.region)
    found: set[str] = set()
    for prefix in DATA_PREFIXES:
        folder = f"{prefix}/{account}/{region}/"
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=str(settings.bucket),
            Prefix=folder,
            StartAfter=f"{folder}{last - timedelta(days=LONGEST_LOOK_BACK)}",
        )
        names = [item["Key"][len(folder) :] for page in pages for item in page.get("Contents", ())]
        bound = str(last if prefix == "data" else last + timedelta(days=1))
        found |= {name[:10] for name in names if DATED.match(name) and name[:10] < bound}
    return [date.fromisoformat(day) for day in sorted(found)]


def note_upload(run: Run, settings: Settings, key: str) -> None:
    """Leave a note that this caller has uploaded another account's document (S3: PutObject).

    --resume goes by it, as what lies under data/ may be put there by that account itself. Without
    the note, the next run reads the account again; the document is not lost.
    """
    account = key.split("/")[1]
    if account == run.caller.account:
        return
    note = f"{uploads_folder(account)}{key.split('/', 2)[2].partition('.')[0]}.{run.caller.account}"
    try:
        upload_to_s3(run, settings, note, io.BytesIO())
    except aws_errors() as error:
        text = f"no notes of uploads, --resume would leave nothing out: {describe_error(error)}"
        run.caller.log.log_once(text)


def is_uploaded(run: Run, account: str, settings: Settings, region: str) -> bool:
    """Whether this caller uploaded all documents of this run earlier today, UTC (ListObjectsV2).

    Of its own account the documents tell, of others its notes.
    """
    today = datetime.now(UTC).date()
    first = settings.start or today - timedelta(days=1)
    wanted = days(first, (settings.end or first) + timedelta(days=1))
    caller = run.caller.account
    if account == caller:
        folders = [f"{prefix}/{account}/{region}/" for prefix in DATA_PREFIXES]
        found = {name.partition(".")[0] for name in uploaded_on(run, settings, folders, first)}
        return found >= {f"{day}_{INTERVAL}" for day in wanted}
    try:
        found = uploaded_on(run, settings, [f"{uploads_folder(account)}{region}/"], first)
    except aws_errors() as error:
        if get_path(getattr(error, "response", None), "Error.Code") not in DENIED:
            raise
        run.caller.log.log_once(f"--resume leaves nothing out: {describe_error(error)}")
        return False
    return found >= {f"{day}_{INTERVAL}.{caller}" for day in wanted}


def uploaded_on(run: Run, settings: Settings, folders: Iterable[str], first: date) -> set[str]:
    """The names from that day on, in some folders, that were put there today (ListObjectsV2)."""
    client: S3Client = run.caller.client("s3", settings.region)
    today = datetime.now(UTC).date()
    found: set[str] = set()
    for folder in folders:
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=str(settings.bucket), Prefix=folder, StartAfter=f"{folder}{first}"
        )
        found |= {
            item["Key"][len(folder) :]
            for page in pages
            for item in page.get("Contents", ())
            if item["LastModified"].astimezone(UTC).date() == today
        }
    return found


DATED = re.compile(
    rf"\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])_{INTERVAL}(\.[\w-]+)?\.json$", re.ASCII
)
"""A document's name; under loaded/ a further one of the same day has its ETag in it."""


def check_bucket(caller: Aws, settings: Settings) -> None:
    """UsageError if there is no such bucket: all would be read in vain (S3: ListObjectsV2)."""
    if not settings.bucket or settings.dry_run:
        return
    client: S3Client = caller.client("s3", settings.region)
    own = f"{DATA_PREFIXES[0]}/{caller.account}/"
    try:
        client.list_objects_v2(Bucket=settings.bucket, Prefix=own, MaxKeys=1)
    except aws_errors() as error:
        malformed = type(error).__name__ == "ParamValidationError"
        if malformed or get_path(getattr(error, "response", None), "Error.Code") == "NoSuchBucket":
            text = f"BUCKET (--bucket): there is no bucket {settings.bucket!r}"
            raise UsageError(text) from None


def why_not_uploaded(error: Exception) -> str:
    """What went wrong with an upload, and what to do where that is known."""
    if get_path(getattr(error, "response", None), "Error.Code") == "PreconditionFailed":
        return "a document of that day waits to be loaded; load it, then run this again"
    return describe_error(error)


def put_locally(body: IO[bytes], output: str | None, *, more: bool) -> None:
    """Write a document as one line to stdout or a file, after those written before if `more`."""
    body.seek(0)
    mode = "ab" if more else "wb"
    with Path(output).open(mode) if output else contextlib.nullcontext(sys.stdout.buffer) as target:
        while piece := body.read(1 << 20):
            target.write(piece.replace(b"\n", b" "))
        target.write(b"\n")
        target.flush()
