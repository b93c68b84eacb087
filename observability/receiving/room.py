"""The disk and the time that documents have while they are loaded."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import IO, Any

from observability.errors import Blocked, OverLimit, Transient
from observability.limits import DISK_BYTES, MIB


class Disk:
    """The space for temporary files: a part for each document, and the rest for whoever needs it.

    So one large document may take much of it, and small ones beside it still have enough.
    """

    def __init__(self, free: int, documents: int) -> None:
        self.own = min(DISK_BYTES, free // (2 * documents))
        self.most = free - self.own * (documents - 1)
        self.shared = free - self.own * documents
        self.lock = threading.Lock()

    @classmethod
    def of_this_machine(cls, documents: int) -> Disk:
        return cls(shutil.disk_usage(tempfile.gettempdir()).free, documents)


class Room:
    """The disk and time of one document."""

    def __init__(self, disk: Disk, seconds: float = math.inf) -> None:
        self.disk, self.seconds = disk, seconds
        self.deadline = time.monotonic() + seconds
        self.taken = self.borrowed = 0
        self.lock = threading.Lock()

    def take(self, size: int) -> None:
        """Note that so many bytes are to be written.

        Raises OverLimit if the document can never have them, Transient if others have them now.
        """
        with self.lock, self.disk.lock:
            self.taken += size
            if self.taken > self.disk.most:
                raise OverLimit(f"needs over {self.disk.most // MIB} MiB of temporary files")
            more = max(0, self.taken - self.disk.own) - self.borrowed
            if more > self.disk.shared:
                raise Transient("other documents take the disk for temporary files")
            self.borrowed += max(0, more)
            self.disk.shared -= max(0, more)

    def append(self, file: IO[bytes], text: bytes | bytearray) -> None:
        """Write at the end of a temporary file; raises Blocked if the machine cannot."""
        self.take(len(text))
        try:
            file.seek(0, os.SEEK_END)
            file.write(text)
        except OSError as error:
            place = tempfile.gettempdir()
            raise Blocked(f"temporary files cannot be written in {place}: {error}") from error

    def check_time(self) -> None:
        """Raise OverLimit once the document has taken too long."""
        if time.monotonic() > self.deadline:
            raise OverLimit(f"takes over {self.seconds:g} seconds (--document-time)")

    def close(self) -> None:
        """Give the disk to others."""
        with self.lock, self.disk.lock:
            self.disk.shared += self.borrowed
            self.taken = self.borrowed = 0


@dataclass
class Batch:
    """Where rows lie in the file of their table; `size` is their bytes in a request."""

    offset: int
    length: int = 0
    rows: int = 0
    size: int = 0
    chunks: list[dict[str, Any]] = field(default_factory=list)  # which of its rows are chunks


def temporary_file() -> IO[bytes]:
    """A file that is in memory while it is small."""
    return tempfile.SpooledTemporaryFile(max_size=MIB // 4)


def unlimited() -> Room:
    return Room(Disk(1 << 62, 1))
