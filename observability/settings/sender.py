"""The settings of sender.py: flags, environment and events."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from observability import __version__
from observability.errors import UsageError
from observability.rows import Row
from observability.settings.accounts_file import read_accounts_file
from observability.settings.values import (
    ACCOUNT_ID,
    KMS_ARN,
    KMS_ID,
    REGION_NAME,
    Target,
    day_count,
    is_on,
    positive,
    read_day,
    split,
)

NAMED_SETTINGS = (
    ("bucket", "BUCKET", "--bucket", "S3 bucket that the documents go to"),
    ("kms_key", "ANALYTICS_KMS_KEY", "--kms-key", "KMS key that encrypts them in S3"),
    ("region", "REGION", "--region", "home region; its document has what is global"),
    ("regions", "REGIONS", "--regions", "regions to read, with commas, or all (the home region)"),
    ("customer", "CUSTOMER", "--customer", "customer that the account is tagged with"),
    ("partner", "PARTNER", "--partner", "partner that the account is tagged with"),
    ("category", "CATEGORY", "--category", "category that the account is tagged with"),
    ("environment", "ENVIRONMENT", "--environment", "environment, the account's account_type"),
    ("product", "PRODUCT", "--product", "products that the account serves, with commas"),
    (
        "reserved_capacity", "RESERVED_CAPACITY", "--reserved-capacity",
        "read ri_sp_savings too, for which Cost Explorer charges (1: on)",
    ),
    ("at_once", "AT_ONCE", "--at-once", "regions read at once, over all accounts (8)"),
)  # fmt: skip
"""(setting, environment variable, flag, meaning); a flag wins over the variable."""

ACCOUNT_SETTINGS = (
    ("accounts", "ACCOUNTS", "--accounts", "accounts to read in one run, with commas"),
    ("accounts_file", "ACCOUNTS_FILE", "--accounts-file", "CSV file of accounts and their tags"),
    (
        "organization", "ORGANIZATION", "--organization",
        "read the organization's active accounts (1: on)",
    ),
    ("include_ou", "INCLUDE_OU", "--include-ou", "of these units, with commas, and those in them"),
    ("exclude_ou", "EXCLUDE_OU", "--exclude-ou", "of all but these units and those in them"),
    ("exclude_accounts", "EXCLUDE_ACCOUNTS", "--exclude-accounts", "not to read, with commas"),
    (
        "role_name", "ROLE_NAME", "--role-name",
        "role to assume in each, with its path (ObservabilityReader)",
    ),
    ("external_id", "EXTERNAL_ID", "--external-id", "external id that the role asks for"),
)  # fmt: skip
"""Likewise, of a run over several accounts."""

SOURCES = ("accounts", "accounts_file", "organization")
"""What may name the accounts of a run, one of them; else it is over the caller's own account."""
OF_UNITS = ("include_ou", "exclude_ou")
SOURCE_FLAGS = tuple(flag for name, _, flag, _ in ACCOUNT_SETTINGS if name in SOURCES)

FORMS = {
    "kms_key": (
        rf"({KMS_ARN}key/)?{KMS_ID}|({KMS_ARN})?alias/[\w/-]+",
        "a KMS key's id, alias/ and its alias, or the ARN of either",
    ),
    "role_name": (
        r"(?!arn:)/?([!-.0-~]+/)*[\w+=,.@-]{1,64}",
        "the role's name (with its path, if it has one), not its ARN",
    ),
    "external_id": (r"[\w+=,.@:/-]{2,1224}", "2 to 1224 letters, digits or any of _+=,.@:/-"),
}
"""What S3: PutObject takes as SSEKMSKeyId, IAM as a role's path and name, and STS: AssumeRole as
external id: a pattern, and the same for people.
"""

ALL_REGIONS = "all"

SWITCHES = frozenset({"organization", "reserved_capacity"})
"""The settings that are on or off."""

LISTS = (
    "regions", "product", "accounts", "include_ou", "exclude_ou", "exclude_accounts", "only",
)  # fmt: skip
"""What may be several, with commas or by a flag that is given several times."""

MEANT = (*(name for name in LISTS if name != "product"), "accounts_file", "start", "end")
"""What says what is read: without a value, say of a variable, much else would be read."""


class Settings(NamedTuple):
    """Everything that a run is told. Times in seconds, `end` is the last day included."""

    region: str
    regions: tuple[str, ...]
    bucket: str | None = None
    kms_key: str | None = None
    customer: str | None = None
    partner: str | None = None
    category: str | None = None
    environment: str | None = None
    product: str | None = None
    reserved_capacity: bool = False
    accounts: tuple[Target, ...] = ()
    organization: bool = False
    include_ou: tuple[str, ...] = ()
    exclude_ou: tuple[str, ...] = ()
    exclude_accounts: tuple[str, ...] = ()
    role_name: str = "ObservabilityReader"
    external_id: str | None = None
    at_once: int = 8
    account_time_limit: float = 1800.0
    per_account_reads: bool = False
    resume: bool = False
    start: date | None = None
    end: date | None = None
    only: frozenset[str] = frozenset()
    lookback: int = 3
    catch_up: int = 30
    full: bool = False
    workers: int = 10
    time_limit: float = 3600.0
    dry_run: bool = False
    output: str | None = None

    @property
    def several(self) -> bool:
        """Whether the run is over accounts that are named, not just the caller's own."""
        return self.organization or bool(self.accounts)


def read_settings(
    given: Mapping[str, Any], categories: Collection[str], *, uploads: bool = True
) -> Settings:
    """Settings from flags and the environment; UsageError names what is missing.

    `categories` are those that --only may name.
    """
    flags = read_flags(given)
    named = read_named(flags, NAMED_SETTINGS)
    needed = {"region"} | ({"bucket", "kms_key"} if uploads else set())
    for name, variable, flag, _ in NAMED_SETTINGS:
        if name in needed and not named[name]:
            raise UsageError(f"{variable} is not set: set it in the environment or give {flag}")
    at_once = named.pop("at_once")
    if at_once:
        named["at_once"] = read_number("AT_ONCE (--at-once)", at_once)
    regions = split(named.pop("regions")) or (str(named["region"]),)
    if not REGION_NAME.fullmatch(str(named["region"])):
        raise UsageError(f"REGION (--region): {named['region']!r} is no region; give one")
    if not {named["region"], ALL_REGIONS} & {*regions}:
        home = f"the home region {named['region']}, whose document has what is global"
        raise UsageError(f"REGIONS (--regions) lacks {home}")
    start, end = read_days(flags.get("start"), flags.get("end"))
    only = frozenset(split(flags.get("only")))
    if unknown := only - {*categories}:
        raise UsageError(f"--only: no such category: {', '.join(sorted(unknown))}; see --list")
    if flags.get("output"):
        check_output(flags)
    rest = {name: flags[name] for name in PLAIN_FLAGS if name in flags}
    rest |= read_sources(flags)
    settings = Settings(regions=regions, start=start, end=end, only=only, **named, **rest)
    refuse_in_vain(flags, several=settings.several)
    return settings


def check_output(flags: Mapping[str, Any]) -> None:
    """UsageError if no document can be written to --output: all would be read in vain."""
    target = Path(str(flags["output"]))
    if not flags.get("dry_run"):
        raise UsageError("--output is for --dry-run only")
    if target.is_dir():
        raise UsageError(f"--output {target}: that is a folder; name a file in it")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"--output {target}: there is no such folder")


IN_VAIN = (
    ("--dry-run", ("resume",), "uploads nothing"),
    ("--check", ("resume",), "uploads nothing"),
    ("--check", ("start", "full", "lookback", "catch_up"), "only tries what can be read"),
    ("--check of several accounts", ("only",), "only tries whether each can be entered"),
    ("--start", ("full", "lookback", "catch_up"), "says which days are read"),
)
"""What a run does, the flags that would change nothing of it, and why."""


def refuse_in_vain(flags: Mapping[str, Any], *, several: bool) -> None:
    """UsageError for a flag without effect: who gave it believes that it has one."""
    done = {f"--{name.replace('_', '-')}" for name, held in flags.items() if held}
    if several:
        done |= {f"{name} of several accounts" for name in done}
    for what, names, why in IN_VAIN:
        for flag in (f"--{name.replace('_', '-')}" for name in names):
            if what in done and flag in done:
                raise UsageError(f"{flag} is not for {what}, which {why}")


def read_flags(given: Mapping[str, Any]) -> Row:
    """The flags that are given, each list of texts as one with commas between.

    UsageError for one of MEANT that names nothing.
    """
    flags: Row = {}
    for name, held in given.items():
        texts = held if isinstance(held, list) else [held]
        if name in MEANT and held is not None and not (texts and all(map(split, texts))):
            raise names_nothing(f"--{name.replace('_', '-')}")
        if held is not None:
            flags[name] = ",".join(texts) if isinstance(held, list) else held
    return flags


def read_named(flags: Mapping[str, Any], settings: Iterable[tuple[str, str, str, str]]) -> Row:
    """Each setting by its flag, else by its variable, of which one that is empty counts as none.

    UsageError for one of MEANT that names nothing, a switch that is neither on nor off, and what
    has none of the FORMS that AWS takes.
    """
    named: Row = {}
    for name, variable, flag, _ in settings:
        held = flags.get(name) or os.environ.get(variable)
        if name in MEANT and held and not split(held):
            raise names_nothing(variable)
        pattern, wanted = FORMS.get(name, ("", ""))
        if held and pattern and not re.fullmatch(pattern, held, re.ASCII):
            raise UsageError(f"{variable} ({flag}): {held!r} cannot be one; give {wanted}")
        named[name] = is_on(f"{variable} ({flag})", held) if name in SWITCHES else held
    return named


def names_nothing(setting: str) -> UsageError:
    """The error of a setting that says what is read, but names nothing."""
    return UsageError(f"{setting} is empty: name something or leave it out")


PLAIN_FLAGS = (
    "lookback", "catch_up", "full", "workers", "time_limit", "account_time_limit",
    "resume", "per_account_reads", "dry_run", "output",
)  # fmt: skip
"""Flags that are settings as they are."""


def read_sources(flags: Mapping[str, Any]) -> Row:
    """The settings that say which accounts a run is over, and how it gets into them."""
    named = read_named(flags, ACCOUNT_SETTINGS)
    if any(flags.get(name) for name in SOURCES):  # a flag wins over variables of its kind
        beaten = SOURCES if flags.get("organization") else (*SOURCES, *OF_UNITS)
        named |= {name: flags.get(name) for name in beaten}
    given = [
        f"{variable} ({flag})"
        for name, variable, flag, _ in ACCOUNT_SETTINGS
        if name in SOURCES and named[name]
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: give one of them")
    for name, variable, flag, _ in ACCOUNT_SETTINGS:
        text = str(named[name] or "")
        if text and name in OF_UNITS and not named["organization"]:
            raise UsageError(f"{variable} ({flag}) is for ORGANIZATION (--organization) only")
        if text and not given and (flags.get(name) or name == "exclude_accounts"):
            raise UsageError(f"{variable} ({flag}) is for {', '.join(SOURCE_FLAGS)} only")
    lists = ("accounts", *OF_UNITS, "exclude_accounts")
    found: Row = {name: split(named[name]) for name in lists}
    for flag, name in (("--accounts", "accounts"), ("--exclude-accounts", "exclude_accounts")):
        for wrong in (held for held in found[name] if not ACCOUNT_ID.fullmatch(held)):
            raise UsageError(f"{flag}: {wrong!r} is not an account id of 12 digits")
    found["accounts"] = tuple(map(Target, found["accounts"]))
    if named["accounts_file"]:
        found["accounts"] = read_accounts_file(Path(named["accounts_file"]))
    found["organization"] = bool(named["organization"])
    return found | {name: named[name] for name in ("role_name", "external_id") if named[name]}


def read_number(setting: str, text: str) -> int:
    """A setting that is a whole number above zero, and not absurdly large."""
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{setting}: {error}") from None


def read_days(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    """--start and --end as days, both included; only complete UTC days can be read."""
    if not start and not end:
        return None, None
    if not start:
        raise UsageError("--end is given without --start")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    first = read_day("--start", start)
    last = read_day("--end", end) if end else yesterday
    if (latest := max(first, last)) > yesterday:
        raise UsageError(f"{latest} is not over yet (UTC); the last complete day is {yesterday}")
    if first > last:
        raise UsageError(f"--start {first} is after --end {last}")
    return first, last


EVENT_FIELDS = frozenset({"start", "end", "only", "full", "accounts", "resume"})
"""What an event may give."""


def read_event(event: Mapping[str, Any]) -> Row:
    """The flags that an event gives; EventBridge's own schedule gives none.

    UsageError for what is none of them: with a misspelt `start` another day would be read.
    """
    if event.get("source") in ("aws.events", "aws.scheduler"):
        return {}
    if unknown := sorted(event.keys() - EVENT_FIELDS):
        raise UsageError(
            f"the event has {', '.join(unknown)}; it may have {', '.join(sorted(EVENT_FIELDS))}"
        )
    return {name: read_value(name, held) for name, held in event.items()}


def read_value(name: str, held: Any) -> Any:
    """What an event says of a flag: a text, a list of texts, or true and false."""
    if name in ("full", "resume"):
        return is_on(f"the event's {name}", held)
    if held is None:
        return None
    texts = held if isinstance(held, list) else [held]
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"the event's {name} must be a text or a list of texts, is {held!r}")
    return held


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sender.py",
        usage="%(prog)s [--help] [flags]",
        description="Collect what AWS knows about an account; ship it to S3 as one JSON document.",
        epilog="exit code: 0 complete, 1 something failed, 2 usage or settings, "
        "128 and its number after a signal (SIGINT 130, SIGTERM 143)",
    )
    add = parser.add_argument
    for name, variable, flag, meaning in (*NAMED_SETTINGS, *ACCOUNT_SETTINGS):
        value: Row = {"action": "store_true"} if name in SWITCHES else {"metavar": name.upper()}
        value |= {"action": "append"} if name in LISTS else {}
        add(flag, dest=name, help=f"{meaning} [{variable}]", **value)
    add(
        "--account-time-limit", type=positive, metavar="SECONDS",
        help="time that each of several accounts may take (1800)",
    )  # fmt: skip
    add(
        "--per-account-reads", action="store_true",
        help="let each account read its own, also what payer or administrator could for all",
    )  # fmt: skip
    add("--resume", action="store_true", help="skip what was uploaded earlier today")
    add("--start", metavar="DAY", help="first past day to read, YYYY-MM-DD; one document a day")
    add("--end", metavar="DAY", help="last past day to read, included (default: yesterday, UTC)")
    add(
        "--only", action="append", metavar="CATEGORIES",
        help="collect these categories only, with commas",
    )  # fmt: skip
    add("--lookback", type=day_count, metavar="DAYS", help="days read again in each run (3)")
    add(
        "--full",
        action="store_true",
        help="read everything open, and all days of --catch-up, as each 7th document does",
    )
    add("--catch-up", type=day_count, metavar="DAYS", help="most days caught up with at once (30)")
    add("--workers", type=positive, metavar="N", help="items of a listing read at once (10)")
    add("--time-limit", type=positive, metavar="SECONDS", help="time that a run may take (3600)")
    instead = parser.add_mutually_exclusive_group().add_argument
    instead(
        "--dry-run", action="store_true", help="write documents to stdout, a line each; no bucket"
    )
    add("--output", metavar="FILE", help="with --dry-run: a file to write to instead")
    instead("--list", action="store_true", help="list the categories and exit")
    instead("--check", action="store_true", help="show what this identity can read and exit")
    add("--log-format", choices=("text", "json"), default="text", help="form of the log on stderr")
    add("-v", "--verbose", action="store_true", help="log every AWS call")
    add("--version", action="version", version=f"sender.py {__version__}")
    return parser
