"""What is known of an object before it is read: whether it may be a document that can be loaded."""

from __future__ import annotations

from functools import cache

from observability.errors import Blocked, Rejected
from observability.limits import DOCUMENTS_A_DAY, MIB, MOVABLE_BYTES
from observability.receiving.files import INTERVALS, File


@cache
def known_regions() -> frozenset[str]:
    """The regions of all partitions that botocore knows, by its partitions.json."""
    from botocore.loaders import Loader

    partitions = Loader().load_data("partitions")["partitions"]
    return frozenset(
        name for partition in partitions for name in partition["regions"] if "-global" not in name
    )


def check_head(file: File, most_mib: int) -> None:
    """Raise Rejected for what cannot be a document, Blocked for what S3 cannot move.

    By its key and size alone: not a byte of it is read.
    """
    if file.size > MOVABLE_BYTES:
        raise Blocked(f"an object of {file.size} bytes: S3 does not move one of over 5 GiB at once")
    if not file.account:
        raise Rejected("the key is not data/<account>/<region>/<date>_<INTERVAL>.json")
    if file.interval not in INTERVALS:
        raise Rejected(f"the interval in the key is none of {', '.join(INTERVALS)}")
    if file.region not in known_regions():
        raise Rejected(f"the region in the key, {file.region}, is none that botocore knows")
    if file.size > most_mib * MIB:
        raise Rejected(f"an object of {file.size} bytes: at most {most_mib} MiB are read")


def check_number(today: int) -> None:
    """Raise Blocked where an account and region has had so many documents in a day."""
    if today >= DOCUMENTS_A_DAY:
        raise Blocked(f"{today} documents of this account and region were loaded in 24 hours")
