"""What several files need to know of the values of settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from observability.errors import UsageError

TAGS = ("customer", "partner", "category", "environment", "product")
"""The settings that an account among several may have as tags of its own."""

ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)

LONGEST_LOOK_BACK = 400
"""Days: more than the 13 months that Cost Explorer and the last documents of an account reach."""


class Target(NamedTuple):
    """An account among those of a run: the tags that a file gives it, and how AWS listed it."""

    account: str
    tags: Mapping[str, str] = MappingProxyType({})
    listed: Mapping[str, Any] = MappingProxyType({})


def not_set(variable: str, flag: str) -> UsageError:
    """The error of a setting without which nothing can be done."""
    return UsageError(f"{variable} is not set: set it in the environment or give {flag}")


def check_target(option: str, target: Path) -> None:
    """UsageError if no file can be written there: all would be read in vain."""
    if target.is_dir():
        raise UsageError(f"{option} {target}: that is a folder; name a file in it")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{option} {target}: there is no such folder")


def split(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list, each once."""
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
