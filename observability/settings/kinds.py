"""The kinds of settings: how the text of one becomes its value, and what is wrong if it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from observability.product_names import flaw_of
from observability.settings.values import ACCOUNT_ID, split


class Kind(NamedTuple):
    """What a setting takes: `metavar` is what stands for it in --help, none for a switch.

    `read` raises ValueError that says what is wrong. Of `several` values, comma-separated, the
    flag may also be given several times.
    """

    metavar: str
    read: Callable[[Any], Any]
    several: bool = False
    choices: tuple[str, ...] = ()


def shown(text: Any) -> str:
    """A wrong value as an error shows it."""
    return repr(text) if len(str(text)) <= 100 else f"{str(text)[:100]!r} and so on"


ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def is_on(given: Any) -> bool:
    """What a switch is set to, by its flag, text in the environment, or JSON of an event."""
    text = "" if given is None else str(given).lower()
    if text in ON:
        return True
    if text in ("", *OFF):
        return False
    known = f"on ({', '.join(ON)}) nor off ({', '.join(OFF)})"
    raise ValueError(f"{shown(given)} is neither {known}")


SWITCH = Kind("", is_on)

TO_BUCKET = "s3"


def read_report(given: str) -> str | None:
    """Where a report goes: a file, the bucket, or nowhere."""
    if given.lower() in (*ON, TO_BUCKET):
        return TO_BUCKET
    return None if given.lower() in OFF else given


REPORT = Kind("FILE", read_report)


def text(value: str) -> Kind:
    """Any text."""
    return Kind(value, str)


def names(value: str) -> Kind:
    """Several names, comma-separated, each once."""
    return Kind(value, split, several=True)


def read_products(given: str) -> str:
    """Names of products as they were given; a receiver refuses one that looks like another."""
    for name in split(given):
        if flaw := flaw_of(name):
            raise ValueError(f"{shown(name)} {flaw}")
    return given


def products(value: str) -> Kind:
    """Several names of products, comma-separated, kept as one text."""
    return Kind(value, read_products, several=True)


def choice(*choices: str) -> Kind:
    """One of a few words; argparse refuses others."""
    return Kind("", str, choices=choices)


def number(value: str, least: float, most: float) -> Kind:
    """A number within bounds, whole where the bounds are."""
    kind = "whole number" if isinstance(least, int) else "number"

    def read(given: str) -> float:
        with suppress(ValueError):
            if re.fullmatch(r"[\d.+e-]+", given, re.ASCII):
                found = type(least)(given)
                if least <= found <= most:
                    return found
        raise ValueError(f"{shown(given)} is not a {kind} from {least:g} to {most:g}")

    return Kind(value, read)


def pattern(value: str, expression: str, wanted: str) -> Kind:
    """What AWS takes: as a regular expression, and in words."""

    def read(given: str) -> str:
        if not re.fullmatch(expression, given, re.ASCII):
            raise ValueError(f"{shown(given)} cannot be one; give {wanted}")
        return given

    return Kind(value, read)


def arn(service: str, thing: str) -> Kind:
    """The ARN of a thing of a service."""
    form = f"arn:aws:{service}:<region>:<account>:{thing}:<name>"

    def read(given: str) -> str:
        if not re.fullmatch(
            rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:[0-9]{{12}}:{thing}:[!-9;-~]+", given
        ):
            raise ValueError(f"{shown(given)} is no ARN of a {thing}; its form is {form}")
        return given

    return Kind("ARN", read)


KMS_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:"
KMS_ID = r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
KMS_KEY = pattern(
    "KEY",
    rf"({KMS_ARN}key/)?{KMS_ID}|({KMS_ARN})?alias/[\w/-]+",
    "a KMS key's id, alias/ and its alias, or the ARN of either",
)
"""What S3 takes as SSEKMSKeyId."""

REGION = pattern("REGION", r"[a-z]+(-[a-z]+)+-[0-9]", "the code of a region, such as eu-west-1")

ROLE = pattern(
    "ROLE",
    r"(?!arn:)/?([!-.0-~]+/)*[\w+=,.@-]{1,64}",
    "the role's name (with its path, if it has one), not its ARN",
)
"""What IAM takes as a role's path and name."""

EXTERNAL_ID = pattern(
    "ID", r"[\w+=,.@:/-]{2,1224}", "2 to 1224 letters, digits or any of _+=,.@:/-"
)
"""What STS: AssumeRole takes as ExternalId."""


def read_accounts(given: str) -> tuple[str, ...]:
    """Account ids, comma-separated."""
    found = split(given)
    for wrong in (one for one in found if not ACCOUNT_ID.fullmatch(one)):
        raise ValueError(f"{shown(wrong)} is not an account id of 12 digits")
    return found


ACCOUNTS = Kind("ACCOUNTS", read_accounts, several=True)


def read_day(given: str) -> date:
    """A day given as YYYY-MM-DD, in the digits 0 to 9."""
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
            raise ValueError
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{shown(given)} is not a day of the form YYYY-MM-DD") from None


DAY = Kind("DAY", read_day)
