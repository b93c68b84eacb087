"""Documents of any number of rows, written without ever being held whole."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import IO, Any

from tests.documents import Document, document

Row = dict[str, Any]

DAY = date(2026, 11, 21)
PER_MACHINE = 200
PER_SERVICE = 50

# The rows of a document by list, after what the cloud's large account yields.
SHARES: Mapping[str, float] = {
    "config_inventory": 0.50,
    "findings": 0.15,
    "applications": 0.15,
    "patches": 0.10,
    "service_resources": 0.06,
    "service": 0.03,
    "non_compliant_resources": 0.01,
}
PLACES: Mapping[str, Sequence[str | int]] = {
    "config_inventory": ("config_inventory",),
    "findings": ("security", "security_hub", 0, "findings"),
    "instances": ("inventory", "instances"),
    "applications": ("inventory", "applications"),
    "patches": ("inventory", "patches"),
    "service_resources": ("service_resources",),
    "service": ("service",),
    "non_compliant_resources": ("config", "non_compliant_resources"),
}
# What row i has of its own; with another `churn` every row has another value somewhere.
OWN: Mapping[str, Callable[[int, int], Row]] = {
    "config_inventory": lambda i, churn: {
        "resource_id": machine(i),
        "resource_name": f"web-{i}",
        "state": f"running {churn}",
    },
    "findings": lambda i, churn: {
        "finding_id": f"arn:aws:securityhub:us-east-1::finding/{i:032x}",
        "updated_at": f"2026-11-20T00:00:{churn:02}+00:00",
    },
    "instances": lambda i, _: {"instance_id": machine(i)},
    "applications": lambda i, churn: {
        "instance_id": machine(i // PER_MACHINE),
        "name": f"package-{i}",
        "publisher": f"Example {churn}",
    },
    "patches": lambda i, churn: {
        "instance_id": machine(i // PER_MACHINE),
        "title": f"kernel-{i}.x86_64",
        "state": f"Installed {churn}",
    },
    "service_resources": lambda i, churn: {
        "resource_id": machine(i),
        "resource_name": f"web-{i}",
        "state": f"running {churn}",
    },
    "service": lambda i, churn: {
        "service": f"Amazon service {i // PER_SERVICE}",
        "usage_types": f"BoxUsage:{i}",
        "cost": f"{churn}.{i:010}",
    },
    "non_compliant_resources": lambda i, churn: {
        "resource_id": f"bucket-{i}",
        "annotation": f"No policy {churn}",
    },
}


def machine(number: int) -> str:
    """An identifier as EC2 forms it."""
    return f"i-{number:017x}"


class Stream:
    """A list of rows that are made when they are written."""

    def __init__(
        self, template: Row, own: Callable[[int, int], Row], count: int, churn: int, every: int
    ) -> None:
        self.template, self.own, self.count, self.churn = template, own, count, churn
        self.every = every

    def __iter__(self) -> Iterator[Row]:
        churn = (0 if i % self.every else self.churn for i in range(self.count))
        return (self.template | self.own(i, one) for i, one in enumerate(churn))


def many_rows(
    rows: int, account: str, region: str, *, day: date = DAY, churn: int = 0, every: int = 1
) -> Document:
    """A document with about that many rows, and a few in every table besides.

    Another `churn` changes each row, or one of so many in each list.
    """
    made = document(day, account, region)
    counts = {name: round(rows * share) for name, share in SHARES.items()}
    counts["instances"] = max(counts["applications"], counts["patches"]) // PER_MACHINE + 1
    for name, (*path, last) in PLACES.items():
        holder: Any = made
        for step in path:
            holder = holder[step]
        holder[last] = Stream(holder[last][0], OWN[name], counts[name], churn, every)
    return made


def write(value: Any, out: IO[bytes]) -> None:
    """Write a value as JSON text, streams row by row."""
    for piece in pieces(value):
        out.write(piece.encode())


def pieces(value: Any) -> Iterator[str]:
    """JSON text of a value that may hold streams."""
    if isinstance(value, dict):
        members: Iterator[Iterator[str]] = (
            itertools.chain([json.dumps(name), ":"], pieces(member))
            for name, member in value.items()
        )
        yield from bracketed("{}", members)
    elif isinstance(value, list):
        yield from bracketed("[]", map(pieces, value))
    elif isinstance(value, Stream):
        yield from bracketed("[]", ([json.dumps(row)] for row in value))
    else:
        yield json.dumps(value)


def bracketed(brackets: str, members: Any) -> Iterator[str]:
    """Members between brackets, with commas."""
    yield brackets[0]
    for number, member in enumerate(members):
        if number:
            yield ","
        yield from member
    yield brackets[1]
