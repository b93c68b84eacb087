"""An object under data/: what its key and S3 say of the document in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from observability.limits import S3_BEGAN

KEY = re.compile(
    r"(\d{12})/(?:([a-z0-9-]{1,32})/)?(\d{4}-\d\d-\d\d)_([A-Z]{1,16})(?:\.[\w-]{1,64})?\.json",
    re.ASCII,
)
"""What follows data/ or loaded/ in the key of a document; before .json a later one of the same
account, region, day and interval has its ETag and age. The first version of the public sample
wrote keys without a region: those are of the receiver's own."""
INTERVALS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "QUARTERLY": 92, "YEARLY": 366}
"""The periods that a key may name, and their days at most."""
ETAG = re.compile(r"[\w-]{1,64}", re.ASCII)

UPLOADED = "uploaded"  # metadata of what was moved: when it came, for the copy is younger
FIRST_ETAG = "etag"  # its ETag then, for encryption gives the copy another one
ARCHIVED = "archived"  # its name under loaded/
REFUSED = "refused"  # its name under rejected/


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
            stated = datetime.fromisoformat((self.metadata or {}).get(UPLOADED, "")).astimezone(UTC)
        except (ValueError, OverflowError):
            return self.last_modified  # it has none, or one of somebody else's
        return stated if S3_BEGAN <= stated < self.last_modified else self.last_modified

    @property
    def latest_day(self) -> str:
        """The last day that the document can know something about, by S3's own clock."""
        return (self.last_modified + timedelta(days=1)).date().isoformat()

    @property
    def first_etag(self) -> str:
        """The ETag with which it first came, if its metadata tell."""
        stated = (self.metadata or {}).get(FIRST_ETAG, "")
        return stated if ETAG.fullmatch(stated) else self.etag

    @property
    def rest(self) -> str:
        """The key without its first folder."""
        return self.key.partition("/")[2]

    @property
    def own_name(self) -> str:
        """A name like `rest` that no other document has: with the ETag, and when it came."""
        stem, dot, ending = self.rest.rpartition(".json")
        stem, ending = (stem, ".json") if dot and not ending else (self.rest, "")
        return f"{stem}.{self.first_etag}-{self.uploaded:%Y%m%dT%H%M%S%f}{ending}"

    @property
    def next_day(self) -> date:
        """The first day after the period that the key names."""
        if self.interval == "MONTHLY":
            return (self.day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self.day + timedelta(days=7 if self.interval == "WEEKLY" else 1)


def file_at(key: str, etag: str, size: int, last_modified: datetime, home: str) -> File:
    """Read the identity out of a key, {prefix}/{account}/{region}/{YYYY-MM-DD}_{INTERVAL}.json."""
    plain_file = File(key, etag.strip('"'), size, last_modified)
    matched = KEY.fullmatch(plain_file.rest)
    try:
        day = date.fromisoformat(matched[3]) if matched and matched[3] < "9000" else None
    except ValueError:
        day = None
    if not matched or not day:
        return plain_file
    account, region, _, interval = matched.groups()
    region = region or home
    return replace(plain_file, account=account, region=region, day=day, interval=interval)
