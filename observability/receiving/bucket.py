"""The bucket: finding, reading and moving documents."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from observability.aws.plain import connect, observe
from observability.database.errors import aws_meaning
from observability.errors import Forbidden, Transient, UsageError
from observability.limits import MIB
from observability.log import log_event, printable
from observability.receiving.result import FileResult, FileStatus
from observability.settings.receiver import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


KEY = re.compile(
    r"(\d{12})/([a-z0-9-]{1,32})/(\d{4}-\d\d-\d\d)_([A-Z]{1,16})(?:\.[\w-]{1,64})?\.json", re.ASCII
)
"""What follows data/ or loaded/ in the key of a document; before .json a later one of the same
account, region, day and interval has its ETag in loaded/."""
PERIOD_DAYS = {"WEEKLY": 7}
LONGEST_PERIOD = timedelta(days=370)
REASON = ".reason.txt"  # appended to the key of a refused document: why it was refused


@dataclass(frozen=True)
class File:
    """An object under data/ and what its key says: the identity of the document in it."""

    key: str
    etag: str
    size: int
    last_modified: datetime  # S3's own
    account: str = ""  # '' where the key is not that of a document
    region: str = ""
    day: date = date.min
    interval: str = ""
    metadata: Mapping[str, str] | None = None  # what its uploader told S3; None: not read yet

    @property
    def uploaded(self) -> datetime:
        """When the document first came: before it was moved, if its metadata tell. Never later."""
        try:
            told = datetime.fromisoformat((self.metadata or {}).get(UPLOADED, "")).astimezone(UTC)
        except (ValueError, OverflowError):
            return self.last_modified  # it has none, or one of somebody else's
        return min(told, self.last_modified)

    @property
    def rest(self) -> str:
        return self.key.partition("/")[2]

    @property
    def next_day(self) -> date:
        """The first day after the period that the key names."""
        if self.interval == "MONTHLY":
            return (self.day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self.day + timedelta(days=PERIOD_DAYS.get(self.interval, 1))


def file_at(key: str, etag: str, size: int, last_modified: datetime) -> File:
    """Read the identity out of a key, {prefix}/{account}/{region}/{YYYY-MM-DD}_{INTERVAL}.json."""
    plain_file = File(key, etag.strip('"'), size, last_modified)
    matched = KEY.fullmatch(plain_file.rest)
    try:
        day = date.fromisoformat(matched[3]) if matched and matched[3] < "9000" else None
    except ValueError:
        day = None
    if not matched or not day:
        return plain_file
    identity = (matched[1], matched[2], day, matched[4])
    return File(key, plain_file.etag, size, last_modified, *identity)


# Not there, or not the same any more; the last is a conditional write while another one is made.
GONE = ("NoSuchKey", "404", "PreconditionFailed", "412", "ConditionalRequestConflict")
NO_BUCKET = ("NoSuchBucket", "InvalidBucketName", "Invalid bucket name")  # botocore's is the last
DENIED = ("AccessDenied", "403")  # HeadObject has no body, so its code is the status
ONLY_THE_ROLE = (
    "by deploy/hub.yaml only the receiver's role may; invoke its function instead, with "
    '{"retry_rejected": true} for refused documents'
)
UPLOADED = "uploaded"  # metadata of what was moved: when it came, for the copy is younger
ARCHIVED = "archived"  # metadata of what lies or lay under loaded/: its name there


class S3Manager:
    """The bucket: data/ to read from, loaded/ and rejected/ to move to."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.bucket
        self.client: S3Client = connect("s3", settings, attempts=5)
        self.calls = observe(self.client)
        self.encryption: dict[str, Any] = {}
        if settings.kms_key:
            self.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}

    def list_files(self, prefix: str) -> Iterator[File]:
        """Every object under a prefix; folders' own markers are none."""
        from botocore.exceptions import BotoCoreError, ClientError

        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        try:
            items = (item for page in pages for item in page.get("Contents", []))
            for item in items:
                if not item["Key"].endswith("/"):
                    yield file_at(item["Key"], item["ETag"], item["Size"], item["LastModified"])
        except (BotoCoreError, ClientError) as error:
            raise self.meaning(error) from error

    def meaning(self, error: Exception, key: str = "") -> Exception:
        """What an error of S3 means: UsageError where there is no such bucket, or no access."""
        if any(sign in str(error) for sign in NO_BUCKET):
            return UsageError(f"BUCKET (--bucket): there is no bucket {self.bucket!r}")
        if any(f"({code})" in str(error) for code in DENIED):
            what = f"{getattr(error, 'operation_name', 'a call')} of {key or self.bucket}"
            return Forbidden(f"S3 does not allow {what}: {ONLY_THE_ROLE}")
        return aws_meaning(error, "S3")

    def lies_under(self, place: str, rest: str) -> bool:
        """Whether a document is in loaded/ or rejected/, where it may be listed but not read."""
        first = next(self.list_files(f"{place}/{rest}"), None)
        return first is not None and first.rest == rest

    def find(self, key: str) -> File | None:
        """The object at a key as it is now."""
        head = self.expected(("404", "NoSuchKey"), "head_object", Key=key)
        if head is None:
            return None
        if "ETag" not in head:
            raise Transient(f"the answer for {key} is not S3's: it has no ETag")
        file = file_at(key, head["ETag"], head["ContentLength"], head["LastModified"])
        return replace(file, metadata=head["Metadata"])

    def expected(self, codes: tuple[str, ...], operation: str, **parameters: Any) -> Any:
        """Call S3; None where it answers with one of `codes`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client, operation)(Bucket=self.bucket, **parameters)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"].get("Code") in codes:
                return None
            raise self.meaning(error, parameters.get("Key", "")) from error

    def open(self, file: File) -> tuple[File, Iterator[bytes]]:
        """The object and its bytes, if it still is the one that was found; else raises Changed."""
        answer = self.expected(GONE, "get_object", Key=file.key, IfMatch=f'"{file.etag}"')
        if answer is None:
            raise Changed(file.key)
        if answer.get("ETag", "").strip('"') != file.etag:
            raise Transient(f"the answer for {file.key} is not S3's: its ETag is another one")
        return replace(file, metadata=answer["Metadata"]), self.chunks(answer["Body"])

    def chunks(self, body: Any) -> Iterator[bytes]:
        """The bytes of an answer as they come; raises Transient where they break off."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield from body.iter_chunks(MIB)
        except (BotoCoreError, ClientError) as error:
            meaning = aws_meaning(error, "S3")
            if meaning is error:  # such as a checksum that is not that of the bytes
                meaning = Transient(f"what S3 sends does not arrive whole: {error}")
            raise meaning from error
        except (HTTPError, OSError) as error:
            raise Transient(f"what S3 sends breaks off: {type(error).__name__}") from error

    def copy(self, file: File, key: str, **how: Any) -> bool:
        """Copy exactly this version of an object; False where another one is in its place.

        With IfNoneMatch also where there is one at `key`.
        """
        copied = self.expected(
            GONE,
            "copy_object",
            Key=key,
            CopySource={"Bucket": self.bucket, "Key": file.key},
            CopySourceIfMatch=f'"{file.etag}"',
            **self.encryption,
            **how,
        )
        return copied is not None

    def delete(self, file: File) -> bool:
        """Delete exactly this version of an object; False where another one is in its place."""
        deleted = self.expected(GONE, "delete_object", Key=file.key, IfMatch=f'"{file.etag}"')
        return deleted is not None

    def move(self, file: File) -> bool:
        """Move a document to loaded/; False where a newer one has taken its place.

        Under loaded/ nothing is replaced: a further document of the same key gets a name of its
        own, with its ETag. One that was copied back from there goes where it lay.
        """
        if file.metadata is None:
            found = self.find(file.key)
            if found is None or found.etag != file.etag:
                return False
            file = found
        return self.archive(file) and self.delete(file)

    def archive(self, file: File) -> bool:
        """Copy a document to loaded/ under a name that no other document has."""
        if (file.metadata or {}).get(ARCHIVED) == file.rest:
            return self.archive_as(file, file.rest)
        if self.archive_as(file, file.rest, IfNoneMatch="*"):
            return True
        there = next(self.list_files(f"loaded/{file.rest}"), None)
        if there and (there.rest, there.etag, there.size) == (file.rest, file.etag, file.size):
            return True  # an earlier try copied it; with KMS that cannot be seen, and it lies twice
        own = f"{file.rest.removesuffix('.json')}.{file.etag}.json"
        return self.archive_as(file, own)

    def archive_as(self, file: File, rest: str, **how: Any) -> bool:
        return self.copy(file, f"loaded/{rest}", **told(file, {ARCHIVED: rest}), **how)

    def reject(self, file: File, reasons: Sequence[str]) -> bool:
        """Move a document to rejected/, with the reasons in an object beside it."""
        if not self.copy(file, f"rejected/{file.rest}", **told(file)):
            return False
        self.expected(
            (),
            "put_object",
            Key=f"rejected/{file.rest}{REASON}",
            Body="".join(f"{printable(reason)}\n" for reason in reasons).encode(errors="replace"),
            ContentType="text/plain; charset=utf-8",
            **self.encryption,
        )
        return self.delete(file)

    def put_back(self) -> list[File]:
        """Copy refused documents back to data/, unless another one waits there; which they are."""
        refused = [f for f in self.list_files("rejected/") if not f.key.endswith(REASON)]
        back = [file for file in refused if self.put_one_back(file)]
        log_event("INFO", f"{len(back)} documents are back from rejected/")
        return back

    def put_one_back(self, file: File) -> bool:
        waits = self.find(f"data/{file.rest}")
        if waits or not self.copy(file, f"data/{file.rest}", IfNoneMatch="*"):
            log_event("INFO", f"{file.key} stays: data/{file.rest} waits, or it was refused again")
            return False
        return True

    def forget(self, retried: Iterable[File], results: Iterable[FileResult]) -> None:
        """Delete the refused documents that were loaded now, with their reasons.

        Only now: until it is loaded, the copy in rejected/ is the safe one.
        """
        loaded = {result.key for result in results if result.outcome is FileStatus.LOADED}
        for file in retried:
            if f"data/{file.rest}" in loaded:
                reasons = self.find(file.key + REASON)
                if self.delete(file) and reasons:
                    self.delete(reasons)


def told(file: File, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a copy tells S3 of a document: what its uploader told, and when it came."""
    kept = {name: text for name, text in (file.metadata or {}).items() if text.isascii()}
    metadata = {**kept, UPLOADED: file.uploaded.isoformat(), **(more or {})}
    how = {"MetadataDirective": "REPLACE", "ContentType": "application/json"}
    return {**how, "Metadata": metadata}


class Changed(Exception):
    """The object was replaced or taken away since it was found."""


def found(s3: S3Manager, keys: Iterable[str]) -> list[File]:
    """The files at keys; one that another receiver has moved meanwhile needs nothing more."""
    return [file for key in keys if (file := s3.find(key))]


def copy_back(place: str, rest: str, settings: Settings) -> str:
    """The command that brings a document back to data/."""
    places = [f"s3://{settings.bucket}/{top}/{rest}" for top in (place, "data")]
    kms = ["--sse", "aws:kms", "--sse-kms-key-id", settings.kms_key] if settings.kms_key else []
    return shlex.join(["aws", "s3", "cp", *places, *kms])


def check_key(key: str, settings: Settings) -> None:
    """Raise UsageError for a --file that is not under data/, with the way to get it there."""
    if not key.startswith("data/"):
        top, _, rest = key.partition("/")
        known = top in ("loaded", "rejected")
        advice = f"; copy it there: {copy_back(top, rest, settings)}" if known else ""
        raise UsageError(f"--file {key or repr(key)}: only what lies under data/ is loaded{advice}")


def no_object(key: str, s3: S3Manager, settings: Settings) -> UsageError:
    """That there is no object at the key of --file, and where it is instead if it was there."""
    rest = key.partition("/")[2]
    text = f"there is no object {key} in the bucket {settings.bucket}"
    for place in ("loaded", "rejected"):
        if s3.lies_under(place, rest):
            back = copy_back(place, rest, settings)
            return UsageError(f"{text}: it lies under {place}/; copy it back: {back}")
    return UsageError(text)
