"""The files that an event names, as they are in the bucket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from observability.aws.errors import aws_errors
from observability.errors import Blocked, Forbidden, Transient
from observability.limits import EARLY_BYTES
from observability.receiving.bucket import S3Manager
from observability.receiving.events import ObjectName
from observability.receiving.files import File, file_at
from observability.receiving.result import FileResult, FileStatus, log_result

NOT_READ = datetime.min.replace(tzinfo=UTC)
"""In place of S3's own time of an object that has not been read."""


def find_each(s3: S3Manager, objects: Iterable[ObjectName]) -> tuple[list[File], list[FileResult]]:
    """The files that an event names, and what became of those not there, or not to be seen.

    One of these costs itself only. What is not there was moved meanwhile, or never was. A small
    document whose ETag is named needs no call: reading it, bound to the ETag, tells the rest.
    """
    files: list[File] = []
    unseen: list[FileResult] = []
    expected: tuple[type[Exception], ...] = (Blocked, Forbidden, Transient, *aws_errors())
    for named in objects:
        key = named.key
        stated = file_at(key, named.etag, named.size, NOT_READ, s3.home)
        try:
            small = stated.account and stated.etag and stated.size <= EARLY_BYTES
            file = stated if small else s3.find(key)
        except expected as error:
            status = FileStatus.DEFERRED if isinstance(error, Transient) else FileStatus.FAILED
            unseen.append(FileResult(key, status, reasons=(str(error),)))
            log_result(unseen[-1])
        else:
            if file:
                files.append(file)
            else:
                unseen.append(FileResult(key, FileStatus.VANISHED))
                log_result(unseen[-1])
    return files, unseen
