"""The sender run in this process as its command runs it, with what came of it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import sender

Document = dict[str, Any]
Row = dict[str, Any]


@dataclass
class Sent:
    """Exit code, documents, stdout, and the log's lines (each a JSON object)."""

    code: int
    documents: list[Document]
    out: str
    story: list[dict[str, Any]] = field(repr=False)

    @property
    def document(self) -> Document:
        """The only document."""
        assert len(self.documents) == 1, [line["message"] for line in self.story]
        return self.documents[0]

    @property
    def statuses(self) -> dict[str, str]:
        """Status by category, of those that the run was asked for."""
        return statuses(self.document)

    def said(self, *kinds: str) -> list[str]:
        """What the document's log says, of these kinds."""
        messages = self.document["logs"]["message"]
        return [text for held in messages for kind, text in held.items() if kind in kinds]


def send(environment: Mapping[str, str], directory: Path, *flags: str) -> Sent:
    """Run `sender.py --dry-run` with these flags and keep the documents that it writes."""
    target = directory / "documents.json"
    out, story = io.StringIO(), io.StringIO()
    arguments = ["--dry-run", "--output", str(target), "--log-format", "json", *flags]
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as streams:
        for name, value in environment.items():
            patch.setenv(name, value)
        streams.enter_context(contextlib.redirect_stdout(out))
        streams.enter_context(contextlib.redirect_stderr(story))
        code = sender.main(arguments)
    lines = target.read_text(encoding="utf-8").splitlines() if target.exists() else []
    target.unlink(missing_ok=True)
    documents = [json.loads(line, parse_float=Decimal) for line in lines]
    return Sent(
        code, documents, out.getvalue(), list(map(json.loads, story.getvalue().split("\n")[:-1]))
    )


def statuses(document: Document) -> dict[str, str]:
    """Status by category."""
    ending = "_status"
    logs = document["logs"].items()
    return {key.removesuffix(ending): value for key, value in logs if key.endswith(ending)}


def rows(document: Document, path: str) -> list[Row]:
    """The rows of a list: `health`, `security.kms`; findings are taken out of their groups."""
    held: Any = document
    for name in path.split("."):
        held = held[name]
    if path == "security.security_hub":
        return [finding for group in held for finding in group["findings"]]
    return list(held)


def lists(document: Document) -> dict[str, list[Row]]:
    """Every list of rows of a document by its path; fields of a category's own are one row."""
    found: dict[str, list[Row]] = {}
    for category in (name for name in document if name not in ("meta", "logs")):
        content = document[category]
        if isinstance(content, list):
            found[category] = content
        else:
            own = {k: held for k, held in content.items() if not isinstance(held, list)}
            found |= {category: [own]} if own else {}
            parts = (part for part in content if part not in own)
            found |= {f"{category}.{part}": rows(document, f"{category}.{part}") for part in parts}
    return found


def period(document: Document) -> tuple[date, date]:
    """The days that a document is about, half open."""
    held = document["meta"]["period"]
    return date.fromisoformat(held["start"]), date.fromisoformat(held["end"])
