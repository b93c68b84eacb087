"""What requests and answers need to know of shapes and times."""

from collections.abc import Iterator
from datetime import UTC, datetime

from botocore.model import (
    Shape,
    StructureShape,
)

CBOR = "smithy-rpc-v2-cbor"


def aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def members(shape: Shape | None) -> Iterator[tuple[str, Shape]]:
    if isinstance(shape, StructureShape):
        yield from shape.members.items()
