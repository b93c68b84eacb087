"""How often a document has ended its receiver: one that does it again and again is put aside.

A receiver that is killed cannot say so. So the table `attempts` has a row of each large document
while it is at work; one that is found there was not finished.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from observability.database.client import DBManager
from observability.errors import DatabaseFault, OverLimit, Rejected, Transient
from observability.limits import TRIES, WATCHED_BYTES
from observability.log import log_event
from observability.receiving.files import File

FIRST_SQL = """
INSERT INTO attempts (bucket, key, etag)
VALUES (CAST(:bucket AS text), CAST(:key AS text), CAST(:etag AS text))
ON CONFLICT (bucket, key, etag) DO NOTHING RETURNING tries"""

AGAIN_SQL = """
INSERT INTO attempts (bucket, key, etag)
VALUES (CAST(:bucket AS text), CAST(:key AS text), CAST(:etag AS text))
ON CONFLICT (bucket, key, etag) DO UPDATE SET tries = attempts.tries + 1, started_at = now()
RETURNING tries"""

DONE_SQL = """
DELETE FROM attempts WHERE bucket = CAST(:bucket AS text) AND key = CAST(:key AS text)
  AND etag = CAST(:etag AS text)"""

SUSPECTS = threading.Lock()
"""Those that were not finished are loaded one at a time, so that none is blamed for another."""


@contextmanager
def watched(db: DBManager, bucket: str, file: File) -> Iterator[None]:
    """Count the tries of a large document; raises Rejected if they are used up."""
    place = {"bucket": bucket, "key": file.key, "etag": file.etag}
    if file.size <= WATCHED_BYTES:
        yield
    elif db.execute(FIRST_SQL, place):
        with forgotten_after(db, place):
            yield
    else:
        with SUSPECTS, forgotten_after(db, place):
            tries = db.execute(AGAIN_SQL, place)[0][0] - 1
            if tries >= TRIES:
                raise Rejected(f"it has ended the receiver {tries} times, or taken too long")
            log_event("INFO", f"{file.key}: was not finished before, {tries} of {TRIES} tries")
            yield


@contextmanager
def forgotten_after(db: DBManager, place: Mapping[str, str]) -> Iterator[None]:
    """Delete the row of a document's tries, unless its receiver dies or it goes over a limit."""
    try:
        yield
    except OverLimit:
        raise
    except BaseException:
        forget(db, place)
        raise
    forget(db, place)


def forget(db: DBManager, place: Mapping[str, str]) -> None:
    try:
        db.execute(DONE_SQL, place)
    except (DatabaseFault, Transient) as error:  # one try too many is noted, no more
        log_event("INFO", f"attempts: {error}")
