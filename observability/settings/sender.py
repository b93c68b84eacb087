"""The settings of sender.py: flags, environment and events."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from observability.errors import UsageError
from observability.rows import Row
from observability.settings.accounts_file import read_accounts_file
from observability.settings.declaration import (
    GENERAL,
    Setting,
    build_parser,
    declared_in,
    read_all,
    setting,
)
from observability.settings.history import HISTORY, translated
from observability.settings.kinds import (
    ACCOUNTS,
    DAY,
    EXTERNAL_ID,
    KMS_KEY,
    REGION,
    ROLE,
    SWITCH,
    is_on,
    names,
    number,
    products,
    text,
)
from observability.settings.values import LONGEST_LOOK_BACK, Target, check_target

SCRIPT = "sender.py"
GROUPS = {
    "action": "what to do instead of uploading documents",
    "place": "where from and where to",
    "accounts": "several accounts in one run",
    "what": "what to read",
    "tags": "tags of the account",
    "limits": "limits",
    "general": "general",
}

ALL_REGIONS = "all"
DAYS = number("DAYS", 1, LONGEST_LOOK_BACK)
SECONDS = number("SECONDS", 1, 999_999)


@dataclass(frozen=True)
class Settings:
    """Everything that a run is told. Times in seconds, `end` is the last day included."""

    region: str = setting(
        REGION, "place", "home region, whose document has the global data",
        variable="REGION", needed=True,
    )  # fmt: skip
    regions: tuple[str, ...] = setting(
        names("REGIONS"), "place",
        "regions to read, comma-separated, or all for those that are enabled;"
        " default: the home region",
        variable="REGIONS", non_empty=True, default=(), needed=False,
    )  # fmt: skip
    bucket: str | None = setting(
        text("BUCKET"), "place", "S3 bucket to upload documents to",
        variable="BUCKET", needed=True, default=None,
    )  # fmt: skip
    kms_key: str | None = setting(
        KMS_KEY, "place", "KMS key that encrypts the documents",
        variable="ANALYTICS_KMS_KEY", needed=True, default=None,
    )  # fmt: skip
    customer: str | None = setting(
        text("NAME"), "tags", "customer of the account", variable="CUSTOMER"
    )
    partner: str | None = setting(
        text("NAME"), "tags", "partner of the account", variable="PARTNER"
    )
    category: str | None = setting(
        text("NAME"), "tags", "category of the account", variable="CATEGORY"
    )
    environment: str | None = setting(
        text("NAME"),
        "tags",
        "environment of the account, stored as account_type",
        variable="ENVIRONMENT",
    )
    product: str | None = setting(
        products("NAMES"),
        "tags",
        "products that the account serves, comma-separated",
        variable="PRODUCT",
    )
    reserved_capacity: bool = setting(
        SWITCH, "what",
        "collect reservations and savings plans (ri_sp_savings) too, for which Cost Explorer"
        " charges (environment: 1 for on)",
        variable="RESERVED_CAPACITY", default=False,
    )  # fmt: skip
    cost_tags: tuple[str, ...] = setting(
        names("KEYS"), "what",
        "collect costs by these cost allocation tags (cost_by_tag) too, comma-separated keys;"
        " Cost Explorer charges for each",
        variable="COST_TAGS", default=(),
    )  # fmt: skip
    accounts: tuple[Target, ...] = setting(
        ACCOUNTS, "accounts", "collect these accounts, comma-separated ids",
        variable="ACCOUNTS", non_empty=True, event=True, default=(),
    )  # fmt: skip
    organization: bool = setting(
        SWITCH, "accounts",
        "collect all active accounts of the AWS organization (environment: 1 for on)",
        variable="ORGANIZATION", default=False,
    )  # fmt: skip
    include_ou: tuple[str, ...] = setting(
        names("UNITS"), "accounts",
        "with --organization: only accounts below these organizational units or roots,"
        " comma-separated ids",
        variable="INCLUDE_OU", non_empty=True, default=(),
    )  # fmt: skip
    exclude_ou: tuple[str, ...] = setting(
        names("UNITS"), "accounts",
        "with --organization: no accounts below these organizational units, comma-separated ids",
        variable="EXCLUDE_OU", non_empty=True, default=(),
    )  # fmt: skip
    exclude_accounts: tuple[str, ...] = setting(
        ACCOUNTS, "accounts", "accounts to leave out, comma-separated ids",
        variable="EXCLUDE_ACCOUNTS", non_empty=True, default=(),
    )  # fmt: skip
    role_name: str = setting(
        ROLE, "accounts", "name of the IAM role to assume in each account, with its path",
        variable="ROLE_NAME", default="ObservabilityReader",
    )  # fmt: skip
    external_id: str | None = setting(
        EXTERNAL_ID, "accounts", "external id for assuming the role", variable="EXTERNAL_ID"
    )
    at_once: int = setting(
        number("N", 1, 999_999), "limits", "regions to read at once, over all accounts",
        variable="AT_ONCE", default=8,
    )  # fmt: skip
    account_time_limit: float = setting(
        SECONDS, "limits", "seconds that each of several accounts may take", default=1800
    )
    per_account_reads: bool = setting(
        SWITCH, "accounts",
        "read everything account by account, also what the payer or a delegated administrator"
        " can read for all of them, for example if these see other data than the members",
        default=False,
    )  # fmt: skip
    resume: bool = setting(
        SWITCH, "what", "leave out regions whose document this caller uploaded earlier today",
        event=True, default=False,
    )  # fmt: skip
    start: date | None = setting(
        DAY, "what", "first past day to read, YYYY-MM-DD; one document per day",
        non_empty=True, event=True,
    )  # fmt: skip
    end: date | None = setting(
        DAY, "what", "last past day to read, included; default: yesterday (UTC)",
        non_empty=True, event=True,
    )  # fmt: skip
    only: frozenset[str] = setting(
        names("CATEGORIES"), "what",
        "collect these categories only, comma-separated; see --list. The option is for a single"
        " run, whose document says nothing about the others; the variable switches the others off,"
        " as SKIP does",
        variable="ONLY", non_empty=True, event=True, default=frozenset(),
    )  # fmt: skip
    skip: frozenset[str] = setting(
        names("CATEGORIES"), "what",
        "switch these categories off, comma-separated: they are Skipped in each document",
        variable="SKIP", non_empty=True, default=frozenset(),
    )  # fmt: skip
    no_personal_data: bool = setting(
        SWITCH, "what",
        "leave out contacts, the email address of the account, and subjects and submitters of"
        " support cases (environment: 1 for on)",
        variable="NO_PERSONAL_DATA", default=False,
    )  # fmt: skip
    lookback: int = setting(DAYS, "what", "days whose costs are read again", default=3)
    catch_up: int = setting(
        DAYS, "what", "most missed days to catch up with in one run", default=30
    )
    full: bool = setting(
        SWITCH, "what",
        "read all open findings and all days of --catch-up, as each 7th document does anyway",
        event=True, default=False,
    )  # fmt: skip
    time_limit: float = setting(SECONDS, "limits", "seconds that a run may take", default=3600)
    dry_run: bool = setting(
        SWITCH, "action", "write documents to stdout, one per line, and upload nothing",
        default=False, exclusive=True,
    )  # fmt: skip
    output: str | None = setting(
        text("FILE"), "action", "with --dry-run: write to this file instead"
    )

    @property
    def several(self) -> bool:
        """Whether the run is over accounts that are named, not just the caller's own."""
        return self.organization or bool(self.accounts)


ACCOUNTS_FILE = Setting(
    "accounts_file", text("FILE"), "accounts",
    "collect the accounts in this CSV file, which has their ids and tags",
    variable="ACCOUNTS_FILE", non_empty=True,
)  # fmt: skip
SETTINGS = (*declared_in(Settings), ACCOUNTS_FILE)
ACTIONS = (
    Setting("list", SWITCH, "action", "list the categories, and exit", exclusive=True),
    Setting(
        "check", SWITCH, "action", "show what these credentials can read, and exit", exclusive=True
    ),
)
DECLARED = (*SETTINGS, *ACTIONS, *GENERAL)
BY_NAME = {one.name: one for one in DECLARED}

UPLOADING = ("bucket", "kms_key")
"""What only a run that uploads needs."""
SOURCES = ("accounts", "accounts_file", "organization")
"""What may name the accounts of a run, one of them; else it is over the caller's own account."""
OF_UNITS = ("include_ou", "exclude_ou")
OF_SEVERAL = ("exclude_accounts", "role_name", "external_id")
SOURCE_FLAGS = tuple(BY_NAME[name].flag for name in SOURCES)


def read_settings(
    given: Mapping[str, Any], categories: Collection[str], *, uploads: bool = True
) -> Settings:
    """Settings from flags and the environment; UsageError has a line for each that is wrong.

    `categories` are those that --only and --skip may name.
    """
    optional = () if uploads else UPLOADING
    values = read_all(SETTINGS, given, environment_for(given), optional)
    check_categories(values, given, categories)
    values["regions"] = values["regions"] or (values["region"],)
    if not {values["region"], ALL_REGIONS} & {*values["regions"]}:
        home = f"the home region {values['region']}, whose document has what is global"
        raise UsageError(f"REGIONS (--regions) lacks {home}")
    values["start"], values["end"] = check_days(values["start"], values["end"])
    check_output(values)
    check_sources(values, given)
    check_effects(given)
    values["accounts"] = tuple(map(Target, values["accounts"]))
    if path := values.pop("accounts_file"):
        values["accounts"] = read_accounts_file(Path(path))
    return Settings(**values)


def switched_off(categories: Collection[str]) -> tuple[frozenset[str], bool]:
    """The categories that the environment switches off, and whether personal data are left out."""
    names = ("only", "skip", "no_personal_data")
    values = read_all([BY_NAME[name] for name in names], {}, os.environ)
    check_categories(values, {}, categories)
    return values["skip"], values["no_personal_data"]


def check_categories(
    values: dict[str, Any], given: Mapping[str, Any], categories: Collection[str]
) -> None:
    """What --only and --skip name, as sets; UsageError for what is no category.

    Where only the variable ONLY is given, what it does not name is switched off.
    """
    for name in ("only", "skip"):
        values[name] = frozenset(values[name])
        if unknown := values[name] - {*categories}:
            names = ", ".join(sorted(unknown))
            raise UsageError(f"{BY_NAME[name].label}: no such category: {names}; see --list")
    if not given.get("only") and values["only"]:
        values["skip"] |= {*categories} - values["only"]
        values["only"] = frozenset()


def environment_for(given: Mapping[str, Any]) -> Mapping[str, str]:
    """The environment; a flag that names accounts wins over all variables that do."""
    beaten: tuple[str, ...] = ()
    if any(given.get(name) for name in SOURCES):
        beaten = SOURCES if given.get("organization") else (*SOURCES, *OF_UNITS)
    variables = {BY_NAME[name].variable for name in beaten}
    return {name: text for name, text in os.environ.items() if name not in variables}


def check_sources(values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """UsageError for settings that say in two ways which accounts are read, or that go with none.

    Of OF_SEVERAL, variables may be there for other runs, but --exclude-accounts is never in vain.
    """
    sources = [BY_NAME[name].label for name in SOURCES if values[name]]
    if len(sources) > 1:
        raise UsageError(f"{' and '.join(sources)}: give one of them")
    for name in (name for name in OF_UNITS if values[name] and not values["organization"]):
        raise UsageError(f"{BY_NAME[name].label} is for ORGANIZATION (--organization) only")
    for name in () if sources else OF_SEVERAL:
        if given.get(name) or (name == "exclude_accounts" and values[name]):
            raise UsageError(f"{BY_NAME[name].label} is for {', '.join(SOURCE_FLAGS)} only")


def check_output(values: Mapping[str, Any]) -> None:
    """UsageError if no document can be written to --output."""
    if not values["output"]:
        return
    target = Path(values["output"])
    if not values["dry_run"]:
        raise UsageError("--output is for --dry-run only")
    check_target("--output", target)


WITHOUT_EFFECT = (
    ("--dry-run", ("resume",), "uploads nothing"),
    ("--check", ("resume",), "uploads nothing"),
    ("--check", ("start", "full", "lookback", "catch_up"), "only tries what can be read"),
    ("--start", ("full", "lookback", "catch_up"), "says which days are read"),
)
"""What a run does, the flags that would change nothing of it, and why."""


def check_effects(given: Mapping[str, Any]) -> None:
    """UsageError for a flag without effect: who gave it believes that it has one."""
    done = {BY_NAME[name].flag for name, value in given.items() if value}
    for what, fields, why in WITHOUT_EFFECT:
        for flag in (BY_NAME[name].flag for name in fields):
            if what in done and flag in done:
                raise UsageError(f"{flag} is not for {what}, which {why}")


def check_days(start: date | None, end: date | None) -> tuple[date | None, date | None]:
    """--start and --end, both included; UsageError unless they are complete UTC days, in order."""
    if not start and not end:
        return None, None
    if not start:
        raise UsageError("--end is given without --start")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    last = end or yesterday
    if (latest := max(start, last)) > yesterday:
        raise UsageError(f"{latest} is not over yet (UTC); the last complete day is {yesterday}")
    if start > last:
        raise UsageError(f"--start {start} is after --end {last}")
    return start, last


EVENT_FIELDS = frozenset(one.name for one in SETTINGS if one.event)
"""What an event may give."""


def read_event(event: Mapping[str, Any]) -> Row:
    """The flags that an event gives; EventBridge's own schedule gives none.

    UsageError for what is none of them: with a misspelt `start` another day would be read.
    """
    if event.get("source") in ("aws.events", "aws.scheduler"):
        return {}
    if HISTORY in event:
        event = translated(event)
    if unknown := sorted(event.keys() - EVENT_FIELDS):
        raise UsageError(
            f"the event has {', '.join(unknown)}; it may have {', '.join(sorted(EVENT_FIELDS))}"
        )
    return {name: read_value(name, value) for name, value in event.items()}


def read_value(name: str, value: Any) -> Any:
    """What an event says of a flag: a text, a list of texts, or true and false."""
    if BY_NAME[name].kind is SWITCH:
        try:
            return is_on(value)
        except ValueError as error:
            raise UsageError(f"the event's {name}: {error}") from None
    if value is None:
        return None
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"the event's {name} must be a text or a list of texts, is {value!r}")
    return value


def arguments(script: str = SCRIPT) -> argparse.ArgumentParser:
    """The command line."""
    description = "Collect what AWS knows about an account, and ship it to S3 as a JSON document."
    return build_parser(script, description, GROUPS, DECLARED)
