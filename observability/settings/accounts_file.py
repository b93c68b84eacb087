"""The CSV file of --accounts-file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from observability.errors import UsageError
from observability.settings.values import ACCOUNT_ID, TAGS, Target

NO_ACCOUNT = "there is no account in it"


def read_accounts_file(path: Path, option: str = "--accounts-file") -> tuple[Target, ...]:
    """The accounts in a CSV file with a header; UsageError has a line for each that is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            check_header(path, reader.fieldnames or ())
            lines = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: it is not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path}: not CSV: {error}") from None
    seen: set[str] = set()
    wrong = [f"{path}:{number}: {what}" for number, row in lines if (what := flaw(row, seen))]
    if wrong or not lines:
        raise UsageError("\n".join(wrong) or f"{path}: {NO_ACCOUNT}")
    return tuple(
        Target(row["account_id"], {name: row[name] for name in TAGS if row.get(name)})
        for _, row in lines
    )


def check_header(path: Path, names: Sequence[str]) -> None:
    """UsageError if the accounts file has other columns than its header may name."""
    columns = ("account_id", *TAGS)
    unknown = [repr(name) for name in names if name not in columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    known = f"its columns are account_id[,{','.join(TAGS)}]"
    if unknown:
        raise UsageError(f"{path}: the header has {', '.join(unknown)}; {known}")
    if twice:
        raise UsageError(f"{path}: the header has {', '.join(twice)} more than once")
    if "account_id" not in names:
        raise UsageError(f"{path}: the header lacks account_id; {known}")


def flaw(row: Mapping[str | None, Any], seen: set[str]) -> str | None:
    """What is wrong with a line of the accounts file, if anything; `seen` are those before it."""
    account = row["account_id"]
    if None in row:
        return "more values than the header has names"
    if not ACCOUNT_ID.fullmatch(account or ""):
        return f"{account!r} is not an account id of 12 digits"
    if account in seen:
        return f"{account} is there twice"
    seen.add(account)
    return None
