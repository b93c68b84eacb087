"""The file of --tags: which customer, product and so on each account belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from observability.errors import UsageError
from observability.product_names import flaw_of, plain_name
from observability.settings.accounts_file import NO_ACCOUNT, flaw, read_accounts_file
from observability.settings.values import TAGS, Target, split


def read_tags_file(path: Path) -> tuple[Target, ...]:
    """The accounts and tags in a CSV or JSON file; UsageError has a line for each that is wrong.

    CSV is as for the sender's --accounts-file; JSON is a list of objects with the same names.
    """
    targets = (
        read_json(path) if path.suffix.lower() == ".json" else read_accounts_file(path, "--tags")
    )
    if wrong := [f"{path}: {what}" for what in flaws(targets)]:
        raise UsageError("\n".join(wrong))
    return targets


def read_json(path: Path) -> tuple[Target, ...]:
    """The same from JSON, where products may be a list."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"--tags {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, list):
        raise UsageError(f"{path}: it must be a list with an object for each account")
    if not content:
        raise UsageError(f"{path}: {NO_ACCOUNT}")
    seen: set[str] = set()
    checked = ((number, wrong_with(entry, seen)) for number, entry in enumerate(content, 1))
    if wrong := [f"{path}: number {number}: {what}" for number, what in checked if what]:
        raise UsageError("\n".join(wrong))
    return tuple(Target(entry["account_id"], tags_of(entry)) for entry in content)


def wrong_with(entry: Any, seen: set[str]) -> str | None:
    """What is wrong with an entry of the list, if anything; `seen` are the accounts before it."""
    if not isinstance(entry, dict):
        return "it is no object"
    if unknown := sorted(entry.keys() - {"account_id", *TAGS}):
        return f"it has {', '.join(map(repr, unknown))}; known are account_id, {', '.join(TAGS)}"
    for name, value in entry.items():
        texts = value if name == "product" and isinstance(value, list) else [value]
        if not all(text is None or isinstance(text, str) for text in texts):
            return f"{name} must be a text"
    return flaw({"account_id": entry.get("account_id")}, seen)


def tags_of(entry: dict[str, Any]) -> dict[str, str]:
    """The tags of an entry; a list of products becomes a text."""
    product = entry.get("product")
    joined = {"product": ",".join(filter(None, product))} if isinstance(product, list) else {}
    return {name: text for name, text in {**entry, **joined}.items() if name in TAGS and text}


def flaws(targets: Sequence[Target]) -> Iterator[str]:
    """What is wrong with tags: unseen characters, and products that are written in several ways."""
    written: dict[str, str] = {}
    for target in targets:
        texts = [text for name, text in target.tags.items() if name != "product"]
        names = products_of(target)
        for text in (*texts, *names):
            if what := flaw_of(text):
                yield f"{target.account}: {text!r} {what}"
        for name in names:
            first = written.setdefault(name.lower(), name)
            if first != name:
                yield f"{target.account}: the product {first!r} is written {name!r} here"


def products_of(target: Target) -> tuple[str, ...]:
    """The products that an account has; None, however it is written, is that it has none."""
    named = map(plain_name, target.tags.get("product", "").split(","))
    return split(",".join("None" if name.lower() == "none" else name for name in named))
