"""The settings of receiver.py."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from observability.errors import ADVICE, UsageError
from observability.limits import DOCUMENT_MIB, DOCUMENT_SECONDS, MIB, MOVABLE_BYTES
from observability.log import printable
from observability.settings.declaration import (
    GENERAL,
    Setting,
    build_parser,
    declared_in,
    read_all,
    setting,
)
from observability.settings.kinds import (
    KMS_KEY,
    REGION,
    REPORT,
    SWITCH,
    TO_BUCKET,
    arn,
    choice,
    names,
    number,
    text,
)

SCRIPT = "receiver.py"
GROUPS = {
    "action": "what to do instead of loading every document under data/",
    "bucket": "the bucket",
    "database": "the database",
    "what": "what to load",
    "limits": "limits",
    "general": "general",
}

MOST_WORKERS = 256
"""Each has a connection to the database while it loads, and threads and a file of its own."""
LONGEST_PATIENCE = 86_400.0
LONGEST_MEMORY = 3_650


@dataclass(frozen=True)
class Settings:
    """Where to read from and load into. `region` is boto3's own if none is given."""

    bucket: str = setting(
        text("BUCKET"), "bucket", "S3 bucket with data/, loaded/ and rejected/",
        variable="BUCKET", needed=True,
    )  # fmt: skip
    cluster_arn: str = setting(
        arn("rds", "cluster"), "database", "ARN of the Aurora cluster, its Data API enabled",
        variable="AURORA_CLUSTER_ARN", needed=True,
    )  # fmt: skip
    secret_arn: str = setting(
        arn("secretsmanager", "secret"), "database",
        "ARN of the secret with the database's user and password",
        variable="AURORA_SECRET_ARN", needed=True,
    )  # fmt: skip
    database: str = setting(
        text("NAME"), "database", "name of the database", variable="DB_NAME", needed=True
    )
    reader_secret_arn: str | None = setting(
        arn("secretsmanager", "secret"), "database",
        "ARN of the secret of a user who only reads, for --query and --report; default: the other",
        variable="READER_SECRET_ARN",
    )  # fmt: skip
    region: str | None = setting(
        REGION, "bucket", "region of bucket and cluster; default: as boto3 finds it",
        variable="REGION",
    )  # fmt: skip
    kms_key: str | None = setting(
        KMS_KEY, "bucket", "KMS key that encrypts moved documents; default: the bucket's own",
        variable="ANALYTICS_KMS_KEY",
    )  # fmt: skip
    only: frozenset[str] = setting(
        names("CATEGORIES"), "what", "load these categories only, comma-separated",
        variable="ONLY", non_empty=True, default=frozenset(),
    )  # fmt: skip
    skip: frozenset[str] = setting(
        names("CATEGORIES"), "what",
        "do not load these categories, comma-separated: they count as Skipped",
        variable="SKIP", non_empty=True, default=frozenset(),
    )  # fmt: skip
    workers: int = setting(
        number("N", 1, MOST_WORKERS), "limits", "documents to load at once", default=8
    )
    patience: float = setting(
        number("SECONDS", 0.0, LONGEST_PATIENCE), "limits",
        "seconds to wait, per document, for a database that is not ready", default=180.0,
    )  # fmt: skip
    changes_days: int = setting(
        number("DAYS", 1, LONGEST_MEMORY), "limits", "days to keep what loading has changed",
        variable="CHANGES_DAYS", default=90,
    )  # fmt: skip

    max_size: int = setting(
        number("MIB", 1, MOVABLE_BYTES // MIB), "limits",
        "MiB of the largest document that is read", default=DOCUMENT_MIB,
    )  # fmt: skip
    document_time: float = setting(
        number("SECONDS", 1.0, LONGEST_PATIENCE), "limits",
        "seconds that reading and loading one document may take", default=float(DOCUMENT_SECONDS),
    )  # fmt: skip
    report: str | None = setting(
        REPORT, "action",
        "write the report to this HTML file, and exit; s3 (environment: 1): load, then write it"
        " to reports/ in the bucket",
        variable="REPORT", exclusive=True,
    )  # fmt: skip

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> Settings:
        """Each setting by its flag, else by its variable; UsageError names all that are wrong."""
        settings = cls.made_of(flags)
        if settings.report not in (None, TO_BUCKET):
            raise UsageError("REPORT is for reports in the bucket, give 1; a file takes --report")
        return settings

    @classmethod
    def for_reading(cls, flags: Mapping[str, Any]) -> Settings:
        """The same for what only reads the database, which needs no bucket."""
        reader = os.environ.get("READER_SECRET_ARN") or flags.get("reader_secret_arn")
        return cls.made_of(flags, ("bucket", "secret_arn") if reader else ("bucket",)).as_reader()

    @classmethod
    def made_of(cls, flags: Mapping[str, Any], optional: Collection[str] = ()) -> Settings:
        """All settings; those that are `optional` may be missing."""
        values = read_all(SETTINGS, flags, os.environ, optional)
        return cls(**values | {name: frozenset(values[name]) for name in ("only", "skip")})

    def as_reader(self) -> Settings:
        """The same with the login of the user who only reads, if there is one."""
        return replace(self, secret_arn=self.reader_secret_arn or self.secret_arn)

    def off(self, categories: Iterable[str]) -> frozenset[str]:
        """Those of the categories that are not loaded; UsageError if a setting names others."""
        known = frozenset(categories)
        if unknown := (self.only | self.skip) - known:
            names = f"{', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
            raise UsageError(f"ONLY (--only), SKIP (--skip): no such category: {names}")
        return (known - self.only if self.only else frozenset()) | self.skip


SETTINGS = declared_in(Settings)
ACTIONS = (
    Setting("init_schema", SWITCH, "action", "apply schema.sql, and exit", exclusive=True),
    Setting(
        "adopt_schema", text("NAME"), "action",
        "move the tables of the public sample from schema public to this one, apply schema.sql, "
        "load what they hold, and create their views anew; run again, it loads what is new",
        exclusive=True,
    ),
    Setting(
        "check", SWITCH, "action", "test what a run needs of bucket and database, and exit",
        exclusive=True,
    ),
    Setting(
        "file", text("KEY"), "action",
        "load only the object at this key, even if it was loaded before", exclusive=True,
    ),
    Setting(
        "retry_rejected", SWITCH, "action",
        "move rejected documents back to data/, then load", exclusive=True,
    ),
    Setting(
        "forget", text("KEYS"), "action",
        "remove the documents at these keys under loaded/, comma-separated, of one account: move "
        "them to forgotten/, and load all others of the account again", exclusive=True,
    ),
    Setting(
        "expect", text("FILE"), "action",
        "take this CSV file as the list of accounts that should deliver, and exit",
        exclusive=True,
    ),
    Setting(
        "tags", text("FILE"), "action",
        "take customer, partner, category, environment and product of accounts from this CSV or "
        "JSON file, whatever their documents say, and exit",
        exclusive=True,
    ),
    Setting(
        "erase", text("ACCOUNT"), "action",
        "delete an account for good, its rows and every version of its objects, and exit",
        exclusive=True,
    ),
    Setting(
        "expire", text("DAYS"), "action",
        "delete what has been gone for so many days, and log messages, changes and counts that are "
        "older, and exit",
        exclusive=True,
    ),
    Setting(
        "query", text("SQL"), "action",
        "print the rows of a query that changes nothing, and exit; -: read it from stdin",
        exclusive=True,
    ),
    Setting(
        "format", choice("table", "csv", "json", "jsonl"), "action",
        "with --query: form of the rows; default: table on a terminal, else csv",
    ),
    Setting(
        "dry_run", SWITCH, "action",
        "load in a transaction that is rolled back; tell what --erase, --expire or --forget "
        "would do",
    ),
)  # fmt: skip
DECLARED = (*SETTINGS, *ACTIONS, *GENERAL)


def parser(script: str = SCRIPT) -> argparse.ArgumentParser:
    """The command line."""
    description = "Load documents from S3 into Aurora PostgreSQL through the RDS Data API."
    return build_parser(script, description, GROUPS, DECLARED)


DRY_RUN_IS_FOR = "--dry-run is for loading, --forget, --erase and --expire only"


WRONG_SETTINGS = {
    "HttpEndpointNotEnabledException": "AURORA_CLUSTER_ARN",
    "SecretsErrorException": "AURORA_SECRET_ARN",
    "SQLState: 3D000": "DB_NAME",
}
"""What AWS's error says where a setting is wrong, and the setting's variable."""


def with_setting(error: Exception) -> str:
    """An error of AWS, after the setting that is wrong where that is known."""
    names = (name for sign, name in WRONG_SETTINGS.items() if sign in str(error))
    text = " ".join(str(error).splitlines()) + ADVICE.get(type(error).__name__, "")
    return "".join(f"{name} is wrong: " for name in names) + printable(text)
