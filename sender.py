#!/usr/bin/env python3
"""Collect what AWS knows about an account and ship it to S3 as one JSON document.

    settings  ->  who am I (STS)  ->  which days does the bucket have already
              ->  collectors, all at once: get from AWS, shape into rows, emit (spooled to disk)
              ->  logs (statuses, messages, calls)  ->  document  ->  S3, encrypted with SSE-KMS

A plain run reads yesterday, the last complete UTC day: what exists now, what changed since the
last document, and what the last few days cost, because AWS restates costs. --start and --end
read past days instead, one document per day; what AWS cannot tell about a past day is Skipped
there. A run that fails in part ships what it has, says which categories failed, and exits 1.

stdout has the result (paths and a summary, or the document), stderr has the story.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import contextvars
import csv
import functools
import gc
import itertools
import json
import math
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TextIO, TypeVar

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient
    from mypy_boto3_account.literals import AlternateContactTypeType
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_acm.literals import KeyAlgorithmType
    from mypy_boto3_application_signals import CloudWatchApplicationSignalsClient
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ce import CostExplorerClient
    from mypy_boto3_ce.literals import DimensionType, GranularityType
    from mypy_boto3_ce.type_defs import DateIntervalTypeDef, ExpressionTypeDef
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_compute_optimizer import ComputeOptimizerClient
    from mypy_boto3_config import ConfigServiceClient
    from mypy_boto3_config.literals import ComplianceTypeType
    from mypy_boto3_cost_optimization_hub import CostOptimizationHubClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_guardduty import GuardDutyClient
    from mypy_boto3_guardduty.type_defs import ConditionTypeDef
    from mypy_boto3_health import HealthClient
    from mypy_boto3_health.type_defs import DateTimeRangeTypeDef, EventFilterTypeDef
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_inspector2.type_defs import (
        FilterCriteriaTypeDef,
    )
    from mypy_boto3_inspector2.type_defs import (
        StringFilterTypeDef as InspectorStringFilterTypeDef,
    )
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_license_manager import LicenseManagerClient
    from mypy_boto3_license_manager.type_defs import FilterTypeDef
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_organizations.type_defs import AccountTypeDef
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_resiliencehub import ResilienceHubClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_savingsplans import SavingsPlansClient
    from mypy_boto3_savingsplans.literals import SavingsPlanStateType
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_securityhub.type_defs import (
        AwsSecurityFindingFiltersTypeDef,
        DateFilterTypeDef,
        StringFilterTypeDef,
    )
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_support import SupportClient
    from mypy_boto3_wafv2 import WAFV2Client
    from mypy_boto3_wafv2.literals import ResourceTypeType, ScopeType

__version__ = "1.0"
DOCUMENT_FORMAT = 1

Row = dict[str, Any]
Item = TypeVar("Item")
Result = TypeVar("Result")
Owner = TypeVar("Owner")
Page = TypeVar("Page", bound=Mapping[str, object])

PASS, FAIL, SKIPPED = "Pass", "Fail", "Skipped"
ABSENT = "Absent"
"""Meaning of an error that is an answer: AWS has no such value."""


# --- config -------------------------------------------------------------------------------------

INTERVAL = "DAILY"
DATA_PREFIXES = ("data", "loaded")

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

TAGS = ("customer", "partner", "category", "environment", "product")
"""The settings that an account among several may have as tags of its own."""

KMS_ARN = r"arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:"
KMS_ID = r"([\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|mrk-[\da-f]{32})"
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
ACCOUNT_ID = re.compile(r"\d{12}")

SWITCHES = frozenset({"organization", "reserved_capacity"})
"""The settings that are on or off."""
ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

LISTS = (
    "regions", "product", "accounts", "include_ou", "exclude_ou", "exclude_accounts", "only",
)  # fmt: skip
"""What may be several, with commas or by a flag that is given several times."""

MEANT = (*(name for name in LISTS if name != "product"), "accounts_file", "start", "end")
"""What says what is read: without a value, say of a variable, much else would be read."""


class UsageError(Exception):
    """A setting that is missing or makes no sense: a line for the user each, exit code 2."""


class Target(NamedTuple):
    """An account among those of a run: the tags that a file gives it, and how AWS listed it."""

    account: str
    tags: Mapping[str, str] = MappingProxyType({})
    listed: Mapping[str, Any] = MappingProxyType({})


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


REGION_NAME = re.compile(r"[a-z]+(-[a-z]+)+-\d")


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
        meet_output(flags)
    rest = {name: flags[name] for name in PLAIN_FLAGS if name in flags}
    rest |= read_sources(flags)
    settings = Settings(regions=regions, start=start, end=end, only=only, **named, **rest)
    refuse_in_vain(flags, several=settings.several)
    return settings


def meet_output(flags: Mapping[str, Any]) -> None:
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


def is_on(setting: str, held: Any) -> bool:
    """What a switch is set to, by its flag, text in the environment, or JSON of an event."""
    text = "" if held is None else str(held).lower()
    if text in ON:
        return True
    if text in ("", *OFF):
        return False
    known = f"on ({', '.join(ON)}) nor off ({', '.join(OFF)})"
    raise UsageError(f"{setting}: {held!r} is neither {known}")


def read_accounts_file(path: Path) -> tuple[Target, ...]:
    """The accounts in a CSV file with a header; UsageError has a line for each that is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            check_header(path, reader.fieldnames or ())
            lines = [(reader.line_num, held) for held in reader]
    except OSError as error:
        raise UsageError(f"--accounts-file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: it is not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path}: {error}") from None
    seen: set[str] = set()
    wrong = [f"{path}:{number}: {what}" for number, held in lines if (what := flaw(held, seen))]
    if wrong or not lines:
        raise UsageError("\n".join(wrong) or f"{path}: there is no account in it")
    return tuple(
        Target(held["account_id"], {name: held[name] for name in TAGS if held.get(name)})
        for _, held in lines
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


def flaw(held: Mapping[str | None, Any], seen: set[str]) -> str | None:
    """What is wrong with a line of the accounts file, if anything; `seen` are those before it."""
    account = held["account_id"]
    if None in held:
        return "more values than the header has names"
    if not ACCOUNT_ID.fullmatch(account or ""):
        return f"{account!r} is not an account id of 12 digits"
    if account in seen:
        return f"{account} is there twice"
    seen.add(account)
    return None


def split(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list, each once."""
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


LONGEST_LOOK_BACK = 400
"""Days: more than the 13 months that Cost Explorer and the last documents of an account reach."""


def positive(text: str, most: int = 999_999) -> int:
    """A whole number above zero; argparse's error for anything else."""
    short = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not (short and 1 <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
    return int(text)


def day_count(text: str) -> int:
    """How many days to look back; argparse's error for what is none."""
    return positive(text, LONGEST_LOOK_BACK)


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


def read_day(flag: str, text: str) -> date:
    """A day given as YYYY-MM-DD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise UsageError(f"{flag}: {text!r} is not a day of the form YYYY-MM-DD") from None


# --- vocabulary ---------------------------------------------------------------------------------


class Window(NamedTuple):
    """The days that a run is about, half open, and from when on it reads what.

    `reads` are the listings of findings: those updated since an instant, or (None) all that are
    open, however old, as in the first document of an account. A later document that reads all
    that are open reads what changed as well, or it would miss what was closed.
    `past` windows (backfill) get one document per day, others one document altogether.
    """

    start: date
    end: date
    costs_from: date
    reads: tuple[datetime | None, ...]
    until: datetime
    past: bool = False

    @classmethod
    def of_yesterday(
        cls, now: datetime, settings: Settings, newest: date | None, *, full: bool = False
    ) -> Window:
        """Yesterday, re-reading `lookback` days of costs and changes, more if days were missed.

        `newest` is the last earlier day that has a document. Days missed before `catch_up` days
        ago are left to a backfill, but then everything that is open is read again. So it is if
        `full`, with all `catch_up` days: a document that is there may lack what failed on its day.
        """
        today = now.date()
        bound = today - timedelta(days=settings.catch_up)
        usual = today - timedelta(days=settings.lookback)
        missed_from = newest + timedelta(days=1) if newest else usual
        costs_from = bound if full and newest else max(bound, min(usual, missed_from))
        known = newest is not None and missed_from >= bound and not full
        changed = (midnight(costs_from),) if newest else ()
        reads = changed if known else (None, *changed)
        return cls(today - timedelta(days=1), today, costs_from, reads, now)

    @classmethod
    def of_past(cls, first: date, last: date) -> Window:
        """The days from first to last, both included."""
        end = last + timedelta(days=1)
        until = midnight(end) - timedelta(milliseconds=1)
        return cls(first, end, first, (midnight(first),), until, past=True)

    @property
    def since(self) -> datetime | None:
        """From when on changes are read; None where everything that is open is."""
        return self.reads[0]

    def repeats(self, read: datetime | None, updated: str | None) -> bool:
        """Whether a finding in the listing `read`, updated at that instant, is in the other too."""
        other = self.reads[-1]
        return read is None and other is not None and (updated or "") >= other.isoformat()

    def documents(self) -> list[tuple[date, date]]:
        """The period [start, end) of each document."""
        if not self.past:
            return [(self.start, self.end)]
        return [(day, day + timedelta(days=1)) for day in days(self.start, self.end)]


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days(start: date, end: date) -> list[date]:
    """The days from start up to, not including, end."""
    return [start + timedelta(days=number) for number in range((end - start).days)]


class Store:
    """The temporary file that all rows of a run are written to; it has no name to clean up."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the store
        self._end = 0
        self._lock = threading.Lock()

    def append(self, data: bytes) -> tuple[int, int]:
        """Write data; its place is (offset, size)."""
        with self._lock:
            offset, self._end = self._end, self._end + len(data)
            self._file.seek(offset)
            self._file.write(data)
        return offset, len(data)

    def read(self, place: tuple[int, int]) -> bytes:
        """The data at a place."""
        with self._lock:
            self._file.seek(place[0])
            return self._file.read(place[1])

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


class Spool:
    """A list of rows as JSON text on disk: it grows without memory growing with it."""

    CHUNK = 16_384
    SEPARATOR = b",\n"  # JSON text has no bare newline, so this separates rows unmistakably

    def __init__(self, store: Store) -> None:
        self.count = 0
        self.tally: Counter[str] = Counter()
        self._store = store
        self._places: list[tuple[int, int]] = []
        self._buffer = bytearray()
        self._lock = threading.Lock()

    def add(self, row: Row, labels: Iterable[str] = ()) -> None:
        """Append a row; `tally` counts it under each label."""
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        with self._lock:
            self._buffer += (self.SEPARATOR if self.count else b"") + text.encode(errors="replace")
            self.count += 1
            self.tally.update(labels)
            if len(self._buffer) >= self.CHUNK:
                self._places.append(self._store.append(bytes(self._buffer)))
                self._buffer.clear()

    def flush(self) -> None:
        """Leave nothing in memory, once all rows are there."""
        with self._lock:
            self._places.append(self._store.append(bytes(self._buffer)))
            self._buffer.clear()

    def chunks(self) -> Iterator[bytes]:
        """The rows as the inside of a JSON array."""
        yield from (self._store.read(place) for place in self._places)
        yield bytes(self._buffer)

    def __iter__(self) -> Iterator[Row]:
        rest = b""
        for chunk in self.chunks():
            *rows, rest = (rest + chunk).split(self.SEPARATOR)
            yield from (json.loads(row) for row in rows if row)
        if rest:
            yield json.loads(rest)


class Draft:
    """One document in the making: per category its fields and its lists of rows."""

    def __init__(self, period: tuple[date, date], store: Store) -> None:
        self.start, self.end = period
        self._store = store
        self.heads: dict[str, Row] = collections.defaultdict(dict)
        self.lists: dict[str, dict[str, Spool]] = collections.defaultdict(dict)
        self._lock = threading.Lock()

    def spool(self, category: str, part: str) -> Spool:
        """The list of that part of a category, made at first use."""
        known = self.lists[category].get(part)
        if known is None:
            with self._lock:
                known = self.lists[category].setdefault(part, Spool(self._store))
        return known


class Drafts:
    """The documents of a run, one per period, and which one a row belongs to."""

    def __init__(self, window: Window, store: Store) -> None:
        self.all = [Draft(period, store) for period in window.documents()]

    def of(self, day: date | None) -> Draft:
        """The document of a day; what lies outside goes to the nearest, no day to the last."""
        if day is None or len(self.all) == 1:
            return self.all[-1]
        number = (day - self.all[0].start).days
        return self.all[min(max(number, 0), len(self.all) - 1)]


class Log:
    """The story of a run on stderr: `time KIND text`, or one JSON object per line."""

    UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

    def __init__(self, stream: TextIO, *, as_json: bool = False, verbose: bool = False) -> None:
        self.stream, self.as_json, self.verbose = stream, as_json, verbose
        self.write: Callable[[str], object] = self._write
        self.names: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._said: set[str] = set()

    def of(self, **names: str) -> Log:
        """The log of one account or region among several: each of its lines names it."""
        log = Log(self.stream, as_json=self.as_json, verbose=self.verbose)
        log.names, log.write = {**self.names, **names}, lambda line: self.write(line)
        return log

    def say_once(self, text: str) -> None:
        """Write a line that is about many accounts, however many of them come to it."""
        with self._lock:
            known = text in self._said
            self._said.add(text)
        if not known:
            self.say("INFO", text)

    def say(self, kind: str, text: str, **facts: object) -> None:
        """Write a line; `facts` are for machines and appear in JSON only."""
        self._say(kind, text, self.names, facts)

    def call(
        self, name: str, account: str, region: str, seconds: float, attempts: int, outcome: str
    ) -> None:
        """Write one AWS call, for machines and for those who ask, and which account made it."""
        if self.as_json or self.verbose:
            text = f"{name} {region} {seconds:.3f} s, attempts {attempts}, {outcome}"
            facts = {"operation": name, "region": region, "seconds": round(seconds, 4)}
            names = {"account": account} if account else self.names
            self._say("CALL", text, names, facts | {"attempts": attempts, "outcome": outcome})

    def _say(
        self, kind: str, text: str, names: Mapping[str, str], facts: Mapping[str, object]
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        if self.as_json:
            line = {"time": now, "kind": kind, "message": text}
            self.write(json.dumps({**line, **names, **facts}, default=str))
        else:
            named = " ".join((*names.values(), text))
            self.write(f"{now} {kind:<7} {self.safe(named)}")

    @classmethod
    def safe(cls, text: str) -> str:
        """Text with its control characters visible, so that AWS data cannot forge lines."""
        return cls.UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    def _write(self, line: str) -> None:
        with self._lock:  # lines of several threads must not mix
            self.stream.write(f"{line}\n")
            self.stream.flush()


class CallCounter:
    """How often each operation was called, as `service:Operation`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        """Count a call."""
        with self._lock:
            self.counts[name] += 1


CALLS: contextvars.ContextVar[CallCounter | None] = contextvars.ContextVar("calls", default=None)
"""What AWS calls of this thread are counted in."""
NO_LATER: contextvars.ContextVar[float] = contextvars.ContextVar("no_later", default=math.inf)
"""When what others wait for has to be read, on the monotonic clock."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let AWS calls of the block be made for so long only, as others wait for it."""
    until = NO_LATER.set(min(NO_LATER.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        NO_LATER.reset(until)


class Outcome:
    """What becomes of a category, or of a part of one: rows, status, messages, calls, seconds.

    It is Fail if anything failed, Skipped if there was nothing to be had, Pass otherwise. A part
    that is off does not make its category Skipped as long as another one passed.
    """

    def __init__(self, name: str, drafts: Drafts, *, required: bool = True) -> None:
        self.name = name
        self.category = name.partition(".")[0]
        self.required = required
        self.drafts = drafts
        self.parts: list[Outcome] = []
        self.notes: list[str] = []
        self.skipped: str | None = None
        self.problems: dict[str, tuple[int, str]] = {}
        self.rows = 0
        self.calls = CallCounter()
        self.seconds = 0.0
        self.done = False
        self._lock = threading.Lock()

    def emit(
        self, row: Row, part: str = "", *, day: date | None = None, labels: Iterable[str] = ()
    ) -> None:
        """Write a row to the document of its day."""
        self.drafts.of(day).spool(self.category, part).add(row, labels)
        with self._lock:
            self.rows += 1

    def emit_all(self, rows: Iterable[Row]) -> None:
        """Write rows as they come."""
        for row in rows:
            self.emit(row)

    def head(self, fields: Row) -> None:
        """Set fields of the category's own object."""
        self.drafts.of(None).heads[self.category].update(fields)

    def note(self, text: str) -> None:
        """Say something that is no failure."""
        with self._lock:
            self.notes.append(text)

    def fail(self, what: str, detail: str = "") -> None:
        """Record a failure; those of one kind are counted, the first one's detail is kept."""
        with self._lock:
            count, first = self.problems.get(what, (0, detail))
            self.problems[what] = (count + 1, first)

    def meet(self, error: Exception, item: str = "", *, whole: bool = False) -> None:
        """Record an error by what it means: to one value, or to the `whole` of what was read.

        A value may be absent and a service off; a whole listing that is absent has failed.
        """
        meaning, what, detail = judge(error)
        if meaning == SKIPPED and whole:
            self.skipped = what
        elif meaning == SKIPPED:
            self.note(what)
        elif meaning == FAIL or whole:
            self.fail(what, ": ".join(filter(None, (item, detail))))

    def ask(
        self, read: Callable[[], Result], item: str = "", absent: Result | None = None
    ) -> Result | None:
        """A value that AWS may refuse or lack: None, and it is recorded, or `absent` then."""
        try:
            return read()
        except aws_errors() as error:
            self.meet(error, item)
            return absent if judge(error)[0] == ABSENT else None

    def insist(self) -> None:
        """Raise NotNow if anything of what was read is missing, and say what."""
        if self.problems or self.skipped:
            raise NotNow("; ".join([*self.problems, *filter(None, [self.skipped])]))

    @property
    def status(self) -> str:
        """Pass, Fail or Skipped."""
        statuses = {part.status for part in self.parts}
        finished = self.done or self.skipped is not None
        if self.problems or FAIL in statuses or not finished:
            return FAIL
        nothing = statuses == {SKIPPED} and not self.rows
        return SKIPPED if self.skipped or nothing else PASS

    def messages(self) -> Iterator[tuple[str, str]]:
        """(kind, text) of all there is to say, parts first."""
        for part in self.parts:
            yield from part.messages()
        yield from (("INFO", f"{self.name}: {text}") for text in self.notes)
        kind = "ERROR" if self.required else "FAIL"
        for what, (count, detail) in self.problems.items():
            first = f": {detail}" if detail else ""
            yield kind, f"{self.name}: {what}{f' ({count} times)' if count > 1 else ''}{first}"
        if self.skipped:
            yield "INFO", f"{self.name} is skipped: {self.skipped}"
        elif self.status == PASS:
            yield "SUCCESS", f"{self.name}: {self.total_rows} rows"
        if self.done and self.name == self.category:
            calls = self.total_calls.total()
            parts = "".join(f", {part.name} {part.seconds:.3f} s" for part in self.parts)
            yield "TIMING", f"{self.name}: {self.seconds:.3f} s, {calls} calls{parts}"

    @property
    def total_rows(self) -> int:
        """Rows of the category and its parts."""
        return self.rows + sum(part.total_rows for part in self.parts)

    @property
    def total_calls(self) -> Counter[str]:
        """AWS calls of the category and its parts, per service:Operation."""
        return sum((part.total_calls for part in self.parts), self.calls.counts.copy())


class Once(Generic[Result]):
    """A value that several collectors need and that is read once; so is the error instead."""

    def __init__(self, read: Callable[[], Result]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._value: list[Result] = []
        self._error: Exception | None = None

    def __call__(self) -> Result:
        with self._lock:
            if self._error:
                raise self._error
            if not self._value:
                try:
                    self._value.append(self._read())
                except aws_errors() as error:
                    self._error = error
                    raise
            return self._value[0]


class Memo(Generic[Owner]):
    """What is read once on behalf of its owner, by the function that reads it."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._reads: dict[Callable[[Owner], Any], Once[Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, read: Callable[[Owner], Result]) -> Result:
        with self._lock:
            known = self._reads.setdefault(read, Once(functools.partial(read, self._owner)))
        found: Result = known()
        return found


class Turns:
    """How many regions are read at once, over all accounts of a run.

    Accounts that are not over share them evenly, each has at least one, and no more accounts than
    `at_once` are read at once. So none waits for another one's regions, however slow they are, and
    the last ones get what the others had. What does not divide goes to who asks first, one each.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once, self.accounts = at_once, 1
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    def take(self, account: str, deadline: float) -> None:
        """Wait until the account may read one more region; NotNow if its time is used up."""
        with self._changed:
            left = deadline - time.monotonic()
            free = self._changed.wait_for(lambda: self._is_free(account), left)
            if not free or deadline <= time.monotonic():
                raise NotNow("its time is used up; the next run reads this region")
            self._taken[account] += 1

    def give_back(self, account: str) -> None:
        """The account has read a region."""
        with self._changed:
            self._taken -= Counter([account])
            self._changed.notify_all()

    def leave(self) -> None:
        """An account is over."""
        with self._changed:
            self.accounts -= 1
            self._changed.notify_all()

    def _is_free(self, account: str) -> bool:
        share, rest = divmod(self.at_once, max(1, min(self.at_once, self.accounts)))
        taken = self._taken[account]
        more = [held for held in self._taken.values() if held > share]
        return taken < share or (taken == share and len(more) < rest)


class Run:
    """The state of a whole run: its caller, what its accounts share, and its uploads.

    The caller may be another account than those that are read. `uploads` are those in parts that
    are under way, by key.
    """

    def __init__(self, settings: Settings, log: Log, deadline: float | None = None) -> None:
        until = deadline or time.monotonic() + settings.time_limit
        self.caller = Aws(settings.region, log, until, workers=settings.workers)
        self.slots = Turns(settings.at_once)
        self.shared: Shared | None = None
        self.tags = Directory(self.caller, read_tags)
        self.memberships = Directory(self.caller, read_membership)
        self.uploads: dict[str, Row] = {}


class AccountRun:
    """One account of a run: its session, how AWS listed it, and what its regions share.

    `closed` tells of each but the home region why it cannot be read, if that is so.
    """

    def __init__(
        self, run: Run, aws: Aws, listed: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.run, self.aws, self.listed = run, aws, listed
        self.closed: dict[str, Once[str | None]] = {}
        self.once = Memo(self)


class Scan:
    """What a collector is given: one account in one region, the window, and AWS."""

    def __init__(
        self,
        account: AccountRun,
        aws: Aws,
        settings: Settings,
        region: str,
        window: Window,
        notes: Sequence[str] = (),
    ) -> None:
        self.of_account, self.run = account, account.run
        self.aws, self.settings, self.region, self.window = aws, settings, region, window
        self.notes = notes
        self.account = aws.account
        self.home = region == settings.region
        self.started = datetime.now(UTC)
        self.store = Store()
        self.once = Memo(self)

    @classmethod
    def for_check(cls, settings: Settings, log: Log) -> Scan:
        """A scan of yesterday in the home region that is only asked what it may read."""
        run = Run(settings, log)
        run.caller.identify()
        window = Window.of_yesterday(datetime.now(UTC), settings, None)
        return cls(AccountRun(run, run.caller), run.caller, settings, settings.region, window)

    @property
    def title(self) -> str:
        """The days that it is about."""
        return f"{self.window.start} to {self.window.end - timedelta(days=1)}"

    def client(self, service: str) -> Any:
        """The client of a service in the scan's region."""
        return self.aws.client(service, self.region)

    def world(self, service: str) -> Any:
        """The client of a global service, in the region where AWS serves those."""
        return self.aws.client(service, self.aws.global_region)


# --- expected AWS errors ------------------------------------------------------------------------


class Known(NamedTuple):
    """An error that AWS is expected to answer: of which calls, with which code and words."""

    call: str
    code: str
    meaning: str
    reason: str = ""
    words: str = ""

    def matches(self, call: str, code: str, message: str) -> bool:
        """Whether an error is this one; `call` is a service, or service:Operation."""
        ours = call == self.call or call.startswith(f"{self.call}:")
        return ours and code == self.code and bool(re.search(self.words, message, re.S))


UNLIKE_IAM = r"^(?!.*(not authorized to perform|explicit deny))"
"""A refusal that is not IAM's: the service's own way to say that it is off."""

PLAN = "the account's support plan does not include it"
NOT_OPTED_IN = "not opted in to it"
NOT_IN_ORGANIZATION = "they are not in the organization"

KNOWN = (
    Known("account", "ResourceNotFoundException", ABSENT),
    Known("acm", "ResourceNotFoundException", ABSENT),
    Known("ce:GetReservationUtilization", "DataUnavailableException", ABSENT),
    Known("ce:GetSavingsPlansUtilization", "DataUnavailableException", ABSENT),
    Known("ce:GetSavingsPlansUtilizationDetails", "DataUnavailableException", ABSENT),
    Known("ce", "AccessDeniedException", SKIPPED, "Cost Explorer is not enabled", UNLIKE_IAM),
    Known("ce", "DataUnavailableException", SKIPPED, "Cost Explorer has no data for this yet"),
    Known("cloudtrail", "TrailNotFoundException", ABSENT),
    Known("compute-optimizer", "OptInRequiredException", SKIPPED, NOT_OPTED_IN),
    Known("config", "NoSuchConfigRuleException", ABSENT),
    Known("config", "NoSuchConformancePackException", ABSENT),
    Known("config", "NoAvailableConfigurationRecorderException", SKIPPED, "Config records nothing"),
    Known("config", "NoSuchConfigurationRecorderException", SKIPPED, "Config records nothing"),
    Known(
        "cost-optimization-hub", "AccessDeniedException", SKIPPED,
        "Cost Optimization Hub is not enabled", UNLIKE_IAM,
    ),
    Known(
        "cost-optimization-hub", "ValidationException", SKIPPED,
        "Cost Optimization Hub is not enabled", "(?i)enroll",
    ),
    Known("health", "SubscriptionRequiredException", SKIPPED, PLAN),
    Known(
        "inspector2", "AccessDeniedException", SKIPPED, "Inspector is not enabled", UNLIKE_IAM
    ),
    Known(
        "license-manager", "AccessDeniedException", SKIPPED,
        "License Manager, which knows the licenses, was never set up", UNLIKE_IAM,
    ),
    Known("kms", "KMSInvalidStateException", ABSENT),
    Known("kms", "NotFoundException", ABSENT),
    Known("kms", "UnsupportedOperationException", ABSENT),
    Known("marketplace-entitlement", "InvalidParameterException", ABSENT),
    Known(
        "marketplace-entitlement", "AccessDeniedException", SKIPPED,
        "AWS Marketplace tells the account no entitlements", UNLIKE_IAM,
    ),
    Known(
        "organizations", "AccessDeniedException", SKIPPED,
        "the organization tells its members nothing about them", UNLIKE_IAM,
    ),
    Known("organizations", "AWSOrganizationsNotInUseException", SKIPPED, "in no organization"),
    Known("organizations", "AccountNotFoundException", SKIPPED, "in no organization"),
    Known(
        "organizations:ListTagsForResource", "InvalidInputException", SKIPPED, NOT_IN_ORGANIZATION
    ),
    Known(
        "organizations:ListTagsForResource", "TargetNotFoundException", SKIPPED, NOT_IN_ORGANIZATION
    ),
    Known("resiliencehub", "ResourceNotFoundException", ABSENT),
    Known("securityhub", "InvalidAccessException", SKIPPED, "Security Hub is not enabled"),
    Known("ssm", "InvalidInstanceId", ABSENT),
    Known("support", "SubscriptionRequiredException", SKIPPED, PLAN),
    Known("wafv2", "WAFNonexistentItemException", ABSENT),
    Known("wafv2:ListResourcesForWebACL", "WAFInvalidParameterException", ABSENT),
)  # fmt: skip

DENIED = frozenset({
    "AccessDenied", "AccessDeniedError", "AccessDeniedException", "AuthorizationError",
    "UnauthorizedException", "UnauthorizedOperation",
})  # fmt: skip

THROTTLED = frozenset({
    "LimitExceededException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "SlowDown", "Throttling", "ThrottledException",
    "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip


NOT_OFFERED = "not_offered"
"""Where `Watch` notes in a connection error that the region lacks the service."""


class NotNow(RuntimeError):
    """A call that was not made: the run's time is used up, or its endpoint does not answer."""


def aws_errors() -> tuple[type[Exception], ...]:
    """All that an AWS call may raise; botocore is only imported once something was raised."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return ClientError, BotoCoreError, Boto3Error, NotNow


def judge(error: Exception) -> tuple[str, str, str]:
    """(meaning, what happened, detail) of an error, the meaning by the table of known ones."""
    response = getattr(error, "response", None)
    if isinstance(error, NotNow):
        return FAIL, str(error), ""
    if NOT_OFFERED in vars(error):
        return SKIPPED, vars(error)[NOT_OFFERED], ""
    if response is None:
        return FAIL, type(error).__name__, str(error)[:300]
    facts = response.get("Error", {})
    call = facts.get("Call") or getattr(error, "operation_name", "")
    code, message = facts.get("Code", ""), facts.get("Message", "")
    what = f"{call} {'denied' if code in DENIED else 'failed'}, {code}"
    for known in KNOWN:
        if known.matches(call, code, message):
            return known.meaning, known.reason or what, message[:300]
    return FAIL, what, message[:300]


# --- AWS access ---------------------------------------------------------------------------------

CONNECT_TIMEOUT, READ_TIMEOUT, RETRIES = 5, 10, 2
LONGEST_WAIT = 20.0
RESERVE = 60.0
"""Seconds kept at the end of a run for calls under way to end and for the upload."""
ABORT_WITHIN = 3.0
"""Seconds for aborting the uploads that a run leaves unfinished when it is told to stop."""
GRACE = 2 * RESERVE
"""Seconds after a run's time in which what it has collected may still be shipped."""

CONCURRENCY = {
    "account": 4, "ce": 3, "cloudtrail": 2, "cost-optimization-hub": 2, "organizations": 1,
    "resiliencehub": 4, "securityhub": 3, "support": 3, "wafv2": 1,
}  # fmt: skip
"""Calls of a service under way at once where AWS allows few a second; CALLS_AT_ONCE otherwise."""
CALLS_AT_ONCE = 10

UNREACHABLE_AFTER = 3
"""So many calls in a row without any answer, and a client does not ask its endpoint again."""
ASKED_AGAIN = ("s3", "sts")
"""But the caller asks these, as without them no later account is read or uploaded."""

GLOBAL_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}


class Aws:
    """One account's session, and the only place that makes clients.

    `is_caller` is that of the run's caller, who lists accounts, assumes roles and uploads; another
    account's calls may be made until its own `deadline`, which is that of `limited`: the account or
    the run. Each region is read through an `Aws` of its own, with clients and workers that no other
    region can hold up.

    Throttling is met in one place, botocore's own retry loop: its adaptive mode slows the client
    down, and `Watch.wait` lets a throttled call try again for as long as the run has time.
    """

    def __init__(
        self,
        home: str,
        log: Log,
        deadline: float,
        *,
        workers: int = 10,
        session: Any = None,
        limited: str = "the run",
        caller: Aws | None = None,
    ) -> None:
        import boto3

        self.home = home
        self.log = log
        self.deadline = deadline
        self.workers = workers
        self.limited = limited
        self.is_caller = caller is None
        self.stopped = threading.Event()
        self.identity: Row = {}
        self.throttles = 0
        self.session = session or boto3.session.Session(region_name=home)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock: threading.Lock = caller._lock if caller else threading.Lock()

    def identify(self) -> None:
        """Learn whose credentials these are (STS: GetCallerIdentity)."""
        answer = self.client("sts", self.home).get_caller_identity()
        self.identity = {name: answer[name] for name in ("Account", "Arn", "UserId")}

    def for_region(self, log: Log) -> Aws:
        """The same account for one of its regions, with a log of its own."""
        aws = Aws(
            self.home,
            log,
            self.deadline,
            workers=self.workers,
            session=self.session,
            limited=self.limited,
            caller=self,
        )
        aws.identity = self.identity
        return aws

    def assume(self, role: str, external_id: str | None) -> Any:
        """A session as a role of another account (STS: AssumeRole, once it is needed).

        botocore assumes the role anew before the session expires. All such sessions share the
        loader, so that each service's model is parsed once, and this account's STS client.
        """
        import boto3
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
        from botocore.session import Session

        known = {"ExternalId": external_id} if external_id else {}
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=lambda service, **_: self.client(service, self.home),
            source_credentials=self.session.get_credentials(),
            role_arn=role,
            extra_args={"RoleSessionName": "observability-sender", **known},
        )
        credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
        core = Session()
        loader = self.session._session.get_component("data_loader")
        core.register_component("data_loader", loader)
        resolver = SimpleNamespace(load_credentials=lambda: credentials)
        core.register_component("credential_provider", resolver)
        return boto3.session.Session(botocore_session=core, region_name=self.home)

    @property
    def account(self) -> str:
        """The account id."""
        return str(self.identity["Account"])

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return str(self.identity["Arn"]).split(":")[1]

    @property
    def global_region(self) -> str:
        """Where AWS serves its global services."""
        return GLOBAL_REGIONS.get(self.partition, self.home)

    def knows(self, region: str) -> bool:
        """Whether it is a region of the partition, by what botocore knows of AWS."""
        return region in self.session.get_available_regions("ec2", self.partition)

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region, made once (making one is not thread-safe)."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._open(service, region)
            return self._clients[service, region]

    def open_client(self, service: str, region: str) -> Any:
        """A client beside the one that others use; who asks for it closes it."""
        with self._lock:
            return self._open(service, region)

    def _open(self, service: str, region: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "adaptive", "total_max_attempts": RETRIES + 1},
            max_pool_connections=self.workers,
            user_agent_extra=f"multi-account-observability/{__version__}",
        )
        try:
            client = self.session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
        except ValueError as error:
            raise UsageError(f"{error}: check REGION, and AWS_ENDPOINT_URL if it is set") from None
        Watch(self, service, region).register(client.meta.events)
        return client

    def offers(self, service: str, region: str) -> bool:
        """Whether a region has a service, by botocore's list; yes if the list does not know.

        It knows nothing of global services, which are asked in one region.
        """
        if not self.identity or region == self.global_region:
            return True
        regions = self.session.get_available_regions
        known, everywhere = regions(service, self.partition), regions("ec2", self.partition)
        return not known or region in known or region not in everywhere

    def time_left(self, grace: float = 0.0) -> float:
        """Seconds until the run's time, and some `grace`, is used up; none once told to stop."""
        if self.stopped.is_set():
            return 0.0
        return min(self.deadline + grace, NO_LATER.get()) - time.monotonic()

    def close(self) -> None:
        """Refuse every further call, give back what clients hold."""
        self.stopped.set()
        self.forget(*{region for _, region in tuple(self._clients)})

    def forget(self, *regions: str) -> None:
        """Give back what the clients of regions hold; who needs one again gets a new one."""
        with self._lock:
            places = [place for place in self._clients if place[1] in regions]
            clients = [self._clients.pop(place) for place in places]
        for client in clients:
            client.close()


class Watch:
    """What happens around every call of one client, through botocore's events.

    Calls are counted for the category that makes them, held back where too many are under way,
    refused when the time is used up, and made again when they were throttled.
    """

    def __init__(self, aws: Aws, service: str, region: str) -> None:
        self.aws, self.service, self.region = aws, service, region
        self._gate = threading.Semaphore(CONCURRENCY.get(service, CALLS_AT_ONCE))
        self._unanswered = 0

    def register(self, events: Any) -> None:
        """Listen to a client's events."""
        events.register("before-call", self.before)
        events.register("after-call", self.after)
        events.register("after-call-error", self.broke)
        events.register("needs-retry", self.wait)

    def before(self, model: Any, context: Row, **_: Any) -> None:
        """Count a call and wait for its turn; NotNow if it is not to be made, then or by then."""
        self._meet_limits(model.name)
        self._gate.acquire()
        try:
            self._meet_limits(model.name)
        except NotNow:
            self._gate.release()
            raise
        name = f"{self.service}:{model.name}"
        context["sender"] = (name, time.monotonic())
        if calls := CALLS.get():
            calls.add(name)

    def _meet_limits(self, operation: str) -> None:
        """NotNow if the time is used up, or if the endpoint does not answer.

        An upload may always be aborted: that is how it ends once the time is used up.
        """
        if self._time_left() <= 0 and operation != "AbortMultipartUpload":
            raise NotNow(f"{self.whose}'s time is used up")
        asked_again = self.aws.is_caller and self.service in ASKED_AGAIN
        if self._unanswered >= UNREACHABLE_AFTER and not asked_again:
            raise NotNow(f"{self.service} in {self.region} does not answer")

    def _time_left(self) -> float:
        """Seconds for calls; what was collected may be shipped if collecting took all the time."""
        return self.aws.time_left(GRACE if self.aws.is_caller and self.service == "s3" else 0.0)

    @property
    def whose(self) -> str:
        """What calls have a limit of: a read that others wait for, an account among several,
        or the run.
        """
        return "the read" if NO_LATER.get() != math.inf else self.aws.limited

    def after(self, parsed: Row, context: Row, **_: Any) -> None:
        """Note how a call ended, before the next one has its turn, and in an error which it was."""
        self._unanswered = 0
        self._gate.release()
        name, started = context["sender"]
        error = parsed.get("Error")
        if error:
            error["Call"] = name
        attempts = 1 + parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        outcome = error.get("Code", "error") if error else "ok"
        account = (self.aws.identity or parsed).get("Account", "")  # STS answers who it was
        self.aws.log.call(name, account, self.region, time.monotonic() - started, attempts, outcome)

    def broke(self, exception: Exception, context: Row, **_: Any) -> None:
        """Note a call that got no answer at all, before the next one has its turn.

        A part of an upload that ends because another part was refused says nothing of the service.
        """
        from botocore import exceptions as known

        silent = (known.ConnectionClosedError, known.ConnectionError, known.ReadTimeoutError)
        nowhere = isinstance(exception, known.EndpointConnectionError)
        try:
            if nowhere and not self.aws.offers(self.service, self.region):
                vars(exception)[NOT_OFFERED] = f"{self.region} does not have {self.service}"
            else:
                self._unanswered += isinstance(exception, silent)
        finally:
            self._gate.release()
        name, started = context["sender"]
        account, seconds = self.aws.identity.get("Account", ""), time.monotonic() - started
        outcome = type(exception).__name__
        self.aws.log.call(name, account, self.region, seconds, RETRIES + 1, outcome)

    def wait(self, response: Any, attempts: int, **_: Any) -> float | None:
        """Seconds after which a throttled call is made again; None leaves the rest to botocore."""
        code = response[1].get("Error", {}).get("Code") if response else None
        if code not in THROTTLED:
            return None
        with self.aws._lock:
            self.aws.throttles += 1
        pause = random.uniform(0.5, 1.0) * min(2.0 ** (attempts - 1), LONGEST_WAIT)
        return pause if pause < self._time_left() else None


def tokens(fetch: Callable[..., Page], sent: str, got: str | None = None) -> Iterator[Page]:
    """All pages of a listing that boto3 has no paginator for, by its token.

    `fetch` is called with the token as its parameter `sent`; the answer has the next one at
    `got` (the same name by default, dotted if nested). A token that comes again would never end.
    """
    parameters: Row = {}
    while True:
        page = fetch(**parameters)
        yield page
        token = dig(page, got or sent)
        if not token:
            return
        if parameters.get(sent) == token:
            raise NotNow(f"AWS sent the page token {sent} twice")
        parameters = {sent: token}


def attempt(read: Collect, scan: Scan, out: Outcome) -> None:
    """Run a collector or a part of one: whatever goes wrong in it stays in it."""
    started = time.monotonic()
    CALLS.set(out.calls)
    contain(lambda: read(scan, out), lambda error: out.meet(error, whole=True), scan.aws.log)
    out.seconds = time.monotonic() - started
    out.done = True


def contain(work: Callable[[], None], tell: Callable[[Exception], None], log: Log) -> None:
    """Do some work of which other work must not suffer: whatever goes wrong in it is only told.

    But BrokenPipeError is raised: nobody reads any longer what the run writes.
    """
    try:
        work()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  a category or an account must not take others down
        tell(error)
        if log.verbose and not isinstance(error, aws_errors()):
            log.say("ERROR", traceback.format_exc())


def map_items(
    aws: Aws, items: Iterable[Item], read: Callable[[Item], Result], out: Outcome
) -> Iterator[tuple[Item, Result | None]]:
    """Read every item, some at once; (item, what was read) in the items' order.

    What AWS refuses is None, and recorded in `out`; what AWS lacks, say because it vanished
    since it was listed, is left out. If the listing of the items breaks off, those that it
    gave are read first. The workers are this listing's own: those that wait for a throttled
    service hold up no other one.
    """
    pending: deque[tuple[Item, Future[list[Result | None]]]] = deque()
    broken: Exception | None = None

    def one(item: Item) -> list[Result | None]:
        try:
            return [read(item)]
        except aws_errors() as error:
            absent = judge(error)[0] == ABSENT
            if not absent:
                out.meet(error, item if isinstance(item, str) else "", whole=True)
            return [] if absent else [None]

    pool = ThreadPoolExecutor(aws.workers, "item")
    try:
        try:
            for item in items:
                run = contextvars.copy_context().run
                pending.append((item, pool.submit(run, one, item)))
                if len(pending) > 4 * aws.workers:
                    first, future = pending.popleft()
                    yield from ((first, found) for found in future.result())
        except aws_errors() as error:
            broken = error
        while pending:
            first, future = pending.popleft()
            yield from ((first, found) for found in future.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if broken:
        raise broken


def together(scan: Scan, out: Outcome, parts: Mapping[str, Collect]) -> None:
    """Run the parts of a category at once, each with an outcome of its own."""
    made = {name: Outcome(f"{out.name}.{name}", out.drafts) for name in parts}
    for part in made.values():
        part.required = out.required
        out.parts.append(part)
    with ThreadPoolExecutor(len(parts), "part") as pool:
        running = [pool.submit(attempt, read, scan, made[name]) for name, read in parts.items()]
    for future in running:
        future.result()


# --- accounts and regions -----------------------------------------------------------------------

PROBE_SECONDS = 60.0
"""Time for what is asked before an account or a region is read; who is throttled for longer has
not answered.
"""


def find_targets(hub: Aws, settings: Settings, note: Callable[[str, str], None]) -> list[Target]:
    """The accounts of a run over several; `note` is told what is left out, and which account.

    UsageError if there is none: such a run would look as if all were well.
    """
    found = (
        organization_targets(hub, settings, note) if settings.organization else settings.accounts
    )
    for account in settings.exclude_accounts:
        known = account in {target.account for target in found}
        note("excluded" if known else "excluded, but not among the accounts anyway", account)
    targets = [target for target in found if target.account not in settings.exclude_accounts]
    if not targets:
        raise UsageError("no account is left that the run could read")
    return targets


def organization_targets(
    hub: Aws, settings: Settings, note: Callable[[str, str], None]
) -> list[Target]:
    """The organization's active accounts, or those below its units (Organizations: ListAccounts).

    UsageError if a unit is not there: accounts would be missed, or read that should not be.
    """
    client: OrganizationsClient = hub.client("organizations", hub.global_region)
    if settings.include_ou or settings.exclude_ou:
        listed = accounts_below(client, settings)
    else:
        pages = client.get_paginator("list_accounts").paginate()
        listed = [held for page in pages for held in page["Accounts"]]
    targets = {}
    for held in listed:
        state = held.get("State") or held["Status"]
        if state == "ACTIVE":
            targets[held["Id"]] = Target(held["Id"], listed=held)
        else:
            note(state.lower().replace("_", " "), held["Id"])
    return list(targets.values())


def accounts_below(client: OrganizationsClient, settings: Settings) -> list[AccountTypeDef]:
    """The accounts in the units to read and in all units below those that are not left out.

    Organizations: ListRoots, ListAccountsForParent, ListOrganizationalUnitsForParent.
    """
    roots = [held["Id"] for held in client.list_roots()["Roots"]]
    for unit in settings.include_ou:
        meet_unit(client, unit)
    waiting = list(settings.include_ou or roots)
    found: list[AccountTypeDef] = []
    met: set[str] = set()
    while waiting:
        parent = waiting.pop()
        known = parent in met
        met.add(parent)
        if known or parent in settings.exclude_ou:
            continue
        accounts = client.get_paginator("list_accounts_for_parent").paginate(ParentId=parent)
        found += [held for page in accounts for held in page["Accounts"]]
        units = client.get_paginator("list_organizational_units_for_parent")
        below = units.paginate(ParentId=parent)
        waiting += [held["Id"] for page in below for held in page["OrganizationalUnits"]]
    if unknown := set(settings.exclude_ou) - met:
        raise UsageError(f"--exclude-ou: {', '.join(sorted(unknown))} is in none of the units read")
    return found


def meet_unit(client: OrganizationsClient, unit: str) -> None:
    """UsageError if the organization has no such unit (ListOrganizationalUnitsForParent)."""
    missing = client.exceptions.ParentNotFoundException, client.exceptions.InvalidInputException
    try:
        client.list_organizational_units_for_parent(ParentId=unit, MaxResults=1)
    except missing:
        raise UsageError(f"--include-ou: {unit} is no unit of the organization") from None


class Directory:
    """What an organization tells a run's caller about accounts: it tells its payer and
    administrators only.

    It is asked about the caller's own account first. Who may not know of that one is told of none,
    which so costs a call per run, not one per account.
    """

    def __init__(self, hub: Aws, read: Callable[[Aws, str], Mapping[str, Any]]) -> None:
        self.hub, self.read = hub, read
        self._silence = Once(self._why_silent)

    def of(self, account: str) -> tuple[Mapping[str, Any] | None, str]:
        """What is told of an account, or why nothing is; raises what says neither."""
        if why := self._silence():
            return None, why
        try:
            return self.read(self.hub, account), ""
        except aws_errors() as error:
            meaning, what, _ = judge(error)
            if meaning != SKIPPED:
                raise
            return None, what

    def _why_silent(self) -> str:
        """Why nothing is told of any account; nothing if that is not so, or not known."""
        try:
            with within(PROBE_SECONDS):
                self.read(self.hub, self.hub.account)
        except aws_errors() as error:
            meaning, what, _ = judge(error)
            denied = dig(getattr(error, "response", None), "Error.Code") in DENIED
            return what if denied or meaning == SKIPPED else ""
        return ""


def read_tags(hub: Aws, account: str) -> Mapping[str, str]:
    """The tags that an organization has given an account (Organizations: ListTagsForResource).

    AWS allows no commas in them, so products are separated by colons there.
    """
    client: OrganizationsClient = hub.client("organizations", hub.global_region)
    pages = client.get_paginator("list_tags_for_resource").paginate(ResourceId=account)
    found = {held["Key"].lower(): held["Value"] for page in pages for held in page["Tags"]}
    found["product"] = found.get("product", "").replace(":", ",")
    return {name: found[name] for name in TAGS if found.get(name)}


def read_membership(hub: Aws, account: str) -> Mapping[str, Any]:
    """What an organization knows of an account (Organizations: DescribeAccount)."""
    client: OrganizationsClient = hub.client("organizations", hub.global_region)
    return client.describe_account(AccountId=account)["Account"]


def tags_of(
    caller: Aws, directory: Directory, settings: Settings, target: Target
) -> Mapping[str, str]:
    """An account's tags: the file's if it gives any, else the organization's.

    Where tags are not for the caller to know, the account has those of the settings. An error
    that does not say so is raised: the account must not be loaded under wrong tags.
    """
    if target.tags:
        return target.tags
    if settings.organization:
        return read_tags(caller, target.account)
    found, why = directory.of(target.account)
    if why:
        caller.log.say_once(
            f"accounts have the settings' tags where AWS Organizations tells none: {why}"
        )
    return found or {}


def enter(hub: Aws, settings: Settings, account: str) -> Aws:
    """AWS as an account's role, or as the caller where it is the caller's own account.

    It may take its share of the run's time. AWS is asked whether the role lets us in.
    """
    role = f"arn:{hub.partition}:iam::{account}:role/{settings.role_name.removeprefix('/')}"
    session = hub.session if account == hub.account else hub.assume(role, settings.external_id)
    deadline = time.monotonic() + settings.account_time_limit
    aws = Aws(
        settings.region,
        hub.log.of(account=account),
        min(hub.deadline, deadline),
        workers=settings.workers,
        session=session,
        limited="the account" if deadline < hub.deadline else "the run",
        caller=hub,
    )
    try:
        aws.identify()
    except aws_errors():
        aws.close()
        raise
    return aws


def regions_to_read(aws: Aws, settings: Settings, note: Callable[[str, str], None]) -> list[str]:
    """The regions to read in an account, home first: it has the most to read, and begins.

    `note` is told which of `all` are not enabled.
    """
    wanted: Sequence[str] = settings.regions
    if ALL_REGIONS in wanted:
        wanted, closed = enabled_regions(aws)
        for region in closed:
            note(NOT_ENABLED, region)
    return [settings.region, *(region for region in wanted if region != settings.region)]


NOT_ENABLED = "not enabled"


def enabled_regions(aws: Aws) -> tuple[list[str], list[str]]:
    """The regions that are enabled in the account, and those that are not.

    Account: ListRegions, or where that is refused EC2: DescribeRegions.
    """
    client: AccountClient = aws.client("account", aws.global_region)
    try:
        pages = client.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 50})
        with within(PROBE_SECONDS):
            listed = [held for page in pages for held in page["Regions"]]
        states: dict[str, str] = {held["RegionName"]: held["RegionOptStatus"] for held in listed}
    except aws_errors() as error:
        aws.log.say("INFO", f"{because(error)}; EC2 is asked for the regions")
        ec2: EC2Client = aws.client("ec2", aws.home)
        regions = ec2.describe_regions(AllRegions=True)["Regions"]
        states = {held["RegionName"]: held["OptInStatus"] for held in regions}
    enabled = ("ENABLED", "ENABLED_BY_DEFAULT", "opted-in", "opt-in-not-required")
    found = sorted(name for name, state in states.items() if state in enabled)
    return found, sorted(states.keys() - {*found})


DENIED_BY_SCP = "denied by a service control policy"


def why_closed(aws: Aws, region: str, *, enabled: bool) -> str | None:
    """Why a region cannot be read at all, if that is so.

    A region that is not enabled knows no credentials of the account; one that the account calls
    `enabled` has to, and is read to show what it says. A service control policy says that it is
    one; it has closed the region, not a service, if it denies two that policies which close
    regions do not spare (EC2: DescribeInstances, SSM: DescribeInstanceInformation). Whatever else
    goes wrong is the collectors' to tell.
    """
    if not aws.knows(region):
        return "no region that botocore knows (install a newer boto3)"
    try:
        with within(PROBE_SECONDS):
            ec2: EC2Client = aws.client("ec2", region)
            why = refusal(lambda: ec2.describe_instances(MaxResults=5))
            if why == DENIED_BY_SCP:
                ssm: SSMClient = aws.client("ssm", region)
                why = refusal(lambda: ssm.describe_instance_information(MaxResults=5))
    finally:
        aws.forget(region)
    return None if enabled and why == NOT_ENABLED else why


def open_regions(scan: Scan, out: Outcome) -> list[str]:
    """The regions of the account that the run reads, less those that are closed."""
    closed = scan.of_account.closed
    found = dict(map_items(scan.aws, closed, lambda region: closed[region](), out))
    return [region for region in scan.settings.regions if not found.get(region)]


def refusal(ask: Callable[[], object]) -> str | None:
    """Why a region does not answer a call, if it is closed."""
    try:
        ask()
    except aws_errors() as error:
        told = dig(getattr(error, "response", None), "Error") or {}
        if told.get("Code") in ("AuthFailure", "OptInRequired"):
            return NOT_ENABLED
        if re.search("(deny in a|because no) service control policy", told.get("Message", "")):
            return DENIED_BY_SCP
    return None


# --- reads for several accounts at once ---------------------------------------------------------


def payer(hub: Aws) -> str:
    """The account that pays for the caller's organization (Organizations: DescribeOrganization)."""
    client: OrganizationsClient = hub.client("organizations", hub.global_region)
    return client.describe_organization()["Organization"]["MasterAccountId"]


class Shared:
    """What one identity reads for many accounts of a run, each thing when it is first wanted.

    A payer reads costs for all, a service's delegated administrator its members' findings. Who
    sees the whole organization, its payer or an administrator, reads Health's events, also for
    accounts whose own support plan lacks Health, and which accounts never opted in to Compute
    Optimizer. Where that is refused, does not pay or does not apply, each account reads its own.

    Not shared are forecasts, which AWS does not group, and anomalies, which an account's own
    monitors find. Health's view of an organization begins when it is turned on, so that all that
    is open, and what changed on past days, is read by account; so are Compute Optimizer's
    recommendations, as it takes one account per request. An aggregator of Config leaves out rules
    without results, so that rules are counted by account, and does not say which region has
    recorded what is global, so that the home region's resources are listed by account.
    """

    LEAST = 3
    """Accounts from which on a shared read can take fewer requests than their own ones."""
    LONGEST, PART = 300.0, 1 / 6
    """Seconds that a shared read may take, and the part of an account's time and the run's."""

    def __init__(self, hub: Aws, settings: Settings, accounts: Sequence[str]) -> None:
        self.hub, self.settings, self.accounts = hub, settings, accounts
        if settings.start and settings.end:
            self.window = Window.of_past(settings.start, settings.end)
        else:
            self.window = Window.of_yesterday(datetime.now(UTC), settings, None)
        self.store = Store()
        self.out = Outcome("shared", Drafts(self.window, self.store))
        self.administrators: list[Aws] = []
        self.payer = Once(lambda: payer(hub))
        self._known: dict[tuple[str, object], Once[Any]] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def once(self, what: str, key: object, read: Callable[[Shared], Result]) -> Result | None:
        """What is read when it is first wanted; None if it cannot be, and the log says why.

        Accounts wait for it, so it may take a part of their time only. What has failed with one
        key is not tried with others.
        """
        with self._lock:
            known = self._known.setdefault((what, key), Once(lambda: self._read(what, read)))
        found: Result | None = known()
        return found

    def _read(self, what: str, read: Callable[[Shared], Result]) -> Result | None:
        found: list[Result] = []
        whole = min(self.settings.account_time_limit, self.hub.time_left())

        def bounded() -> None:
            CALLS.set(self.out.calls)
            with within(min(self.LONGEST, whole * self.PART)):
                found.append(read(self))

        def tell(error: Exception) -> None:
            self._failed.add(what)
            self.hub.log.say_once(f"{what}: accounts read their own, since {because(error)}")

        if what not in self._failed:
            run = contextvars.copy_context().run
            contain(lambda: run(bounded), tell, self.hub.log)
        return found[0] if found else None

    def administrator(self, service: str) -> Aws:
        """AWS as the delegated administrator of a service, entered once; NotNow if it has none."""
        with self._lock:
            enter_it = Once(lambda: self._enter(service))
            known: Once[Aws] = self._known.setdefault((service, "administrator"), enter_it)
        return known()

    def overseer(self, service: str) -> Aws:
        """AWS as who sees a service's data of the whole organization: payer or administrator."""
        return self.hub if self.payer() == self.hub.account else self.administrator(service)

    def _enter(self, service: str) -> Aws:
        """Organizations: ListDelegatedAdministrators, for the payer and administrators."""
        client: OrganizationsClient = self.hub.client("organizations", self.hub.global_region)
        principal = f"{service}.amazonaws.com"
        listed = client.list_delegated_administrators(ServicePrincipal=principal)
        if not (found := listed["DelegatedAdministrators"]):
            raise NotNow("it has no delegated administrator")
        aws = enter(self.hub, self.settings, found[0]["Id"])
        aws.deadline, aws.limited = self.hub.deadline, self.hub.limited
        with self._lock:
            self.administrators.append(aws)
        return aws

    def covers(self, since: datetime | None) -> bool:
        """Whether changes since an instant are those that are read for all accounts."""
        return since == midnight(self.window.costs_from)

    def spools(self, accounts: Iterable[str]) -> dict[str, Spool]:
        """A list of rows for each account."""
        return {account: Spool(self.store) for account in accounts}

    def close(self) -> None:
        """Give back what it holds."""
        for aws in self.administrators:
            aws.close()
        self.store.close()


# --- shaping helpers ----------------------------------------------------------------------------


def dig(value: Any, path: str) -> Any:
    """What lies at a dotted path (`Resources.0.Id`) in an answer; None if there is nothing."""
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def when(value: datetime | str | None) -> str | None:
    """An instant, as botocore or as AWS's text has it, in ISO 8601 and UTC; None if it is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if value is None:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def at(path: str) -> Callable[[Any], str | None]:
    """The instant at a path."""
    return lambda held: when(dig(held, path))


def first_of(*paths: str) -> Callable[[Any], Any]:
    """The first value that a recorded configuration has at one of the paths.

    Advanced queries write whole numbers as 100.0.
    """

    def first(held: Any) -> Any:
        values = (dig(held, f"configuration.{path}") for path in paths)
        found = next((value for value in values if value is not None), None)
        return int(found) if isinstance(found, float) and found.is_integer() else found

    return first


class Shape:
    """A pure function from what AWS sent to a row: each column's path, or a function of it all."""

    def __init__(self, **columns: str | Callable[[Any], Any]) -> None:
        self.columns = columns

    def __call__(self, held: Any, **known: Any) -> Row:
        """The row, with what is `known` from elsewhere; AWS has no value where it is None."""
        row = {
            column: source(held)
            if callable(source)
            else held.get(source)
            if "." not in source
            else dig(held, source)
            for column, source in self.columns.items()
        }
        return row | known


def day_of(instant: str | None) -> date | None:
    """The UTC day of an instant that `when` made."""
    return date.fromisoformat(instant[:10]) if instant else None


def plain(amount: Decimal) -> str:
    """A decimal with all its digits and no exponent."""
    return format(amount, "f")


def zulu(moment: datetime) -> str:
    """An instant as Security Hub and Support want it, in milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of at most `size`."""
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch


# --- collectors: account ------------------------------------------------------------------------

CONTACT_TYPES: tuple[AlternateContactTypeType, ...] = ("BILLING", "OPERATIONS", "SECURITY")

contact_row = Shape(
    full_name="FullName", company_name="CompanyName", address_line1="AddressLine1",
    address_line2="AddressLine2", address_line3="AddressLine3", city="City",
    state_or_region="StateOrRegion", postal_code="PostalCode", country_code="CountryCode",
    phone_number="PhoneNumber", website_url="WebsiteUrl",
)  # fmt: skip
alternate_contact_row = Shape(name="Name", title="Title", email="EmailAddress", phone="PhoneNumber")


def account_row(scan: Scan) -> Row:
    """What every document says of its account: who it is and how it is tagged."""
    settings = scan.settings
    return {
        "account_id": scan.account,
        "region": scan.region,
        "partner_name": settings.partner,
        "customer_name": settings.customer,
        "category": settings.category,
        "account_type": settings.environment,
    }


def get_account_details(scan: Scan, out: Outcome) -> None:
    """Name, state and email; in the home region contacts (STS has named the account before)."""
    details, refused = scan.of_account.once(read_account)
    for error in refused:
        out.meet(error)
    # Not in documents without this category, of which the receiver would add them all the same.
    out.head(details | {"product": scan.settings.product})
    out.rows += 1
    if scan.home:
        out.head(read_contacts(scan, out))


def read_contacts(scan: Scan, out: Outcome) -> Row:
    """Whom to reach (Account: GetContactInformation, GetAlternateContact)."""
    client: AccountClient = scan.world("account")
    contact = out.ask(lambda: client.get_contact_information()["ContactInformation"])
    alternates: Row = {kind.lower(): None for kind in CONTACT_TYPES} | {
        kind.lower(): held and alternate_contact_row(held)
        for kind, held in map_items(
            scan.aws,
            CONTACT_TYPES,
            lambda kind: client.get_alternate_contact(AlternateContactType=kind)[
                "AlternateContact"
            ],
            out,
        )
    }
    return {"contact_info": contact and contact_row(contact), "alternate_contacts": alternates}


def read_account(account: AccountRun) -> tuple[Row, list[Exception]]:
    """What all documents of an account say of it, and what AWS refused to tell.

    Account: GetAccountInformation.
    """
    aws = account.aws
    client: AccountClient = aws.client("account", aws.global_region)
    refused: list[Exception] = []

    def ask(read: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return read()
        except aws_errors() as error:
            refused.append(error)
            return {}

    found = ask(client.get_account_information)
    member = ask(lambda: membership(account))
    return account_details(aws, found, member), refused


def membership(account: AccountRun) -> Mapping[str, Any]:
    """What the organization knows of the account: by its list, else as it tells the run's caller,
    else as it tells the account itself, which it does not if that is a plain member.
    """
    aws, run = account.aws, account.run
    if account.listed:
        return account.listed
    if aws.account != run.caller.account:
        with within(aws.time_left()):
            found, _ = run.memberships.of(aws.account)
        if found:
            return found
    return read_membership(aws, aws.account)


def account_details(aws: Aws, found: Mapping[str, Any], member: Mapping[str, Any]) -> Row:
    """The account by its own information and by its organization's."""
    root = f"arn:{aws.partition}:iam::{aws.account}:root"
    return {
        "account_name": found.get("AccountName") or member.get("Name"),
        "account_email": member.get("Email"),
        "account_status": found.get("AccountState") or member.get("State") or member.get("Status"),
        "account_arn": member.get("Arn") or root,
        "joined_method": member.get("JoinedMethod"),
        "joined_timestamp": when(member.get("JoinedTimestamp") or found.get("AccountCreatedDate")),
    }


# --- collectors: money --------------------------------------------------------------------------

FORECAST_DAYS = 30
FORECAST_CONFIDENCE = 80
"""Percent: the actual cost is expected to lie between the bounds that often."""

service_row = Shape(
    service="Keys.0", usage_types="Keys.1", cost="Metrics.UnblendedCost.Amount",
    currency="Metrics.UnblendedCost.Unit", utilization="Metrics.UsageQuantity.Amount",
    utilization_unit="Metrics.UsageQuantity.Unit",
)  # fmt: skip
forecast_row = Shape(
    period=lambda held: {name.lower(): day[:10] for name, day in held["TimePeriod"].items()},
    amount="MeanValue",
    prediction_interval_lower_bound="PredictionIntervalLowerBound",
    prediction_interval_upper_bound="PredictionIntervalUpperBound",
)


def time_period(start: date, end: date) -> DateIntervalTypeDef:
    """A half open period as Cost Explorer wants it."""
    return {"Start": str(start), "End": str(end)}


def dimension(key: DimensionType, values: Sequence[str]) -> ExpressionTypeDef:
    """Cost Explorer's filter by the values of a dimension."""
    return {"Dimensions": {"Key": key, "Values": values}}


def own_costs(scan: Scan) -> ExpressionTypeDef:
    """Cost Explorer's filter for this account: a payer would see all of its members."""
    return dimension("LINKED_ACCOUNT", [scan.account])


def read_costs(scan: Scan) -> Spool:
    """Costs per day, service and usage type, of the window and the day before it.

    The one GetCostAndUsage query of a run, whatever the number of days (each page costs $0.01):
    totals, previous period, top services, `service` and marketplace products come out of it.
    In a run over several accounts it may be their payer's query that serves all of them.
    """
    shared = scan.run.shared
    if shared and cost_days(shared.window) == cost_days(scan.window):  # no days were missed
        found = shared.once("costs", None, shared_costs) or {}
        if scan.account in found:
            return found.pop(scan.account)  # which wants them once
    rows = Spool(scan.store)
    client: CostExplorerClient = scan.world("ce")
    grouped = ("SERVICE", "USAGE_TYPE")
    for dates, group in cost_groups(client, cost_days(scan.window), grouped, own_costs(scan)):
        rows.add(service_row(group, **dates))
    return rows


def cost_days(window: Window) -> DateIntervalTypeDef:
    """The days whose costs are read: the window's, and the day before it."""
    return time_period(window.costs_from - timedelta(days=1), window.end)


def cost_groups(
    client: CostExplorerClient,
    period: DateIntervalTypeDef,
    dimensions: tuple[str, str],
    only: ExpressionTypeDef,
    granularity: GranularityType = "DAILY",
) -> Iterator[tuple[Row, Mapping[str, Any]]]:
    """(dates, group) of costs by two dimensions, the most that AWS groups by (GetCostAndUsage)."""
    for page in tokens(
        lambda **token: client.get_cost_and_usage(
            TimePeriod=period,
            Granularity=granularity,
            Metrics=["UnblendedCost", "UsageQuantity"],
            GroupBy=[{"Type": "DIMENSION", "Key": name} for name in dimensions],
            Filter=only,
            **token,
        ),
        "NextPageToken",
    ):
        for result in page.get("ResultsByTime", ()):
            first, after = (result["TimePeriod"][name][:10] for name in ("Start", "End"))
            for group in result.get("Groups", ()):
                yield {"date_from": first, "date_to": after}, group


def shared_costs(shared: Shared) -> dict[str, Spool]:
    """The costs of each account by service, usage type and day, read by their payer.

    AWS groups by two dimensions, and three are wanted. So one query tells which services a usage
    type is used by. Where that is one service, as for most, account and usage type say it all, in
    a second query; the usage types that several services have are asked for by service. NotNow if
    the accounts' own queries are not more than that.
    """
    hub, days_read = shared.hub, cost_days(shared.window)
    if shared.payer() != hub.account:
        raise NotNow("the caller is not their payer")
    client: CostExplorerClient = hub.client("ce", hub.global_region)
    among = dimension("LINKED_ACCOUNT", shared.accounts)
    services: dict[str, set[str]] = collections.defaultdict(set)
    pairs = cost_groups(client, days_read, ("SERVICE", "USAGE_TYPE"), among, "MONTHLY")
    for service, usage_type in (group["Keys"] for _, group in pairs):
        services[usage_type].add(service)
    queries = shared_queries(among, services)
    if 1 + len(queries) > len(shared.accounts):
        raise NotNow("that takes no more requests")
    rows = shared.spools(shared.accounts)
    grouped = ("LINKED_ACCOUNT", "USAGE_TYPE")
    for service, only in queries.items():
        for dates, group in cost_groups(client, days_read, grouped, only):
            account, usage_type = group["Keys"]
            keys = [service or only_service(services, usage_type), usage_type]
            rows[account].add(service_row({**group, "Keys": keys}, **dates))
    for spool in rows.values():
        spool.flush()
    # An account that is named may have another payer, and then has nothing here.
    known = {name for name in rows if shared.settings.organization or rows[name].count}
    shared.hub.log.say_once(f"costs of {len(known)} accounts are read at once by their payer")
    return {name: rows[name] for name in known}


def shared_queries(
    among: ExpressionTypeDef, services: Mapping[str, set[str]]
) -> dict[str, ExpressionTypeDef]:
    """Filters by service: of all usage types of a single service (""), then of the other ones."""
    mixed = sorted(usage_type for usage_type, held in services.items() if len(held) > 1)
    if not mixed:
        return {"": among}
    several = sorted({service for usage_type in mixed for service in services[usage_type]})
    by_type = dimension("USAGE_TYPE", mixed)
    queries: dict[str, ExpressionTypeDef] = {"": {"And": [among, {"Not": by_type}]}}
    for service in several:
        queries[service] = {"And": [among, dimension("SERVICE", [service]), by_type]}
    return queries


def only_service(services: Mapping[str, set[str]], usage_type: str) -> str:
    """The service that a usage type belongs to, as the query before has told."""
    found = services.get(usage_type, set())
    if len(found) != 1:
        raise NotNow("costs have changed while they were read")
    return next(iter(found))


def get_services(scan: Scan, out: Outcome) -> None:
    """Cost and usage per service, usage type and day (Cost Explorer, shared with get_cost)."""
    first = str(scan.window.costs_from)
    for row in scan.once(read_costs):
        if row["date_from"] >= first:
            out.emit(row, day=date.fromisoformat(row["date_from"]))


def get_cost(scan: Scan, out: Outcome) -> None:
    """A report per day: total, the day before, services, anomalies, savings and a forecast.

    Forecast and savings are about now: they go into the newest report of a plain run only.
    """
    found: Row = {}
    parts: dict[str, Collect] = {
        "anomalies": lambda scan, part: found.update(anomalies=read_anomalies(scan, part)),
        "forecast": lambda scan, part: found.update(forecast=read_forecast(scan, part)),
        "savings": lambda scan, part: found.update(savings=read_savings(scan, part)),
    }
    together(scan, out, {"anomalies": parts["anomalies"]} if scan.window.past else parts)
    totals = daily_totals(scan.once(read_costs))
    newest = scan.window.end - timedelta(days=1)
    for day in days(scan.window.costs_from, scan.window.end):
        report = cost_report(day, totals)
        if day >= scan.window.until.date() - ANOMALIES_KEPT:
            report |= anomaly_count(day, found.get("anomalies"))
        if day == newest:
            report |= found.get("savings", {}) | found.get("forecast", {})
        out.emit(report, day=day)


def daily_totals(rows: Iterable[Row]) -> dict[str, dict[str, Decimal]]:
    """Cost per day and service, exactly."""
    totals: dict[str, dict[str, Decimal]] = collections.defaultdict(dict)
    for row in rows:
        services = totals[row["date_from"]]
        services[row["service"]] = services.get(row["service"], Decimal()) + Decimal(row["cost"])
    return totals


def cost_report(day: date, totals: Mapping[str, Mapping[str, Decimal]]) -> Row:
    """What a day cost beside the day before it, and its services, the dearest first."""
    services = totals.get(str(day), {})
    current = sum(services.values(), Decimal())
    previous = sum(totals.get(str(day - timedelta(days=1)), {}).values(), Decimal())
    percentage = (current - previous) / abs(previous) * 100 if previous else None
    ranked = sorted(services.items(), key=lambda held: (-held[1], held[0]))
    return {
        "current_period_cost": plain(current),
        "previous_period_cost": plain(previous),
        "cost_difference": plain(current - previous),
        "cost_difference_percentage": None if percentage is None else plain(round(percentage, 4)),
        "period": {"start": str(day), "end": str(day + timedelta(days=1)), "granularity": INTERVAL},
        "top_services": [{"service": name, "cost": plain(cost)} for name, cost in ranked],
    }


def read_forecast(scan: Scan, out: Outcome) -> Row:
    """What the next 30 days are expected to cost, with bounds (GetCostForecast, $0.01)."""
    client: CostExplorerClient = scan.world("ce")
    start = scan.window.until.date()
    answer = client.get_cost_forecast(
        TimePeriod=time_period(start, start + timedelta(days=FORECAST_DAYS)),
        Metric="UNBLENDED_COST",
        Granularity="DAILY",
        Filter=own_costs(scan),
        PredictionIntervalLevel=FORECAST_CONFIDENCE,
    )
    forecast = [forecast_row(held) for held in answer.get("ForecastResultsByTime", ())]
    out.rows += len(forecast)
    return {"forecast": forecast}


ANOMALIES_KEPT = timedelta(days=90)


def read_anomalies(scan: Scan, out: Outcome) -> list[tuple[str, str]]:
    """First and last day of each anomaly that may touch the window (GetAnomalies, $0.01 a page).

    AWS selects them by their last day, and keeps them for ANOMALIES_KEPT.
    """
    client: CostExplorerClient = scan.world("ce")
    until = str(datetime.now(UTC).date())
    pages = client.get_paginator("get_anomalies").paginate(
        DateInterval={"StartDate": str(scan.window.costs_from), "EndDate": until}
    )
    found = [
        held for page in pages for held in page.get("Anomalies", ()) if is_own(scan.account, held)
    ]
    out.rows += len(found)
    return [(a.get("AnomalyStartDate", "")[:10], a.get("AnomalyEndDate", "9")[:10]) for a in found]


def is_own(account: str, anomaly: Mapping[str, Any]) -> bool:
    """Whether an anomaly is this account's: a payer sees those of its members, by their causes."""
    causes = [cause.get("LinkedAccount") for cause in anomaly.get("RootCauses", ())]
    return account in causes or not any(causes)


def anomaly_count(day: date, spans: Sequence[tuple[str, str]] | None) -> Row:
    """How many anomalies there were on a day; nothing is said where they are not known."""
    if spans is None:
        return {}
    return {"anomalies_detected": sum(first <= str(day) <= last for first, last in spans)}


def read_savings(scan: Scan, out: Outcome) -> Row:
    """What could be saved a month and by how many changes (Cost Optimization Hub, free)."""
    client: CostOptimizationHubClient = scan.world("cost-optimization-hub")
    savings, count = None, 0
    for page in client.get_paginator("list_recommendation_summaries").paginate(
        groupBy="ResourceType", filter={"accountIds": [scan.account]}
    ):
        savings = page.get("estimatedTotalDedupedSavings") if savings is None else savings
        count += sum(held.get("recommendationCount", 0) for held in page.get("items", ()))
    out.rows += 1
    return {"potential_monthly_savings": savings, "saving_opportunities_count": count}


def get_marketplace(scan: Scan, out: Outcome) -> None:
    """Products bought on AWS Marketplace, and what each cost on the days of the window.

    A buyer learns its product codes from License Manager (ListReceivedLicenses); their
    entitlements are asked for one product at a time, AWS has no other way (GetEntitlements).
    Cost Explorer calls a product by its name.
    """
    client: MarketplaceEntitlementServiceClient = scan.world("marketplace-entitlement")

    def entitlements(product: Mapping[str, Any]) -> list[Any]:
        pages = client.get_paginator("get_entitlements").paginate(
            ProductCode=product["ProductSKU"],
            Filter={"CUSTOMER_AWS_ACCOUNT_ID": [scan.account]},
        )
        try:
            return [held for page in pages for held in page.get("Entitlements", ())]
        except aws_errors() as error:
            if judge(error)[0] == ABSENT:
                return []
            raise

    try:
        costs = product_costs(scan)
    except aws_errors() as error:
        if judge(error)[0] == FAIL:
            raise  # rows without costs would take away those that earlier documents know
        costs = None
    for product, held in map_items(scan.aws, bought(scan), entitlements, out):
        known = held is not None or out.skipped
        for row in marketplace_rows(scan.window, product, held, costs) if known else ():
            out.emit(row, day=date.fromisoformat(row["period_start"]))


def bought(scan: Scan) -> list[Mapping[str, Any]]:
    """The licenses that AWS Marketplace has issued to the account, one per product."""
    client: LicenseManagerClient = scan.world("license-manager")
    issuer: list[FilterTypeDef] = [{"Name": "IssuerName", "Values": ["AWS/Marketplace"]}]
    pages = tokens(
        lambda **token: client.list_received_licenses(Filters=issuer, MaxResults=100, **token),
        "NextToken",
    )
    return list(
        {held["ProductSKU"]: held for page in pages for held in page.get("Licenses", ())}.values()
    )


def product_costs(scan: Scan) -> Mapping[tuple[str, str], Row]:
    """Cost and currency by (service, day)."""
    costs: dict[tuple[str, str], Row] = {}
    for row in scan.once(read_costs):
        known = costs.setdefault((row["service"], row["date_from"]), {"cost_consumed": "0"})
        known["cost_consumed"] = plain(Decimal(known["cost_consumed"]) + Decimal(row["cost"]))
        known["currency"] = row["currency"]
    return costs


def marketplace_rows(
    window: Window,
    product: Mapping[str, Any],
    entitlements: Sequence[Mapping[str, Any]] | None,
    costs: Mapping[tuple[str, str], Row] | None,
) -> Iterator[Row]:
    """A row for each day of the window on which the product was licensed already.

    The cost is null where Cost Explorer has none of that name. Where costs or entitlements are not
    to be had (None), rows say nothing about cost or status. An entitlement without an end is
    perpetual; one that lasts beyond the day makes the product ACTIVE.
    """
    begin = day_of(when(dig(product, "Validity.Begin"))) or window.costs_from
    ends = [held.get("ExpirationDate") for held in entitlements or ()]
    unpaid: Row = {"cost_consumed": None, "currency": None}
    for day in days(max(begin, window.costs_from), window.end):
        after = day + timedelta(days=1)
        lasts = any(end is None or end > midnight(after) for end in ends)
        entitled = "ACTIVE" if lasts else "EXPIRED"
        status = {"status": entitled if ends else product["Status"]}
        paid = {} if costs is None else costs.get((product["ProductName"], str(day)), unpaid)
        row = {
            "product_code": product["ProductSKU"],
            "product_name": product["ProductName"],
            "period_start": str(day),
            "period_end": str(after),
        }
        yield row | paid | ({} if entitlements is None else status)


# --- collectors: reserved capacity --------------------------------------------------------------

EC2, RDS = "Amazon Elastic Compute Cloud - Compute", "Amazon Relational Database Service"
"""What Cost Explorer calls the services whose reservations are read."""

PLAN_STATES: tuple[SavingsPlanStateType, ...] = (
    "active", "retired", "pending-return", "returned",
)  # fmt: skip
"""Those of savings plans that were in force some time; AWS lists only active ones by itself."""


def family(column: str) -> Callable[[Any], str | None]:
    """The family of the type of instance in a column: m6i of m6i.large, db.m7g of db.m7g.large."""
    return lambda held: str(held.get(column) or "").rpartition(".")[0] or None


reserved_instance_row = Shape(
    instance_type="InstanceType", instance_count="InstanceCount",
    instance_family=family("InstanceType"), instance_tenancy="InstanceTenancy",
    offering_class="OfferingClass", offering_type="OfferingType",
    description="ProductDescription", upfront_cost="FixedPrice", usage_price="UsagePrice",
    recurring_cost="RecurringCharges.0.Amount",
    recurring_frequency="RecurringCharges.0.Frequency", currency="CurrencyCode",
    start_date=at("Start"), end_date=at("End"), duration_seconds="Duration", state="State",
)  # fmt: skip
reserved_database_row = Shape(
    offering_id="ReservedDBInstancesOfferingId", instance_type="DBInstanceClass",
    instance_count="DBInstanceCount", instance_family=family("DBInstanceClass"),
    offering_type="OfferingType", description="ProductDescription", upfront_cost="FixedPrice",
    usage_price="UsagePrice", recurring_cost="RecurringCharges.0.RecurringChargeAmount",
    recurring_frequency="RecurringCharges.0.RecurringChargeFrequency", currency="CurrencyCode",
    start_date=at("StartTime"), duration_seconds="Duration", state="State",
    end_date=lambda held: when(held["StartTime"] + timedelta(seconds=held["Duration"])),
)  # fmt: skip
savings_plan_row = Shape(
    subscription_id="savingsPlanId", offering_id="offeringId", savings_plan_arn="savingsPlanArn",
    instance_family="ec2InstanceFamily", offering_class="savingsPlanType",
    product_types=lambda held: ",".join(held.get("productTypes", ())), region="region",
    commitment="commitment", upfront_cost="upfrontPaymentAmount",
    recurring_cost="recurringPaymentAmount", currency="currency", start_date=at("start"),
    end_date=at("end"), returnable_until=at("returnableUntil"),
    duration_seconds="termDurationInSeconds", offering_type="paymentOption", state="state",
    description="description",
)  # fmt: skip
"""What was bought. Money as AWS has it: of one instance, or of the whole plan."""

reservation_use_row = Shape(
    subscription_id="Value", utilization_percentage="Utilization.UtilizationPercentage",
    on_demand_cost="Utilization.OnDemandCostOfRIHoursUsed",
    reservation_cost="Utilization.TotalAmortizedFee", net_savings="Utilization.NetRISavings",
)  # fmt: skip
plan_use_row = Shape(
    utilization_percentage="Utilization.UtilizationPercentage",
    on_demand_cost="Savings.OnDemandCostEquivalent",
    reservation_cost="AmortizedCommitment.TotalAmortizedCommitment",
    net_savings="Savings.NetSavings",
)  # fmt: skip
"""What became of it on a day: the cost on demand of what it covered, what it cost, the rest."""


def get_ri_sp_savings(scan: Scan, out: Outcome) -> None:
    """Reservations of EC2 and RDS and savings plans: use, cost and savings of each on each day.

    Only what this account bought in the run's regions, whoever uses it. Listing it is free, and
    Cost Explorer, which charges $0.01 a request and page, is asked only about days on which
    something was in force: AWS tells use by reservation or by day, not both, so that each day is
    a request per service.
    """
    parts: dict[str, Collect] = {
        "instances": lambda scan, part: read_reservations(scan, part, EC2, reserved_instances),
        "databases": lambda scan, part: read_reservations(scan, part, RDS, reserved_databases),
        "plans": read_savings_plans,
    }
    together(scan, out, parts)


def reserved_instances(scan: Scan, region: str) -> dict[str, Row]:
    """Reservations of EC2 instances of a region by their lease (DescribeReservedInstances)."""
    client: EC2Client = scan.aws.client("ec2", region)
    found = client.describe_reserved_instances()["ReservedInstances"]
    return {held["ReservedInstancesId"]: reserved_instance_row(held) for held in found}


def reserved_databases(scan: Scan, region: str) -> dict[str, Row]:
    """Reservations of database instances of a region by lease (DescribeReservedDBInstances)."""
    client: RDSClient = scan.aws.client("rds", region)
    listing = client.get_paginator("describe_reserved_db_instances")
    pages = listing.paginate(PaginationConfig={"PageSize": 100})
    return {
        held["LeaseId"]: reserved_database_row(held)
        for page in pages
        for held in page.get("ReservedDBInstances", ())
        if held.get("LeaseId")
    }


def read_reservations(
    scan: Scan, out: Outcome, service: str, listing: Callable[[Scan, str], dict[str, Row]]
) -> None:
    """The reservations of a service on each day (GetReservationUtilization, $0.01 each).

    Cost Explorer numbers subscriptions by itself; the lease is what it shares with the service.
    """
    list_region = functools.partial(listing, scan)
    listed = map_items(scan.aws, open_regions(scan, out), list_region, out)
    held = {
        lease: row | {"region": region, "service": service, "reservation_type": "ReservedInstance"}
        for region, rows in listed
        for lease, row in (rows or {}).items()
    }
    unknown: set[str] = set()
    use = functools.partial(reservation_use, scan, service)
    for day, groups in map_items(scan.aws, days_in_force(scan.window, held.values()), use, out):
        for group in groups or ():
            lease = dig(group, "Attributes.leaseId") or group["Value"]
            if lease in held:
                emit_savings(out, day, held[lease] | reservation_use_row(group))
            else:
                unknown.add(lease)
    if unknown:
        out.note(f"{len(unknown)} reservations in other regions than the run's are left out")


def reservation_use(scan: Scan, service: str, day: date) -> list[Any]:
    """How much of each reservation of a service was used on a day."""
    client: CostExplorerClient = scan.world("ce")
    only = dimension("SERVICE", [service])
    pages = tokens(
        lambda **token: client.get_reservation_utilization(
            TimePeriod=time_period(day, day + timedelta(days=1)),
            GroupBy=[{"Type": "DIMENSION", "Key": "SUBSCRIPTION_ID"}],
            Filter={"And": [own_costs(scan), only]},
            **token,
        ),
        "NextPageToken",
    )
    return [
        group
        for page in pages
        for result in page["UtilizationsByTime"]
        for group in result.get("Groups", ())
    ]


def read_savings_plans(scan: Scan, out: Outcome) -> None:
    """The savings plans on each day (Savings Plans: DescribeSavingsPlans, then Cost Explorer).

    Cost Explorer tells of one plan by day or of one day by plan; what needs fewer requests is
    asked for.
    """
    client: SavingsPlansClient = scan.world("savingsplans")
    pages = tokens(
        lambda **token: client.describe_savings_plans(states=PLAN_STATES, maxResults=1000, **token),
        "nextToken",
    )
    rows = [savings_plan_row(plan) for page in pages for plan in page.get("savingsPlans", ())]
    span = days(scan.window.costs_from, scan.window.end)
    plans = {
        row["savings_plan_arn"]: row | {"reservation_type": "SavingsPlan"}
        for row in rows
        if any(in_force(row, day) for day in span)
    }
    asked = days_in_force(scan.window, plans.values())
    if len(asked) < len(plans):
        uses = plan_uses_by_day(scan, out, asked)
    else:
        uses = plan_uses_by_plan(scan, out, plans)
    for day, arn, use in uses:
        if arn in plans and in_force(plans[arn], day):
            emit_savings(out, day, plans[arn] | plan_use_row(use))


PlanUses = Iterator[tuple[date, str, Mapping[str, Any]]]


def plan_uses_by_day(scan: Scan, out: Outcome, span: Iterable[date]) -> PlanUses:
    """(day, plan, use), a request and its pages for each day (GetSavingsPlansUtilizationDetails).

    This listing says nothing of days if it is asked for several.
    """
    client: CostExplorerClient = scan.world("ce")

    def read(day: date) -> list[Any]:
        pages = tokens(
            lambda **token: client.get_savings_plans_utilization_details(
                TimePeriod=time_period(day, day + timedelta(days=1)),
                Filter=own_costs(scan),
                **token,
            ),
            "NextToken",
        )
        return [held for page in pages for held in page["SavingsPlansUtilizationDetails"]]

    for day, found in map_items(scan.aws, span, read, out):
        yield from ((day, held["SavingsPlanArn"], held) for held in found or ())


def plan_uses_by_plan(scan: Scan, out: Outcome, plans: Iterable[str]) -> PlanUses:
    """(day, plan, use), a request for each plan (GetSavingsPlansUtilization has no pages)."""
    client: CostExplorerClient = scan.world("ce")

    def read(arn: str) -> list[Any]:
        only = dimension("SAVINGS_PLAN_ARN", [arn])
        answer = client.get_savings_plans_utilization(
            TimePeriod=time_period(scan.window.costs_from, scan.window.end),
            Granularity="DAILY",
            Filter={"And": [own_costs(scan), only]},
        )
        return answer.get("SavingsPlansUtilizationsByTime", [])

    for arn, found in map_items(scan.aws, plans, read, out):
        for held in found or ():
            yield date.fromisoformat(held["TimePeriod"]["Start"][:10]), arn, held


def in_force(row: Row, day: date) -> bool:
    """Whether what was bought held on a day, or on a part of it."""
    first, after = (midnight(held).isoformat() for held in (day, day + timedelta(days=1)))
    return bool((row["start_date"] or after) < after and (row["end_date"] or "") > first)


def days_in_force(window: Window, rows: Iterable[Row]) -> list[date]:
    """The days of the window on which anything of it was in force."""
    bought = list(rows)
    span = days(window.costs_from, window.end)
    return [day for day in span if any(in_force(row, day) for row in bought)]


def emit_savings(out: Outcome, day: date, row: Row) -> None:
    """Emit what is known of a reservation or a plan on a day."""
    dates = {"date_from": str(day), "date_to": str(day + timedelta(days=1))}
    out.emit(row | dates, day=day)


# --- collectors: security -----------------------------------------------------------------------

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
SECURITY_HUB = "security_hub"


def get_security(scan: Scan, out: Outcome) -> None:
    """The parts of the security posture, at once; on past days those that carry dates.

    They are `get_security_hub`, `get_guard_duty_security`, `get_inspector`, `get_kms_security`,
    `get_waf_security`, `get_cloudtrail_security`, `get_secrets_security` and
    `get_certificate_security`.
    """
    together(scan, out, SECURITY_EVENTS if scan.window.past else SECURITY_EVENTS | SECURITY_STATES)
    if scan.window.past:
        out.note(f"{', '.join(SECURITY_STATES)}: AWS does not tell what was there on a past day")


finding_row = Shape(
    finding_id="Id",
    service=lambda held: held.get("ProductName") or held["ProductArn"].rpartition("/")[2],
    title="Title", description="Description", severity="Severity.Label", status="Workflow.Status",
    resource_type="Resources.0.Type", resource_id="Resources.0.Id", created_at=at("CreatedAt"),
    updated_at=at("UpdatedAt"), recommendation="Remediation.Recommendation.Text",
    compliance_status="Compliance.Status", region="Region", workflow_state="WorkflowState",
    record_state="RecordState", product_name="ProductName", company_name="CompanyName",
    product_arn="ProductArn", generator_id="GeneratorId",
    generator=lambda held: dig(held, "GeneratorDetails.Name") or generator(held),
)  # fmt: skip
"""A Security Hub finding (ASFF); the first resource stands for all that it names."""


def generator(finding: Mapping[str, Any]) -> str | None:
    """What made a finding: the kind of generator that its id begins with, `security-control`."""
    return finding.get("GeneratorId", "").partition("/")[0] or None


def is_open(row: Row) -> bool:
    """Whether a finding still wants attention: active, neither resolved nor suppressed."""
    settled = row["status"] in ("RESOLVED", "SUPPRESSED")
    return row["record_state"] != "ARCHIVED" and not settled


class Administered(NamedTuple):
    """A service whose delegated administrator reads findings for its members.

    `members` are those of an administrator in a region, with what `read` has to know of each (a
    detector). `read` gives (account, row) of the findings of members, at most so many at once,
    that were updated in a span, or of all that are open.
    """

    name: str
    service: str
    at_once: int
    members: Callable[[Aws, str], Mapping[str, str]]
    read: Callable[[Reading], Iterator[tuple[str, Row]]]


class Reading(NamedTuple):
    """Which findings are read: of which accounts, from when on, by whom."""

    aws: Aws
    region: str
    accounts: Mapping[str, str]
    since: datetime | None
    until: datetime
    out: Outcome


def findings(
    scan: Scan, out: Outcome, kind: Administered, own: Callable[[], Mapping[str, str]]
) -> Iterator[Row]:
    """The findings that the window wants, by an administrator or read by the account itself.

    `own` is what `kind.read` has to know of the account. An administrator reads what was updated;
    all that is open, as an account's first document has it, is read by the account.
    """
    for since in scan.window.reads:
        rows: Iterable[Row] | None = administered_rows(scan, kind, since)
        if rows is None:
            accounts = own()
            reading = Reading(scan.aws, scan.region, accounts, since, scan.window.until, out)
            rows = (row for _, row in kind.read(reading)) if accounts else ()
        yield from (row for row in rows if not scan.window.repeats(since, row["updated_at"]))


def administered_rows(scan: Scan, kind: Administered, since: datetime | None) -> Spool | None:
    """An account's findings as its administrator reads them; None if they are not shared."""
    shared = scan.run.shared
    if not shared or not shared.covers(since):
        return None
    region, what = scan.region, f"{kind.name} in {scan.region}"
    admitted = shared.once(what, "members", lambda shared: admit(shared, kind, region))
    if not admitted or scan.account not in admitted[1]:
        return None
    aws, members = admitted
    number = [*members].index(scan.account) // kind.at_once
    some = dict([*members.items()][number * kind.at_once : (number + 1) * kind.at_once])
    rows = shared.once(what, number, lambda shared: read_members(shared, kind, aws, region, some))
    return rows.pop(scan.account, None) if rows else None  # each account wants its rows once


def admit(shared: Shared, kind: Administered, region: str) -> tuple[Aws, dict[str, str]]:
    """A service's administrator, and the accounts of the run whose findings it sees."""
    aws = shared.administrator(kind.service)
    found = kind.members(aws, region)
    members = {account: found[account] for account in shared.accounts if account in found}
    shared.hub.log.say_once(
        f"{kind.name} in {region}: {aws.account} reads for {len(members)} accounts"
    )
    return aws, members


def read_members(
    shared: Shared, kind: Administered, aws: Aws, region: str, members: Mapping[str, str]
) -> dict[str, Spool]:
    """What an administrator reads for some of its members; NotNow if any of it failed."""
    rows = shared.spools(members)
    out = Outcome(kind.name, shared.out.drafts)
    since = midnight(shared.window.costs_from)
    for account, row in kind.read(Reading(aws, region, members, since, shared.window.until, out)):
        rows[account].add(row)
    out.insist()
    for spool in rows.values():
        spool.flush()
    return rows


def hub_members(aws: Aws, region: str) -> dict[str, str]:
    """The accounts whose findings an administrator sees (Security Hub: ListMembers)."""
    client: SecurityHubClient = aws.client("securityhub", region)
    pages = client.get_paginator("list_members").paginate(OnlyAssociated=True)
    found = {held["AccountId"]: "" for page in pages for held in page.get("Members", ())}
    return {aws.account: "", **found}


def hub_findings(reading: Reading) -> Iterator[tuple[str, Row]]:
    """Findings of accounts (Security Hub: GetFindings)."""
    client: SecurityHubClient = reading.aws.client("securityhub", reading.region)
    pages = client.get_paginator("get_findings").paginate(
        Filters=security_hub_filters(reading), PaginationConfig={"PageSize": 100}
    )
    for finding in (finding for page in pages for finding in page.get("Findings", ())):
        yield finding["AwsAccountId"], finding_row(finding)


HUB = Administered("Security Hub", "securityhub", 20, hub_members, hub_findings)
"""AWS takes 20 values per filter."""


def get_security_hub(scan: Scan, out: Outcome) -> None:
    """Findings by update time, of this account and region (Security Hub: GetFindings).

    The update time is the provider's: AWS does not move it when somebody sets a workflow status.
    """
    for row in findings(scan, out, HUB, lambda: {scan.account: ""}):
        labels = (row["severity"], "open" if is_open(row) else "resolved")
        part = f"{SECURITY_HUB}/{row['service']}"
        out.emit(row, part, day=day_of(row["updated_at"]), labels=labels)


def security_hub_filters(reading: Reading) -> AwsSecurityFindingFiltersTypeDef:
    """Findings of accounts: all that are active, or those updated since.

    An active one is read whatever workflow status people gave it, for that does not move its time.
    """

    def equal(*values: str) -> list[StringFilterTypeDef]:
        return [{"Value": value, "Comparison": "EQUALS"} for value in values]

    among: AwsSecurityFindingFiltersTypeDef = {
        "AwsAccountId": equal(*reading.accounts),
        "Region": equal(reading.region),
    }
    if reading.since is None:
        return among | {"RecordState": equal("ACTIVE")}
    span: DateFilterTypeDef = {"Start": zulu(reading.since), "End": zulu(reading.until)}
    return among | {"UpdatedAt": [span]}


guard_duty_row = Shape(
    id="Id", type="Type", severity="Severity", title="Title", description="Description",
    confidence="Confidence", region="Region", created_at=at("CreatedAt"),
    updated_at=at("UpdatedAt"), resource_type="Resource.ResourceType", archived="Service.Archived",
)  # fmt: skip


def own_detector(aws: Aws, region: str) -> str | None:
    """The caller's detector, of which a region has one at most (GuardDuty: ListDetectors)."""
    client: GuardDutyClient = aws.client("guardduty", region)
    pages = client.get_paginator("list_detectors").paginate()
    return next((found for page in pages for found in page.get("DetectorIds", ())), None)


def guard_duty_members(aws: Aws, region: str) -> dict[str, str]:
    """The detectors of the accounts whose findings an administrator sees (ListMembers)."""
    client: GuardDutyClient = aws.client("guardduty", region)
    if not (own := own_detector(aws, region)):
        raise NotNow("its administrator has not enabled it")
    pages = client.get_paginator("list_members").paginate(DetectorId=own, OnlyAssociated="true")
    listed = [held for page in pages for held in page.get("Members", ())]
    enabled = [held for held in listed if held["RelationshipStatus"].lower() == "enabled"]
    found = {held["AccountId"]: held["DetectorId"] for held in enabled if held.get("DetectorId")}
    return {aws.account: own, **found}


def guard_duty_findings(reading: Reading) -> Iterator[tuple[str, Row]]:
    """Findings of accounts (GuardDuty: ListFindings, GetFindings by fifties)."""
    aws, region = reading.aws, reading.region
    client: GuardDutyClient = aws.client("guardduty", region)
    detector = reading.accounts.get(aws.account) or own_detector(aws, region) or ""

    def get(ids: list[str]) -> list[tuple[str, Row]]:
        found = client.get_findings(DetectorId=detector, FindingIds=ids).get("Findings", [])
        accounts = reading.accounts
        return [
            (held["AccountId"], guard_duty_row(held, detector_id=accounts[held["AccountId"]]))
            for held in found
        ]

    pages = client.get_paginator("list_findings").paginate(
        DetectorId=detector,
        FindingCriteria={"Criterion": guard_duty_criteria(reading)},
        PaginationConfig={"PageSize": 50},
    )
    ids = (found for page in pages for found in page.get("FindingIds", ()))
    for _, rows in map_items(aws, batches(ids, 50), get, reading.out):
        yield from rows or ()


GUARD_DUTY = Administered("GuardDuty", "guardduty", 50, guard_duty_members, guard_duty_findings)
"""AWS takes 50 values per criterion."""


def get_guard_duty_security(scan: Scan, out: Outcome) -> None:
    """Threats by update time (GuardDuty: ListDetectors, ListFindings, GetFindings by fifties)."""
    detector = Once(lambda: own_detector(scan.aws, scan.region))

    def own() -> dict[str, str]:
        found = detector()
        if not found:
            out.skipped = "GuardDuty is not enabled"
        return {scan.account: found} if found else {}

    for row in findings(scan, out, GUARD_DUTY, own):
        out.emit(row, "guard_duty", day=day_of(row["updated_at"]))


def guard_duty_criteria(reading: Reading) -> dict[str, ConditionTypeDef]:
    """Findings of accounts: all that AWS keeps (90 days), or those updated since."""
    among: dict[str, ConditionTypeDef] = {"accountId": {"Equals": [*reading.accounts]}}
    if reading.since is None:
        return among
    span = (reading.since, reading.until)
    first, last = (int(moment.timestamp() * 1000) for moment in span)
    return among | {"updatedAt": {"GreaterThanOrEqual": first, "LessThanOrEqual": last}}


inspector_row = Shape(
    finding_arn="findingArn", severity="severity", status="status", type="type", title="title",
    description="description", first_observed_at=at("firstObservedAt"),
    last_observed_at=at("lastObservedAt"), updated_at=at("updatedAt"),
    resource_type="resources.0.type", resource_id="resources.0.id",
    vulnerability_id="packageVulnerabilityDetails.vulnerabilityId",
    inspector_score="inspectorScore", fix_available="fixAvailable",
    exploit_available="exploitAvailable",
)  # fmt: skip
"""An Inspector finding; the first resource stands for all that it names."""


def inspector_members(aws: Aws, region: str) -> dict[str, str]:
    """The accounts whose findings an administrator sees (Inspector: ListMembers)."""
    client: Inspector2Client = aws.client("inspector2", region)
    pages = client.get_paginator("list_members").paginate(onlyAssociated=True)
    listed = [held for page in pages for held in page.get("members", ())]
    enabled = [held for held in listed if held["relationshipStatus"] == "ENABLED"]
    return {aws.account: "", **{held["accountId"]: "" for held in enabled}}


def inspector_findings(reading: Reading) -> Iterator[tuple[str, Row]]:
    """Findings of accounts (Inspector: ListFindings)."""
    client: Inspector2Client = reading.aws.client("inspector2", reading.region)
    pages = client.get_paginator("list_findings").paginate(
        filterCriteria=inspector_criteria(reading), PaginationConfig={"PageSize": 100}
    )
    for held in (held for page in pages for held in page.get("findings", ())):
        yield held["awsAccountId"], inspector_row(held)


INSPECTOR = Administered("Inspector", "inspector2", 10, inspector_members, inspector_findings)
"""AWS takes 10 values per criterion."""


def get_inspector(scan: Scan, out: Outcome) -> None:
    """Vulnerabilities by update time, of this account (Inspector: ListFindings)."""
    for row in findings(scan, out, INSPECTOR, lambda: {scan.account: ""}):
        out.emit(row, "inspector", day=day_of(row["updated_at"]))


def inspector_criteria(reading: Reading) -> FilterCriteriaTypeDef:
    """Findings of accounts: those that are active, or those updated since."""
    named: list[InspectorStringFilterTypeDef] = [
        {"comparison": "EQUALS", "value": account} for account in reading.accounts
    ]
    among: FilterCriteriaTypeDef = {"awsAccountId": named}
    if reading.since is None:
        return among | {"findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}]}
    first, last = reading.since, reading.until
    return among | {"updatedAt": [{"startInclusive": first, "endInclusive": last}]}


key_row = Shape(
    key_id="KeyId", arn="Arn", description="Description", key_usage="KeyUsage",
    key_state="KeyState", creation_date=at("CreationDate"), enabled="Enabled",
    key_manager="KeyManager", key_spec="KeySpec", origin="Origin", multi_region="MultiRegion",
    deletion_date=at("DeletionDate"),
)  # fmt: skip


def get_kms_security(scan: Scan, out: Outcome) -> None:
    """Every key and whether it rotates (KMS: ListKeys; DescribeKey, GetKeyRotationStatus each).

    AWS has no call that describes several keys. key_rotation_enabled is null where a key cannot
    rotate, and where AWS did not tell.
    """
    client: KMSClient = scan.client("kms")

    def describe(key: str) -> Row:
        about = client.describe_key(KeyId=key)["KeyMetadata"]
        rotation = None
        if about.get("KeySpec") == "SYMMETRIC_DEFAULT" and about.get("Origin") == "AWS_KMS":
            rotation = out.ask(lambda: client.get_key_rotation_status(KeyId=key), key)
        return key_row(about, key_rotation_enabled=rotation and rotation["KeyRotationEnabled"])

    pages = client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1000})
    keys = (key["KeyId"] for page in pages for key in page.get("Keys", ()))
    for key, row in map_items(scan.aws, keys, describe, out):
        out.emit(row or {"key_id": key}, "kms")


trail_row = Shape(
    name="Name", arn="TrailARN", is_multi_region="IsMultiRegionTrail", s3_bucket="S3BucketName",
    kms_key_id="KmsKeyId", log_file_validation="LogFileValidationEnabled",
    is_organization_trail="IsOrganizationTrail", home_region="HomeRegion",
)  # fmt: skip
trail_status_row = Shape(is_logging="IsLogging", latest_delivery_time=at("LatestDeliveryTime"))


def get_cloudtrail_security(scan: Scan, out: Outcome) -> None:
    """Trails, whether they log, and the time of the newest event (CloudTrail).

    A trail is listed in its home region; in this account's home region also those that other
    regions, or the organization, replicate there. latest_event_time is a check of activity: the
    newest of up to five management events since the window began, of the region, not the trail.
    """
    client: CloudTrailClient = scan.client("cloudtrail")
    trails = client.describe_trails(includeShadowTrails=scan.home)["trailList"]
    others = set(open_regions(scan, out)) - {scan.region} if scan.home else set()
    latest = out.ask(lambda: latest_event(client, scan.window))
    for trail, status in map_items(
        scan.aws,
        [trail for trail in trails if trail.get("HomeRegion") not in others],
        lambda trail: client.get_trail_status(Name=trail["TrailARN"]),
        out,
    ):
        out.emit(
            trail_row(trail, **trail_status_row(status or {}), latest_event_time=latest),
            "cloudtrail",
        )


def latest_event(client: CloudTrailClient, window: Window) -> str | None:
    """When the newest event in the window was recorded (LookupEvents; AWS allows two a second)."""
    start = midnight(window.start)
    answer = client.lookup_events(StartTime=start, EndTime=window.until, MaxResults=5)
    return when(max((held["EventTime"] for held in answer.get("Events", ())), default=None))


secret_row = Shape(
    name="Name", arn="ARN", description="Description", created_date=at("CreatedDate"),
    last_changed_date=at("LastChangedDate"), last_rotated_date=at("LastRotatedDate"),
    last_accessed_date=at("LastAccessedDate"),
    rotation_enabled=lambda held: held.get("RotationEnabled", False),
)  # fmt: skip
"""A secret; AWS leaves RotationEnabled out where rotation was never set up."""


def get_secrets_security(scan: Scan, out: Outcome) -> None:
    """Every secret's name and rotation, never its value (Secrets Manager: ListSecrets)."""
    client: SecretsManagerClient = scan.client("secretsmanager")
    pages = client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 100})
    for secret in (secret for page in pages for secret in page.get("SecretList", ())):
        out.emit(secret_row(secret), "secrets_manager")


certificate_row = Shape(
    arn="CertificateArn", domain_name="DomainName", status="Status", type="Type",
    not_after=at("NotAfter"), not_before=at("NotBefore"), key_algorithm="KeyAlgorithm",
    in_use="InUse", renewal_eligibility="RenewalEligibility",
)  # fmt: skip

KEY_TYPES: tuple[KeyAlgorithmType, ...] = (
    "RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1",
)  # fmt: skip
"""All that ACM knows: unless asked, its list hides all but short RSA keys."""


def get_certificate_security(scan: Scan, out: Outcome) -> None:
    """Every certificate of every key type and origin (ACM: ListCertificates).

    The list has all that is wanted; DescribeCertificate is asked where it left something out.
    """
    client: ACMClient = scan.client("acm")

    def complete(arn: str) -> Mapping[str, Any]:
        return client.describe_certificate(CertificateArn=arn)["Certificate"]

    for page in client.get_paginator("list_certificates").paginate(
        Includes={"keyTypes": KEY_TYPES},
        CertificateKeyPairOrigins=["AWS_MANAGED", "CUSTOMER_PROVIDED", "ACME"],
        PaginationConfig={"PageSize": 1000},
    ):
        found = {held["CertificateArn"]: held for held in page.get("CertificateSummaryList", ())}
        lacking = [arn for arn, held in found.items() if lacks_fields(held)]
        filled = dict(map_items(scan.aws, lacking, complete, out))
        for arn, held in found.items():
            out.emit(certificate_row({**(filled.get(arn) or {}), **held}), "certificate_manager")


def lacks_fields(held: Mapping[str, Any]) -> bool:
    """Whether the list left out what an issued certificate always has."""
    issued = held.get("Status") in ("ISSUED", "EXPIRED", "INACTIVE", "REVOKED")
    return "Status" not in held or "Type" not in held or (issued and "NotAfter" not in held)


# --- collectors: web application firewall -------------------------------------------------------

PROTECTED_TYPES: tuple[ResourceTypeType, ...] = (
    "APPLICATION_LOAD_BALANCER", "API_GATEWAY", "APPSYNC", "COGNITO_USER_POOL",
    "APP_RUNNER_SERVICE", "VERIFIED_ACCESS_INSTANCE", "AMPLIFY", "AGENTCORE_GATEWAY",
)  # fmt: skip
RATE, MANAGED, GEO = "RateBasedStatement", "ManagedRuleGroupStatement", "GeoMatchStatement"
SQL_GROUPS, XSS_GROUPS = {"AWSManagedRulesSQLiRuleSet"}, {"AWSManagedRulesCommonRuleSet"}
"""AWS's rule groups that hold rules against SQL injection and cross-site scripting."""


def get_waf_security(scan: Scan, out: Outcome) -> None:
    """Web ACLs, their rules and what they protect (WAFv2; CloudFront for CLOUDFRONT ones).

    CLOUDFRONT ACLs belong to no region and go into the home region's document.
    """
    scopes: tuple[ScopeType, ...] = ("REGIONAL", "CLOUDFRONT") if scan.home else ("REGIONAL",)
    parts = {scope.lower(): functools.partial(read_web_acls, scope=scope) for scope in scopes}
    together(scan, out, parts)


def read_web_acls(scan: Scan, out: Outcome, scope: ScopeType) -> None:
    """The web ACLs of one scope (ListWebACLs; GetWebACL each, the list has no rules)."""
    client: WAFV2Client = scan.client("wafv2") if scope == "REGIONAL" else scan.world("wafv2")
    pages = tokens(lambda **t: client.list_web_acls(Scope=scope, Limit=100, **t), "NextMarker")
    acls = {acl["ARN"]: acl for page in pages for acl in page.get("WebACLs", ())}
    logging = logged_acls(out, scope, client) if acls else set()

    def describe(arn: str) -> tuple[Row, list[Row]]:
        acl = acls[arn]
        found = client.get_web_acl(Name=acl["Name"], Scope=scope, Id=acl["Id"])["WebACL"]
        logs = acl_logs(out, client, arn) if logging is None else arn in logging
        return acl_rows(found, scope, logs, protected(scan, out, scope, client, arn))

    for arn, rows in map_items(scan.aws, acls, describe, out):
        acl, rules = rows or ({"arn": arn, "name": acls[arn]["Name"], "scope": scope}, [])
        out.emit(acl, "waf")
        for rule in rules:
            out.emit(rule, "waf_rules")


def logged_acls(out: Outcome, scope: ScopeType, client: WAFV2Client) -> set[str] | None:
    """ARNs of the ACLs that log (ListLoggingConfigurations, one call for all); None if unknown."""
    pages = tokens(
        lambda **t: client.list_logging_configurations(Scope=scope, Limit=100, **t), "NextMarker"
    )
    return out.ask(
        lambda: {c["ResourceArn"] for p in pages for c in p.get("LoggingConfigurations", ())}
    )


def acl_logs(out: Outcome, client: WAFV2Client, arn: str) -> bool | None:
    """Whether one ACL logs (GetLoggingConfiguration), for those who may not list; None: unknown."""
    return out.ask(
        lambda: bool(client.get_logging_configuration(ResourceArn=arn)["LoggingConfiguration"]),
        arn,
        absent=False,
    )


def protected(
    scan: Scan, out: Outcome, scope: ScopeType, client: WAFV2Client, arn: str
) -> list[str] | None:
    """ARNs of what an ACL protects; AWS tells them by ACL and type of resource only.

    Null if any of them is not known: ListResourcesForWebACL, and CloudFront's
    ListDistributionsByWebACLId for CLOUDFRONT ACLs, which protect Amplify's apps too.
    """

    def resources(kind: ResourceTypeType) -> list[str]:
        answer = client.list_resources_for_web_acl(WebACLArn=arn, ResourceType=kind)
        return answer["ResourceArns"]

    reads: list[Callable[[], list[str]]]
    if scope == "REGIONAL":
        reads = [functools.partial(resources, kind) for kind in PROTECTED_TYPES]
    else:
        reads = [lambda: distributions(scan, arn), lambda: resources("AMPLIFY")]
    nothing: list[str] = []
    found: list[str] = []
    for answer in [out.ask(read, arn, absent=nothing) for read in reads]:
        if answer is None:
            return None
        found += answer
    return found


def distributions(scan: Scan, arn: str) -> list[str]:
    """ARNs of the CloudFront distributions that a web ACL protects."""
    client: CloudFrontClient = scan.world("cloudfront")
    pages = tokens(
        lambda **t: client.list_distributions_by_web_acl_id(WebACLId=arn, MaxItems="100", **t),
        "Marker",
        "DistributionList.NextMarker",
    )
    return [
        held["ARN"] for page in pages for held in page.get("DistributionList", {}).get("Items", ())
    ]


acl_row = Shape(
    id="Id", name="Name", arn="ARN", description="Description", default_action="DefaultAction",
    capacity="Capacity",
)  # fmt: skip


def acl_rows(
    acl: Mapping[str, Any], scope: str, logs: bool | None, resources: list[str] | None
) -> tuple[Row, list[Row]]:
    """A web ACL and its rules, those that Firewall Manager put around them included."""
    groups = (
        "PreProcessFirewallManagerRuleGroups",
        "Rules",
        "PostProcessFirewallManagerRuleGroups",
    )
    rules = [rule for group in groups for rule in acl.get(group, ())]
    rows = [rule_row(acl["Name"], scope, logs, rule) for rule in rules]
    row = acl_row(
        acl,
        scope=scope,
        rules_count=len(rules),
        logging_enabled=logs,
        geo_blocking_enabled=any(row["geo_blocking"] for row in rows),
        blocked_countries=sorted({code for rule in rules for code in blocked_countries(rule)}),
        associated_resources=resources,
    )
    return row, rows


def rule_row(acl: str, scope: str, logs: bool | None, rule: Mapping[str, Any]) -> Row:
    """A rule and what it protects from, by all statements nested in it.

    is_compliant: the rule can be watched, that is, its matches are counted and sampled and the
    ACL's requests are logged; null where the logging is not known.
    """
    top = rule.get("Statement") or rule.get("FirewallManagerStatement") or {}
    found = list(statements(top))
    kinds = {kind for kind, _, _ in found}
    groups = {body["Name"] for kind, body, _ in found if kind == MANAGED}
    sampled = dig(rule, "VisibilityConfig.SampledRequestsEnabled")
    counted = dig(rule, "VisibilityConfig.CloudWatchMetricsEnabled")
    return {
        "web_acl_name": acl,
        "rule_name": rule["Name"],
        "priority": rule.get("Priority"),
        "action": action_of(rule),
        "statement_type": next(iter(top), None),
        "is_managed_rule": bool(groups),
        "is_custom_rule": not groups,
        "rate_limit": next((body["Limit"] for kind, body, _ in found if kind == RATE), None),
        "logging_enabled": logs,
        "geo_blocking": GEO in kinds and action_of(rule) == "Block",
        "sql_injection": "SqliMatchStatement" in kinds or bool(groups & SQL_GROUPS),
        "sample_request_enabled": sampled,
        "cloudwatch_enabled": counted,
        "has_xss_protection": "XssMatchStatement" in kinds or bool(groups & XSS_GROUPS),
        "waf_version": "WAFv2",
        "is_compliant": None if logs is None else bool(sampled and counted and logs),
        "scope": scope,
    }


def action_of(rule: Mapping[str, Any]) -> str | None:
    """What a rule does: Block, Allow, Count, Captcha, …; of a group, what overrides its rules."""
    if rule.get("Action"):
        return str(next(iter(rule["Action"])))
    return f"Override {next(iter(rule['OverrideAction']))}" if rule.get("OverrideAction") else None


def statements(
    statement: Mapping[str, Any], negated: bool = False
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """(kind, body, negated) of a statement and of all those nested in it."""
    for kind, body in statement.items():
        yield kind, body, negated
        inner = [*body.get("Statements", ()), body.get("Statement"), body.get("ScopeDownStatement")]
        for nested in filter(None, inner):
            yield from statements(nested, negated != (kind == "NotStatement"))


def blocked_countries(rule: Mapping[str, Any]) -> set[str]:
    """Countries whose requests a rule blocks; it names none if it blocks all others."""
    geo = [
        b
        for kind, b, negated in statements(rule.get("Statement", {}))
        if kind == GEO and not negated
    ]
    return {
        code for body in geo for code in body.get("CountryCodes", ()) if action_of(rule) == "Block"
    }


SECURITY_EVENTS: dict[str, Collect] = {
    SECURITY_HUB: get_security_hub,
    "guard_duty": get_guard_duty_security,
    "inspector": get_inspector,
}
SECURITY_STATES: dict[str, Collect] = {
    "kms": get_kms_security,
    "waf": get_waf_security,
    "cloudtrail": get_cloudtrail_security,
    "secrets_manager": get_secrets_security,
    "certificate_manager": get_certificate_security,
}


# --- collectors: compliance and inventory -------------------------------------------------------

NOT_RECORDING = "AWS Config records nothing in this region"
BY_COMPLIANCE = "configuration.complianceType"
BY_PLACE_AND_COMPLIANCE = f"accountId, awsRegion, {BY_COMPLIANCE}"
PAGE = 100
"""Rows that AWS gives at once of an advanced query."""
GLOBAL = "global"
"""AWS Config's region of what belongs to none."""

QUALIFIER = "EvaluationResultIdentifier.EvaluationResultQualifier"
non_compliant_row = Shape(
    rule_name=f"{QUALIFIER}.ConfigRuleName", resource_type=f"{QUALIFIER}.ResourceType",
    resource_id=f"{QUALIFIER}.ResourceId", evaluation_mode=f"{QUALIFIER}.EvaluationMode",
    compliance_type="ComplianceType", annotation="Annotation",
    config_rule_invoked_time=at("ConfigRuleInvokedTime"),
)  # fmt: skip


def read_recorders(scan: Scan) -> bool:
    """Whether AWS Config records anything here (DescribeConfigurationRecorders)."""
    client: ConfigServiceClient = scan.client("config")
    return bool(client.describe_configuration_recorders()["ConfigurationRecorders"])


def get_config(scan: Scan, out: Outcome) -> None:
    """How many rules and resources comply, and each resource that does not (AWS Config).

    AWS tells what a rule found by rule only (GetComplianceDetailsByConfigRule): the overview of
    all rules says which ones are worth asking.
    """
    client: ConfigServiceClient = scan.client("config")
    if out.ask(lambda: scan.once(read_recorders)) is False:
        out.skipped = NOT_RECORDING
    pages = client.get_paginator("describe_compliance_by_config_rule").paginate()
    states = {
        rule["ConfigRuleName"]: rule["Compliance"]["ComplianceType"]
        for page in pages
        for rule in page.get("ComplianceByConfigRules", ())
    }
    out.head(compliance_report(scan.window, states))
    packs = (out.ask(lambda: rule_packs(client)) or {}) if states else {}
    broken = [rule for rule, state in states.items() if state == "NON_COMPLIANT"]
    read = functools.partial(evaluations, client, "NON_COMPLIANT")
    for rule, rows in map_items(scan.aws, broken, read, out):
        for row in rows or ():
            out.emit(row | {"conformance_pack": packs.get(rule)}, "non_compliant_resources")
    if states:
        out.head(count_resources(scan, out, client, states))


def compliance_report(window: Window, states: Mapping[str, str]) -> Row:
    """Rules by compliance; the score is the percentage that comply of those with a result."""
    counts = Counter(states.values())
    good, bad = counts["COMPLIANT"], counts["NON_COMPLIANT"]
    return {
        "date_from": str(window.start),
        "date_to": str(window.end),
        "compliance_score": plain(round(Decimal(100) * good / (good + bad), 2))
        if good + bad
        else None,
        "total_rules": len(states),
        "compliant_rules": good,
        "non_compliant_rules": bad,
    }


def evaluations(client: ConfigServiceClient, kind: ComplianceTypeType, rule: str) -> list[Row]:
    """The resources that a rule found so."""
    pages = client.get_paginator("get_compliance_details_by_config_rule").paginate(
        ConfigRuleName=rule, ComplianceTypes=[kind], PaginationConfig={"PageSize": 100}
    )
    return [non_compliant_row(held) for page in pages for held in page.get("EvaluationResults", ())]


def rule_packs(client: ConfigServiceClient) -> dict[str, str]:
    """The conformance pack that a rule came with (DescribeConformancePackCompliance)."""
    listed = client.get_paginator("describe_conformance_packs").paginate(
        PaginationConfig={"PageSize": 20}
    )
    names = [
        pack["ConformancePackName"] for p in listed for pack in p.get("ConformancePackDetails", ())
    ]
    return {
        rule["ConfigRuleName"]: name
        for name in names
        for page in client.get_paginator("describe_conformance_pack_compliance").paginate(
            ConformancePackName=name, PaginationConfig={"PageSize": 1000}
        )
        for rule in page.get("ConformancePackRuleComplianceList", ())
    }


class Aggregator(NamedTuple):
    """An aggregator of AWS Config, and the (account, region) that it is up to date with."""

    client: ConfigServiceClient
    name: str
    sources: frozenset[tuple[str, str]]

    def query(self, expression: str) -> Iterator[Row]:
        """The rows of an advanced query over all that it has (SelectAggregateResourceConfig)."""
        pages = self.client.get_paginator("select_aggregate_resource_config").paginate(
            ConfigurationAggregatorName=self.name,
            Expression=expression,
            PaginationConfig={"PageSize": PAGE},
        )
        yield from (json.loads(text) for page in pages for text in page.get("Results", ()))


def aggregator_of(scan: Scan) -> Aggregator | None:
    """The aggregator that is up to date with this account and region, if the run has one."""
    shared = scan.run.shared
    found = shared.once("Config", "aggregator", find_aggregator) if shared else None
    return found if found and (scan.account, scan.region) in found.sources else None


def find_aggregator(shared: Shared) -> Aggregator:
    """The aggregator that is up to date with most of what the run reads; NotNow without one.

    It is looked for in the home region of Config's delegated administrator, else of the caller
    (Config: DescribeConfigurationAggregators). One with a filter sees a part only.
    """
    try:
        aws = shared.administrator("config")
    except aws_errors() as error:
        shared.hub.log.say_once(
            f"Config: the caller's own aggregators are asked, since {because(error)}"
        )
        aws = shared.hub
    client: ConfigServiceClient = aws.client("config", aws.home)
    pages = client.get_paginator("describe_configuration_aggregators").paginate()
    listed = [held for page in pages for held in page.get("ConfigurationAggregators", ())]
    whole = [
        one["ConfigurationAggregatorName"] for one in listed if not one.get("AggregatorFilters")
    ]
    found = [one for name in whole if (one := try_aggregator(shared, client, name))]
    best = max(found, key=lambda one: len(one.sources), default=None)
    if not best or not best.sources:
        raise NotNow(f"{aws.account} has no aggregator that is up to date with them")
    count = len({account for account, _ in best.sources})
    shared.hub.log.say_once(
        f"Config: {aws.account} reads for {count} accounts, by its aggregator {best.name}"
    )
    return best


def try_aggregator(shared: Shared, client: ConfigServiceClient, name: str) -> Aggregator | None:
    """An aggregator with its sources; None if they cannot be read."""
    try:
        return Aggregator(client, name, sources_of(shared, client, name))
    except aws_errors() as error:
        shared.hub.log.say_once(
            f"Config: the aggregator {name} is not asked, since {because(error)}"
        )
        return None


def sources_of(
    shared: Shared, client: ConfigServiceClient, aggregator: str
) -> frozenset[tuple[str, str]]:
    """The (account, region) among the run's accounts that an aggregator is up to date with.

    Config: DescribeConfigurationAggregatorSourcesStatus. NotNow if an aggregator of many more
    accounts than the run's takes as many requests to say so as it would save.
    """
    pages = client.get_paginator("describe_configuration_aggregator_sources_status").paginate(
        ConfigurationAggregatorName=aggregator,
        UpdateStatus=["SUCCEEDED"],
        PaginationConfig={"PageSize": 100},
    )
    wanted, found = frozenset(shared.accounts), set()
    for number, page in enumerate(pages):
        if number >= len(wanted):
            raise NotNow(f"to find out what {aggregator} has takes no fewer requests")
        for held in page.get("AggregatedSourceStatusList", ()):
            if held["LastUpdateStatus"] == "SUCCEEDED" and held["SourceId"] in wanted:
                found.add((held["SourceId"], held.get("AwsRegion", "")))
    return frozenset(found)


def aggregated_counts(scan: Scan) -> Counter[str] | None:
    """How many resources comply here and how many do not, as an aggregator has it; None if not.

    One that has nothing is not believed, nor one that has verdicts of no region.
    """
    aggregator = aggregator_of(scan)
    if not aggregator or not (shared := scan.run.shared):
        return None
    found = shared.once("Config's counts", "", lambda _: counts_by_place(aggregator))
    if not found or (scan.account, GLOBAL) in found:
        return None
    return found.get((scan.account, scan.region))


def counts_by_place(aggregator: Aggregator) -> dict[tuple[str, str], Counter[str]]:
    """Resources by account, region and compliance."""
    found: dict[tuple[str, str], Counter[str]] = collections.defaultdict(Counter)
    for row in aggregator.query(resources_by(BY_PLACE_AND_COMPLIANCE)):
        place = row["accountId"], row.get("awsRegion", GLOBAL)
        found[place][dig(row, BY_COMPLIANCE)] += int(row["COUNT(*)"])
    return dict(found)


def resources_by(columns: str) -> str:
    """The advanced query that counts resources with a verdict by columns."""
    kind = "resourceType = 'AWS::Config::ResourceCompliance'"
    return f"SELECT {columns}, COUNT(*) WHERE {kind} GROUP BY {columns}"


def own_counts(client: ConfigServiceClient) -> Counter[str]:
    """How many resources comply and how many do not, as the account's own Config has it."""
    rows = query(client, resources_by(BY_COMPLIANCE))
    return Counter({dig(row, BY_COMPLIANCE): int(row["COUNT(*)"]) for row in rows})


def count_resources(
    scan: Scan, out: Outcome, client: ConfigServiceClient, rules: Iterable[str]
) -> Row:
    """How many resources comply with all their rules, and how many do not.

    One advanced query counts them, of this account or by an aggregator of many. Where queries are
    not possible they are counted from all results of all rules, since Config's own summaries stop
    counting at 25 or 100.
    """
    with contextlib.suppress(*aws_errors()):
        counts = aggregated_counts(scan) or own_counts(client)
        return compliance_counts(counts["COMPLIANT"], counts["NON_COMPLIANT"])
    kinds: tuple[ComplianceTypeType, ...] = ("COMPLIANT", "NON_COMPLIANT")
    found: list[set[tuple[str, str]]] = []
    for kind in kinds:
        read = functools.partial(evaluations, client, kind)
        results = [rows for _, rows in map_items(scan.aws, rules, read, out)]
        if None in results:
            return {}  # not all could be read, so their number is not known
        found.append(
            {(r["resource_type"], r["resource_id"]) for rows in results for r in rows or ()}
        )
    good, bad = found
    return compliance_counts(len(good - bad), len(bad))


def compliance_counts(good: int, bad: int) -> Row:
    """Resources by compliance."""
    return {"curr_compliant": good, "curr_non_compliant": bad}


instance_row = Shape(
    instance_id="InstanceId", platform="PlatformName", ip_address="IPAddress",
    computer_name="ComputerName", ping_status="PingStatus",
    last_ping_date_time=at("LastPingDateTime"), agent_version="AgentVersion",
    platform_type="PlatformType", platform_version="PlatformVersion",
    is_latest_version="IsLatestVersion", association_status="AssociationStatus",
    association_execution_date=at("LastAssociationExecutionDate"),
    association_success_date=at("LastSuccessfulAssociationExecutionDate"),
)  # fmt: skip
application_row = Shape(
    name="Name", version="Version", publisher="Publisher", architecture="Architecture",
    application_type="ApplicationType", install_time=at("InstalledTime"),
)  # fmt: skip
patch_row = Shape(
    title="Title", classification="Classification", severity="Severity", state="State",
    installed_time=lambda held: when(held["InstalledTime"]) if was_installed(held) else None,
    kb_id="KBId", cve_ids="CVEIds",
)  # fmt: skip


def was_installed(patch: Mapping[str, Any]) -> bool:
    """Whether a patch has a time: AWS dates those not installed to the beginning of time."""
    return "InstalledTime" in patch and patch["InstalledTime"].year > 1970


def get_inventory(scan: Scan, out: Outcome) -> None:
    """Machines that Systems Manager manages, what is installed on them, and their patches."""
    client: SSMClient = scan.client("ssm")
    types = instance_types(scan, out)
    known: dict[str, None] = {}
    pages = client.get_paginator("describe_instance_information").paginate(
        PaginationConfig={"PageSize": 50}
    )
    for held in (held for page in pages for held in page.get("InstanceInformationList", ())):
        instance = held["InstanceId"]
        known[instance] = None
        ec2 = {} if types is None else {"instance_type": types.get(instance)}
        out.emit(instance_row(held, **ec2), "instances")
    parts: dict[str, Collect] = {
        "applications": lambda scan, part: get_applications(scan, part, known),
        "patches": lambda scan, part: get_patch_details(scan, part, known),
    }
    together(scan, out, parts)


def instance_types(scan: Scan, out: Outcome) -> dict[str, str] | None:
    """EC2's type of each instance, which Systems Manager does not know; None if it cannot be read.

    The same listing serves `service_resources`, which reports its failure if it is collected.
    """
    try:
        return {row["resource_id"]: row["instance_type"] for row in scan.once(read_instances)}
    except aws_errors() as error:
        if scan.settings.only and "service_resources" not in scan.settings.only:
            out.meet(error)
        out.note(f"instance types are not known: {judge(error)[1]}")
        return None


def get_applications(scan: Scan, out: Outcome, known: Mapping[str, None]) -> None:
    """What is installed, of fifty machines a call (Systems Manager: GetInventory).

    AWS goes on listing machines that were terminated; those are left out.
    """
    client: SSMClient = scan.client("ssm")
    pages = client.get_paginator("get_inventory").paginate(
        ResultAttributes=[{"TypeName": "AWS:Application"}], PaginationConfig={"PageSize": 50}
    )
    for entity in (entity for page in pages for entity in page.get("Entities", ())):
        content = dig(entity, "Data.AWS:Application.Content") or ()
        for held in content if entity["Id"] in known else ():
            out.emit(application_row(held, instance_id=entity["Id"]), "applications")


def get_patch_details(scan: Scan, out: Outcome, known: Iterable[str]) -> None:
    """Every patch of every machine (Systems Manager: DescribeInstancePatches, one machine each)."""
    client: SSMClient = scan.client("ssm")

    def patches(instance: str) -> list[Row]:
        pages = client.get_paginator("describe_instance_patches").paginate(
            InstanceId=instance, PaginationConfig={"PageSize": 100}
        )
        return [
            patch_row(held, instance_id=instance)
            for page in pages
            for held in page.get("Patches", ())
        ]

    for _, rows in map_items(scan.aws, known, patches, out):
        for row in rows or ():
            out.emit(row, "patches")


# --- collectors: operations ---------------------------------------------------------------------

check_row = Shape(
    severity="status", affected_resources_count="resourcesSummary.resourcesFlagged",
    potential_savings="categorySpecificSummary.costOptimizing.estimatedMonthlySavings",
    timestamp=at("timestamp"),
)  # fmt: skip
"""What a Trusted Advisor check found; savings in dollars a month, of cost checks only."""

event_row = Shape(
    arn="arn", service="service", event_type_code="eventTypeCode", region="region",
    event_type_category="eventTypeCategory", event_scope_code="eventScopeCode",
    start_time=at("startTime"), end_time=at("endTime"), last_updated_time=at("lastUpdatedTime"),
    status_code="statusCode",
)  # fmt: skip
signals_row = Shape(
    service_name="KeyAttributes.Name", namespace="MetricReferences.0.Namespace",
    key_attributes="KeyAttributes",
)  # fmt: skip
case_row = Shape(
    case_id="caseId", display_id="displayId", subject="subject", status="status",
    severity_code="severityCode", service_code="serviceCode", category_code="categoryCode",
    time_created=at("timeCreated"), submitted_by="submittedBy", language="language",
)  # fmt: skip
"""A support case; what was written in it stays with AWS."""


def get_trusted_advisor(scan: Scan, out: Outcome) -> None:
    """Checks in warning or error (Support: DescribeTrustedAdvisorChecks and …CheckResult).

    Summaries, a hundred checks a call, tell which those are; only their results are read.
    """
    client: SupportClient = scan.world("support")
    checks = {c["id"]: c for c in client.describe_trusted_advisor_checks(language="en")["checks"]}
    summaries = [
        summary
        for ids in batches(checks, 100)
        for summary in client.describe_trusted_advisor_check_summaries(checkIds=ids)["summaries"]
    ]
    for check, result in map_items(
        scan.aws,
        [held["checkId"] for held in summaries if held["status"] in ("warning", "error")],
        lambda check: client.describe_trusted_advisor_check_result(checkId=check)["result"],
        out,
    ):
        about = checks[check]
        named = {"check_id": check, "check_name": about["name"], "category": about["category"]}
        if result:
            out.emit(check_row(result, recommendation=about["description"], **named))


def get_health(scan: Scan, out: Outcome) -> None:
    """Events that touch the account, by update time (Health: DescribeEvents, kept for 90 days).

    Where the run is over an organization, its events may have been read for all accounts.
    """
    rows: Iterable[Row] | None = shared_events(scan)
    for row in read_events(scan) if rows is None else rows:
        out.emit(row, day=day_of(row["last_updated_time"]))


def read_events(scan: Scan) -> Iterator[Row]:
    """An account's events as it reads them itself."""
    client: HealthClient = scan.world("health")
    criteria: EventFilterTypeDef = {}
    if scan.window.since:
        criteria = {"lastUpdatedTimes": [{"from": scan.window.since, "to": scan.window.until}]}
    pages = client.get_paginator("describe_events").paginate(
        filter=criteria, PaginationConfig={"PageSize": 100}
    )
    return (event_row(event) for page in pages for event in page.get("events", ()))


def shared_events(scan: Scan) -> Spool | None:
    """An account's events as they are read for the organization; None if they are not shared."""
    shared, window = scan.run.shared, scan.window
    if not shared or window.past or not shared.covers(window.since):
        return None
    rows = shared.once("Health", None, organization_events)
    return rows.pop(scan.account, None) if rows else None  # each account wants its rows once


def organization_events(shared: Shared) -> dict[str, Spool]:
    """The events of each account that were updated, read from the organization's view.

    Health: DescribeEventsForOrganization, then DescribeAffectedAccountsForOrganization for each
    event that is not public; a public one is every account's. NotNow if the accounts' own calls
    are not more than that. Accounts that are named might be in another organization.
    """
    if not shared.settings.organization:
        raise NotNow("the run is not over an organization (--organization)")
    aws = shared.overseer("health")
    if not has_older_events(aws, midnight(shared.window.costs_from)):
        raise NotNow("the organization's view may be younger than what changed")
    public, specific = updated_events(shared, aws)
    if not public and not specific:
        raise NotNow("the organization's view has nothing")
    out = Outcome("Health", shared.out.drafts)
    rows = shared.spools(shared.accounts)
    touched: Iterable[tuple[Any, list[str] | None]] = map_items(
        aws, specific, lambda event: affected_accounts(aws, event["arn"]), out
    )
    for event, accounts in itertools.chain(((event, shared.accounts) for event in public), touched):
        for account in rows.keys() & {*(accounts or ())}:
            rows[account].add(event_row(event))
    out.insist()
    for spool in rows.values():
        spool.flush()
    shared.hub.log.say_once(f"Health: {aws.account} reads for {len(rows)} accounts")
    return rows


def has_older_events(aws: Aws, since: datetime) -> bool:
    """Whether the organization's view, which begins when it is turned on, had begun by then."""
    client: HealthClient = aws.client("health", aws.global_region)
    pages = client.get_paginator("describe_events_for_organization").paginate(
        filter={"lastUpdatedTime": {"to": since}}, PaginationConfig={"PageSize": 1}
    )
    return any(page.get("events") for page in itertools.islice(pages, 2))


def updated_events(shared: Shared, aws: Aws) -> tuple[list[Any], list[Any]]:
    """The organization's events that were updated: public ones, and those of some accounts."""
    client: HealthClient = aws.client("health", aws.global_region)
    window = shared.window
    span: DateTimeRangeTypeDef = {"from": midnight(window.costs_from), "to": window.until}
    pages = client.get_paginator("describe_events_for_organization").paginate(
        filter={"lastUpdatedTime": span}, PaginationConfig={"PageSize": 100}
    )
    found: dict[str, list[Any]] = {"PUBLIC": [], "ACCOUNT_SPECIFIC": []}
    for event in (event for page in pages for event in page.get("events", ())):
        if event.get("eventScopeCode") not in found:
            raise NotNow(f"AWS does not tell whom {event['arn']} is about")
        found[event["eventScopeCode"]].append(event)
        if len(found["ACCOUNT_SPECIFIC"]) >= len(shared.accounts):
            raise NotNow("that takes no more requests")
    return found["PUBLIC"], found["ACCOUNT_SPECIFIC"]


def affected_accounts(aws: Aws, arn: str) -> list[str]:
    """The accounts that an event is about; NotNow if AWS names none, though it is not public."""
    client: HealthClient = aws.client("health", aws.global_region)
    pages = client.get_paginator("describe_affected_accounts_for_organization").paginate(
        eventArn=arn, PaginationConfig={"PageSize": 100}
    )
    if not (found := [held for page in pages for held in page.get("affectedAccounts", ())]):
        raise NotNow(f"AWS does not tell whom {arn} is about")
    return found


def get_application_signals(scan: Scan, out: Outcome) -> None:
    """Services seen in the last 24 hours, the longest that AWS looks back (Application Signals)."""
    client: CloudWatchApplicationSignalsClient = scan.client("application-signals")
    until = scan.window.until
    pages = client.get_paginator("list_services").paginate(
        StartTime=until - timedelta(hours=24), EndTime=until, PaginationConfig={"PageSize": 100}
    )
    for service in (service for page in pages for service in page.get("ServiceSummaries", ())):
        out.emit(signals_row(service))


def get_support_tickets(scan: Scan, out: Outcome) -> None:
    """Support cases, resolved ones too (Support: DescribeCases, kept for 24 months).

    A plain run reads all of them: AWS can only filter by communication, and a case that is
    resolved without a word would stay open here for ever.
    """
    client: SupportClient = scan.world("support")
    window = scan.window
    span = {"afterTime": zulu(midnight(window.start)), "beforeTime": zulu(window.until)}
    pages = client.get_paginator("describe_cases").paginate(
        includeResolvedCases=True,
        includeCommunications=False,
        PaginationConfig={"PageSize": 100},
        **(span if window.past else {}),  # type: ignore[arg-type]
    )
    for row in (case_row(case) for page in pages for case in page.get("cases", ())):
        draft = out.drafts.of(day_of(row["time_created"]))
        row |= {"date_from": str(draft.start), "date_to": str(draft.end)}
        out.emit(row, day=draft.start)


# --- collectors: resilience and optimization ----------------------------------------------------

app_row = Shape(
    app_arn="appArn", name="name", compliance_status="complianceStatus",
    resiliency_score="resiliencyScore", status="status", description="description",
    creation_time=at("creationTime"), last_assessment_time=at("lastAppComplianceEvaluationTime"),
)  # fmt: skip


def get_resilience_hub_apps(scan: Scan, out: Outcome) -> None:
    """Applications, their policy and what they were assessed to cost (Resilience Hub).

    AWS tells an app's policy by app only (DescribeApp), the costs by assessment
    (ListAppAssessments, the newest one of each app).
    """
    client: ResilienceHubClient = scan.client("resiliencehub")
    policies: dict[str, Once[Row]] = {}
    lock = threading.Lock()

    def goals(arn: str) -> Row:
        with lock:
            read = Once(lambda: policy_goals(client.describe_resiliency_policy(policyArn=arn)))
            known = policies.setdefault(arn, read)
        return known()

    def describe(arn: str) -> Row:
        app = client.describe_app(appArn=arn)["app"]
        policy = app.get("policyArn")
        strictest = out.ask(lambda: goals(policy), arn) if policy else None
        cost = out.ask(lambda: assessed_cost(client, arn), arn)
        return app_row(app, cost=cost, **(strictest or {"rto": None, "rpo": None}))

    pages = tokens(lambda **token: client.list_apps(maxResults=100, **token), "nextToken")
    apps = {app["appArn"]: app for page in pages for app in page.get("appSummaries", ())}
    for arn, row in map_items(scan.aws, apps, describe, out):
        out.emit(row or app_row(apps[arn]))


def policy_goals(answer: Mapping[str, Any]) -> Row:
    """RTO and RPO in seconds: the strictest that a resiliency policy asks for."""
    goals = (dig(answer, "policy.policy") or {}).values()
    return {
        "rto": min((goal["rtoInSecs"] for goal in goals), default=None),
        "rpo": min((goal["rpoInSecs"] for goal in goals), default=None),
    }


def assessed_cost(client: ResilienceHubClient, arn: str) -> float | None:
    """What an app costs a month by its newest assessment that succeeded."""
    found = client.list_app_assessments(
        appArn=arn, assessmentStatus=["Success"], reverseOrder=True, maxResults=1
    )["assessmentSummaries"]
    return a_month(dig(found, "0.cost"))


TIMES_A_MONTH = {"Hourly": 730.0, "Daily": 365 / 12, "Monthly": 1.0, "Yearly": 1 / 12}


def a_month(cost: Mapping[str, Any] | None) -> float | None:
    """An amount that Resilience Hub gives by hour, day, month or year, by month."""
    if not cost:
        return None
    amount: float = cost["amount"]
    return amount * TIMES_A_MONTH[cost["frequency"]]


def get_compute_optimizer(scan: Scan, out: Outcome) -> None:
    """What Compute Optimizer would change of instances, volumes and functions; own account only.

    Without accountIds AWS answers for the caller's account, also to a management account. An
    account that AWS says not to have opted in is not asked.
    """
    parts = {"instances": optimize_instances, "volumes": optimize_volumes}
    parts |= {"functions": optimize_functions}
    together(scan, out, dict.fromkeys(parts, not_opted_in) if is_inactive(scan) else parts)


def is_inactive(scan: Scan) -> bool:
    """Whether the organization's enrollment statuses say that the account has not opted in."""
    shared, region = scan.run.shared, scan.region
    what = f"Compute Optimizer in {region}"
    found = shared and shared.once(what, None, lambda shared: inactive_accounts(shared, region))
    return scan.account in (found or ())


def inactive_accounts(shared: Shared, region: str) -> set[str]:
    """The organization's accounts that have not opted in, by hundreds.

    Compute Optimizer: GetEnrollmentStatusesForOrganization. Any other status than Inactive may
    still mean that there is something to read.
    """
    aws = shared.overseer("compute-optimizer")
    client: ComputeOptimizerClient = aws.client("compute-optimizer", region)
    pages = client.get_paginator("get_enrollment_statuses_for_organization").paginate(
        filters=[{"name": "Status", "values": ["Inactive"]}], PaginationConfig={"PageSize": 100}
    )
    listed = [held for page in pages for held in page.get("accountEnrollmentStatuses", ())]
    shared.hub.log.say_once(f"Compute Optimizer in {region}: {aws.account} says who has opted in")
    return {held["accountId"] for held in listed if held["status"] == "Inactive"}


def not_opted_in(scan: Scan, out: Outcome) -> None:
    """What a part comes to in an account that has not opted in."""
    out.skipped = NOT_OPTED_IN


def optimize_instances(scan: Scan, out: Outcome) -> None:
    """EC2 instances (GetEC2InstanceRecommendations)."""
    client: ComputeOptimizerClient = scan.client("compute-optimizer")
    for page in tokens(
        lambda **t: client.get_ec2_instance_recommendations(maxResults=1000, **t), "nextToken"
    ):
        note_left_out(out, page.get("errors", ()))
        for held in page.get("instanceRecommendations", ()):
            best = best_of(held.get("recommendationOptions"))
            out.emit(advice("Ec2Instance", held["instanceArn"], held, best) | {
                "resource_name": held.get("instanceName"),
                "current_instance_type": held.get("currentInstanceType"),
                "recommended_instance_type": best.get("instanceType"),
            })  # fmt: skip


def optimize_volumes(scan: Scan, out: Outcome) -> None:
    """EBS volumes (GetEBSVolumeRecommendations); sizes in GiB."""
    client: ComputeOptimizerClient = scan.client("compute-optimizer")
    for page in tokens(
        lambda **t: client.get_ebs_volume_recommendations(maxResults=1000, **t), "nextToken"
    ):
        note_left_out(out, page.get("errors", ()))
        for held in page.get("volumeRecommendations", ()):
            best = best_of(held.get("volumeRecommendationOptions"))
            names = [pair["value"] for pair in held.get("tags", ()) if pair["key"] == "Name"]
            out.emit(advice("EbsVolume", held["volumeArn"], held, best) | {
                "resource_name": names[0] if names else held["volumeArn"].rpartition("/")[2],
                "current_volume_type": dig(held, "currentConfiguration.volumeType"),
                "current_volume_size": dig(held, "currentConfiguration.volumeSize"),
                "recommended_volume_type": dig(best, "configuration.volumeType"),
                "recommended_volume_size": dig(best, "configuration.volumeSize"),
            })  # fmt: skip


def optimize_functions(scan: Scan, out: Outcome) -> None:
    """Lambda functions (GetLambdaFunctionRecommendations); memory in MiB."""
    client: ComputeOptimizerClient = scan.client("compute-optimizer")
    pages = client.get_paginator("get_lambda_function_recommendations").paginate(
        PaginationConfig={"PageSize": 1000}
    )
    for held in (held for page in pages for held in page.get("lambdaFunctionRecommendations", ())):
        best = best_of(held.get("memorySizeRecommendationOptions"))
        out.emit(advice("LambdaFunction", held["functionArn"], held, best) | {
            "resource_name": held["functionArn"].split(":")[6],
            "current_memory_size": held.get("currentMemorySize"),
            "recommended_memory_size": best.get("memorySize"),
        })  # fmt: skip


def note_left_out(out: Outcome, errors: Iterable[Mapping[str, Any]]) -> None:
    """Record what AWS could not recommend anything for, though it was asked."""
    for error in errors:
        out.fail(f"compute-optimizer left out, {error.get('code')}", str(error.get("identifier")))


def best_of(options: Iterable[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    """The option that AWS ranks first."""
    return min(options or ({},), key=lambda option: option.get("rank", 0), default={})


def advice(kind: str, arn: str, held: Mapping[str, Any], best: Mapping[str, Any]) -> Row:
    """What all recommendations have; savings in dollars (China's are in yuan: not told)."""
    savings = dig(best, "savingsOpportunity.estimatedMonthlySavings") or {}
    metrics = {
        (str(metric.get("name")).lower(), str(metric.get("statistic")).lower()): metric.get("value")
        for metric in held.get("utilizationMetrics", ())
    }
    dollars = savings.get("value") if savings.get("currency") == "USD" else None
    return {
        "resource_type": kind,
        "resource_arn": arn,
        "finding": held.get("finding"),
        "savings_opportunity_percentage": dig(
            best, "savingsOpportunity.savingsOpportunityPercentage"
        ),
        "estimated_monthly_savings_usd": dollars,
        "performance_risk": held.get("currentPerformanceRisk"),
        "cpu_utilization_max": metrics.get(("cpu", "maximum")),
        "memory_utilization_avg": metrics.get(("memory", "average")),
        "migration_effort": best.get("migrationEffort"),
    }


# --- collectors: resources ----------------------------------------------------------------------


def name_tag(held: Mapping[str, Any]) -> str | None:
    """The value of the tag Name."""
    return next((t.get("Value") for t in held.get("Tags", ()) if t.get("Key") == "Name"), None)


def zone_name(zone: Mapping[str, str]) -> str:
    """The name of a load balancer's zone."""
    return zone["ZoneName"]


def joined(zones: Iterable[str]) -> str | None:
    """Names with commas between them, in order; None if there are none."""
    return ",".join(sorted(zones)) or None


def kind_of(service: str, kind: str, **columns: str | Callable[[Any], Any]) -> Shape:
    """The shape of a kind of resource."""
    return Shape(service_name=lambda _: service, resource_type=lambda _: kind, **columns)


ec2_row = kind_of(
    "EC2", "Instance", resource_id="InstanceId", resource_name=name_tag,
    availability_zone="Placement.AvailabilityZone", state="State.Name",
    instance_type="InstanceType", vpc_id="VpcId", creation_date=at("LaunchTime"),
)  # fmt: skip
volume_row = kind_of(
    "EC2", "Volume", resource_id="VolumeId", resource_name=name_tag,
    availability_zone="AvailabilityZone", state="State", size_gb="Size", volume_type="VolumeType",
    creation_date=at("CreateTime"),
)  # fmt: skip
subnet_row = kind_of(
    "EC2", "Subnet", resource_id="SubnetId", resource_name=name_tag,
    availability_zone="AvailabilityZone", state="State", vpc_id="VpcId",
    available_ip_count="AvailableIpAddressCount",
)  # fmt: skip
database_row = kind_of(
    "RDS", "DBInstance", resource_id="DBInstanceIdentifier", resource_name="DBInstanceIdentifier",
    availability_zone="AvailabilityZone", state="DBInstanceStatus", vpc_id="DBSubnetGroup.VpcId",
    engine="Engine", instance_class="DBInstanceClass", multi_az="MultiAZ",
    size_gb="AllocatedStorage", volume_type="StorageType", creation_date=at("InstanceCreateTime"),
)  # fmt: skip
bucket_row = kind_of(
    "S3", "Bucket", resource_id="Name", resource_name="Name", region="BucketRegion",
    creation_date=at("CreationDate"),
)  # fmt: skip
load_balancer_row = kind_of(
    "ELB", "LoadBalancer", resource_id="LoadBalancerArn", resource_name="LoadBalancerName",
    availability_zone=lambda held: joined(map(zone_name, held.get("AvailabilityZones", ()))),
    state="State.Code", vpc_id="VpcId", type="Type", scheme="Scheme",
    creation_date=at("CreatedTime"),
)  # fmt: skip
scaling_group_row = kind_of(
    "AutoScaling", "AutoScalingGroup", resource_id="AutoScalingGroupARN",
    resource_name="AutoScalingGroupName", state="Status", min_size="MinSize", max_size="MaxSize",
    availability_zone=lambda held: joined(held.get("AvailabilityZones", ())),
    instance_count=lambda held: len(held.get("Instances", ())), creation_date=at("CreatedTime"),
)  # fmt: skip
function_row = kind_of(
    "Lambda", "Function", resource_id="FunctionArn", resource_name="FunctionName", state="State",
    vpc_id=lambda held: dig(held, "VpcConfig.VpcId") or None, engine="Runtime", type="PackageType",
)  # fmt: skip


def get_services_resources(scan: Scan, out: Outcome) -> None:
    """The main resources of EC2, RDS, S3, ELB, Auto Scaling and Lambda, each kind by itself.

    Buckets belong to no region and go into the home region's document.
    """
    reads = RESOURCE_KINDS | ({"buckets": read_buckets} if scan.home else {})

    def emitting(read: Callable[[Scan], Iterable[Row]]) -> Collect:
        return lambda scan, part: part.emit_all({"region": scan.region} | row for row in read(scan))

    together(scan, out, {name: emitting(read) for name, read in reads.items()})


def read_instances(scan: Scan) -> Spool:
    """EC2 instances (DescribeInstances), also hidden ones that AWS services manage."""
    client: EC2Client = scan.client("ec2")
    rows = Spool(scan.store)
    pages = client.get_paginator("describe_instances").paginate(
        IncludeManagedResources=True, PaginationConfig={"PageSize": 1000}
    )
    for group in (group for page in pages for group in page.get("Reservations", ())):
        for held in group.get("Instances", ()):
            rows.add(ec2_row(held))
    return rows


def read_volumes(scan: Scan) -> Iterator[Row]:
    """EBS volumes (DescribeVolumes); sizes in GiB."""
    client: EC2Client = scan.client("ec2")
    pages = client.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 1000})
    yield from (volume_row(held) for page in pages for held in page.get("Volumes", ()))


def read_subnets(scan: Scan) -> Iterator[Row]:
    """Subnets of this account (DescribeSubnets); those shared with it belong to their owner."""
    client: EC2Client = scan.client("ec2")
    pages = client.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 1000})
    found = (held for page in pages for held in page.get("Subnets", ()))
    yield from (subnet_row(s) for s in found if s.get("OwnerId", scan.account) == scan.account)


def read_databases(scan: Scan) -> Iterator[Row]:
    """Database instances (RDS: DescribeDBInstances); sizes in GiB."""
    client: RDSClient = scan.client("rds")
    listing = client.get_paginator("describe_db_instances")
    pages = listing.paginate(PaginationConfig={"PageSize": 100})
    yield from (database_row(held) for page in pages for held in page.get("DBInstances", ()))


def read_buckets(scan: Scan) -> Iterator[Row]:
    """Buckets of all regions (S3: ListBuckets)."""
    client: S3Client = scan.client("s3")
    pages = client.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1000})
    yield from (bucket_row(held) for page in pages for held in page.get("Buckets", ()))


def read_load_balancers(scan: Scan) -> Iterator[Row]:
    """Application, network and gateway load balancers (ELBv2: DescribeLoadBalancers)."""
    client: ElasticLoadBalancingv2Client = scan.client("elbv2")
    listing = client.get_paginator("describe_load_balancers")
    pages = listing.paginate(PaginationConfig={"PageSize": 400})
    yield from (load_balancer_row(held) for page in pages for held in page.get("LoadBalancers", ()))


def read_scaling_groups(scan: Scan) -> Iterator[Row]:
    """Auto Scaling groups (DescribeAutoScalingGroups); instance_count is what runs now."""
    client: AutoScalingClient = scan.client("autoscaling")
    listing = client.get_paginator("describe_auto_scaling_groups")
    pages = listing.paginate(PaginationConfig={"PageSize": 100})
    yield from (
        scaling_group_row(held) for page in pages for held in page.get("AutoScalingGroups", ())
    )


def read_functions(scan: Scan) -> Iterator[Row]:
    """Lambda functions (ListFunctions); their runtime is their engine."""
    client: LambdaClient = scan.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    yield from (function_row(held) for page in pages for held in page.get("Functions", ()))


RESOURCE_KINDS: dict[str, Callable[[Scan], Iterable[Row]]] = {
    "instances": lambda scan: scan.once(read_instances),
    "volumes": read_volumes,
    "subnets": read_subnets,
    "databases": read_databases,
    "load_balancers": read_load_balancers,
    "scaling_groups": read_scaling_groups,
    "functions": read_functions,
}

CONFIG_COLUMNS = (
    "resourceId", "resourceName", "resourceType", "awsRegion", "availabilityZone",
    "resourceCreationTime", "configuration.state.name", "configuration.state.value",
    "configuration.state.code", "configuration.dBInstanceStatus", "configuration.instanceType",
    "configuration.vpcId", "configuration.dBSubnetGroup.vpcId", "configuration.engine",
    "configuration.runtime", "configuration.dBInstanceClass", "configuration.multiAZ",
    "configuration.allocatedStorage", "configuration.size", "configuration.volumeType",
    "configuration.storageType", "configuration.type", "configuration.scheme",
    "configuration.desiredCapacity", "configuration.minSize", "configuration.maxSize",
    "configuration.availableIpAddressCount",
)  # fmt: skip
"""Properties by AWS Config's resource schema; a resource answers with those that it has."""

COMPLIANCE_KINDS = ("AWS::Config::ResourceCompliance", "AWS::Config::ConformancePackCompliance")
"""What Config records of its own verdicts: no resources."""

recorded_row = Shape(
    resource_type="resourceType", resource_id="resourceId", resource_name="resourceName",
    resource_subtype=lambda held: held["resourceType"].rpartition("::")[2], region="awsRegion",
)  # fmt: skip
"""What is known of every recorded resource; the subtype of AWS::EC2::Instance is Instance."""

configured_row = Shape(
    availability_zone="availabilityZone", creation_date=at("resourceCreationTime"),
    state=first_of("state.name", "state.value", "state.code", "dBInstanceStatus"),
    instance_type=first_of("instanceType"), vpc_id=first_of("vpcId", "dBSubnetGroup.vpcId"),
    engine=first_of("engine", "runtime"), instance_class=first_of("dBInstanceClass"),
    multi_az=first_of("multiAZ"), size_gb=first_of("allocatedStorage", "size"),
    volume_type=first_of("volumeType", "storageType"), type=first_of("type"),
    scheme=first_of("scheme"), instance_count=first_of("desiredCapacity"),
    min_size=first_of("minSize"), max_size=first_of("maxSize"),
    available_ip_count=first_of("availableIpAddressCount"),
)  # fmt: skip
"""What a query tells besides; the instance count of a scaling group is the one it aims at."""


def get_config_resource_inventory(scan: Scan, out: Outcome) -> None:
    """Every resource that AWS Config knows (SelectResourceConfig, the advanced query).

    Where queries are not possible, the discovered resources, with less told about each. What is
    global goes into the home region's document only.
    """
    try:
        emit_recorded(scan, out, aggregated(scan) or queried(scan))
    except aws_errors() as error:
        if out.rows or judge(error)[0] == SKIPPED:
            raise
        if dig(getattr(error, "response", {}), "Error.Code") in DENIED:
            out.meet(error)
        out.note(f"discovered resources only, there was no query: {judge(error)[1]}")
        emit_recorded(scan, out, discovered(scan))
    if not out.rows and out.ask(lambda: scan.once(read_recorders)) is False:
        out.skipped = NOT_RECORDING


def emit_recorded(scan: Scan, out: Outcome, rows: Iterable[Row]) -> None:
    """Emit the recorded resources that belong into this region's document."""
    out.emit_all(row for row in rows if scan.home or row["region"] != GLOBAL)


def query(client: ConfigServiceClient, expression: str) -> Iterator[Row]:
    """The rows of an advanced query."""
    pages = client.get_paginator("select_resource_config").paginate(
        Expression=expression, PaginationConfig={"PageSize": PAGE}
    )
    yield from (json.loads(text) for page in pages for text in page.get("Results", ()))


REAL = " AND ".join(f"resourceType <> '{kind}'" for kind in COMPLIANCE_KINDS)
"""An advanced query's condition for what is a resource."""


def resources_where(*conditions: str) -> str:
    """The advanced query for resources that meet all conditions."""
    columns = ", ".join(CONFIG_COLUMNS)
    return f"SELECT accountId, {columns} WHERE {' AND '.join((REAL, *conditions))}"


def queried(scan: Scan) -> Iterator[Row]:
    """Resources by the advanced query."""
    for held in query(scan.client("config"), resources_where()):
        yield recorded_row(held, **configured_row(held))


ACCOUNTS_PER_QUERY = 20
"""Accounts whose resources an aggregator is asked for at once: AWS takes 4,096 characters."""


def aggregated(scan: Scan) -> Spool | None:
    """Resources of this account and region as an aggregator has them; None if it has none.

    It does not say which region has recorded what is global, so that the home region, whose
    document has that, is read by account. So is one that has a page of resources or more, which
    takes no more requests and keeps no other account waiting.
    """
    aggregator, region = aggregator_of(scan), scan.region
    if not aggregator or scan.home or not (shared := scan.run.shared):
        return None
    sizes = shared.once("Config's sizes", "", lambda _: sizes_by_place(aggregator)) or {}
    known = [name for name in shared.accounts if (name, region) in aggregator.sources]
    members = [name for name in known if sizes.get((name, region), PAGE) < PAGE]
    if scan.account not in members:
        return None
    number, size = members.index(scan.account) // ACCOUNTS_PER_QUERY, ACCOUNTS_PER_QUERY
    some = members[number * size : (number + 1) * size]
    what = f"Config's resources in {region}"
    rows = shared.once(what, number, lambda _: read_aggregated(shared, aggregator, region, some))
    found = rows.pop(scan.account, None) if rows else None  # each account wants its rows once
    return found if found and found.count == sizes[scan.account, region] else None


def sizes_by_place(aggregator: Aggregator) -> dict[tuple[str, str], int]:
    """How many resources each account has in each region."""
    place = "accountId, awsRegion"
    rows = aggregator.query(f"SELECT {place}, COUNT(*) WHERE {REAL} GROUP BY {place}")
    return {(row["accountId"], row.get("awsRegion", GLOBAL)): int(row["COUNT(*)"]) for row in rows}


def place_conditions(accounts: Iterable[str], region: str) -> tuple[str, str]:
    """An advanced query's conditions on accounts and region."""
    among = ", ".join(f"'{account}'" for account in accounts)
    return f"accountId IN ({among})", f"awsRegion = '{region}'"


def read_aggregated(
    shared: Shared, aggregator: Aggregator, region: str, accounts: Sequence[str]
) -> dict[str, Spool]:
    """The resources of some accounts in a region."""
    rows = shared.spools(accounts)
    for held in aggregator.query(resources_where(*place_conditions(accounts, region))):
        rows[held["accountId"]].add(recorded_row(held, **configured_row(held)))
    for spool in rows.values():
        spool.flush()
    return rows


def discovered(scan: Scan) -> Iterator[Row]:
    """Resources by type (GetDiscoveredResourceCounts, ListDiscoveredResources)."""
    client: ConfigServiceClient = scan.client("config")
    pages = tokens(lambda **t: client.get_discovered_resource_counts(limit=100, **t), "nextToken")
    kinds = {held["resourceType"]: None for p in pages for held in p.get("resourceCounts", ())}
    for kind in (kind for kind in kinds if kind not in COMPLIANCE_KINDS):
        region = GLOBAL if kind.startswith("AWS::IAM::") else scan.region
        found = client.get_paginator("list_discovered_resources").paginate(
            resourceType=kind, PaginationConfig={"PageSize": 100}
        )
        for held in (held for page in found for held in page.get("resourceIdentifiers", ())):
            yield recorded_row(held, region=region)


# --- COLLECTORS ---------------------------------------------------------------------------------

Collect = Callable[[Scan, Outcome], None]

WORLD, REGION, ALWAYS = "global", "regional", "always"
PERIOD, EVENT, NOW = "period", "event", "now"


class Collector(NamedTuple):
    """A category of the document: who collects it, where, and what a past day means to it.

    `scope`: global data goes into the home region's document only, but who an account is does
    `always`, as each region's document has to say. `past`: `period` facts and
    `event`s of past days can be read, what exists `now` cannot. An `essential` one that fails is
    an ERROR, another one a FAIL. `parts` are the lists in its object; without any it is a list.
    `actions` are what IAM calls the APIs. One with a `switch` is collected only if that setting
    is on, or if --only names it.
    """

    category: str
    collect: Collect
    scope: str
    past: str
    essential: bool
    actions: tuple[str, ...]
    parts: tuple[str, ...] | None = None
    switch: str = ""


SECURITY_PARTS = (
    SECURITY_HUB, "guard_duty", "kms", "waf", "waf_rules", "cloudtrail", "secrets_manager",
    "certificate_manager", "inspector",
)  # fmt: skip

COLLECTORS = (
    Collector(
        "account", get_account_details, ALWAYS, NOW, True,
        (
            "sts:GetCallerIdentity", "account:GetAccountInformation",
            "account:GetContactInformation", "account:GetAlternateContact",
            "organizations:DescribeAccount",
        ),
        (),
    ),
    Collector(
        "config", get_config, REGION, NOW, True,
        (
            "config:DescribeConfigurationRecorders", "config:DescribeComplianceByConfigRule",
            "config:GetComplianceDetailsByConfigRule", "config:DescribeConformancePacks",
            "config:DescribeConformancePackCompliance", "config:SelectResourceConfig",
        ),
        ("non_compliant_resources",),
    ),
    Collector("service", get_services, WORLD, PERIOD, True, ("ce:GetCostAndUsage",)),
    Collector(
        "cost", get_cost, WORLD, PERIOD, True,
        (
            "ce:GetCostAndUsage", "ce:GetCostForecast", "ce:GetAnomalies",
            "cost-optimization-hub:ListRecommendationSummaries",
            "cost-optimization-hub:GetRecommendation",  # which the listing asks for
        ),
    ),
    Collector(
        "ri_sp_savings", get_ri_sp_savings, WORLD, PERIOD, False,
        (
            "ec2:DescribeReservedInstances", "rds:DescribeReservedDBInstances",
            "savingsplans:DescribeSavingsPlans", "ce:GetReservationUtilization",
            "ce:GetSavingsPlansUtilization", "ce:GetSavingsPlansUtilizationDetails",
        ),
        switch="reserved_capacity",
    ),
    Collector(
        "security", get_security, REGION, EVENT, True,
        (
            "securityhub:GetFindings", "guardduty:ListDetectors", "guardduty:ListFindings",
            "guardduty:GetFindings", "kms:ListKeys", "kms:DescribeKey",
            "kms:GetKeyRotationStatus", "wafv2:ListWebACLs", "wafv2:GetWebACL",
            "wafv2:ListLoggingConfigurations", "wafv2:GetLoggingConfiguration",
            "wafv2:ListResourcesForWebACL", "cloudfront:ListDistributionsByWebACLId",
            "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:LookupEvents",
            "secretsmanager:ListSecrets", "acm:ListCertificates", "acm:DescribeCertificate",
            "inspector2:ListFindings",
            # what ListResourcesForWebACL asks of the services that it lists, in the caller's name
            "amplify:ListResourcesForWebACL", "apprunner:ListAssociatedServicesForWebAcl",
            "appsync:ListResourcesForWebACL", "cognito-idp:ListResourcesForWebACL",
            "ec2:DescribeVerifiedAccessInstanceWebAclAssociations",
            "elasticloadbalancing:DescribeWebACLAssociation",
        ),
        SECURITY_PARTS,
    ),
    Collector(
        "inventory", get_inventory, REGION, NOW, True,
        (
            "ssm:DescribeInstanceInformation", "ssm:GetInventory", "ssm:DescribeInstancePatches",
            "ec2:DescribeInstances",
        ),
        ("instances", "applications", "patches"),
    ),
    Collector(
        "marketplace", get_marketplace, WORLD, PERIOD, False,
        (
            "license-manager:ListReceivedLicenses", "aws-marketplace:GetEntitlements",
            "ce:GetCostAndUsage",
        ),
    ),
    Collector(
        "trusted_advisor", get_trusted_advisor, WORLD, NOW, False,
        (
            "support:DescribeTrustedAdvisorChecks",
            "support:DescribeTrustedAdvisorCheckSummaries",
            "support:DescribeTrustedAdvisorCheckResult",
        ),
    ),
    Collector("health", get_health, WORLD, EVENT, False, ("health:DescribeEvents",)),
    Collector(
        "application", get_application_signals, REGION, NOW, False,
        ("application-signals:ListServices",),
    ),
    Collector(
        "resilience_hub", get_resilience_hub_apps, REGION, NOW, False,
        (
            "resiliencehub:ListApps", "resiliencehub:DescribeApp",
            "resiliencehub:DescribeResiliencyPolicy", "resiliencehub:ListAppAssessments",
        ),
    ),
    Collector(
        "service_resources", get_services_resources, REGION, NOW, False,
        (
            "ec2:DescribeInstances", "ec2:DescribeVolumes", "ec2:DescribeSubnets",
            "rds:DescribeDBInstances", "s3:ListAllMyBuckets",
            "elasticloadbalancing:DescribeLoadBalancers",
            "autoscaling:DescribeAutoScalingGroups", "lambda:ListFunctions",
        ),
    ),
    Collector(
        "compute_optimizer", get_compute_optimizer, REGION, NOW, False,
        (
            "compute-optimizer:GetEC2InstanceRecommendations",
            "compute-optimizer:GetEBSVolumeRecommendations",
            "compute-optimizer:GetLambdaFunctionRecommendations",
            # which look at the resources in the caller's name
            "ec2:DescribeInstances", "ec2:DescribeVolumes", "lambda:ListFunctions",
            "lambda:ListProvisionedConcurrencyConfigs",
        ),
    ),
    Collector(
        "config_inventory", get_config_resource_inventory, REGION, NOW, False,
        (
            "config:SelectResourceConfig", "config:DescribeConfigurationRecorders",
            "config:GetDiscoveredResourceCounts", "config:ListDiscoveredResources",
        ),
    ),
    Collector(
        "support_tickets", get_support_tickets, WORLD, EVENT, False, ("support:DescribeCases",)
    ),
)  # fmt: skip

CATEGORIES = {collector.category: collector for collector in COLLECTORS}
LOGS = "logs"


# --- collect ------------------------------------------------------------------------------------


def collect(scan: Scan, drafts: Drafts, screen: Screen) -> dict[str, Outcome]:
    """Run the collectors that apply, all at once; what became of each category."""
    outcomes = {
        collector.category: Outcome(collector.category, drafts, required=collector.essential)
        for collector in COLLECTORS
    }
    for draft in drafts.all:
        draft.heads["account"].update(account_row(scan))
    pool = ThreadPoolExecutor(len(COLLECTORS), "collector")
    running: dict[Future[None], Outcome] = {}
    for collector in COLLECTORS:
        out = outcomes[collector.category]
        out.skipped = why_not(scan, collector)
        if out.skipped is None:
            running[pool.submit(attempt, collector.collect, scan, out)] = out
        elif out.skipped != NOT_ASKED:
            tell(scan.aws.log, out)
    with screen.showing(scan, outcomes):
        try:
            for future in as_completed(running):
                future.result()
                tell(scan.aws.log, running[future])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return outcomes


NOT_ASKED = "not asked for (--only)"
NO_STATUS = "None"
"""The status of a category that was left out by --only: nothing is known of it, nor said."""


def why_not(scan: Scan, collector: Collector) -> str | None:
    """Why a category is not collected in this run; None if it is."""
    if scan.settings.only and collector.category not in scan.settings.only:
        return NOT_ASKED
    if collector.switch and not scan.settings.only and not getattr(scan.settings, collector.switch):
        return f"not asked for (--{collector.switch.replace('_', '-')})"
    if collector.scope == WORLD and not scan.home:
        return f"global: in the document of the home region, {scan.settings.region}"
    if collector.past == NOW and scan.window.past:
        return "AWS does not tell what was there on a past day"
    return None


def tell(log: Log, out: Outcome) -> None:
    """Write what there is to say of a category."""
    for kind, text in out.messages():
        log.say(kind, text, category=out.category, status=out.status)


# --- document -----------------------------------------------------------------------------------


def set_log(outcomes: Mapping[str, Outcome], notes: Iterable[str] = ()) -> Row:
    """The document's `logs`: the status of each category, and all messages in order."""
    statuses = {
        f"{name}_status": NO_STATUS if out.skipped == NOT_ASKED else out.status
        for name, out in outcomes.items()
    }
    asked = (out for out in outcomes.values() if out.skipped != NOT_ASKED)
    said = [pair for out in asked for pair in out.messages()]
    said += [("INFO", text) for text in notes]
    calls = sum((out.total_calls for out in outcomes.values()), Counter[str]())
    said += [("INFO", f"calls: {text}") for text in calls_by_service(calls)]
    return statuses | {
        f"{LOGS}_status": PASS,
        "date_created": datetime.now(UTC).isoformat(timespec="microseconds"),
        "message": [{kind: Log.safe(text)} for kind, text in said],
    }


def calls_by_service(calls: Mapping[str, int]) -> Iterator[str]:
    """`kms DescribeKey 12, ListKeys 1`, a line for each service."""
    services: dict[str, list[str]] = collections.defaultdict(list)
    for name, count in sorted(calls.items()):
        service, _, operation = name.partition(":")
        services[service].append(f"{operation} {count}")
    yield from (f"{service} {', '.join(parts)}" for service, parts in services.items())


def document(scan: Scan, draft: Draft, outcomes: Mapping[str, Outcome]) -> Row:
    """A document as an object whose lists are still on disk; `encode` writes it out.

    The logs come before the lists: they tell the receiver at once what it may conclude from them.
    """
    meta = {
        "format": DOCUMENT_FORMAT,
        "collected_at": scan.started.isoformat(timespec="microseconds"),
        "period": {"start": str(draft.start), "end": str(draft.end)},
        "interval": INTERVAL,
        "account_id": scan.account,
        "region": scan.region,
        "sender": f"sender.py {__version__}",
    }
    unknown = (*SECURITY_STATES, "waf_rules") if scan.window.past else ()
    content = {c.category: category_content(draft, c, unknown) for c in COLLECTORS}
    return {"meta": meta, LOGS: set_log(outcomes, scan.notes)} | content


def category_content(draft: Draft, collector: Collector, unknown: Sequence[str]) -> Any:
    """A category's list, or its object of fields and lists.

    Lists that a past day cannot have are left out: an empty one would say that nothing existed.
    """
    lists = draft.lists[collector.category]
    if collector.parts is None:
        return lists.get("", [])
    content = dict(draft.heads[collector.category])
    for part in (part for part in collector.parts if part not in unknown):
        content[part] = finding_groups(lists) if part == SECURITY_HUB else lists.get(part, [])
    return content


def finding_groups(lists: Mapping[str, Spool]) -> list[Row]:
    """Security Hub's findings by product, with counts of what the document has of each."""
    return [
        {
            "service": part.partition("/")[2],
            "total_findings": rows.count,
            "severity_counts": {severity: rows.tally[severity] for severity in SEVERITIES},
            "open_findings": rows.tally["open"],
            "resolved_findings": rows.tally["resolved"],
            "findings": rows,
        }
        for part, rows in lists.items()
        if part.startswith(f"{SECURITY_HUB}/")
    ]


def encode(value: Any) -> Iterator[bytes]:
    """JSON text of a value whose lists may be on disk, piece by piece."""
    if isinstance(value, Spool):
        yield b"["
        yield from value.chunks()
        yield b"]"
    elif isinstance(value, dict):
        yield from bracketed(
            b"{}",
            (
                itertools.chain((json.dumps(key).encode(), b":"), encode(value[key]))
                for key in value
            ),
        )
    elif isinstance(value, list):
        yield from bracketed(b"[]", map(encode, value))
    else:
        yield json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="replace")


def bracketed(brackets: bytes, members: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Members between brackets, with commas."""
    yield brackets[:1]
    for number, member in enumerate(members):
        if number:
            yield b","
        yield from member
    yield brackets[1:]


# --- upload -------------------------------------------------------------------------------------

ONE_PUT = 64 * 1024 * 1024
"""Bytes up to which a document is sent in one request; larger ones go in parts."""


def upload_to_s3(
    run: Run, settings: Settings, key: str, body: IO[bytes], *, replace: bool = True
) -> int:
    """Put a document into the bucket, encrypted with the KMS key; its size in bytes.

    S3 shows it once it is there as a whole. With `replace` off, a document that waits under the
    same key is left alone, and that is the error PreconditionFailed.
    """
    client: S3Client = run.caller.client("s3", settings.region)
    how: Row = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": settings.kms_key,
        "ContentType": "application/json",
    }
    bucket = str(settings.bucket)
    size = body.seek(0, os.SEEK_END)
    body.seek(0)
    if replace and size > ONE_PUT:
        watch_parts(client, run.uploads)
        try:
            client.upload_fileobj(body, bucket, key, ExtraArgs=how)
        finally:
            run.uploads.pop(key, None)  # it is complete, or boto3 has aborted it
    else:
        how |= {} if replace else {"IfNoneMatch": "*"}
        client.put_object(Bucket=bucket, Key=key, Body=body, **how)
    return size


def watch_parts(client: S3Client, uploads: dict[str, Row]) -> None:
    """Note which upload a client's parts belong to: none may be left behind when the run ends."""

    def note(params: Row, **_: Any) -> None:
        uploads[params["Key"]] = {name: params[name] for name in ("Bucket", "Key", "UploadId")}

    event = "provide-client-params.s3.UploadPart"
    client.meta.events.register(event, note, unique_id="uploads")


def end_uploads(run: Run) -> None:
    """Abort the uploads in parts that are under way, and say which ones could not be.

    It may not take longer than ABORT_WITHIN, as the run was told to stop.
    """
    if run.uploads:
        aborting = threading.Thread(target=abort_uploads, args=(run,), daemon=True)
        aborting.start()
        aborting.join(ABORT_WITHIN)
    for upload in tuple(run.uploads.values()):
        place = f"s3://{upload['Bucket']}/{upload['Key']}"
        text = f"{place}: the upload in parts {upload['UploadId']} is left there"
        run.caller.log.say("ERROR", text)


def abort_uploads(run: Run) -> None:
    """Abort the uploads in parts, whose parts S3 would keep (S3: AbortMultipartUpload).

    The client is another one, as parts that do not get through may take all turns of theirs.
    """
    client: S3Client = run.caller.open_client("s3", run.caller.home)
    for key, upload in tuple(run.uploads.items()):
        try:
            client.abort_multipart_upload(**upload)
        except aws_errors() as error:
            if dig(getattr(error, "response", None), "Error.Code") != "NoSuchUpload":
                continue
        run.uploads.pop(key, None)


def document_key(prefix: str, account: str, region: str, day: date) -> str:
    """Where a document lies in the bucket."""
    return f"{prefix}/{account}/{region}/{day}_{INTERVAL}.json"


def days_with_documents(
    run: Run, account: str, settings: Settings, region: str, last: date
) -> list[date]:
    """The days up to `last` that have a document, oldest first (ListObjectsV2, names only).

    The document of `last` itself counts once it is loaded: until then this run replaces it.
    """
    client: S3Client = run.caller.client("s3", settings.region)
    found: set[str] = set()
    for prefix in DATA_PREFIXES:
        folder = f"{prefix}/{account}/{region}/"
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=str(settings.bucket),
            Prefix=folder,
            StartAfter=f"{folder}{last - timedelta(days=LONGEST_LOOK_BACK)}",
        )
        names = [held["Key"][len(folder) :] for page in pages for held in page.get("Contents", ())]
        bound = str(last if prefix == "data" else last + timedelta(days=1))
        found |= {name[:10] for name in names if DATED.match(name) and name[:10] < bound}
    return [date.fromisoformat(day) for day in sorted(found)]


def is_uploaded(run: Run, account: str, settings: Settings, region: str) -> bool:
    """Whether all documents of this run were uploaded earlier today, UTC (ListObjectsV2)."""
    client: S3Client = run.caller.client("s3", settings.region)
    today = datetime.now(UTC).date()
    first = settings.start or today - timedelta(days=1)
    wanted = days(first, (settings.end or first) + timedelta(days=1))
    listing = client.get_paginator("list_objects_v2")
    found: set[str] = set()
    for prefix in DATA_PREFIXES:
        folder = f"{prefix}/{account}/{region}/"
        pages = listing.paginate(
            Bucket=str(settings.bucket), Prefix=folder, StartAfter=f"{folder}{first}"
        )
        found |= {
            held["Key"][len(folder) :]
            for page in pages
            for held in page.get("Contents", ())
            if held["LastModified"].astimezone(UTC).date() == today
        }
    return found >= {f"{day}_{INTERVAL}.json" for day in wanted}


DATED = re.compile(rf"\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])_{INTERVAL}\.json$")


# --- entry points -------------------------------------------------------------------------------


class Report:
    """What a run has done: documents, failures, what was left out.

    `accounts` is how many it is over, `over` how many of them are done; both 0 without any named.
    """

    def __init__(self) -> None:
        self.accounts = self.over = 0
        self.written: list[str] = []
        self.documents = 0
        self.problems: dict[str, list[str]] = collections.defaultdict(list)
        self.left_out: dict[str, list[str]] = collections.defaultdict(list)
        self.statuses: Counter[str] = Counter()
        self.rows = 0
        self.calls: Counter[str] = Counter()
        self.throttles = 0
        self.lock = threading.Lock()

    def add(self, scan: Scan, outcomes: Mapping[str, Outcome]) -> None:
        """Count a region's categories in."""
        with self.lock:
            asked = (out for out in outcomes.values() if out.skipped != NOT_ASKED)
            self.statuses.update(out.status for out in asked)
            self.rows += sum(out.total_rows for out in outcomes.values())
            self.calls += sum((out.total_calls for out in outcomes.values()), Counter[str]())
        if failed := [name for name, out in outcomes.items() if out.status == FAIL]:
            self.fail(scan.account, f"{scan.region} {', '.join(failed)}")

    def add_document(self, place: str) -> None:
        """A document is uploaded."""
        with self.lock:
            self.written.append(place)
            self.documents += 1

    def fail(self, account: str, text: str) -> None:
        """Something of an account has failed."""
        with self.lock:
            self.problems[account].append(text)

    def leave_out(self, why: str, what: str) -> None:
        """Something is not read, and that is no failure."""
        with self.lock:
            self.left_out[why].append(what)

    @property
    def summary(self) -> str:
        """One line."""
        over = f"{self.accounts} accounts, {len(self.problems)} failed; "
        found = ", ".join(f"{self.statuses[name]} {name}" for name in (PASS, FAIL, SKIPPED))
        return (
            f"{over if self.accounts else ''}{found}; {self.rows} rows, "
            f"{self.calls.total()} calls, {self.documents} documents"
        )

    def lines(self, *, several: bool) -> Iterator[str]:
        """The documents, what was left out, which of several accounts have failed, the summary."""
        yield from sorted(self.written)
        for why, held in sorted(self.left_out.items()):
            yield f"left out, {why}: {shortened(sorted(held), 5)}"
        for account, problems in sorted(self.problems.items() if several else ()):
            yield f"failed, {account}: {'; '.join(sorted(problems))}"
        yield self.summary


def shortened(names: Sequence[str], most: int) -> str:
    """A list of names, and how many there are besides the first ones."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def meet_regions(hub: Aws, settings: Settings) -> None:
    """UsageError if a region is named that does not exist: nobody would notice it missing."""
    for region in settings.regions:
        if region != ALL_REGIONS and not hub.knows(region):
            known = "check its name, or install a newer boto3"
            raise UsageError(f"REGIONS (--regions): botocore knows no region {region!r}: {known}")


def meet_bucket(hub: Aws, settings: Settings) -> None:
    """UsageError if there is no such bucket: all would be read in vain (S3: ListObjectsV2)."""
    if not settings.bucket or settings.dry_run:
        return
    client: S3Client = hub.client("s3", settings.region)
    own = f"{DATA_PREFIXES[0]}/{hub.account}/"
    try:
        client.list_objects_v2(Bucket=settings.bucket, Prefix=own, MaxKeys=1)
    except aws_errors() as error:
        malformed = type(error).__name__ == "ParamValidationError"
        if malformed or dig(getattr(error, "response", None), "Error.Code") == "NoSuchBucket":
            text = f"BUCKET (--bucket): there is no bucket {settings.bucket!r}"
            raise UsageError(text) from None


def run(settings: Settings, log: Log, screen: Screen, deadline: float | None = None) -> Report:
    """Collect and ship the documents of one account, or of several at once."""
    this = Run(settings, log, deadline)
    report = Report()
    wide = settings.several or settings.regions != (settings.region,)
    try:
        this.caller.identify()
        meet_regions(this.caller, settings)
        meet_bucket(this.caller, settings)
        with screen.over(report) if wide else contextlib.nullcontext():
            if settings.several:
                run_accounts(this, settings, screen, report)
            else:
                run_account(AccountRun(this, this.caller), settings, screen, report)
    finally:
        this.caller.stopped.set()
        end_uploads(this)
        this.caller.close()
    return report


RARELY = (50_000, 20, 20)
"""Thresholds of Python's collector for a run over several accounts. What it would go through again
and again are botocore's models, which stay; clients that are done with are collected with their
accounts. It saves a fifth of the CPU."""


def run_accounts(run: Run, settings: Settings, screen: Screen, report: Report) -> None:
    """Collect several accounts, so many at once; the caller lists, assumes roles and uploads."""
    log = run.caller.log

    def note(why: str, account: str) -> None:
        log.say("INFO", f"{account} is left out: {why}", account=account)
        report.leave_out(why, account)

    targets = find_targets(run.caller, settings, note)
    random.shuffle(targets)  # if time runs out, let it not be for the same accounts each day
    report.accounts = run.slots.accounts = len(targets)
    log.say("INFO", f"{len(targets)} accounts, {settings.at_once} regions at once")
    if len(targets) >= Shared.LEAST and not settings.per_account_reads:
        run.shared = Shared(run.caller, settings, [target.account for target in targets])
    gc.set_threshold(*RARELY)
    pool = ThreadPoolExecutor(settings.at_once, "account")
    try:
        running = [
            pool.submit(run_target, run, settings, target, screen, report) for target in targets
        ]
        for future in as_completed(running):
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if run.shared:
        report.calls += run.shared.out.total_calls
        report.throttles += sum(aws.throttles for aws in run.shared.administrators)
        run.shared.close()


def run_target(
    run: Run, settings: Settings, target: Target, screen: Screen, report: Report
) -> None:
    """Collect one account of several: whatever goes wrong in it is told and stays in it."""
    log = run.caller.log.of(account=target.account)

    def tell(error: Exception) -> None:
        log.say("ERROR", because(error))
        report.fail(target.account, because(error))

    contain(lambda: read_target(run, settings, target, screen, report), tell, log)
    run.slots.leave()
    with report.lock:
        report.over += 1
        due = report.over % settings.at_once == 0
    if due:
        gc.collect()


def read_target(
    run: Run, settings: Settings, target: Target, screen: Screen, report: Report
) -> None:
    """Collect one account of several, under its own tags and within its own time."""
    if run.caller.deadline <= time.monotonic():
        raise NotNow("the run's time is used up; the next run reads this account")
    tags: Row = dict(tags_of(run.caller, run.tags, settings, target))
    own = settings._replace(**tags)
    aws = enter(run.caller, own, target.account)
    try:
        run_account(AccountRun(run, aws, target.listed), own, screen, report)
    finally:
        with report.lock:
            report.throttles += aws.throttles
        aws.close()


def run_account(account: AccountRun, settings: Settings, screen: Screen, report: Report) -> None:
    """Collect the regions of an account, as many at once as it has turns, and ship its documents.

    The home region begins.
    """
    aws, slots = account.aws, account.run.slots
    regions = regions_to_read(aws, settings, functools.partial(leave_out, aws, report))
    enabled = ALL_REGIONS in settings.regions
    settings = settings._replace(regions=tuple(regions))
    asking = aws.for_region(log_of_region(aws.log, settings, settings.region))
    ask = functools.partial(why_closed, asking, enabled=enabled)
    account.closed = {name: Once(functools.partial(ask, name)) for name in regions[1:]}
    pool = ThreadPoolExecutor(settings.at_once, "region")
    running: list[Future[None]] = []
    try:
        for region in regions:
            try:
                slots.take(aws.account, aws.deadline)
            except NotNow as error:
                fail_region(aws, report, region, error)
                continue
            earlier = tuple(running)
            future = pool.submit(read_region, account, settings, region, screen, report, earlier)
            future.add_done_callback(lambda _: slots.give_back(aws.account))
            running.append(future)
        for future in as_completed(running):
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        asking.close()


def fail_region(aws: Aws, report: Report, region: str, error: Exception) -> None:
    """A region of an account could not be read."""
    aws.log.say("ERROR", f"{region}: {because(error)}", region=region)
    report.fail(aws.account, f"{region}: {because(error)}")


def leave_out(aws: Aws, report: Report, why: str, region: str) -> None:
    """A region of an account is not read, and that is no failure."""
    aws.log.say("INFO", f"{region} is left out: {why}", region=region)
    report.leave_out(f"region {region}, {why}", aws.account)


def log_of_region(log: Log, settings: Settings, region: str) -> Log:
    """The log of a region, which names it if it is one of several."""
    return log.of(region=region) if len(settings.regions) > 1 else log


def read_region(
    account: AccountRun,
    settings: Settings,
    region: str,
    screen: Screen,
    report: Report,
    earlier: Sequence[Future[None]],
) -> None:
    """Collect one region of an account: whatever goes wrong in it is told and stays in it."""

    aws, closed = account.aws, account.closed

    def work() -> None:
        if settings.resume and is_uploaded(account.run, aws.account, settings, region):
            leave_out(aws, report, "uploaded earlier today", region)
            return
        if region in closed and (why := closed[region]()):
            leave_out(aws, report, why, region)
            return
        own = aws.for_region(log_of_region(aws.log, settings, region))
        try:
            run_region(account, own, settings, region, screen, report, earlier)
        finally:
            own.close()
            with report.lock:
                report.throttles += own.throttles

    contain(work, functools.partial(fail_region, aws, report, region), aws.log)


def run_region(
    account: AccountRun,
    aws: Aws,
    settings: Settings,
    region: str,
    screen: Screen,
    report: Report,
    earlier: Sequence[Future[None]],
) -> None:
    """Collect one region and ship its documents, in a dry run after those of `earlier` regions."""
    window, notes = choose_window(account.run, aws.account, settings, region)
    scan = Scan(account, aws, settings, region, window, notes)
    place = f"account {aws.account}, region {region}"
    account.run.caller.log.say("INFO", f"{place}, {scan.title}", account=aws.account, region=region)
    for note in scan.notes:
        aws.log.say("INFO", note)
    with contextlib.closing(scan.store):
        drafts = Drafts(scan.window, scan.store)
        outcomes = collect(scan, drafts, screen)
        report.add(scan, outcomes)
        if settings.dry_run:
            wait(earlier)
        for draft in drafts.all:
            ship(scan, draft, outcomes, report)


FULL_EVERY = 7
"""Each so many documents one reads everything open again, whatever an earlier run had missed."""
FULL_BY_DATE = 28
"""From so many on, it is the first of each week: old names go, so their number stops to grow."""


def reads_everything(known: Sequence[date], day: date) -> bool:
    """Whether the document of a day, after those of the `known` days, reads all that is open."""
    if len(known) < FULL_BY_DATE:
        return len(known) % FULL_EVERY == 0
    return known[-1].toordinal() // FULL_EVERY < day.toordinal() // FULL_EVERY


def choose_window(
    run: Run, account: str, settings: Settings, region: str
) -> tuple[Window, list[str]]:
    """The days to read and what is to be said about them, by what the bucket has already."""
    if settings.start and settings.end:
        return Window.of_past(settings.start, settings.end), []
    now = datetime.now(UTC)
    if not settings.bucket:
        return Window.of_yesterday(now, settings, None), ["no bucket: everything open is read"]
    try:
        known = days_with_documents(run, account, settings, region, now.date() - timedelta(days=1))
    except aws_errors() as error:
        _, what, _ = judge(error)
        window = Window.of_yesterday(now, settings, now.date() - timedelta(days=1), full=True)
        return window, [f"{what}: everything open is read"]
    if not known:
        window = Window.of_yesterday(now, settings, None)
        return window, ["the first document: everything open is read"]
    newest = known[-1]
    full = settings.full or reads_everything(known, now.date() - timedelta(days=1))
    window = Window.of_yesterday(now, settings, newest, full=full)
    if full:
        return window, ["everything open is read, not only what changed"]
    if window.since is None:
        missed = f"days from {newest + timedelta(days=1)} on have no document"
        return window, [f"{missed}: costs from {window.costs_from}, and everything open, are read"]
    gap = [str(day) for day in days(newest + timedelta(days=1), window.start)]
    return window, [f"caught up with days without a document: {', '.join(gap)}"] if gap else []


def ship(scan: Scan, draft: Draft, outcomes: Mapping[str, Outcome], report: Report) -> None:
    """Write a document out and upload it, or print it in a dry run."""
    settings, log = scan.settings, scan.aws.log
    with tempfile.TemporaryFile() as body:
        for piece in encode(document(scan, draft, outcomes)):
            body.write(piece)
        if settings.dry_run:
            with report.lock:  # what is read at once is written one document after the other
                put_locally(body, settings.output, more=bool(report.documents))
                report.documents += 1
            return
        key = document_key("data", scan.account, scan.region, draft.start)
        place = f"s3://{settings.bucket}/{key}"
        try:
            whole = not (scan.window.past or settings.only)
            size = upload_to_s3(scan.run, settings, key, body, replace=whole)
        except aws_errors() as error:
            failure = f"{place} is not uploaded: {why_not_uploaded(error)}"
            log.say("ERROR", failure)
            report.fail(scan.account, failure)
        else:
            report.add_document(f"{place} {size} bytes")
            log.say("SUCCESS", f"{place}: {size} bytes", key=key, size=size)


def why_not_uploaded(error: Exception) -> str:
    """What went wrong with an upload, and what to do where that is known."""
    if dig(getattr(error, "response", None), "Error.Code") == "PreconditionFailed":
        return "a document of that day waits to be loaded; load it, then run this again"
    return because(error)


def because(error: Exception) -> str:
    """An error of AWS in one line."""
    _, what, detail = judge(error)
    return f"{what}: {detail}" if detail else what


def put_locally(body: IO[bytes], output: str | None, *, more: bool) -> None:
    """Write a document as one line to stdout or a file, after those written before if `more`."""
    body.seek(0)
    mode = "ab" if more else "wb"
    with Path(output).open(mode) if output else contextlib.nullcontext(sys.stdout.buffer) as target:
        while piece := body.read(1 << 20):
            target.write(piece.replace(b"\n", b" "))
        target.write(b"\n")
        target.flush()


class AWSBoto3Permissions:
    """What this identity can and cannot read, by asking AWS for the least of each kind.

    Each probe is a real call with a page as small as AWS allows; the one to Cost Explorer costs
    $0.01. Calls that need the name of a thing are not probed.
    """

    def __init__(self, scan: Scan | None = None) -> None:
        self.scan = scan or Scan.for_check(
            read_settings({}, CATEGORIES, uploads=False), Log(sys.stderr)
        )

    def test(self) -> list[tuple[str, str, str, str]]:
        """(category, call, yes | no | off, reason) for each probe."""
        only = self.scan.settings.only
        wanted = only | {"cost"} if "service" in only else only or CATEGORIES  # both read costs
        probes = [probe for probe in PROBES if probe[0] in wanted]
        with ThreadPoolExecutor(8, "probe") as pool:
            return list(pool.map(lambda probe: self._probe(*probe), probes))

    def _probe(
        self, category: str, call: str, parameters: Row | Callable[[Scan], Row]
    ) -> tuple[str, str, str, str]:
        from botocore import xform_name

        service, _, operation = call.partition(":")
        everywhere = CATEGORIES[category].scope != REGION and service not in ("ec2", "rds")
        client = self.scan.world(service) if everywhere else self.scan.client(service)
        asked = parameters(self.scan) if callable(parameters) else parameters
        try:
            getattr(client, xform_name(operation))(**asked)
        except aws_errors() as error:
            meaning, what, detail = judge(error)
            if meaning == FAIL:
                return category, call, "no", f"{what}: {detail}"
            if meaning == SKIPPED:
                return category, call, "off", what
        return category, call, "yes", ""


def last_week(scan: Scan) -> Row:
    """Cost Explorer's parameters for the cheapest answer about the past."""
    end = scan.window.until.date()
    period = {"Start": str(end - timedelta(days=7)), "End": str(end)}
    return {"TimePeriod": period, "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"]}


def last_hour(scan: Scan) -> Row:
    """Application Signals' parameters for the shortest time that it rounds to."""
    until = scan.window.until
    return {"StartTime": until - timedelta(hours=1), "EndTime": until, "MaxResults": 1}


PROBES: tuple[tuple[str, str, Row | Callable[[Scan], Row]], ...] = (
    ("account", "sts:GetCallerIdentity", {}),
    ("account", "account:GetAccountInformation", {}),
    ("account", "account:GetContactInformation", {}),
    ("account", "account:GetAlternateContact", {"AlternateContactType": "BILLING"}),
    ("account", "organizations:DescribeAccount", lambda scan: {"AccountId": scan.account}),
    ("config", "config:DescribeConfigurationRecorders", {}),
    ("config", "config:DescribeComplianceByConfigRule", {}),
    ("config", "config:DescribeConformancePacks", {"Limit": 1}),
    ("cost", "ce:GetCostAndUsage", last_week),
    (
        "cost", "cost-optimization-hub:ListRecommendationSummaries",
        {"groupBy": "ResourceType", "maxResults": 1},
    ),
    ("ri_sp_savings", "savingsplans:DescribeSavingsPlans", {"maxResults": 1}),
    ("ri_sp_savings", "ec2:DescribeReservedInstances", {}),
    ("ri_sp_savings", "rds:DescribeReservedDBInstances", {"MaxRecords": 20}),
    ("security", "securityhub:GetFindings", {"MaxResults": 1}),
    ("security", "guardduty:ListDetectors", {"MaxResults": 1}),
    ("security", "kms:ListKeys", {"Limit": 1}),
    ("security", "wafv2:ListWebACLs", {"Scope": "REGIONAL", "Limit": 1}),
    ("security", "wafv2:ListLoggingConfigurations", {"Scope": "REGIONAL", "Limit": 1}),
    ("security", "cloudtrail:DescribeTrails", {}),
    ("security", "cloudtrail:LookupEvents", {"MaxResults": 1}),
    ("security", "secretsmanager:ListSecrets", {"MaxResults": 1}),
    ("security", "acm:ListCertificates", {"MaxItems": 1}),
    ("security", "inspector2:ListFindings", {"maxResults": 1}),
    ("inventory", "ssm:DescribeInstanceInformation", {"MaxResults": 5}),
    ("inventory", "ssm:GetInventory", {"MaxResults": 1}),
    ("marketplace", "license-manager:ListReceivedLicenses", {"MaxResults": 1}),
    ("trusted_advisor", "support:DescribeTrustedAdvisorChecks", {"language": "en"}),
    ("health", "health:DescribeEvents", {"maxResults": 10}),
    ("application", "application-signals:ListServices", last_hour),
    ("resilience_hub", "resiliencehub:ListApps", {"maxResults": 1}),
    ("service_resources", "ec2:DescribeInstances", {"MaxResults": 5}),
    ("service_resources", "ec2:DescribeVolumes", {"MaxResults": 5}),
    ("service_resources", "ec2:DescribeSubnets", {"MaxResults": 5}),
    ("service_resources", "rds:DescribeDBInstances", {"MaxRecords": 20}),
    ("service_resources", "s3:ListBuckets", {"MaxBuckets": 1}),
    ("service_resources", "elbv2:DescribeLoadBalancers", {"PageSize": 1}),
    ("service_resources", "autoscaling:DescribeAutoScalingGroups", {"MaxRecords": 1}),
    ("service_resources", "lambda:ListFunctions", {"MaxItems": 1}),
    ("compute_optimizer", "compute-optimizer:GetEC2InstanceRecommendations", {"maxResults": 1}),
    ("compute_optimizer", "compute-optimizer:GetEBSVolumeRecommendations", {"maxResults": 1}),
    ("compute_optimizer", "compute-optimizer:GetLambdaFunctionRecommendations", {"maxResults": 1}),
    (
        "config_inventory", "config:SelectResourceConfig",
        {"Expression": "SELECT resourceId", "Limit": 1},
    ),
    ("support_tickets", "support:DescribeCases", {"maxResults": 10}),
)  # fmt: skip


class Screen:
    """Where the progress of a run is shown: nowhere, as under cron."""

    @contextlib.contextmanager
    def showing(self, scan: Scan, outcomes: Mapping[str, Outcome]) -> Iterator[None]:
        """Show the progress of the categories while the block runs."""
        yield

    @contextlib.contextmanager
    def over(self, report: Report) -> Iterator[None]:
        """Show the progress of a run over several accounts or regions while the block runs."""
        yield


class Showing:
    """A region that is being collected."""

    def __init__(self, scan: Scan, outcomes: Mapping[str, Outcome]) -> None:
        self.scan, self.outcomes = scan, outcomes
        self.since = time.monotonic()

    @property
    def rows(self) -> int:
        """Rows so far."""
        return sum(out.total_rows for out in self.outcomes.values())

    @property
    def calls(self) -> int:
        """AWS calls so far."""
        return sum(out.total_calls.total() for out in self.outcomes.values())


class Terminal(Screen):
    """A table on a terminal: the categories of a region, or the regions that are being read."""

    def __init__(self, log: Log) -> None:
        from rich.console import Console

        self.console = Console(file=log.stream)
        self.running: dict[tuple[str, str], Showing] = {}
        self.wide = False
        log.write = functools.partial(
            self.console.print, markup=False, highlight=False, soft_wrap=True
        )

    @contextlib.contextmanager
    def showing(self, scan: Scan, outcomes: Mapping[str, Outcome]) -> Iterator[None]:
        """Show the categories, or the region among those that are being read."""
        place = (scan.account, scan.region)
        shown = self.running[place] = Showing(scan, outcomes)
        try:
            with contextlib.nullcontext() if self.wide else self._live(lambda: categories(shown)):
                yield
        finally:
            del self.running[place]

    @contextlib.contextmanager
    def over(self, report: Report) -> Iterator[None]:
        """Show how far a run is, and the regions that are being read."""
        self.wide = True
        since = time.monotonic()
        with self._live(lambda: overview(report, list(self.running.values()), since)):
            yield

    def _live(self, table: Callable[[], Any]) -> contextlib.AbstractContextManager[Any]:
        from rich.live import Live

        return Live(
            get_renderable=table, console=self.console, refresh_per_second=4, transient=True
        )


def categories(shown: Showing) -> Any:
    """A table of the categories of a region: state, rows, calls and seconds."""
    from rich.table import Table

    passed = time.monotonic() - shown.since
    table = Table(
        "category", "state", "rows", "calls", "seconds", title=shown.scan.region, box=None
    )
    for name, out in shown.outcomes.items():
        over = out.done or out.skipped is not None
        seconds = out.seconds if over else passed
        facts = (str(out.total_rows), str(out.total_calls.total()), f"{seconds:.1f}")
        table.add_row(name, out.status if over else "…", *facts)
    return table


def overview(report: Report, running: Sequence[Showing], since: float) -> Any:
    """A table of the regions that are being read, under how far the whole run is."""
    from rich.table import Table

    now = time.monotonic()
    with report.lock:
        known = sum(report.calls.values())
    waiting = report.accounts - report.over
    left = f"{(now - since) / report.over * waiting:.0f} s left" if report.over else "…"
    done = f"{report.over} of {report.accounts} accounts done, {len(report.problems)} failed"
    if not report.accounts:
        done = f"{report.documents} documents"
    rows = report.rows + sum(shown.rows for shown in running)
    calls = known + sum(shown.calls for shown in running)
    throttles = report.throttles + sum(shown.scan.aws.throttles for shown in running)
    title = (
        f"{done}, {len(running)} running; {rows} rows, {calls} calls, {throttles} throttled; {left}"
    )
    table = Table("account", "region", "rows", "calls", "seconds", title=title, box=None)
    for shown in running:
        facts = (str(shown.rows), str(shown.calls), f"{now - shown.since:.1f}")
        table.add_row(shown.scan.account, shown.scan.region, *facts)
    return table


TOLD = frozenset({"start", "end", "only", "full", "accounts", "resume"})
"""What an event may give."""


def read_event(event: Mapping[str, Any]) -> Row:
    """The flags that an event gives; EventBridge's own schedule gives none.

    UsageError for what is none of them: with a misspelt `start` another day would be read.
    """
    if event.get("source") in ("aws.events", "aws.scheduler"):
        return {}
    if unknown := sorted(event.keys() - TOLD):
        raise UsageError(
            f"the event has {', '.join(unknown)}; it may have {', '.join(sorted(TOLD))}"
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


def lambda_handler(event: Mapping[str, Any] | None, context: Any) -> dict[str, Any]:
    """AWS Lambda: the event may give what TOLD names; the environment gives the rest.

    Raises on any failure, so that retries and alarms see it. Calls end in time for what was
    collected to be uploaded before Lambda's own limit.
    """
    log = Log(sys.stderr, as_json=True)
    flags = read_event(event or {})
    left = context.get_remaining_time_in_millis() / 1000
    deadline = time.monotonic() + max(left - RESERVE, left / 2)
    report = run(read_settings(flags, CATEGORIES), log, Screen(), deadline)
    log.say("INFO", report.summary)
    if report.problems:
        raise RuntimeError(f"failed: {report.summary}")
    return {"documents": sorted(report.written), "summary": report.summary}


class Terminated(KeyboardInterrupt):
    """SIGTERM, as cron, systemd and Kubernetes send it."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sender.py",
        usage="%(prog)s [--help] [flags]",
        description="Collect what AWS knows about an account and ship it to S3 as one JSON document.",
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


def table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns."""
    lines = list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = (Log.safe(cell).ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def list_collectors() -> int:
    """--list: what is collected, from where, and what a past day means to it."""
    table(
        [
            ("CATEGORY", "SCOPE", "PAST DAY", "ESSENTIAL", "IAM ACTIONS"),
            *(
                (c.category, c.scope, c.past, "yes" if c.essential else "no", " ".join(c.actions))
                for c in COLLECTORS
            ),
        ]
    )
    return 0


def check(settings: Settings, log: Log) -> int:
    """--check: what this identity can read; 1 if an essential category cannot be."""
    if settings.several:
        return check_accounts(settings, log)
    found = AWSBoto3Permissions(Scan.for_check(settings, log)).test()
    table([("CATEGORY", "CALL", "READABLE", "REASON"), *found])
    return int(any(held[2] == "no" and CATEGORIES[held[0]].essential for held in found))


def check_accounts(settings: Settings, log: Log) -> int:
    """--check over several accounts: whether each can be entered; 1 if one cannot."""
    hub = Run(settings, log).caller
    hub.identify()
    targets = find_targets(
        hub, settings, lambda why, account: log.say("INFO", f"{account} is left out: {why}")
    )

    def try_role(target: Target) -> tuple[str, str, str, str]:
        try:
            aws = enter(hub, settings, target.account)
        except aws_errors() as error:
            return target.account, settings.role_name, "no", because(error)
        arn = str(aws.identity["Arn"])
        aws.close()
        return (
            target.account,
            arn,
            "yes",
            "the caller's own" if target.account == hub.account else "",
        )

    with ThreadPoolExecutor(settings.at_once, "account") as pool:
        found = list(pool.map(try_role, targets))
    table([("ACCOUNT", "ROLE", "ASSUMABLE", "REASON"), *found])
    return int(any(held[2] == "no" for held in found))


def collect_and_ship(settings: Settings, log: Log) -> int:
    """The run itself; paths of the documents and a summary on stdout."""
    fancy = log.stream.isatty() and not log.as_json
    started = time.monotonic()
    report = run(settings, log, Terminal(log) if fancy else Screen())
    log.say("TIMING", f"{time.monotonic() - started:.3f} s, {report.calls.total()} calls")
    stream = sys.stderr if settings.dry_run and not settings.output else sys.stdout
    if settings.output and report.documents:
        print(settings.output)
    print(*map(Log.safe, report.lines(several=settings.several)), sep="\n", file=stream)
    return int(bool(report.problems))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    args = arguments().parse_args(argv)
    if args.list:
        return list_collectors()
    log = Log(sys.stderr, as_json=args.log_format == "json", verbose=args.verbose)
    try:
        uploads = not (args.dry_run or args.check)
        settings = read_settings(vars(args), CATEGORIES, uploads=uploads)
        return check(settings, log) if args.check else collect_and_ship(settings, log)
    except UsageError as error:
        print(
            *(f"sender.py: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr
        )
        return 2
    except aws_errors() as error:
        log.say("ERROR", because(error))
        return 2 if type(error).__name__ in MISCONFIGURED else 1


MISCONFIGURED = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ConfigParseError"}
)
"""Errors of the SDK before any call: what it was told, or found, lets it make none."""


def stop(number: int, frame: object) -> NoReturn:
    """Turn SIGTERM into an exception, so that an upload under way is given up."""
    raise Terminated


def command() -> NoReturn:
    """Run as a command: signals end it at once, though calls may still be waiting for AWS."""
    signal.signal(signal.SIGTERM, stop)
    try:
        try:
            code = main()
        finally:
            print(end="", flush=True)  # also what --help wrote, which ends in SystemExit
    except OSError as error:  # a closed or full stdout, or a file of credentials that is not there
        told = error.filename or "stdout, to which not all was written"
        print(f"sender.py: {told}: {error.strerror}", file=sys.stderr)
        os._exit(1)  # whatever else is written to stdout fails as well
    except ModuleNotFoundError as error:
        print(
            f"sender.py: {error.name} is missing: pip install -r requirements.txt", file=sys.stderr
        )
        code = 2
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
        print(f"sender.py: stopped by {number.name}; nothing half is uploaded", file=sys.stderr)
        code = 128 + number
    print(end="", flush=True)
    sys.stderr.flush()
    os._exit(code)  # threads that wait for AWS would keep the interpreter for many seconds


if __name__ == "__main__":
    command()
