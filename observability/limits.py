"""Bounds on what comes from outside, each with its reason. docs/limits.md is made of these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MIB = 1024 * 1024

# ---- known before an object is read ----

DOCUMENT_MIB = 2048
"""MiB of an object, unless `--max-size` says otherwise: what a run of AWS Lambda can load."""

MOVABLE_BYTES = 5 * 1024 * MIB
"""Bytes of an object that S3 copies in one call; a larger one cannot be moved, it is told."""

NAME_BYTES = 900
"""Bytes of a key after its first folder, of 1,024 that S3 takes: the names of copies are longer."""

DOCUMENTS_A_DAY = 2_000
"""Documents of one account and region in 24 hours; others wait. A backfill has 400."""

LONGEST_PERIOD = timedelta(days=370)
"""From the day in the key to `meta.period.end`: a year, and what a calendar adds."""

S3_BEGAN = datetime(2006, 3, 14, tzinfo=UTC)
"""No document is older than S3: such a time is that of a clock that was never set."""

METADATA_BYTES = 1_024
"""Bytes of an uploader's metadata that a copy keeps, of 2,048 that S3 takes: ours must fit too."""

# ---- while it is read ----

VALUE_CHARACTERS = 4 * MIB
"""Characters of a row, or of what a document says in one piece: parsed it takes 20 times as much
memory, and several documents are read at once."""

TEXT_BYTES = MIB
"""Bytes of one value of a row: an answer of the Data API has no more, so nobody could read it."""

MEMBERS = 1_000
"""Members of one object: the widest table has 60 columns."""

NAME_CHARACTERS = 1_000
"""Characters of a member's name outside rows."""

WAITING_ROWS = 200_000
"""Rows, and names of machines and groups, that are held in memory until what they hang on is known.
"""

WAITING_CHARACTERS = 8 * MIB
"""Characters of those."""

UNKNOWN_NAMES = 50
"""Names of fields without a column that the log lists; others are only counted."""

SHOWN_CHARACTERS = 300
"""Characters of a reason or name that a document decides, in the log and in `….reason.txt`."""

LISTED_PROBLEMS = 10_000
"""Problems of a document that are listed; more are counted."""

PERIODS = 2_000
"""Periods of one table in one document: they travel with each of its batches."""

# ---- while it is loaded ----

BATCH_BYTES = int(3.5 * MIB)
"""Bytes of an encoded request: the Data API refuses more than 4 MiB."""

EARLY_BYTES = 2 * BATCH_BYTES
"""Bytes of an object above which it is loaded while it is still read: a request has no room for it.
Beside "read, check, load" (20 ms a call, 7 pairs) the first load of 20,000 rows takes 20 % less
time: 2.99 s in place of 3.67 s. The CPU time is the same."""

DOCUMENT_SECONDS = 600
"""Seconds from the first byte of a document to its COMMIT, unless `--document-time` says otherwise:
two thirds of a run of AWS Lambda."""

WATCHED_BYTES = 8 * MIB
"""Bytes of an object above which its tries are counted in the table `attempts`; a smaller one can
neither fill the memory nor the disk."""

TRIES = 2
"""How often such a document may end its receiver, or take too long, before it is refused."""

DISK_BYTES = 32 * MIB
"""Bytes of disk that each document has for itself, or its share of a small disk; what it needs
beyond them it takes from what all share."""
