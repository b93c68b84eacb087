"""The document: its logs, its content, its JSON text."""

from __future__ import annotations

import collections
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from observability import __version__
from observability.collecting.collector import NOT_ASKED, Collector
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.spool import DocumentBuilder, SpooledRows, to_json
from observability.collectors import COLLECTORS
from observability.collectors.security.security_hub import SECURITY_HUB, finding_groups
from observability.contract import DOCUMENT_FORMAT, INTERVAL, LOGS, PASS
from observability.log import printable
from observability.rows import Row

NO_STATUS = "None"
"""The status of a category that was left out by --only: nothing is known of it, nor said."""


def set_log(results: Mapping[str, CategoryResult], notes: Iterable[str] = ()) -> Row:
    """The document's `logs`: the status of each category, and all messages in order."""
    statuses = {
        f"{name}_status": NO_STATUS if result.skipped == NOT_ASKED else result.status
        for name, result in results.items()
    }
    asked = (result for result in results.values() if result.skipped != NOT_ASKED)
    pairs = [pair for result in asked for pair in result.messages()]
    pairs += [("INFO", text) for text in notes]
    calls = sum((result.total_calls for result in results.values()), Counter[str]())
    pairs += [("INFO", f"calls: {text}") for text in calls_by_service(calls)]
    return statuses | {
        f"{LOGS}_status": PASS,
        "date_created": datetime.now(UTC).isoformat(timespec="microseconds"),
        "message": [{kind: printable(text)} for kind, text in pairs],
    }


def calls_by_service(calls: Mapping[str, int]) -> Iterator[str]:
    """`kms DescribeKey 12, ListKeys 1`, a line for each service."""
    services: dict[str, list[str]] = collections.defaultdict(list)
    for name, count in sorted(calls.items()):
        service, _, operation = name.partition(":")
        services[service].append(f"{operation} {count}")
    yield from (f"{service} {', '.join(parts)}" for service, parts in services.items())


def document(scan: Scan, builder: DocumentBuilder, results: Mapping[str, CategoryResult]) -> Row:
    """A document as an object whose lists are still on disk; `encode` writes it out.

    The logs come before the lists: they tell the receiver at once what it may conclude from them.
    """
    meta = {
        "format": DOCUMENT_FORMAT,
        "collected_at": scan.started.isoformat(timespec="microseconds"),
        "period": {"start": str(builder.start), "end": str(builder.end)},
        "interval": INTERVAL,
        "account_id": scan.account,
        "region": scan.region,
        "sender": f"sender.py {__version__}",
        "complete": [*complete_lists(results)],
    }
    past = scan.window.backfill
    content = {c.category: category_content(builder, c, backfill=past) for c in COLLECTORS}
    return {"meta": meta, LOGS: set_log(results, scan.notes)} | content


def complete_lists(results: Mapping[str, CategoryResult]) -> Iterator[str]:
    """The paths of what was read whole, so that what is not in it is not there.

    `security.kms` is a list, `health` a category that is one, `config` the fields of its object.
    """
    for collector in COLLECTORS:
        complete = results[collector.category].complete
        names = (name for name in collector.all_lists if name in complete)
        yield from (".".join(filter(None, (collector.category, name))) for name in names)


def category_content(builder: DocumentBuilder, collector: Collector, *, backfill: bool) -> Any:
    """A category's list, or its object of fields and lists.

    Lists that a past day cannot have are left out: an empty one would say that nothing existed.
    """
    lists = builder.lists[collector.category]
    if collector.lists is None:
        return lists.get("", [])
    content = dict(builder.heads[collector.category])
    unknown = collector.not_in_backfill if backfill else frozenset()
    for part in (part for part in collector.lists if part not in unknown):
        content[part] = finding_groups(lists) if part == SECURITY_HUB else lists.get(part, [])
    return content


def encode(value: Any) -> Iterator[bytes]:
    """JSON text of a value whose lists may be on disk, piece by piece."""
    if isinstance(value, SpooledRows):
        yield b"["
        yield from value.text()
        yield b"]"
    elif isinstance(value, dict):
        yield from bracketed(
            b"{}",
            (itertools.chain((to_json(key), b":"), encode(value[key])) for key in value),
        )
    elif isinstance(value, list):
        yield from bracketed(b"[]", map(encode, value))
    else:
        yield to_json(value)


def bracketed(brackets: bytes, members: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Members between brackets, with commas."""
    yield brackets[:1]
    for number, member in enumerate(members):
        if number:
            yield b","
        yield from member
    yield brackets[1:]
