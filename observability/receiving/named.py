"""The files that an event names, as they are in the bucket."""

from __future__ import annotations

from collections.abc import Iterable

from observability.aws.errors import aws_errors
from observability.errors import Blocked, Forbidden, Transient
from observability.receiving.bucket import S3Manager
from observability.receiving.files import File
from observability.receiving.result import FileResult, FileStatus, log_result


def find_each(s3: S3Manager, keys: Iterable[str]) -> tuple[list[File], list[FileResult]]:
    """The files at keys, and what became of those that are not there, or not to be seen.

    One of these costs itself only. What is not there was moved meanwhile, or never was.
    """
    files: list[File] = []
    unseen: list[FileResult] = []
    expected: tuple[type[Exception], ...] = (Blocked, Forbidden, Transient, *aws_errors())
    for key in keys:
        try:
            file = s3.find(key)
        except expected as error:
            outcome = FileStatus.DEFERRED if isinstance(error, Transient) else FileStatus.FAILED
            unseen.append(FileResult(key, outcome, reasons=(str(error),)))
            log_result(unseen[-1])
        else:
            if file:
                files.append(file)
            else:
                unseen.append(FileResult(key, FileStatus.VANISHED))
                log_result(unseen[-1])
    return files, unseen
