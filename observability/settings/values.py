"""How the value of a setting is read, and the one line that says what is wrong with it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from observability.errors import UsageError

TAGS = ("customer", "partner", "category", "environment", "product")
"""The settings that an account among several may have as tags of its own."""

KMS_ARN = r"arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:"
KMS_ID = r"([\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|mrk-[\da-f]{32})"

ACCOUNT_ID = re.compile(r"\d{12}")

ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Target(NamedTuple):
    """An account among those of a run: the tags that a file gives it, and how AWS listed it."""

    account: str
    tags: Mapping[str, str] = MappingProxyType({})
    listed: Mapping[str, Any] = MappingProxyType({})


REGION_NAME = re.compile(r"[a-z]+(-[a-z]+)+-\d")


def is_on(setting: str, held: Any) -> bool:
    """What a switch is set to, by its flag, text in the environment, or JSON of an event."""
    text = "" if held is None else str(held).lower()
    if text in ON:
        return True
    if text in ("", *OFF):
        return False
    known = f"on ({', '.join(ON)}) nor off ({', '.join(OFF)})"
    raise UsageError(f"{setting}: {held!r} is neither {known}")


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


def read_day(flag: str, text: str) -> date:
    """A day given as YYYY-MM-DD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise UsageError(f"{flag}: {text!r} is not a day of the form YYYY-MM-DD") from None
