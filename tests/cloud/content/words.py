"""What things of an account are called, and what texts about them say.

Tests use `ODD`: other alphabets, quotes, newlines, markup, emoji. A demo's company has words of
its own, in `tests.cloud.company`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Words:
    """The words of an account.

    Attributes:
        apps: what the account runs; most names are made of these.
        forms: by kind of thing, how its name is made of `{app}` and `{number}`.
        sentences: what texts say.
        texts: what texts of one kind say instead of `sentences`.
        contact, people: ContactInformation, its optional members, and alternate contacts.
    """

    apps: tuple[str, ...]
    forms: Mapping[str, tuple[str, ...]]
    sentences: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contact: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    people: tuple[tuple[str, str, str, str], ...] = ()

    def name(self, kind: str, number: int, **parts: Any) -> str:
        """The name of a thing of that kind and number, other than those of lower numbers."""
        app, form = pick(self.apps, number), pick(self.forms[kind], number)
        name = form.format(app=app, number=number, **parts)
        again = number // math.lcm(len(self.apps), len(self.forms[kind]))
        return f"{name}-{again + 1}" if again and "{number" not in form else name

    def text(self, kind: str, number: int) -> str:
        """A text of that kind."""
        return pick(self.texts.get(kind, self.sentences), number)


def pick(choices: Sequence[Choice], number: int) -> Choice:
    """The choice of that number, going round."""
    return choices[number % len(choices)]


def iso(moment: datetime) -> str:
    """An instant as most of AWS's JSON strings have it: milliseconds and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


NAMES = (
    "billing",
    "web-frontend",
    "Zürich größe",
    'say "hello"',
    "it's here",
    "数据仓库",
    "naïve café ☕",
    "back\\slash",
    "tab\there",
    "<b>bold</b> & more",
    "🚀 launch",
    "semi;colon--'; DROP TABLE accounts;",
)

ODD = Words(
    apps=NAMES,
    forms={
        "resilient app": ("app-{number:03d}",),
        "bucket": ("data-{account}-{number:03d}",),
        "check": ("Check {number}: {app}",),
        "cluster": ("eks:cluster/{app}",),
        "computer": ("host-{number}.{region}.compute.internal",),
        "database": ("db-{number:03d}-{digits}",),
        "disk": ("disk {app}",),
        "domain": ("{star}app-{number}.example.com",),
        "finding": ("{title} ({number})",),
        "function": ("function-{number:03d}",),
        "group": tuple(f"asg {name} {{number}}" for name in NAMES[:4]),
        "instance": ("{app} {number}",),
        "load balancer": ("lb-{number:03d}",),
        "pack": ("pack-{number:02d}",),
        "program": ("{app}-{number}",),
        "rule": ("rule-{number:04d}",),
        "secret": ("prod/service-{number:03d}",),
        "service": ("{app}-{number}",),
        "trail": ("trail-{number}-{region}",),
        "web ACL": ("acl-{scope}-{number:03d}",),
    },
    sentences=(
        "A plain sentence.",
        'It says "no", and it\'s final.',
        "First line\nsecond line\r\nthird line",
        "Überprüfung für größere Straßen — наконец-то — 日本語テスト",
        "100% of {braces}, %s and $1 stay as they are \\ always",
        "Emoji beyond the basic plane: 🧯🚨",
    ),
    texts={
        "edition": ("Größe L",),
        "function": NAMES,
        "key": ("", *NAMES),
        "patch group": ("Büro-Server",),
        "product": (
            "Datadog Pro",
            "MongoDB Atlas (pay-as-you-go)",
            'Acme "Größe" Scanner',
            "Snowflake",
            "日本語 OCR",
            "O'Reilly Gateway",
        ),
        "publisher": ("Amazon Linux", "O'Reilly & Söhne", "微软"),
        "secret": NAMES,
        "server": ("Büro-Server “Zürich”", "büro.example.com"),
        "team": NAMES,
        "threat": ("Unusual activity",),
        "user": NAMES,
        "web ACL": ("Protects an app, and more",),
    },
    contact=(
        {
            "FullName": "Jürgen O'Neil",
            "AddressLine1": 'Straße des 17. Juni "135"',
            "City": "Zürich",
            "PostalCode": "8001",
            "CountryCode": "CH",
            "PhoneNumber": "+41 44 555-0100",
        },
        {
            "AddressLine2": "Gebäude 2",
            "AddressLine3": "c/o Müller & Söhne",
            "StateOrRegion": "Zürich (ZH)",
            "DistrictOrCounty": "Altstadt",
            "CompanyName": "O'Neil & Söhne AG",
            "WebsiteUrl": "https://example.com/über?uns=1&x=2",
        },
    ),
    people=(
        ("BILLING", "Zoë Billing", "Head of “Billing”", "+1 (206) 555-0101"),
        ("OPERATIONS", "操作 太郎", "On-call", "+81 3-5555-0102"),
        ("SECURITY", "Seán O'Security", "CISO", "+353 1 555 0103"),
    ),
)
