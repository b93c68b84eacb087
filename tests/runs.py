"""Runs of the sender, and the documents that they make."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import sender
from tests.cloud import Account, EmbeddedCloud, Size
from tests.conftest import MakeAccount, MakeEnvironment
from tests.paths import SENDER

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


def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture
def account(make_account: MakeAccount) -> Account:
    """A small account of its own."""
    return make_account(Size.small())


@pytest.fixture
def environment(account: Account, environment_of: MakeEnvironment) -> dict[str, str]:
    """What the sender of the account is told."""
    return environment_of(account)


def heed_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so would what the tests start from one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def launch(
    environment: dict[str, str], *flags: str, program: Sequence[str] = (str(SENDER),)
) -> subprocess.Popen[str]:
    """Start sender.py, or a program around it."""
    return subprocess.Popen(
        [sys.executable, *program, *flags],
        env=os.environ | environment,
        preexec_fn=heed_interrupts,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ship(environment: dict[str, str], *flags: str) -> tuple[int, str]:
    """Run sender.py to its end; its exit code and story."""
    process = launch(environment, *flags)
    _, story = process.communicate(timeout=120)
    assert "Traceback" not in story
    return process.returncode, story


def stored(embedded: EmbeddedCloud, environment: dict[str, str]) -> dict[str, Document]:
    """The documents in the bucket, by key."""
    bucket = environment["BUCKET"]
    client = embedded.client("s3", embedded.analytics.id)
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        item["Key"]: json.loads(client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
        for item in listed
    }


def content(document: Document) -> dict[str, list[str]]:
    """The rows of a document, in an order of their own, and its period."""
    found = {path: sorted(map(repr, held)) for path, held in lists(document).items()}
    return found | {"period": [str(day) for day in period(document)]}
