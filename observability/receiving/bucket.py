"""The bucket: finding, reading and moving documents."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from observability.aws.receiver_clients import connect, observe
from observability.database.errors import aws_meaning
from observability.errors import Blocked, Forbidden, Transient, UsageError
from observability.limits import METADATA_BYTES, MIB, NAME_BYTES
from observability.log import log_event, printable
from observability.receiving.files import (
    ARCHIVED,
    FIRST_ETAG,
    REFUSED,
    UPLOADED,
    File,
    file_at,
)
from observability.receiving.result import FileResult, FileStatus
from observability.settings.receiver import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


REASON = ".reason.txt"  # appended to the key of a refused document: why it was refused

# Not there, or not the same any more; the last is a conditional write while another one is made.
GONE = ("NoSuchKey", "404", "PreconditionFailed", "412", "ConditionalRequestConflict")
NO_BUCKET = ("NoSuchBucket", "InvalidBucketName", "Invalid bucket name")  # botocore's is the last
DENIED = ("AccessDenied", "403")  # HeadObject has no body, so its code is the status
ONLY_THE_ROLE = (
    "by deploy/hub.yaml only the receiver's role may; invoke its function instead, with "
    '{"retry_rejected": true} for refused documents'
)
PLAIN = re.compile("[!-~]{1,500}")
ARCHIVED_BY_S3 = ("InvalidObjectState", "ObjectNotInActiveTierError")


class S3Manager:
    """The bucket: data/ to read from, loaded/ and rejected/ to move to."""

    def __init__(self, settings: Settings, attempts: int = 5) -> None:
        self.bucket = settings.bucket
        self.client: S3Client = connect("s3", settings, attempts)
        self.home = self.client.meta.region_name
        self.calls = observe(self.client)
        self.encryption: dict[str, Any] = {}
        if settings.kms_key:
            self.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}

    def list_files(self, prefix: str) -> Iterator[File]:
        """Every object under a prefix; the empty ones that consoles make for folders are none."""
        from botocore.exceptions import BotoCoreError, ClientError

        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        try:
            items = (item for page in pages for item in page.get("Contents", []))
            for item in items:
                if item["Size"] or not item["Key"].endswith("/"):
                    found = (item["Key"], item["ETag"], item["Size"], item["LastModified"])
                    yield file_at(*found, self.home)
        except (BotoCoreError, ClientError) as error:
            raise self.meaning(error) from error

    def meaning(self, error: Exception, key: str = "") -> Exception:
        """What an error of S3 means: UsageError where there is no such bucket, or no access."""
        if any(f"({code})" in str(error) for code in ARCHIVED_BY_S3):
            return Blocked(
                f"{key} is in an archive class of S3, where it cannot be read: restore it"
            )
        if any(sign in str(error) for sign in NO_BUCKET):
            return UsageError(f"BUCKET (--bucket): there is no bucket {self.bucket!r}")
        if any(f"({code})" in str(error) for code in DENIED):
            what = f"{getattr(error, 'operation_name', 'a call')} of {key or self.bucket}"
            return Forbidden(f"S3 does not allow {what}: {ONLY_THE_ROLE}")
        return aws_meaning(error, "S3")

    def lies_under(self, place: str, rest: str) -> bool:
        """Whether a document is in a place where it may be listed, but perhaps not read."""
        first = next(self.list_files(f"{place}/{rest}"), None)
        return first is not None and first.rest == rest

    def find(self, key: str) -> File | None:
        """The object at a key as it is now."""
        head = self.expected(("404", "NoSuchKey"), "head_object", Key=key)
        if head is None:
            return None
        if "ETag" not in head:
            raise Transient(f"the answer for {key} is not S3's: it has no ETag")
        found = (key, head["ETag"], head["ContentLength"], head["LastModified"])
        file = file_at(*found, self.home)
        return replace(file, metadata=head["Metadata"])

    def look(self, file: File) -> File:
        """The object with its metadata; raises Changed if it is another one now."""
        found = self.find(file.key)
        if found is None or found.etag != file.etag:
            raise Changed(file.key)
        return found

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
        if answer["ContentLength"] != file.size:
            raise Changed(file.key)  # or an event told another size
        facts = {
            "last_modified": answer["LastModified"],
            "metadata": answer["Metadata"],
        }
        return replace(file, **facts), self.chunks(answer["Body"])

    def chunks(self, body: Any) -> Iterator[bytes]:
        """The bytes of an answer as they come; raises Transient where they break off."""
        from http.client import HTTPException

        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield from body.iter_chunks(MIB)
        except (BotoCoreError, ClientError) as error:
            meaning = aws_meaning(error, "S3")
            if meaning is error:  # such as a checksum that is not that of the bytes
                meaning = Transient(f"what S3 sends does not arrive whole: {error}")
            raise meaning from error
        except (HTTPError, HTTPException, OSError) as error:
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

    def move(self, file: File, *, dated: bool = False) -> bool:
        """Move a document to loaded/; False where a newer one has taken its place.

        Of one that is `dated`, by what it says of itself, the same bytes are the same document
        whenever they come; of another one they say that things are so again.
        """
        if file.metadata is None:
            try:
                file = self.look(file)
            except Changed:
                return False
        return bool(self.keep(file, "loaded", ARCHIVED, dated=dated)) and self.delete(file)

    def keep(self, file: File, place: str, mark: str, *, dated: bool = False) -> str:
        """Copy a document under a name that no other has; the name, '' if it is not there any more.

        Nothing is replaced. One that was copied back from there, which its metadata say, is kept
        already; a further one of the same key has its ETag and age in its name.
        """
        rest, metadata = fitting(file.rest), file.metadata or {}
        if self.copy_to(file, place, mark, rest):
            return rest
        there = next(self.list_files(f"{place}/{rest}"), None)
        alike = there and (there.rest, there.size) == (rest, file.size)
        again = metadata.get(mark) == as_mark(file.rest)
        if there and alike and (again or (dated and there.etag == file.etag)):
            return rest
        own = fitting(file.own_name)
        if self.copy_to(file, place, mark, own):
            return own
        waits = self.find(file.key)
        return own if waits and waits.etag == file.etag else ""

    def copy_to(self, file: File, place: str, mark: str, rest: str) -> bool:
        """Copy a document to a name that no object has; False if one has it, or it is gone."""
        how = copy_facts(file, {mark: as_mark(rest)})
        return self.copy(file, f"{place}/{rest}", IfNoneMatch="*", **how)

    def reject(self, file: File, reasons: Sequence[str], place: str = "rejected") -> bool:
        """Move a document to rejected/ or elsewhere, with the reasons in an object beside it.

        False where a newer one has taken its place, of which nothing is known yet.
        """
        if file.metadata is None:
            try:
                file = self.look(file)
            except Changed:
                return False
        name = self.keep(file, place, REFUSED)
        if not name:
            return False
        lines = "".join(f"{printable(reason)}\n" for reason in reasons).encode(errors="replace")
        self.put(f"{place}/{name}{REASON}", lines, "text/plain; charset=utf-8")
        return self.delete(file)

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object."""
        what = {"Key": key, "Body": body, "ContentType": content_type}
        self.expected((), "put_object", **what, **self.encryption)

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
        loaded = {result.key for result in results if result.status is FileStatus.LOADED}
        for file in retried:
            if f"data/{file.rest}" in loaded:
                reasons = self.find(file.key + REASON)
                if self.delete(file) and reasons:
                    self.delete(reasons)


def copy_facts(file: File, more: Mapping[str, str]) -> dict[str, Any]:
    """What a copy tells S3 of a document: what its uploader told, and what it was when it came.

    Neither a type nor tags of an uploader's: S3 would hand the former to browsers, and for the
    latter the receiver would need further rights.
    """
    ours = {UPLOADED: file.uploaded.isoformat(), FIRST_ETAG: file.first_etag, **more}
    kept = {name: text for name, text in (file.metadata or {}).items() if text.isascii()}
    if sum(len(name) + len(text) for name, text in kept.items()) > METADATA_BYTES:
        kept = {}
    return {
        "MetadataDirective": "REPLACE",
        "TaggingDirective": "REPLACE",
        "ContentType": "application/json",
        "Metadata": {**kept, **ours},
    }


def as_mark(rest: str) -> str:
    """A name as metadata can hold it."""
    return rest if PLAIN.fullmatch(rest) else hashlib.sha256(rest.encode()).hexdigest()


def fitting(rest: str) -> str:
    """A key's end that has room for a longer folder and ending; a long one is cut, and numbered."""
    text = rest.encode()
    if len(text) <= NAME_BYTES:
        return rest
    number = hashlib.sha256(text).hexdigest()[:16]
    return f"{text[: NAME_BYTES - 100].decode(errors='ignore')}.{number}"


class Changed(Exception):
    """The object was replaced or taken away since it was found."""


def find_file(s3: S3Manager, key: str, settings: Settings) -> File:
    """The file at the key of --file; UsageError where there is none, with where it is."""
    file = s3.find(key)
    if file is None:
        raise no_object(key, s3, settings)
    return file


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
