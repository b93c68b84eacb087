"""docs/aws-answers.md, out of the sender's table of expected errors.

python -m tests.docs.aws_answers    writes it anew
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import observability.collectors  # noqa: F401  they declare the errors
from observability.aws.bodies import UNREADABLE
from observability.aws.errors import (
    CREDENTIALS_REFUSED,
    DENIED,
    EXPECTED_ERRORS,
    NO_VALUE,
    NOT_ACTIVATED,
    NOT_HERE,
    NOT_YET,
    OF_ANY_SERVICE,
    OFF,
    PASSING,
    THROTTLED,
    TOO_OLD,
    UNLIFTABLE,
    VANISHED,
    ExpectedError,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "aws-answers.md"

BECOMES = {
    OFF: "Skipped, with the reason",
    NOT_HERE: "Skipped, with the reason",
    NOT_YET: "Skipped, with the reason",
    TOO_OLD: "Skipped, with the reason",
    NO_VALUE: "NULL in the row of what was listed",
    VANISHED: "NULL in the row of what was listed",
    UNLIFTABLE: "NULL in the row of what was listed",
}

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "off → Skipped": (OFF,),
    "denied → Fail": (UNLIFTABLE,),
    "not here → Skipped": (NOT_HERE,),
    "not yet, too old → Skipped": (NOT_YET, TOO_OLD),
    "vanished, no value → NULL": (VANISHED, NO_VALUE),
}
"""What is told of each service, and the meanings that belong there."""

OFF_WITHOUT_ERROR = {
    "application-signals": "an empty list: no rows",
    "config": "no recorder is listed: Skipped",
    "guardduty": "no detector is listed: Skipped",
    "inspector2": "also an empty list: no rows",
    "resiliencehub": "an empty list: no rows",
}
"""Services that AWS answers for without an error where they are not in use."""

LEFT_OUT = {
    "guardduty": "a finding is left out of its batch",
    "support": "a check is left out of its batch",
}
"""Services that refuse a batch for one item that has vanished."""

HEAD = """\
# What AWS's answers become

This page lists which errors of AWS the sender does not count as failures, and what it does about
them. It is written from the code (`python -m tests.docs.aws_answers`).

- **Fail**: every error that is not in the table below. The message names the call, AWS's code and
  AWS's words. So are denied calls, unless the table says otherwise: {denied}.
- **Skipped** (off, not here, not yet, too old): there is nothing to read, and nothing is wrong. If
  this applies to one part of a category or to one item of a list, only that is skipped.
- **NULL** (no value, vanished, refused to everybody): the item was listed, so it has a row, but AWS
  does not return a detail of it. This is not a failure; the log says it once as INFO.
- **Complete lists**: `meta.complete` in the document names them, whatever the status of the
  category. If a detail is denied, the category fails, but its list is complete: what is no longer
  listed is marked as gone. A list is not complete if a page of it was not read, or if its rows
  consist of details that AWS did not return, such as the patches of a machine or the use of a day.
- **A batch** that AWS refuses because of one item (Trusted Advisor's summaries, GuardDuty's
  findings) is read again without that item, and the log says so.
- **A parameter** that a region does not know is left out if it only asks for more, and the log says
  so.
- **A region is not enabled** only if the account's own list says so (Account: ListRegions, else
  EC2: DescribeRegions). In a region that is enabled, these are failures: {refused}.
- **An account or a service that is not activated** is a failure: {inactive}.
- **No connection** means "not here" if botocore's lists say that the region does not have the
  service, or do not know the service while other services answer in the region. In GovCloud and
  China, services that the partition lacks are not called.
- **An answer that cannot be parsed** (a page of a proxy, or an answer that was cut off) is the
  error `{unreadable}`. The call is repeated, then it is a failure.
- **Throttled calls** are repeated as long as the run has time: {throttled}.
- **Temporary errors** are tried three times: {passing}.

## By service

What each service may answer that is not a failure, and its denials. "any" stands for what every
service may answer: the last rows of the table below, and no connection where the region does not
have the service. "none" means that no such answer is known, or that the service is not asked about
single items.

{services}

## Each answer

| call | code | words | meaning | becomes | reason |
|---|---|---|---|---|---|
"""


def services() -> list[str]:
    """The services that the sender asks, by what clients its code makes."""
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "observability").rglob("*.py"))
    found = re.findall(r'client\(\s*"([a-z0-9-]+)"', code)
    return sorted({*found} - {"rds-data"})  # the receiver's


def table() -> Iterator[str]:
    """A line for each service: the codes of each meaning."""
    yield f"| service | {' | '.join(COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for service in services():
        own = [row for row in EXPECTED_ERRORS if row.call.partition(":")[0] == service]
        cells = [
            about(service, column, [row for row in own if row.meaning in meanings])
            for column, meanings in COLUMNS.items()
        ]
        yield f"| `{service}` | {' | '.join(cells)} |"


def about(service: str, column: str, rows: Iterable[ExpectedError]) -> str:
    """What a service may answer of one kind."""
    codes = "; ".join(dict.fromkeys(f"`{row.code}`" for row in rows))
    if column.startswith("denied"):
        return "any denial" + ("; by a key's own policy: NULL" if codes else "")
    if column.startswith("off"):
        return "; ".join(filter(None, (codes, OFF_WITHOUT_ERROR.get(service, "")))) or "any"
    if column.startswith("not here"):
        return "; ".join(filter(None, (codes, "any")))
    if column.startswith("vanished") and service in LEFT_OUT:
        return "; ".join(filter(None, (codes, LEFT_OUT[service])))
    return codes or "none"


def names(codes: Iterable[str]) -> str:
    """Codes in order."""
    return ", ".join(f"`{code}`" for code in sorted(codes))


def cell(text: str) -> str:
    """Text as a cell of a table takes it."""
    return text.replace("|", "\\|")


def lines(rows: Iterable[ExpectedError]) -> Iterator[str]:
    """A line of the table for each expected error."""
    for row in rows:
        call = f"`{row.call}`" if row.call else "any"
        code = f"`{row.code}`" if row.code else "any"
        words = f"`{cell(row.words)}`" if row.words else ""
        reason = cell(row.reason.format(call="the operation"))
        yield f"| {call} | {code} | {words} | {row.meaning} | {BECOMES[row.meaning]} | {reason} |"


def page() -> str:
    """The page."""
    head = HEAD.format(
        denied=names(DENIED),
        refused=names(CREDENTIALS_REFUSED),
        inactive=names(NOT_ACTIVATED),
        unreadable=UNREADABLE,
        throttled=names(THROTTLED),
        passing=names(PASSING),
        services="\n".join(table()),
    )
    rows = sorted(EXPECTED_ERRORS, key=lambda row: row.call.partition(":")[0])
    return head + "\n".join(lines((*rows, *OF_ANY_SERVICE))) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
