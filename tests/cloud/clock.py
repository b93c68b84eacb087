"""A clock that an embedded cloud shares with the processes it knows, and that may be moved.

The scripts take the day from the clock, and so do the expiry of credentials and S3's times. What
moves is `datetime.now` of each of these processes, by a `sitecustomize` on their PYTHONPATH; the
offset is in a file that all of them have mapped.
"""

from __future__ import annotations

import os
import struct
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).with_name("moved_clock")


class Clock:
    """A context manager around the shared offset, which is 0 at first."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def __enter__(self) -> Clock:
        self._file = tempfile.NamedTemporaryFile(prefix="clock-")
        self.move_to(datetime.now(UTC))
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a Python process needs in its environment to go by this clock."""
        paths = (str(FOLDER), os.environ.get("PYTHONPATH"))
        return {
            "EMBEDDED_CLOCK": self._file.name,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }

    def now(self) -> datetime:
        """What time it is."""
        return datetime.now(UTC) + self._offset

    def move_to(self, moment: datetime) -> None:
        """Make it that time, from which the clock goes on."""
        self._offset = moment - datetime.now(UTC)
        self._file.seek(0)
        self._file.write(struct.pack("d", self._offset.total_seconds()))
        self._file.flush()
