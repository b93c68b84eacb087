"""The settings of receiver.py: flags and environment."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from observability import THIS
from observability.errors import UsageError
from observability.log import printable
from observability.settings.values import KMS_ARN, KMS_ID

SETTINGS = {
    "bucket": ("BUCKET", "bucket that holds data/, loaded/ and rejected/"),
    "cluster_arn": ("AURORA_CLUSTER_ARN", "ARN of the Aurora cluster, its Data API enabled"),
    "secret_arn": ("AURORA_SECRET_ARN", "ARN of the secret with the database credentials"),
    "database": ("DB_NAME", "name of the database"),
    "region": ("REGION", "region of bucket and cluster"),
    "kms_key": ("ANALYTICS_KMS_KEY", "KMS key for moved objects (default: the bucket's own)"),
}
OPTIONAL_SETTINGS = {"kms_key", "region"}
ARNS = {"cluster_arn": ("rds", "cluster"), "secret_arn": ("secretsmanager", "secret")}
"""Settings that are ARNs, as ExecuteStatement wants them: the service and the kind of thing."""

KMS_KEY = re.compile(rf"({KMS_ARN}key/)?{KMS_ID}|({KMS_ARN})?alias/[\w/-]+", re.ASCII)
"""What CopyObject takes as SSEKMSKeyId."""


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def not_set(name: str) -> UsageError:
    return UsageError(f"{SETTINGS[name][0]} is not set: export it or give {flag_of(name)}")


def check_arn(name: str, value: str) -> None:
    """Raise UsageError if a setting is not the ARN of what it names."""
    service, kind = ARNS[name]
    if not re.fullmatch(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{kind}:[^:\s]+", value):
        form = f"arn:aws:{service}:<region>:<account>:{kind}:<name>"
        setting = f"{SETTINGS[name][0]} ({flag_of(name)})"
        raise UsageError(f"{setting}: {value!r} is no ARN of a {kind}; its form is {form}")


def check_kms_key(value: str | None) -> None:
    """Raise UsageError for what can be no KMS key: each file would fail once it is loaded."""
    if value and not KMS_KEY.fullmatch(value):
        setting = f"{SETTINGS['kms_key'][0]} ({flag_of('kms_key')})"
        forms = "a KMS key's id, alias/ and its alias, or the ARN of either"
        raise UsageError(f"{setting}: {value!r} cannot be one; give {forms}")


@dataclass(frozen=True)
class Settings:
    """Where to read from and load into; see SETTINGS for the meaning of each name."""

    bucket: str
    cluster_arn: str
    secret_arn: str
    database: str
    region: str | None
    kms_key: str | None
    workers: int = 8
    patience: float = 180.0  # seconds that one file may wait for a database that is not ready

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> Settings:
        """Take each setting from its flag, else from the environment; raises UsageError."""
        values: dict[str, Any] = {}
        for name, (variable, _) in SETTINGS.items():
            values[name] = flags.get(name) or os.environ.get(variable) or None
            if values[name] is None and name not in OPTIONAL_SETTINGS:
                raise not_set(name)
        for name in ARNS:
            check_arn(name, values[name])
        check_kms_key(values["kms_key"])
        numbers = {name: flags.get(name) for name in ("workers", "patience")}
        return cls(**values, **{name: n for name, n in numbers.items() if n is not None})


MOST_WORKERS = 256
"""Each has a connection to the database while it loads, and threads and a file of its own."""
LONGEST_PATIENCE = 86_400.0


def within(least: float, most: float) -> Callable[[str], float]:
    """Reads the number of a flag, of the type of the bounds; argparse tells what it raises."""
    number = type(least)

    def read(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := number(text)) <= most:
                return value
        kind = "whole number" if number is int else "number"
        raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} from {least:g} to {most:g}")

    return read


def parser() -> argparse.ArgumentParser:
    summary_line = "Load documents from S3 data/ into Aurora PostgreSQL through the RDS Data API."
    arguments = argparse.ArgumentParser(
        prog="receiver.py",
        usage="%(prog)s [--help] [flags]",
        description=summary_line,
        epilog="Exit codes: 0 all well, 1 something was not loaded, 2 wrong use or configuration,"
        " 128 and its number after a signal (SIGINT 130, SIGTERM 143).",
    )
    what = arguments.add_mutually_exclusive_group()
    what.add_argument("--init-schema", action="store_true", help="apply schema.sql, then exit")
    what.add_argument("--check", action="store_true", help="test access to bucket and database")
    what.add_argument(
        "--file", metavar="KEY", help="load only the object at this key, also if it was before"
    )
    what.add_argument(
        "--retry-rejected", action="store_true", help="put what was refused back, then load"
    )
    arguments.add_argument(
        "--dry-run", action="store_true", help="load in a transaction that is rolled back"
    )
    for name, (variable, meaning) in SETTINGS.items():
        arguments.add_argument(flag_of(name), metavar="…", help=f"{meaning} [{variable}]")
    arguments.add_argument(
        "--workers",
        type=within(1, MOST_WORKERS),
        metavar="N",
        help=f"files loaded at once ({Settings.workers})",
    )
    arguments.add_argument(
        "--patience",
        type=within(0.0, LONGEST_PATIENCE),
        metavar="SECONDS",
        help=f"how long a file may wait for a database that is not ready ({Settings.patience:g})",
    )
    arguments.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="form of the log on stderr"
    )
    arguments.add_argument(
        "-v", "--verbose", action="store_true", help="log every AWS call, timings, tracebacks"
    )
    arguments.add_argument("--version", action="version", version=THIS)
    return arguments


BLAMED = {
    "HttpEndpointNotEnabledException": "cluster_arn",
    "SecretsErrorException": "secret_arn",
    "SQLState: 3D000": "database",
}


def blame(error: Exception) -> str:
    """An error of AWS, after the setting that is wrong where that is known."""
    names = (SETTINGS[name][0] for sign, name in BLAMED.items() if sign in str(error))
    text = " ".join(str(error).splitlines())
    return "".join(f"{name} is wrong: " for name in names) + printable(text)
