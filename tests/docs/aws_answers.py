"""docs/aws-answers.md, out of the sender's table of expected errors.

python -m tests.docs.aws_answers    writes it anew
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    UNLIFTABLE,
    VANISHED,
    ExpectedError,
)

PAGE = Path(__file__).parents[2] / "docs" / "aws-answers.md"

BECOMES = {
    OFF: "Skipped, with the reason",
    NOT_HERE: "Skipped, with the reason",
    NOT_YET: "Skipped, with the reason",
    NO_VALUE: "NULL in the row of what was listed",
    VANISHED: "NULL in the row of what was listed",
    UNLIFTABLE: "NULL in the row of what was listed, and said once as INFO",
}

HEAD = """\
# What AWS's answers become

The sender takes an error of AWS for something other than a failure only if its code and its words
say so. This page is written from that table (`python -m tests.docs.aws_answers`).

- **Fail**: whatever no row below says. The message names the call, AWS's code and AWS's words. A
  denial is one, in whatever words: {denied}.
- **Skipped** (off, not here, not yet): there is nothing to be had, and nothing is wrong. What is
  one part of a category is skipped by itself.
- **NULL** (no value, vanished, refused to everybody): only a list says what exists. A detail that
  AWS does not tell leaves NULL in the row of what was listed, and the category passes, so that
  what is no longer listed is marked as gone.
- **A region is not enabled** only if the account's own list says so (Account: ListRegions, else
  EC2: DescribeRegions). {refused} of a region that is enabled are a failure.
- **An account that is not activated**, or whose plan lacks the service, is a failure: {inactive}.
- **No connection** is "not here" where botocore's lists of the partition say that the region does
  not have the service, or know nothing of the service while others answer in the region. GovCloud
  and China are not asked for what their partition lacks.
- **A body that is no answer** (a page of a proxy, what was cut off, what its protocol does not
  allow) is the error `{unreadable}`: tried again, then a failure.
- **Throttling** is waited for as long as the run has time: {throttled}.
- **What passes** is tried three times: {passing}.

| call | code | words | meaning | becomes | reason |
|---|---|---|---|---|---|
"""


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
    )
    rows = sorted(EXPECTED_ERRORS, key=lambda row: row.call.partition(":")[0])
    return head + "\n".join(lines((*rows, *OF_ANY_SERVICE))) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
