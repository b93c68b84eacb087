"""Words that test more than they say: other alphabets, quotes, newlines, markup, emoji."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

Choice = TypeVar("Choice")

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

SENTENCES = (
    "A plain sentence.",
    'It says "no", and it\'s final.',
    "First line\nsecond line\r\nthird line",
    "Überprüfung für größere Straßen — наконец-то — 日本語テスト",
    "100% of {braces}, %s and $1 stay as they are \\ always",
    "Emoji beyond the basic plane: 🧯🚨",
)


def pick(choices: Sequence[Choice], number: int) -> Choice:
    """The choice of that number, going round."""
    return choices[number % len(choices)]


def iso(moment: datetime) -> str:
    """An instant as most of AWS's JSON strings have it: milliseconds and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
